"""What the views of the console work on: a config, its environment, the AWS that it runs on, and
processes for jobs.

What configs and plugins can break runs as a job in a process apart: one that crashes or hangs ends
nothing else. That process reads a job per line, runs it, and writes its answer as a line. What is
refused has a code and a sentence.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from router.errors import ConfigError, RouterError
from router.runtime.config.secret_values import WRITTEN

_WATCH_SECONDS = 1
Target = Literal["files", "local", "aws"]
"""What the console shows besides files: nothing, an embedded AWS, or the AWS of the environment."""


SECONDS = 60.0
"""The time limit of a check, and of reading the state of AWS; a check of 1,000 routes takes a tenth
of it.
"""
MESSAGE_SECONDS = 20.0
"""The time limit of running a message, for which the page waits while somebody types."""


class ConsoleError(RouterError):
    """A request of the page that is refused: `code` is a stable word or a code RTnnn, `status` that
    of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def as_refusal(error: RouterError) -> ConsoleError:
    """Return an error of the router for the page."""
    match error:
        case ConsoleError():
            return error
        case ConfigError():
            first = error.findings[0]
            return ConsoleError(
                first.code.id,
                f"the config has errors, which the view Edit shows: {first}",
                422,
            )
        case _:
            return ConsoleError("usage", str(error))


_EXACT = ("add_test",)
"""The jobs whose answer is a file to save, which stays as it is."""


class Job(Struct, frozen=True):
    """A function of a module of `router.tools.console`, and what it gets: JSON of the type that its
    `given` has.
    """

    module: str
    function: str
    given: Any


class JobAnswer(Struct, frozen=True):
    """What a job returned, as JSON, or why it was refused."""

    answer: msgspec.Raw = msgspec.Raw(b"null")
    code: str = ""
    message: str = ""
    status: int = 200


class JobProcess:
    """A process that runs jobs one after the other; it is started by the first, and again after it
    has ended.

    A job that takes longer than `seconds` is ended.
    """

    def __init__(self, env: Mapping[str, str], seconds: float) -> None:
        self._env = env
        self._seconds = seconds
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, function: Callable[[Any], Any], given: Any) -> bytes:
        """Return the answer of a function of `router.tools.console`, as JSON; raises ConsoleError."""
        job = Job(function.__module__, function.__name__, given)
        with self._lock:
            line = self._ask(msgspec.json.encode(job))
        found = msgspec.json.decode(line, type=JobAnswer)
        if found.code:
            raise ConsoleError(found.code, found.message, found.status)
        return bytes(found.answer)

    def close(self) -> None:
        """End the process."""
        process = self._process
        self._process = None
        if process:
            process.kill()
            process.communicate()

    def _ask(self, job: bytes) -> bytes:
        is_new = self._process is None
        line = self._send(job)
        if not line and not is_new:  # it may have ended since the job before
            line = self._send(job)
        if line:
            return line
        raise ConsoleError(
            "crashed",
            "the process that checks ended by itself; the next try starts a new one",
            500,
        )

    def _send(self, job: bytes) -> bytes:
        """Return the line of an answer; nothing if the process ended before it was whole."""
        process = self._process = self._process or _start(self._env)
        assert process.stdin
        assert process.stdout
        expired = []

        def expire() -> None:
            expired.append(True)
            process.kill()

        timer = Timer(self._seconds, expire)
        timer.start()
        try:
            process.stdin.write(job + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:  # it has ended before
            line = b""
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            return line
        self.close()
        if expired:
            sentence = (
                f"this took longer than {self._seconds:.0f} seconds, and was ended: does a plugin wait for something, "
                "or is a schema very large?"
            )
            raise ConsoleError("timeout", sentence, 504)
        return b""


def _start(env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    # Not `-m`, by which this module would be imported twice, and ConsoleError with it.
    command = [sys.executable, "-P", "-c", f"from {__name__} import run_jobs; run_jobs()"]
    # In a session of its own: Ctrl-C at the terminal is for the console.
    return subprocess.Popen(  # noqa: S603 — our own program
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def run_jobs() -> None:
    """Run jobs until standard input ends, or the console."""
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a plugin prints must not be among the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin.buffer:
        answers.write(msgspec.json.encode(_answer(line)) + b"\n")
        answers.flush()


def _end_with(parent: int) -> None:
    """End this process after its parent, even if a job hangs."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(0)


def _answer(line: bytes) -> JobAnswer:
    import importlib

    job = msgspec.json.decode(line, type=Job)
    try:
        function = getattr(importlib.import_module(job.module), job.function)
        given = msgspec.convert(job.given, function.__annotations__["given"])
        answer = msgspec.json.encode(function(given), enc_hook=repr)
        if WRITTEN and job.function not in _EXACT:
            answer = WRITTEN.mask(answer.decode()).encode()
        return JobAnswer(msgspec.Raw(answer))
    except RouterError as error:
        refusal = as_refusal(error)
        return JobAnswer(
            code=refusal.code,
            message=WRITTEN.mask(str(refusal)),
            status=refusal.status,
        )
    except BaseException as error:
        # jsonschema-rs raises its PanicException, which is not an Exception.
        return JobAnswer(
            code="internal",
            message=f"{job.function} failed with {type(error).__name__}",
            status=500,
        )


class Workspace(Struct, frozen=True):
    """The config, the variables of its references, and the AWS of a console.

    On `local` the environment leads SDKs to the embedded AWS. Unless `writes`, nothing in AWS is
    changed; on `local` it is always true. `messages` runs jobs for which the page waits while
    somebody types, `checks` jobs that may take seconds, and `live` jobs that call AWS. `worker` is
    the address of the pages of the worker on `local`.
    """

    config: Path
    env: Mapping[str, str]
    messages: JobProcess
    checks: JobProcess
    live: JobProcess
    target: Target = "files"
    writes: bool = False
    worker: str = ""
    files: set[str] = field(default_factory=set)
    """The names of the files that may be saved: those of the config, as far as the page has asked
    for them.
    """


@contextmanager
def opened(
    config: Path,
    env: Mapping[str, str],
    target: Target = "files",
    writes: bool = False,
    worker: str = "",
) -> Iterator[Workspace]:
    """Open a config; its processes end with the block."""
    with (
        closing(JobProcess(env, MESSAGE_SECONDS)) as messages,
        closing(JobProcess(env, SECONDS)) as checks,
        closing(JobProcess(env, SECONDS)) as live,
    ):
        yield Workspace(config, env, messages, checks, live, target, writes, worker)


def require_aws(workspace: Workspace) -> None:
    """Raise ConsoleError if the console shows files only."""
    if workspace.target == "files":
        raise ConsoleError(
            "offline",
            "this needs AWS: start router console with --local or --aws",
            409,
        )


def require_writes(workspace: Workspace) -> None:
    """Raise ConsoleError if nothing in AWS may be changed."""
    require_aws(workspace)
    if not workspace.writes:
        raise ConsoleError(
            "read_only",
            "AWS is read-only here: start router console with --aws --write",
            403,
        )
