"""Finds a message that the schema of a route accepts and a part of the route rejects: it refutes a
claim.

The part runs as the engine runs it, on messages with unusual values at the paths that it reads.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct, structs

from router.errors import ExpressionError, Rejection
from router.model import REMOVE, Item, KeyType, Message, Table
from router.prover.example_search import FoundValue
from router.prover.expressions import Scope, paths_in
from router.prover.predicates import ENCODER, Steps
from router.prover.schema_prover import SchemaProver
from router.prover.value_generation import MISSING
from router.runtime.config import spec
from router.runtime.engine.attributes import encode_item, identify
from router.runtime.engine.engine import UNLIMITED, Budget
from router.runtime.program.mapping import MapItems, compile_mapping
from router.runtime.sources import source_of
from router.tools.check.analysis.attributes import FIRST_MILLISECONDS, transforms_of
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.transforms import is_plugins
from router.tools.check.analysis.verdicts import Claim

SYSTEM = {"SentTimestamp": "1767323045000", "ApproximateFirstReceiveTimestamp": "1767323045000"}
_SHORT = 100
_VALID_KEYS: Mapping[KeyType, Any] = {"S": "k", "N": 1, "B": b"k"}
_ORDERED = ("S", "N", "B")
Check = Callable[[Item], str]
"""Returns why an item is not valid, or "" if it is; may raise Rejection."""
Reject = Callable[[Any], str]
"""Returns why a message is rejected, or "" if it is not."""


class Refutation(Struct, frozen=True):
    """A message that refutes a claim, as JSON, and why it is rejected."""

    message: str
    reason: str


def refutation(
    route: AnalyzedRoute, claim: Claim, neighbours: Sequence[AnalyzedRoute] = ()
) -> Refutation | None:
    """Return a message that refutes a claim about the evaluation of a part of a route.

    None if none is found.

    `neighbours` are all routes of its queue, on whose messages its `when` is evaluated.
    """
    read = list(_paths(route, claim))
    if claim.kind == "when":
        schemas = [other.messages.schema for other in neighbours]
        return next(
            filter(None, (_search(messages, read, _failing(route)) for messages in schemas)), None
        )
    messages = route.messages_of(claim)
    there = [] if claim.of_message or route.scope.element is None else [route.scope.element]
    rejects = _rejecting(_stages(route, claim))
    known = _known_value(route, claim)
    found = _search(messages, read, rejects, there, tested_paths(route), known)
    return found or (_mixed(route, claim, read, there) if claim.kind == "version" else None)


def _search(
    messages: SchemaProver | None,
    read: Sequence[Steps],
    rejects: Reject | None,
    there: Sequence[Steps] = (),
    tested: Sequence[Steps] = (),
    known: FoundValue | None = None,
) -> Refutation | None:
    if messages is None or rejects is None:
        return None
    reason = ""

    def is_rejected(message: Any) -> bool:
        nonlocal reason
        reason = rejects(message)
        return bool(reason)

    found = messages.find(read, is_rejected, there, tested, known)
    # The message that is found is the last that was asked about.
    return None if found is MISSING else Refutation(ENCODER.encode(found).decode(), reason)


def _known_value(route: AnalyzedRoute, claim: Claim) -> FoundValue | None:
    """Return the value that refutes the same claim about an equal attribute of another route, to be
    tried first.
    """
    attribute = route.attributes.get(claim.subject)
    if attribute is None or route.table is None:
        return None
    what = (
        claim.kind,
        claim.subject,
        tuple(route.table.key.items()) if claim.kind == "key" else (),
        _indexed_as(route, claim.subject) if claim.kind == "index" else "",
    )
    return route.facts(attribute).once(what, FoundValue)


def _failing(route: AnalyzedRoute) -> Reject:
    """Return a callable that returns why `when` of a route fails on a message."""
    condition = route.context.expression(str(route.route.when), ())
    assert condition is not None  # the config has no errors
    evaluate = condition.evaluate

    def fails(data: Any) -> str:
        try:
            evaluate(data)
        except ExpressionError as error:
            return str(error)
        return ""

    return fails


def _stages(route: AnalyzedRoute, claim: Claim) -> list[Reject]:
    """Return callables that tell why a message is rejected: the claim is about the last, and the
    others precede it.
    """
    name = claim.subject
    attribute = _attribute(route, claim)
    if claim.kind == "once_key":
        return [_idempotency(route)]
    if claim.kind == "for_each":
        return [_mapping(route, {})]
    if claim.kind == "mapping" and route.is_whole:
        return [_mapping(route, {}), _mapping(route, None)]
    if claim.kind == "index" and route.is_whole:
        # A message that is stored as it is has its nulls.
        return [_mapping(route, None), _mapping(route, None, _check_of(route, claim))]
    if attribute is None or not has_only_built_ins(route, attribute):
        return []
    # Without `for_each`, a message has one element, itself.
    stages = [_mapping(route, {})] if route.scope.each else []
    stages.append(_mapping(route, {name: structs.replace(attribute, type=None)}))
    if claim.kind in ("ttl", "index"):  # the claim about its type is another
        stages.append(_mapping(route, {name: attribute}))
    if claim.kind in ("type", "key", "index", "version", "ttl"):
        stages.append(_mapping(route, {name: attribute}, _check_of(route, claim)))
    return stages


def _attribute(route: AnalyzedRoute, claim: Claim) -> spec.Attribute | None:
    """Return the attribute of a claim; without `item`, it is a property of the message or of the
    element.
    """
    if claim.subject and route.is_whole:
        return route.attribute_of(claim.subject)
    return route.attributes.get(claim.subject)


def has_only_built_ins(route: AnalyzedRoute, attribute: spec.Attribute) -> bool:
    """Whether no transform is a plugin's, whose code does not run here."""
    if not attribute.transform:
        return True
    return not any(is_plugins(route, name) for name, _, _ in transforms_of(attribute.transform))


