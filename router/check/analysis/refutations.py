"""Finds a message that the schema of a route accepts and a part of the route rejects: it refutes a claim.

The part runs as the engine runs it, on messages with unusual values at the paths that it reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs

from router.check.analysis.attributes import transforms_of
from router.check.analysis.entailment import Entailment
from router.check.analysis.expressions import Scope, paths, tree_of
from router.check.analysis.predicates import Steps
from router.check.analysis.routes import AnalyzedRoute, is_set
from router.check.analysis.verdicts import Claim
from router.config import spec
from router.engine.attributes import encode_item, identify
from router.engine.engine import UNLIMITED
from router.errors import ExpressionError, Rejection
from router.model import Item, KeyType, Message, Table
from router.program.mapping import compile_mapping
from router.sources import expressions_of
from router.transforms import TRANSFORMS

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_SYSTEM = {"SentTimestamp": "1767323045000", "ApproximateFirstReceiveTimestamp": "1767323045000"}
_SHORT = 100
_VALID_KEYS: Mapping[KeyType, Any] = {"S": "k", "N": 1, "B": b"k"}
Reject = Callable[[Any], str]
"""Returns why a message is rejected, or "" if it is not."""


class Refutation(Struct, frozen=True):
    """A message that refutes a claim, as JSON, and why it is rejected."""

    message: str
    reason: str


def refutation(route: AnalyzedRoute, claim: Claim, neighbours: Sequence[AnalyzedRoute] = ()) -> Refutation | None:
    """Return a message that refutes a claim about the evaluation of a part of a route; None if none is found.

    `neighbours` are all routes of its queue, on whose messages its `when` is evaluated.
    """
    read = list(_paths(route, claim))
    if claim.kind == "when":
        schemas = [other.messages.schema for other in neighbours]
        return next(filter(None, (_search(messages, read, _failing(route)) for messages in schemas)), None)
    # Without an element nothing is mapped.
    there = [route.scope.element] if claim.kind != "for_each" and route.scope.element else []
    return _search(route.mapped, read, _rejecting(_stages(route, claim)), there)


def _search(
    messages: Entailment | None, read: list[Steps], rejects: Reject | None, there: Sequence[Steps] = ()
) -> Refutation | None:
    if messages is None or rejects is None:
        return None
    found = messages.find(read, lambda message: bool(rejects(message)), there)
    return None if found is None else Refutation(_ENCODER.encode(found).decode(), rejects(found))


def _failing(route: AnalyzedRoute) -> Reject | None:
    """Return a callable that returns why `when` of a route fails on a message."""
    condition = route.context.expression(str(route.route.when), ())
    if condition is None:
        return None
    evaluate = condition.evaluate

    def fails(data: Any) -> str:
        try:
            evaluate(data)
        except ExpressionError as error:
            return str(error)
        return ""

    return fails


def _stages(route: AnalyzedRoute, claim: Claim) -> list[Reject]:
    """Return callables that tell why a message is rejected: the claim is about the last, and the others precede it."""
    name = claim.subject
    attribute = _attribute(route, claim)
    elements = _mapping(route, {})
    if claim.kind == "for_each":
        return [elements]
    if attribute is None or not _is_built_in(route, attribute):
        return []
    untyped = structs.replace(attribute, type=UNSET)
    source = _mapping(route, {name: untyped})
    match claim.kind:
        case "mapping":
            return [elements, source]
        case "type":
            return [elements, source, _mapping(route, {name: attribute})]
        case "key" if route.table is not None:
            return [elements, source, _mapping(route, {name: attribute}, route.table.key)]
    return []


def _attribute(route: AnalyzedRoute, claim: Claim) -> spec.Attribute | None:
    """Return the attribute of a claim; without `item`, a key is a property of the message or of the element."""
    if claim.kind == "key" and not is_set(route.route.item):
        name = _ENCODER.encode(claim.subject).decode()
        return spec.short_form(f"element.{name}" if route.scope.each else name)
    return route.attributes.get(claim.subject)


def _is_built_in(route: AnalyzedRoute, attribute: spec.Attribute) -> bool:
    """Whether no transform is a plugin's, whose code does not run here."""
    names = [name for name, _, _ in transforms_of(attribute.transform)]
    return all(route.transforms.get(name) is TRANSFORMS.get(name) for name in names)


def _mapping(
    route: AnalyzedRoute, item: Mapping[str, spec.Attribute], key: Mapping[str, KeyType] | None = None
) -> Reject:
    """Return a callable that maps attributes of a message, and with a `key` takes those of it for the table's key."""
    # No code is generated for the mode `update`, which takes each setting of an attribute.
    part = structs.replace(route.route, item=item, merge=UNSET, write=spec.WriteSettings(mode="update"))
    mapping = compile_mapping(route.name, part, Table(route.route.table, ()), route.context, route.path)

    def reject(data: Any) -> str:
        try:
            for mapped in () if mapping is None else mapping.items(Message(data, "message", system=_SYSTEM), UNLIMITED):
                if key is None:
                    encode_item(mapped, item)
                else:
                    others = {name: _VALID_KEYS[kind] for name, kind in key.items() if name not in item}
                    identify("", tuple(key.items()), encode_item(others | _shortened(mapped), item)[0])
        except Rejection as rejection:
            return rejection.reason
        return ""

    return reject


def _shortened(mapped: Item) -> Item:
    """Return an item without the length of its texts: that of keys has a finding of its own."""
    return {name: value[:_SHORT] if isinstance(value, str | bytes) else value for name, value in mapped.items()}


def _rejecting(stages: list[Reject]) -> Reject | None:
    """Return a callable that returns why the last stage rejects a message that the others do not."""
    if not stages:
        return None
    *before, last = stages
    return lambda data: last(data) if _is_storable(data) and not any(stage(data) for stage in before) else ""


def _is_storable(data: Any) -> bool:
    """Whether a message is within the limits of DynamoDB: no claim is about others."""
    try:
        encode_item({"message": data})
    except Rejection:
        return False
    return True


def _paths(route: AnalyzedRoute, claim: Claim) -> Iterator[Steps]:
    """Yield the paths of the message that a claim is about."""
    if claim.kind in ("when", "for_each"):
        texts, scope = [str(route.route.when if claim.kind == "when" else route.route.for_each)], Scope()
    else:
        attribute = _attribute(route, claim)
        texts, scope = [use.text for use in expressions_of(attribute)] if attribute else [], route.scope
    for text in texts:
        tree = tree_of(text)
        for names in () if tree is None else paths(tree):
            steps = scope.steps(names)
            if steps:
                yield steps
