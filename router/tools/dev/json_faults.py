"""Says where a text is not JSON, and why, without its values: msgspec often says neither."""

import json
import re
from collections.abc import Mapping
from decimal import DecimalException
from typing import Any, NoReturn

from msgspec import Struct

from router.codes import BAD_ENVELOPE, NOT_JSON
from router.errors import PluginError, Rejection
from router.model import Outcome, Record
from router.runtime.config import spec
from router.runtime.conversions import JSON_DECODER
from router.runtime.engine.decode import UNPACK, read_attributes, unwrap
from router.runtime.program.load import Program

_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<found>-?(?:NaN|Infinity))')
_HALF_PAIR = re.compile(
    r"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(?P<found>\\u[dD][89a-fA-F]\w\w)|\\.", re.DOTALL
)


class JsonFault(Struct, frozen=True):
    """Where a text is not JSON, and why; lines and columns are counted from 1, in characters."""

    line: int
    column: int
    why: str
    is_at_end: bool = False
    """Whether the text ends too early."""

    @property
    def sentence(self) -> str:
        """All of it."""
        return f"line {self.line}, column {self.column}: {self.why}"


class _ConstantError(Exception):
    """What Python's json module takes for a number."""


def json_fault(text: str) -> JsonFault | None:
    """Return where a text is not JSON, or None if it is."""
    try:
        JSON_DECODER.decode(text)
    except (ValueError, RecursionError, DecimalException):
        pass
    else:
        return None
    if not text.strip():
        return JsonFault(1, 1, "it is empty", is_at_end=True)
    try:
        # The json module knows the place, and takes more than JSON has. Numbers are left as text.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        why = error.msg.partition(": ")[0].removesuffix(" at")
        is_at_end = error.pos >= len(text.rstrip()) or why.startswith("Unterminated")
        return JsonFault(error.lineno, error.colno, f"{why[0].lower()}{why[1:]}", is_at_end)
    except _ConstantError:
        return _first(_CONSTANT, text, "NaN and Infinity are not JSON")
    except RecursionError:
        return JsonFault(1, 1, "it is nested too deep")
    half = _first(_HALF_PAIR, text, "half of a surrogate pair")
    return half or JsonFault(1, 1, "a number or a character is beyond what can be held")


def why_not_json(text: str, otherwise: ValueError) -> str:
    """Return why a text was not read: where it is not JSON, or what else was wrong with it."""
    fault = json_fault(text)
    if fault is None:
        return str(otherwise)
    line = f"line {fault.line}, " if "\n" in text else ""
    return f"it is not JSON at {line}column {fault.column}: {fault.why}"


def _refuse(_: str) -> NoReturn:
    raise _ConstantError


def _first(pattern: re.Pattern[str], text: str, why: str) -> JsonFault | None:
    """Return the first place that a pattern has found."""
    for match in pattern.finditer(text):
        if match["found"]:
            before = text[: match.start()]
            line = before.count("\n") + 1
            return JsonFault(line, len(before) - before.rfind("\n"), why)
    return None


def document_fault(text: str) -> JsonFault | None:
    """Return where a text is not JSON if it is to be one value of several lines, else None.

    The lines of JSON lines are values of their own: the first does not end too early, or another
    one is a whole object or list.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2:
        return None
    first = json_fault(lines[0])
    if first is None or not first.is_at_end:
        return None
    if any(line.lstrip()[0] in "{[" and json_fault(line) is None for line in lines[1:]):
        return None
    return json_fault(text)


def payload_fault(program: Program, queue: str, record: Record, outcome: Outcome) -> str:
    """Return where and why a payload that a queue does not decode is not JSON, or ""."""
    if outcome.code not in (NOT_JSON.id, BAD_ENVELOPE.id):
        return ""
    settings = program.config.queues.get(queue, spec.Queue())
    payload: Any = record.body
    attributes: Mapping[str, Any] = read_attributes(record.message_attributes)
    what = "the body"
    try:
        for name in settings.envelope:
            envelope = program.plugins.envelopes[name]
            payload, attributes = unwrap([envelope.unwrap], payload, attributes)
            what = f"the payload of the envelope '{name}'"
        payload = UNPACK[settings.encoding](payload)
        what += "" if settings.encoding == "json" else ", decoded"
    except (Rejection, PluginError):
        # It is this layer that is not JSON, if anything is not.
        pass
    try:
        text = payload.decode() if isinstance(payload, bytes) else payload
    except UnicodeDecodeError as error:
        return f"{what}, byte {error.start + 1}: it is not UTF-8"
    found = json_fault(text) if isinstance(text, str) else None
    return f"{what}, {found.sentence}" if found else ""