def compile_alone(
    route: AnalyzedRoute,
    item: Mapping[str, spec.Attribute] | None,
    merge: spec.MergeSettings | None = None,
) -> MapItems:
    """Return how attributes of a route, the map of `merge`, or the whole message, are mapped without
    the others and without a key.
    """
    given = {} if item is None else item
    # Of a route itself, a mapping has only the name, which `meta` can ask for.
    name = route.name if any(source_of(each)[0].key == "meta" for each in given.values()) else ""
    each = route.route.for_each
    key = ENCODER.encode((name, each, item, merge))
    if key not in route.shared.compiled:
        route.shared.compiled[key] = _compile_alone(route, item, merge)
    compiled: MapItems = route.shared.compiled[key]
    return compiled


def _compile_alone(
    route: AnalyzedRoute,
    item: Mapping[str, spec.Attribute] | None,
    merge: spec.MergeSettings | None,
) -> MapItems:
    # No code is generated for the mode `update`, which takes each setting of an attribute.
    part = structs.replace(
        route.route, item=item, merge=merge, write=spec.WriteSettings(mode="update")
    )
    mapping = compile_mapping(
        route.name, part, Table(route.route.table, ()), route.context, route.path
    )
    map_items: MapItems = mapping.items if mapping else lambda message, budget: ()

    def stored_items(message: Message, budget: Budget) -> Iterator[Item]:
        for mapped in map_items(message, budget):
            # What the mode `update` removes is not stored.
            yield {name: value for name, value in mapped.items() if value is not REMOVE}

    return stored_items


def _mapping(
    route: AnalyzedRoute,
    item: Mapping[str, spec.Attribute] | None,
    check: Check = lambda item: "",
) -> Reject:
    """Return a callable that maps attributes of a message, or the whole message, and checks each
    item.
    """
    map_items = compile_alone(route, item)
    names = () if item is None else item

    def reject(data: Any) -> str:
        try:
            for mapped in map_items(Message(data, "message", system=SYSTEM), UNLIMITED):
                encode_item(mapped, names)
                if fault := check(mapped):
                    return fault
        except Rejection as rejection:
            return rejection.reason
        return ""

    return reject


def _check_of(route: AnalyzedRoute, claim: Claim) -> Check:
    """Return what a claim about an attribute says of an item that has only this attribute."""
    name = claim.subject
    match claim.kind:
        case "version":
            return lambda item: _version_fault(name, _kind_of(name, item))
        case "ttl":
            return partial(_expiry_fault, name)
        case "key" if route.table is not None:
            return partial(_take_key, name, route.table.key)
        case "index":
            if name in route.route.write.append:
                return lambda item: f"'{name}' is a list" if name in item else ""
            return partial(_index_fault, name, _indexed_as(route, name))
    return lambda item: ""


def _take_key(name: str, key: Mapping[str, KeyType], item: Item) -> str:
    """Take an attribute for the table's key; raises Rejection."""
    others = {each: _VALID_KEYS[kind] for each, kind in key.items() if each != name}
    identify("", tuple(key.items()), encode_item(others | _shortened(item), key)[0])
    return ""


def _indexed_as(route: AnalyzedRoute, name: str) -> str:
    """Return the type of an attribute in the keys of indexes."""
    from router.tools.check.analysis.index_keys import indexed_attributes

    return next((each.type for each in indexed_attributes(route) if each.name == name), "")


