"""Proves that the schema of a route guarantees the key of its table."""

from collections.abc import Iterator

from msgspec import UNSET, structs

from router.check.advice import constrain, named, require
from router.check.attributes import Made, made
from router.check.expressions import path_of, tree_of
from router.check.flows import Flow, is_set
from router.check.inference import NOT_NUMERIC, UNKNOWN, YES, Value, of_path
from router.check.mapping_types import kinds_of
from router.check.rule import Found, Subject
from router.config import spec
from router.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.model import Code, KeyType, Path
from router.sources import Evaluated, source_of, values_of

KEY_MISSING = Code(
    "RT610",
    "a key attribute that may be missing",
    "A message that passes its schema should be storable: one without the key is rejected, and its sender does not "
    "know why. The schema is where to refuse it, so that the contract says it.",
)
KEY_OF_OTHER_TYPE = Code(
    "RT611",
    "a key attribute whose value may be of another type",
    "DynamoDB takes keys of the table's types only; a schema that allows others lets messages through that are then "
    "rejected.",
)
KEY_EMPTY = Code(
    "RT612",
    "a key attribute that may be empty",
    "DynamoDB takes no empty text as a key, so that such a message is rejected.",
)
KEY_TOO_LONG = Code(
    "RT613",
    "a key attribute whose length is not bounded",
    "A partition key has 2048 bytes at most, a sort key 1024; a longer one is rejected. A character has up to 4 bytes "
    "in UTF-8.",
    "info",
)
KEY_UNSURE = Code(
    "RT616",
    "a key attribute that only `when` may guarantee",
    "The schema by itself does not, and the condition says more than can be reasoned with. If it does not make sure of "
    "the key, messages without it are rejected.",
    "info",
)

_WANTED: dict[KeyType, str] = {"S": "string", "N": "number", "B": "binary"}
_BYTES_OF_A_CHARACTER = 4


def check_keys(subject: Subject) -> Iterator[Found]:
    """Find key attributes that the schema does not guarantee."""
    for flow in subject.flows:
        if flow.table is None:
            continue
        limit = MAX_PARTITION_KEY_BYTES
        for name, kind in flow.table.key.items():
            yield from _check_key(flow, name, kind, limit)
            limit = MAX_SORT_KEY_BYTES


def _check_key(flow: Flow, name: str, kind: KeyType, limit: int) -> Iterator[Found]:
    attribute = flow.attributes.get(name)
    if attribute is not None:
        how = made(flow, attribute)
        yield from _judge(flow, name, kind, limit, how, flow.place(name))
    elif not is_set(flow.route.item) and flow.mapped is not None:
        value = of_path(flow.mapped, flow.scope.steps(("element", name) if flow.scope.each else (name,)))
        yield from _judge(flow, name, kind, limit, Made(value, (), value, None, value), (*flow.path, "schema"))


def _judge(flow: Flow, name: str, kind: KeyType, limit: int, how: Made, path: Path) -> Iterator[Found]:
    """The first thing that is not sure of a key attribute."""
    value = how.value
    if value.missing is YES:
        sentence = f"key attribute '{name}' may be missing: the schema does not guarantee {named(value)}"
        if value.lacking is None:
            sentence = f"key attribute '{name}' is missing in each message: it has no such value"
        yield Found(KEY_MISSING, sentence, path, require(flow, value.lacking))
        return
    if value.missing is UNKNOWN and flow.alone is not None:
        yield from _check_alone(structs.replace(flow, mapped=flow.alone, alone=None), name, path)
    others = _others(flow, kind, how)
    if others:
        sentence = f"key attribute '{name}' may be {others}, the key of table '{flow.route.table}' is {kind}"
        yield Found(KEY_OF_OTHER_TYPE, sentence, path, _retype(flow, how, kind))
        return
    if not flow.finished:
        return
    if value.empty is YES:
        yield Found(KEY_EMPTY, f"key attribute '{name}' may be empty", path, constrain(flow, value, "minLength: 1"))
    elif kind == "S" and flow.mapped is not None and value.can_be(["string"]) is YES:
        yield from _check_length(flow, name, limit, value, path)


def _check_alone(flow: Flow, name: str, path: Path) -> Iterator[Found]:
    """What the schema by itself does not guarantee, where it is not known what `when` adds to it."""
    whole = spec.short_form(f'element."{name}"' if flow.scope.each else f'"{name}"')
    value = made(flow, flow.attributes.get(name, whole)).value
    if value.missing is YES and value.lacking is not None:
        sentence = f"key attribute '{name}' may be missing, unless 'when' makes sure of {named(value)}"
        yield Found(KEY_UNSURE, sentence, path, require(flow, value.lacking))


def _others(flow: Flow, kind: KeyType, how: Made) -> str:
    """What the value can be, and the key cannot; "" if nothing."""
    raw = how.raw
    if how.accepts is None:
        unfit = how.value.other_than([_WANTED[kind]]) if flow.finished else []
    else:
        unfit = raw.other_than(how.accepts)
        if not unfit and kind == "N" and flow.mapped is not None and raw.origin is not None:
            return "text that is no number" if flow.mapped.can_be(raw.origin, NOT_NUMERIC) is YES else ""
    return kinds_of(unfit) if unfit else ""


def _retype(flow: Flow, how: Made, kind: KeyType) -> str:
    if how.raw.origin is None:
        return "write 'type: N', if it is the text of a number" if kind == "N" and how.accepts is None else ""
    return constrain(flow, how.raw, f"type: {'number' if kind == 'N' else 'string'}")


def _check_length(flow: Flow, name: str, limit: int, value: Value, path: Path) -> Iterator[Found]:
    most = limit // _BYTES_OF_A_CHARACTER
    if value.longest is None:
        sentence = f"key attribute '{name}' may have more than {limit} bytes: the schema does not bound its length"
        yield Found(KEY_TOO_LONG, sentence, path, constrain(flow, value, f"maxLength: {most}"))
    elif value.longest > most:
        sentence = f"key attribute '{name}' may have {value.longest} characters, which can be more than {limit} bytes"
        yield Found(KEY_TOO_LONG, sentence, path, constrain(flow, value, f"maxLength: {most}"))


def key_of(flow: Flow) -> str | None:
    """How the key of a route's items is mapped, as text that is the same for the same; None if a part is not mapped."""
    if flow.table is None:
        return None
    if not is_set(flow.route.item):
        element = ("element",) if flow.scope.each else ()
        return repr([((*element, name), spec.Attribute()) for name in flow.table.key])
    attributes = flow.attributes
    if not set(flow.table.key) <= set(attributes):
        return None
    mapped = [attributes[name] for name in flow.table.key]
    return repr([_identity(each) for each in mapped])


def _identity(attribute: spec.Attribute) -> object:
    """What is equal for attributes that are mapped alike: `id`, `"id"` and `@.id` are one path."""
    values = values_of(attribute)
    if not isinstance(values, Evaluated):
        return None, attribute
    tree = tree_of(values.text)
    names = None if tree is None else path_of(tree)
    return tree if names is None else names, structs.replace(attribute, **{source_of(attribute)[0].field: UNSET})
