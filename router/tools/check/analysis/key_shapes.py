"""What is known of the keys that a route writes: the texts that each key attribute can have."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice, product
from typing import Any

from msgspec import UNSET, Struct, structs

from router.errors import Rejection
from router.model import META_TIMES, KeyType, Message
from router.prover.conditions import evaluated
from router.prover.expressions import tree_of
from router.prover.patterns import escaped
from router.prover.predicates import EACH, NO_VALUE, Schema, Steps, any_of
from router.prover.schema_prover import SchemaProver
from router.prover.splitting import PropertySchema
from router.prover.text_patterns import ANY_TEXT, body_of, one_of
from router.runtime.config import spec
from router.runtime.engine.attributes import encode_item, identify
from router.runtime.engine.engine import UNLIMITED
from router.runtime.program.schemas.documents import DEFAULT_DRAFT
from router.runtime.sources import Computed, Constant, Evaluated, Joined, source_of
from router.runtime.sources.template import split_template
from router.runtime.transforms.text import LOWER, UPPER
from router.tools.check.analysis.attributes import MAX_VALUES, infer, lists_at, transforms_of
from router.tools.check.analysis.proof_cache import prover_of_part
from router.tools.check.analysis.refutations import SYSTEM, compile_alone, has_only_built_ins
from router.tools.check.analysis.routes import NO_SCHEMA, AnalyzedRoute, MessageSets
from router.tools.check.analysis.values import possible

Key = Sequence[tuple[str, KeyType]]
"""The key of a table: its attributes, each with its type."""
# How numbers and booleans are written as text.
_BODIES: Mapping[str, str] = {"number": "-?[0-9]+([.][0-9]+)?", "boolean": "true|false"}
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
_NOT_EMPTY = r"[\s\S]"
_HASH = "^[0-9a-f]{64}$"
_ASCII_HEAD, _ASCII_TAIL = re.compile(r"[\x00-\x7f]*"), re.compile(r"[\x00-\x7f]*\Z")
_SHORT = 64
_MOST_LISTS = 8


class KeyShape(Struct, frozen=True):
    """What each value of a key attribute is, as text: numbers in plain notation.

    It is one of `texts`, if that is not None; it begins with `head`, ends with `tail`, and matches
    all `patterns`. `origin` is the path of the message at which it is, unchanged, or the text of the
    number there if it is `of_number`.
    """

    texts: frozenset[str] | None = None
    head: str = ""
    tail: str = ""
    patterns: tuple[str, ...] = ()
    origin: Steps | None = None
    of_number: bool = False


def with_messages(route: AnalyzedRoute) -> AnalyzedRoute:
    """Return a route with what its `when` says of its messages, if it has no schema."""
    if route.mapped is not None or route.messages.unknown != NO_SCHEMA:
        return route
    known = _any_object().again()
    if route.route.when is not None:
        holds = evaluated(route.route.when, True)
        known = known.narrow(route.when.predicate, route.when.exact, holds)
    messages = MessageSets(taken=known, mapped=known, impossible_when=known.impossible)
    return structs.replace(route, messages=messages)


@cache
def _any_object() -> SchemaProver:
    content = f'{{"$schema": "{DEFAULT_DRAFT}", "type": "object"}}'.encode()
    found = prover_of_part(PropertySchema(2020, content, b"{}"))
    assert found is not None
    return found


def shape_of(route: AnalyzedRoute, name: str, kind: KeyType) -> KeyShape:
    """Return what is known of a key attribute of a route, which `with_messages` has prepared."""
    if not route.final or kind == "B":
        return KeyShape()
    attribute = route.attribute_of(name)
    texts = None
    origin = _origin(route, attribute, kind)
    if has_only_built_ins(route, attribute):
        texts = _texts(route, name, attribute, kind)
    if texts is not None:
        pattern = one_of([f"^{escaped(each)}$" for each in sorted(texts)])
        return KeyShape(texts, patterns=(pattern,), origin=origin)
    if kind == "N":
        return KeyShape(origin=origin)
    is_number = _is_text_of_number(route, attribute)
    if is_number:
        origin = infer(route, attribute).raw.origin
    return structs.replace(_text(route, attribute), origin=origin, of_number=is_number)


def _origin(route: AnalyzedRoute, attribute: spec.Attribute, kind: KeyType) -> Steps | None:
    """Return the path at which each value is as it is stored."""
    inferred = infer(route, attribute)
    is_other = attribute.type == "N" and inferred.raw.may_be("string")
    is_text = kind == "S" and attribute.type == "S" and inferred.raw.may_be("number")
    if inferred.steps or is_other or is_text or attribute.default is not UNSET:
        return None
    return inferred.raw.origin


def _is_text_of_number(route: AnalyzedRoute, attribute: spec.Attribute) -> bool:
    """Whether each value is the text of a number of the message: other numbers have other texts."""
    inferred = infer(route, attribute)
    is_plain = not inferred.steps and attribute.default is UNSET
    return is_plain and attribute.type == "S" and possible(inferred.raw) == ["number"]


def _texts(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, kind: KeyType
) -> frozenset[str] | None:
    """Return all values of an attribute, as text; None if they are not limited."""
    messages = _every_message(route, infer(route, attribute).source)
    if messages is None:
        return None
    map_items = compile_alone(route, {name: attribute})
    found = set()
    for data in messages:
        try:
            given = Message(data, "", route.route.queue, system=SYSTEM)
            [item] = map_items(given, UNLIMITED)
            encoded, _ = encode_item(item)
            found.add(identify("", ((name, kind),), encoded)[1])
        except Rejection:  # such a message is never written
            continue
    return frozenset(found)


def _every_message(route: AnalyzedRoute, source: Any) -> list[Any] | None:
    """Return messages with all combinations of what a source reads; None if they are not limited."""
    if route.scope.each:
        return None
    match source:
        case Constant() | Computed(fixed=True):
            return [{}]
        case Evaluated(text):
            return _combinations(route, [text])
        case Joined(_, texts):
            return _combinations(route, texts)
    return None


def _combinations(route: AnalyzedRoute, texts: Sequence[str]) -> list[Any] | None:
    found: dict[Steps, list[Any]] = {}
    count = 1
    for text in texts:
        tree = tree_of(text)
        if tree is not None and tree["type"] == "literal":
            continue
        steps = route.scope.path(tree)
        values = None if not steps or EACH in steps else values_at(route, steps)
        if not steps or values is None:
            return None
        count *= 1 if steps in found else len(values) + 1
        if count > MAX_VALUES:
            return None
        found[steps] = [*values, UNSET]
    chosen = product(*found.values())
    return [_message(zip(found, values, strict=True)) for values in chosen]


def _message(values: Iterable[tuple[Steps, Any]]) -> Any:
    message: Any = {}
    for steps, value in values:
        if value is not UNSET:
            message = placed(message, steps, value)
    return message


def placed(message: Any, steps: Steps, value: Any) -> Any:
    """Return a copy of a message with a value at a path; what leads there is made, if it is not."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step is EACH:
        first, *others = message if isinstance(message, list) and message else [None]
        return [placed(first, rest, value), *others]
    content = message if isinstance(message, dict) else {}
    return {**content, step: placed(content.get(step), rest, value)}