def _index_fault(name: str, kind: str, item: Item) -> str:
    """Return why DynamoDB does not take an attribute for the keys of indexes."""
    if name not in item:
        return ""
    ((stored, content),) = encode_item({name: item[name]})[0][name].items()
    if stored != kind:
        return f"'{name}' is of type {stored}, and {kind} in the key of an index"
    return "" if content else f"'{name}' is empty, and in the key of an index"


def _kind_of(name: str, item: Item) -> str:
    """Return the type of an attribute in DynamoDB, or "" if it is missing."""
    return (
        next(iter(encode_item({name: item[name]})[0][name])) if item.get(name) is not None else ""
    )


def _version_fault(name: str, kind: str) -> str:
    if kind in _ORDERED:
        return ""
    what = f"of type {kind}" if kind else "missing"
    return f"the version '{name}' is {what}"


def _expiry_fault(name: str, item: Item) -> str:
    kind = _kind_of(name, item)
    if kind not in ("N", ""):
        return f"the time to live '{name}' is of type {kind}, and is never read"
    if kind and item[name] >= FIRST_MILLISECONDS:
        return f"the time to live '{name}' is in milliseconds"
    return ""


def _idempotency(route: AnalyzedRoute) -> Reject:
    """Return a callable that tells why a message has no idempotency key; its length has a finding
    of its own.
    """
    compiled = route.context.expression(str(route.route.write.once_key), ())

    def reject(data: Any) -> str:
        try:
            found = None if compiled is None else compiled.evaluate(data)
        except ExpressionError:
            return "the expression of 'once_key' fails on the message"
        return "" if isinstance(found, str) and found else "'once_key' does not evaluate to text"

    return reject


def _mixed(
    route: AnalyzedRoute, claim: Claim, read: list[Steps], there: Sequence[Steps]
) -> Refutation | None:
    """Return a message with a version of another type than that of another message: the two have no
    order.
    """
    name = claim.subject
    attribute = _attribute(route, claim)
    messages = route.mapped
    if messages is None or attribute is None or not has_only_built_ins(route, attribute):
        return None
    kind_of = _mapping(route, {name: attribute}, partial(_kind_of, name))
    found: dict[str, Any] = {}
    for kind in _ORDERED:
        message = messages.find(read, partial(_is_kind, kind_of, kind), there)
        found |= {} if message is MISSING else {kind: message}
    if len(found) == 1 or not found:
        return None
    one, other, *_ = found
    reason = f"the version '{name}' is of type {other}, and of type {one} in another valid message"
    return Refutation(ENCODER.encode(found[other]).decode(), reason)


def _is_kind(kind_of: Reject, kind: str, data: Any) -> bool:
    return kind_of(data) == kind


def _shortened(mapped: Item) -> Item:
    """Return an item without the length of its texts: that of keys has a finding of its own."""
    return {
        name: value[:_SHORT] if isinstance(value, str | bytes) else value
        for name, value in mapped.items()
    }


def _rejecting(stages: list[Reject]) -> Reject | None:
    """Return a callable that returns why the last stage rejects a message that the others do not."""
    if not stages:
        return None
    *before, last = stages

    def rejects(data: Any) -> str:
        reason = last(data)
        if reason and _is_storable(data) and not any(stage(data) for stage in before):
            return reason
        return ""

    return rejects


def _is_storable(data: Any) -> bool:
    """Whether a message is within the limits of DynamoDB: no claim is about others."""
    try:
        encode_item({"message": data})
    except Rejection:
        return False
    return True


def _paths(route: AnalyzedRoute, claim: Claim) -> Iterator[Steps]:
    """Yield the paths of the message that a claim is about."""
    attribute = _attribute(route, claim)
    if claim.of_message:
        yield from _paths_in(_texts(route, claim.kind), Scope())
    elif attribute is not None:
        yield from paths_of(route, attribute)
    elif route.is_whole:
        yield route.scope.element or ()


def paths_of(route: AnalyzedRoute, attribute: spec.Attribute) -> Iterator[Steps]:
    """Yield the paths of the message that an attribute is made of."""
    return _paths_in([use.text for use in route.uses(attribute)], route.scope)


def tested_paths(route: AnalyzedRoute) -> list[Steps]:
    """Return the paths of the message that the `when` of a route reads."""
    return [*_paths_in(_texts(route, "when"), Scope())]


def _texts(route: AnalyzedRoute, setting: str) -> list[str]:
    return [each.text for each in route.settings if each.setting == setting]


def _paths_in(texts: Iterable[str], scope: Scope) -> Iterator[Steps]:
    for text in texts:
        for names in paths_in(text, flat=True):
            steps = scope.steps(names)
            if steps:
                yield steps
