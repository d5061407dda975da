"""From the source of an attribute (`from`, `meta`, `value`, `template`, `hash`, `ttl`) to the callable that gets it."""

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from msgspec import Struct, UnsetType

from router.config import spec
from router.config.findings import Findings
from router.engine.derive import epoch_seconds, hash_values, parse_duration
from router.model import META_TIMES, Message, Path, iso_ms
from router.program.expressions.compile import INVALID_EXPRESSION, InvalidExpression, compile_expression
from router.program.expressions.templates import compile_template

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_SYSTEM_NAMES = {
    "group_id": "MessageGroupId",
    "sequence_number": "SequenceNumber",
    "deduplication_id": "MessageDeduplicationId",
    "sender_id": "SenderId",
}

GetValue = Callable[[Any, Message], Any]
"""From data and message to a value or None; raises ExpressionError, or ValueError with a value-free reason."""


class Source(Struct, frozen=True):
    """Where a value comes from; `pointer` is the JSON Pointer of a plain path, else empty.

    `field` is the field of the message where it is no more than that, else empty.
    """

    get: GetValue
    pointer: str = ""
    field: str = ""


def compile_source(attribute: spec.Attribute, route: str, findings: Findings, path: Path, short: bool) -> Source | None:
    """The source of an attribute, or None if it has a fault; `short`: it is written as an expression alone."""
    if not isinstance(attribute.from_, UnsetType):
        where = path if short else (*path, "from")
        expression = compile_located(attribute.from_, findings, where)
        field = attribute.from_ if _NAME.fullmatch(attribute.from_) else ""
        return expression and Source(_from(expression), pointer_to(attribute.from_), field)
    if not isinstance(attribute.meta, UnsetType):
        return Source(_meta(attribute.meta, route, attribute.type == "N"))
    if not isinstance(attribute.template, UnsetType):
        template = compile_template(attribute.template, findings, (*path, "template"))
        return template and Source(template)
    if not isinstance(attribute.hash, UnsetType):
        return _hash(attribute.hash, findings, (*path, "hash"))
    if not isinstance(attribute.ttl, UnsetType):
        return _ttl(attribute.ttl, findings, (*path, "ttl"))
    return Source(_constant(attribute.value))


def compile_located(text: str, findings: Findings, path: Path) -> Callable[[Any], Any] | None:
    """A compiled expression, or None and a finding at `path`."""
    try:
        return compile_expression(text)
    except InvalidExpression as error:
        findings.add(INVALID_EXPRESSION, error.sentence, path)
        return None


def _from(expression: Callable[[Any], Any]) -> GetValue:
    return lambda data, message: expression(data)


def pointer_to(text: str) -> str:
    """The JSON Pointer to what a plain path names, or "" for any other expression."""
    return "/" + text.replace(".", "/") if _PLAIN_PATH.fullmatch(text) else ""


def _constant(value: Any) -> GetValue:
    if isinstance(value, list | dict):
        # A copy for each item: a plugin may change it in place.
        return lambda data, message: deepcopy(value)
    return lambda data, message: value


def _meta(name: str, route: str, as_number: bool) -> GetValue:
    if name in META_TIMES:
        if as_number:
            return lambda data, message: message.epoch_ms(name)
        return lambda data, message: iso_ms(message.epoch_ms(name))
    if name in _SYSTEM_NAMES:
        key = _SYSTEM_NAMES[name]
        return lambda data, message: message.system.get(key)
    if name == "message_id":
        return lambda data, message: message.id
    if name == "queue":
        return lambda data, message: message.queue
    if name == "route":
        return lambda data, message: route
    attribute = name.removeprefix("attribute.")
    return lambda data, message: message.attributes.get(attribute)


def _hash(texts: Sequence[str], findings: Findings, path: Path) -> Source | None:
    expressions = [compile_located(text, findings, (*path, index)) for index, text in enumerate(texts)]
    compiled = [expression for expression in expressions if expression is not None]
    if len(compiled) < len(expressions):
        return None

    def get(data: Any, message: Message) -> str:
        values = [expression(data) for expression in compiled]
        if None in values:
            raise ValueError("cannot be hashed: a value is missing")
        return hash_values(values)

    return Source(get)


def _ttl(ttl: str | spec.TtlAfter, findings: Findings, path: Path) -> Source | None:
    if isinstance(ttl, str):
        after = parse_duration(ttl)

        def from_sent_at(data: Any, message: Message) -> int | None:
            sent_at = message.epoch_ms("sent_at")
            return None if sent_at is None else sent_at // 1000 + after

        return Source(from_sent_at)
    expression = compile_located(ttl.from_, findings, (*path, "from"))
    if expression is None:
        return None
    seconds = parse_duration(ttl.after)

    def from_value(data: Any, message: Message) -> int | None:
        value = expression(data)
        return None if value is None else epoch_seconds(value) + seconds

    return Source(from_value, pointer_to(ttl.from_))