def values_at(route: AnalyzedRoute, steps: Steps) -> list[Any] | None:
    """Return all values at a path, of a constant or an enumeration; None if they are not limited."""
    messages = route.mapped
    if messages is None:
        return None
    lists = list(islice(_lists(route, steps), _MOST_LISTS))
    both = [*chain.from_iterable(lists)]
    for values in sorted([*lists, both], key=len):
        leaf = any_of([{"enum": values}, NO_VALUE])
        if 0 < len(values) <= MAX_VALUES and messages.proves_at(steps, leaf):
            return values
    return None


def _lists(route: AnalyzedRoute, steps: Steps) -> Iterator[list[Any]]:
    if route.index is not None:
        yield from lists_at(route.index, steps)
    for leaf in leaves_at(route.when.predicate, steps):
        if "enum" in leaf:
            yield leaf["enum"]


def leaves_at(predicate: Schema, steps: Steps) -> Iterator[Schema]:
    """Yield the parts of a predicate that are about the value at a path."""
    for key in ("allOf", "anyOf"):
        for each in predicate.get(key, ()):
            yield from leaves_at(each, steps)
    if not steps:
        yield predicate
        return
    inner = predicate.get("properties", {}).get(steps[0])
    if inner is not None:
        yield from leaves_at(inner, steps[1:])


