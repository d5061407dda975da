"""A probe of a function: one invocation without records, which does what a cold start does, and handles no message.

It loads the config and the plugins, calls `router_start`, and makes the clients. The response of an invocation:
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
"""

import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from router.codes import CANNOT_START, NOT_PROBED
from router.runtime.config.secret_values import find_secret
from router.runtime.printable import printable
from router.tools.control_plane.clients import AwsCallError, ServiceClient
from router.tools.control_plane.stacks import Stacks
from router.tools.deploy.table_definitions import Template
from router.tools.deploy.template.alias import probe_id, version_id

NO_RECORDS = b'{"Records": []}'
"""The event: each version of the router answers it, and nothing is logged or measured for it."""
ANSWER: Mapping[str, Any] = {"batchItemFailures": []}
RETRY_SECONDS = 60.0
"""How long AWS may refuse to invoke a version: it is not ready, or the concurrency is used up by others."""
ANSWER_SECONDS = 30
"""How long an answer may take besides the longest invocation: that of a cold start."""
SIGNAL_SECONDS = 20.0
"""How long a stack may refuse the signal."""
PAUSE = 1.0
"""Seconds between two tries."""
_PASSING = (
    "EC2ThrottledException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "ServiceException",
    "TooManyRequestsException",
)
"""The error codes of Invoke after which another try may succeed."""
_THROTTLED = "TooManyRequestsException"
_MOST_CHARACTERS = 600
_SHORTEST_VALUE, _SHORTEST_WORD = 4, 6
"""The fewest characters of what is hidden: a shorter value of a variable, or a word in one, occurs in any text."""
_TYPE = re.compile(r"[\w.]{1,100}")
_NOT_OWN = ("/", "<", "router/")
"""The beginnings of files that are not those of the user: of the runtime, and of the router."""
_FRAME = re.compile(r'File "(?:/var/task/)?([^"]+)", [Ll]ine (\d+)')


class ProbeResult(Struct, frozen=True):
    """What a probe showed; `failure` is a sentence with a code, or "" if the function answered.

    With `paused`, the reserved concurrency is 0: nothing can be invoked, neither by a probe nor by messages.
    """

    failure: str = ""
    paused: bool = False


class FunctionError(Struct, frozen=True, rename="camel"):
    """The payload of an invocation that failed."""

    error_type: str = ""
    error_message: str = ""
    stack_trace: Any = None

    @property
    def type(self) -> str:
        """The name of the exception, or of the error of the runtime."""
        return self.error_type if _TYPE.fullmatch(self.error_type) else "an error without a type"

    @property
    def place(self) -> str:
        """The file and line of the package that raised it, or "" if it was the runtime or the router."""
        frames = self.stack_trace if isinstance(self.stack_trace, list) else []
        found = [
            frame for each in frames if isinstance(each, str) for frame in _FRAME.findall(each)
        ]
        own = [f"{file}:{line}" for file, line in found if not file.startswith(_NOT_OWN)]
        return printable(own[-1]) if own else ""

    def text(self, variables: Mapping[str, str]) -> str:
        """Return its message as one line, with names in place of the values of variables; "" for a secret."""
        lines = hide_values(self.error_message.strip(), variables).splitlines()
        if find_secret("\n".join(lines).encode(errors="replace")) is not None:
            return ""
        # An error of the config has a line for each finding.
        text = "; ".join(line.strip() for line in lines)
        if len(text) > _MOST_CHARACTERS:
            text = f"{text[:_MOST_CHARACTERS]} …"
        return printable(text)


def hide_values(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with the names of variables in place of their values, and of the longer words of their values."""
    hidden: dict[str, str] = {}
    for name, value in variables.items():
        words = [word for word in re.split(r"\W+", value) if len(word) >= _SHORTEST_WORD]
        # As an exception shows a value that it quotes.
        whole = [each for each in (value, repr(value)[1:-1]) if len(each) >= _SHORTEST_VALUE]
        hidden |= dict.fromkeys([*whole, *words], f"${{{name}}}")
    if not hidden:
        return text
    longest_first = sorted(hidden, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: hidden[found[0]], text)


def probe_function(lambda_: ServiceClient, function: str) -> ProbeResult:
    """Invoke a function once, by the ARN of a version or alias; the client must not repeat a call."""
    end = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            failed, payload = lambda_.invoke(function, NO_RECORDS)
            break
        except AwsCallError as error:
            if error.code == _THROTTLED and _is_paused(lambda_, function):
                return ProbeResult(paused=True)
            # Nothing was invoked, so that this does not invoke it twice.
            if error.code not in _PASSING or time.monotonic() > end:
                return ProbeResult(f"{NOT_PROBED.id} the function could not be invoked: {error}")
        time.sleep(PAUSE)
    if failed:
        why = _explain(lambda_, function, payload)
        return ProbeResult(f"{CANNOT_START.id} the function cannot start: {why}")
    if not _is_answer(payload):
        return ProbeResult(
            f"{CANNOT_START.id} the function does not answer as the router does: another one has its name"
        )
    return ProbeResult()


def probe_new_version(
    stacks: Stacks, lambda_: ServiceClient, stack_id: str, template: Template
) -> ProbeResult:
    """Probe the version of a template that a stack has published, and signal the result to the stack."""
    published = {each.logical_id: each.physical_id for each in stacks.resources(stack_id)}
    result = probe_function(lambda_, published[version_id(template)])
    _signal(stacks, stack_id, probe_id(template), succeeded=not result.failure)
    return result


def _signal(stacks: Stacks, stack_id: str, logical_id: str, *, succeeded: bool) -> None:
    end = time.monotonic() + SIGNAL_SECONDS
    while True:
        try:
            stacks.signal(stack_id, logical_id, succeeded=succeeded)
            return
        except AwsCallError as error:
            # The event of a resource may come before it takes a signal.
            if error.code != "ValidationError" or time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def _is_paused(lambda_: ServiceClient, function: str) -> bool:
    # Concurrency is reserved for a function, never for a version or alias.
    name = function.partition(":")[0]
    if name == "arn":
        name = ":".join(function.split(":")[:7])
    try:
        found = lambda_.call("GetFunctionConcurrency", FunctionName=name)
    except AwsCallError:
        return False
    return found.get("ReservedConcurrentExecutions") == 0


def _is_answer(payload: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(payload) == ANSWER)
    except msgspec.DecodeError:
        return False


def _explain(lambda_: ServiceClient, function: str, payload: bytes) -> str:
    """Return the type of an error and, if its variables can be read, the text, with the place."""
    try:
        error = msgspec.json.decode(payload, type=FunctionError, strict=False)
    except msgspec.DecodeError:
        error = FunctionError()
    try:
        settings = lambda_.call("GetFunctionConfiguration", FunctionName=function)
    except AwsCallError:
        # Without the variables it is not known which of their values stand in the text.
        text = ""
    else:
        text = error.text(settings.get("Environment", {}).get("Variables", {}))
    place = f" ({error.place})" if error.place else ""
    return f"{error.type}: {text}{place}" if text else f"{error.type}{place}"