def _text(route: AnalyzedRoute, attribute: spec.Attribute) -> KeyShape:
    """Return what is known of an attribute that is text, by its source."""
    source, given = source_of(attribute)
    change = case_of(route, attribute)
    if change and attribute.default is UNSET:
        return _in_case(_text(route, structs.replace(attribute, transform=())), change)
    if attribute.transform or attribute.type not in (None, "S"):
        return KeyShape()
    if source.key == "hash":
        return KeyShape(patterns=(_HASH,))
    if source.key == "meta":
        return KeyShape(patterns=(_TIME,) if given in META_TIMES else ())
    pieces = [(True, given)]
    kinds = ["string"] if attribute.type is None else ["string", "number"]
    if source.key == "template":
        pieces = [*split_template(given)]
        kinds = ["string", "number", "boolean"]
    elif source.key != "from":
        return KeyShape()
    default = attribute.default
    if default is not UNSET and not isinstance(default, str):
        return KeyShape()
    patterns = (*_joined(route, pieces, kinds), _NOT_EMPTY)
    if default is not UNSET:
        other = f"^{escaped(default)}$"
        return KeyShape(patterns=tuple(one_of([each, other]) for each in patterns))
    head, tail = ["" if is_expression else text for is_expression, text in (pieces[0], pieces[-1])]
    return KeyShape(head=head, tail=tail, patterns=patterns)


def case_of(route: AnalyzedRoute, attribute: spec.Attribute) -> str:
    """Return the name of LOWER or UPPER if it is all that is done to an attribute, else ""."""
    names = [name for name, _, _ in transforms_of(attribute.transform)]
    is_case = names in ([LOWER.name], [UPPER.name]) and has_only_built_ins(route, attribute)
    return names[0] if is_case else ""


def _in_case(shape: KeyShape, change: str) -> KeyShape:
    """Return the shape of texts in lower or upper case.

    Other characters than those of ASCII may become several, or another one at the end of a word.
    """
    head, tail = _ASCII_HEAD.match(shape.head), _ASCII_TAIL.search(shape.tail)
    assert head
    assert tail
    if change == LOWER.name:
        return KeyShape(None, head[0].lower(), tail[0].lower(), ("^[^A-Z]+$",))
    return KeyShape(None, head[0].upper(), tail[0].upper(), ("^[^a-z]+$",))


def _joined(
    route: AnalyzedRoute, pieces: Sequence[tuple[bool, str]], kinds: Sequence[str]
) -> tuple[str, ...]:
    """Return patterns of the texts of a template; in each, an expression has one of its own."""
    parts = [
        _bodies(route, text, kinds) if is_expression else [escaped(text)]
        for is_expression, text in pieces
    ]
    found = []
    for number in range(max(map(len, parts), default=0)):
        each = [bodies[min(number, len(bodies) - 1)] for bodies in parts]
        found.append("".join(["^", *[f"({body})" for body in each], "$"]))
    return tuple(found)


def _bodies(route: AnalyzedRoute, text: str, kinds: Sequence[str]) -> list[str]:
    """Return patterns that each value of an expression, as text, matches as a whole."""
    tree = tree_of(text)
    steps = route.scope.path(tree)
    messages = route.mapped
    if not steps or messages is None:
        return [ANY_TEXT]
    value = route.value_of_tree(tree)
    others = [_BODIES[kind] for kind in kinds if kind != "string" and value.may_be(kind)]
    texts: list[str] = []
    if value.may_be("string"):
        texts = [body_of(each) for each in messages.text_patterns(steps) or ()]
        if value.longest is not None and value.longest <= _SHORT:
            texts.append(rf"[\s\S]{{0,{value.longest}}}")
        texts = texts or [ANY_TEXT]
    if not others:
        return texts or [ANY_TEXT]
    return [one_of([each, *others]) if each else one_of(others) for each in texts or [""]]
