"""Infers the types, presence and length of values.

Values are those of expressions, constants and templates.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from router.prover.conditions import types_if_true
from router.prover.expressions import Scope, elements_of, indexed
from router.prover.predicates import (
    EACH,
    SOME_VALUE,
    TRUTHY,
    TYPES,
    Schema,
    Steps,
    all_of,
    somewhere,
    text_of,
    there,
)
from router.prover.schema_prover import NO, UNKNOWN, YES, Answer, SchemaProver
from router.runtime.program.expressions import Names, Tree, kind_of, path_of
from router.runtime.transforms.transform import Digits

ALL_TYPES = (*TYPES, "binary", "set")
"""The types of values; null counts as missing."""
ANY_TYPE: Mapping[str, Answer] = MappingProxyType(dict.fromkeys(ALL_TYPES, UNKNOWN))
Messages = SchemaProver | None
"""What is known of the messages; None if nothing is."""
_LIST = ("array",)
_TEXT_OR_NUMBER = ("string", "number")
# Greater bounds are not searched for: no key has more bytes.
_MOST_CHARACTERS = 2048
MOST_DIGITS = 170
"""The most characters of a number as text, without exponent.

These are its sign, `0.`, 129 zeros and 38 digits. No claim is about messages with
numbers that DynamoDB cannot store.
"""


class Value(Struct, frozen=True):
    """What is inferred of a value.

    Each answer is to "can it be?": YES and NO are proved. `longest` is the most
    characters of its text, None if unknown. `origin` is its path in the message, if the
    value is taken from there unchanged. `lacking` is the path at which a value may be
    missing, if this one is missing therefore.
    """

    missing: Answer = UNKNOWN
    types: Mapping[str, Answer] = ANY_TYPE
    empty: Answer = UNKNOWN
    longest: int | None = None
    origin: Steps | None = None
    lacking: Steps | None = None
    given: bool = False
    """If it is a number, it is one of the message."""
    elements: Steps | None = None
    """The path of its elements in the message, if it is a list."""
    no_elements: Answer = UNKNOWN
    """If it is a list, whether it can be an empty one."""
    ends: "tuple[Value, Value] | None" = None
    """Its first and its last element, if it is a list of texts that were made."""
    gap: str = ""
    """Why it may be missing, if that is not for a path of the message."""
    one_of: Steps | None = None
    """The path of values in the message of which it is one."""
    digits: Digits | None = None
    """The most digits of a number that transforms made; None if unknown."""

    def can_be(self, kinds: Iterable[str]) -> Answer:
        """Whether it can have one of the types."""
        return any_of([self.types.get(kind, NO) for kind in kinds])

    def may_be(self, kind: str) -> bool:
        """Whether it is not proved that it never has a type."""
        return self.types.get(kind, NO) is not NO

    def other_than(self, kinds: Collection[str]) -> list[str]:
        """Return the other types that it provably can have."""
        return [kind for kind, answer in self.types.items() if answer is YES and kind not in kinds]

    @property
    def untyped(self) -> bool:
        """Whether it can have every type, as without a schema for it."""
        for kind in TYPES:
            if self.types.get(kind) is not YES:
                return False
        return True


_NOTHING_KNOWN = Value()
# The types of values that have no form as text.
_NO_SCALARS = frozenset(("array", "object", "binary", "set"))


def any_of(answers: Iterable[Answer]) -> Answer:
    """Return YES if one answer is, NO if all are, else UNKNOWN."""
    found = NO
    for answer in answers:
        if answer is YES:
            return YES
        if answer is UNKNOWN:
            found = UNKNOWN
    return found


def of_type(
    *kinds: str,
    empty: Answer = NO,
    longest: int | None = None,
) -> Value:
    """Return a value of the type, or of one of the types."""
    can_be = YES if len(kinds) == 1 else UNKNOWN
    return Value(NO, dict.fromkeys(kinds, can_be), empty, longest)


def of_constant(value: Any) -> Value:
    """Infer a constant of the config."""
    if value is None:
        return Value(YES, {}, NO)
    if isinstance(value, str):
        empty = NO if value else YES
        return of_type("string", empty=empty, longest=len(value))
    kind = kind_of(value)
    assert kind
    return of_type(kind)


def of_path(messages: Messages, steps: Steps | None) -> Value:
    """Infer the value at a path of a message; once for all rules."""
    if messages is None or steps is None:
        return _NOTHING_KNOWN
    known: Value | None = messages.inferred.get(steps)
    if known is not None:
        return known
    part, inside = messages.about(steps)
    known = part.inferred.get(inside)
    if known is None:
        known = part.keep(part.inferred, inside, _at(part, inside))
    if part is messages:
        return known
    named = replace(known, origin=steps, lacking=steps, elements=(*steps, EACH))
    # What is not kept of a part is asked again, when there is time.
    if inside in part.inferred:
        messages.inferred[steps] = named
    return named


def _at(messages: SchemaProver, steps: Steps) -> Value:
    found = messages.types(steps).items()
    types = {kind: answer for kind, answer in found if answer is not NO}
    present = messages.present(steps)
    no_elements = empty = NO
    longest: int | None = None
    if "array" in types:
        no_elements = messages.holds_at(steps, {"minItems": 1}).opposite()
    if "string" in types:
        empty = messages.holds_at(steps, {"minLength": 1}).opposite()
        longest = messages.longest(steps, _MOST_CHARACTERS)
    return Value(
        missing=present.opposite(),
        types=types,
        empty=empty,
        longest=longest,
        origin=steps,
        lacking=steps,
        given=True,
        elements=(*steps, EACH),
        no_elements=no_elements,
    )


def of_tree(messages: Messages, scope: Scope, tree: Tree | None) -> Value:
    """Infer the value of an expression, if it does not raise an error."""
    if tree is None:
        return _NOTHING_KNOWN
    names = path_of(tree)
    if names is not None:
        if scope.each and not names:
            return of_type("object")
        return of_path(messages, scope.steps(names))
    refine = _KINDS.get(tree["type"])
    if refine is not None:
        return refine(messages, scope, tree)
    found = indexed(tree)
    if found is None:
        return _NODES.get(tree["type"], _NOTHING_KNOWN)
    names, index, rest = found
    return _of_element(messages, scope.steps(names), index, rest)


def _of_element(messages: Messages, listed: Steps | None, index: int, rest: Names = ()) -> Value:
    """Infer the value at a path in one element of a list."""
    if messages is None or listed is None:
        return _NOTHING_KNOWN
    steps = (*listed, EACH, *rest)
    lists = of_path(messages, listed)
    elements = of_path(messages, steps)
    least = index + 1 if index >= 0 else -index
    enough = messages.holds_at(listed, {"type": "array", "minItems": least})
    lacking: Steps | None = listed
    missing = UNKNOWN
    gap = ""
    if lists.missing is YES:
        missing = YES
    elif enough is NO:
        missing = YES
        lacking = None
        gap = f"'{text_of(listed)}' may have no element [{index}]"
    elif _may_all_lack(messages, (*listed, EACH), rest):
        missing = YES
        lacking = steps
    elif lists.missing is enough.opposite() is elements.missing is NO:
        missing = NO
    types: dict[str, Answer] = {}
    for kind in elements.types:
        # What all elements can be at once, one of them can be.
        all_are = messages.allows(somewhere(steps, {"type": kind}))
        types[kind] = weak(all_are, YES)
    empty = elements.empty
    if empty is not NO:
        empty = weak(messages.can_be(steps, [""]), YES)
    return Value(
        missing,
        types,
        empty,
        elements.longest,
        lacking=lacking,
        given=elements.given,
        gap=gap,
        one_of=steps,
    )


def _may_all_lack(messages: SchemaProver, elements: Steps, rest: Names) -> bool:
    """Whether no element of a list may have a value at a path."""
    lack = somewhere(elements, {"not": there(rest, SOME_VALUE)})
    return messages.allows(lack) is YES


def of_list_end(messages: Messages, listed: Value, index: int) -> Value:
    """Infer the first element of a list, or with -1 its last."""
    if listed.ends is not None:
        return listed.ends[index]
    if listed.origin is not None:
        return _of_element(messages, listed.origin, index)
    if listed.no_elements is YES:
        return Value(YES, gap="the list may be empty")
    return _NOTHING_KNOWN


def _of_projection(messages: Messages, scope: Scope, tree: Tree) -> Value:
    """Infer the value of a projection: a list, or missing if what it projects is no list."""
    base, *each = tree["children"]
    is_flat = base["type"] == "flatten"
    if is_flat:
        base = base["children"][0]
    steps = elements_of({**tree, "children": [base, *each]})
    elements = scope.steps(steps) if steps else None
    listed = of_tree(messages, scope, base)
    inner = of_path(messages, listed.elements)
    if is_flat and inner.may_be("array"):
        nested = listed.elements if inner.types.keys() == {"array"} else None
        if elements is not None:
            elements = nested and (*nested, EACH, *elements[len(nested) :])
    is_list = listed.can_be(_LIST)
    missing = listed.missing if is_list is not NO else UNKNOWN
    return Value(
        missing=YES if listed.other_than(_LIST) else missing,
        types={} if is_list is NO else _ARRAY.types,
        empty=NO,
        lacking=listed.lacking,
        elements=elements,
        no_elements=weak(listed.no_elements, YES),
        gap=listed.gap,
    )


def _first_of(messages: Messages, scope: Scope, tree: Tree) -> Value:
    """Infer the first value that is true, or that is not null.

    `a || b` is the first value that is true, else the last. `not_null(a, b)` is the
    first that is not null.
    """
    children = tree["children"]
    wanted = TRUTHY if tree["type"] == "or_expression" else SOME_VALUE
    values = [of_tree(messages, scope, child) for child in children]
    paths = [scope.path(child) for child in children]
    value = values[-1]
    others = zip(values[:-1], paths[:-1], strict=True)
    for other, steps in reversed(list(others)):
        types = other.types
        if wanted is TRUTHY and messages and steps is not None and EACH not in steps:
            types = types_if_true(messages, steps, types)
        value = _either(other, types, value, wanted)
    known = [path for path in paths if path is not None and EACH not in path]
    if messages is None or len(known) < len(paths):
        return value
    *before, end = known
    passed = [{"not": there(path, wanted)} for path in before]
    missing = value.missing
    if missing is not NO:
        lacks = {"not": there(end, SOME_VALUE)}
        missing = messages.allows(all_of([*passed, lacks]))
    empty = value.empty
    if empty is not NO:
        first = NO if wanted is TRUTHY else weak(values[0].empty, YES)
        is_empty = messages.allows(all_of([*passed, there(end, _EMPTY)]))
        empty = any_of([is_empty, first])
    lacking = end if missing is YES else None
    return replace(value, missing=missing, lacking=lacking, empty=empty)


def _either(left: Value, types: Mapping[str, Answer], right: Value, wanted: Schema) -> Value:
    """Infer the left value if it is as wanted, or else the right one.

    If it is as wanted, the left value has one of the types.
    """
    if left.missing is NO:
        is_simple = left.empty is NO and left.types.keys() <= set(_TEXT_OR_NUMBER)
        if wanted is SOME_VALUE or is_simple:
            return left
    types = {**dict.fromkeys(right.types, UNKNOWN), **types}
    longest = right.longest
    if left.may_be("string"):
        longest = longest_of((left.longest, right.longest))
    # An empty text is not true.
    if wanted is TRUTHY:
        return Value(weak(right.missing), types, weak(right.empty), longest)
    missing = NO if NO in (left.missing, right.missing) else UNKNOWN
    empty = weak(any_of([left.empty, right.empty]))
    return Value(missing, types, empty, longest)


def longest_of(lengths: Iterable[int | None]) -> int | None:
    """Return the greatest length; None if one of them is unknown."""
    most = 0
    for length in lengths:
        if length is None:
            return None
        most = max(most, length)
    return most


def _of_call(messages: Messages, scope: Scope, tree: Tree) -> Value:
    """Infer the result of a function, if it does not raise an error."""
    name = tree["value"]
    if name in _OF_TREES:
        return _OF_TREES[name](messages, scope, tree)
    refine = _CALLS.get(name)
    if refine is None:
        return _RESULTS.get(name, _NOTHING_KNOWN)
    children = [child for child in tree["children"] if child["type"] != "expref"]
    return refine(messages, [of_tree(messages, scope, child) for child in children])


def _map(messages: Messages, scope: Scope, tree: Tree) -> Value:
    """Infer `map(&expression, list)`, of whose elements nothing else is known."""
    each, listed = tree["children"]
    elements = of_tree(messages, scope, listed)
    made = of_tree(None, Scope(), each["children"][0])
    end = replace(made, missing=weak(elements.no_elements))
    are_texts = made.missing is NO and made.types.keys() == {"string"}
    return replace(_ARRAY, ends=(end, end) if are_texts else None, no_elements=elements.no_elements)


def _to_number(messages: Messages, arguments: list[Value]) -> Value:
    """Infer `to_number(value)`, which is missing for all but numbers and text that is one."""
    (value,) = arguments
    if value.other_than(_TEXT_OR_NUMBER):
        gap = "'to_number' has no value for other than text"
        return replace(_NUMBER, missing=YES, gap=gap)
    can_be_text = value.can_be(["string"])
    numeric = YES if can_be_text is NO else UNKNOWN
    if numeric is UNKNOWN and messages is not None and value.origin is not None:
        numeric = messages.holds_at(value.origin, _IS_NUMBER)
    if can_be_text is YES and numeric is NO:
        gap = "'to_number' has no value for text that is not a number"
        return replace(_NUMBER, missing=YES, gap=gap)
    if numeric is YES and value.types.keys() <= set(_TEXT_OR_NUMBER):
        return replace(_NUMBER, missing=value.missing, lacking=value.lacking)
    return replace(_NUMBER, missing=UNKNOWN)


def _extreme(messages: Messages, arguments: list[Value]) -> Value:
    """Infer `max(list)` and `min(list)`, which are missing for an empty list."""
    (listed,) = arguments
    element = of_path(messages, listed.elements)
    types = element.types if len(element.types) > 1 else dict.fromkeys(element.types, YES)
    gap = ""
    if listed.no_elements is YES:
        gap = "of an empty list there is no greatest or least element"
    return Value(listed.no_elements, types, longest=element.longest, gap=gap)


def _reverse(messages: Messages, arguments: list[Value]) -> Value:
    value = arguments[0]
    return Value(NO, value.types, value.empty, value.longest)


def of_joined(messages: Messages, listed: Value) -> Value:
    """Infer the text of a list.

    It is empty if the list is, or if all elements are.
    """
    elements = of_path(messages, listed.elements)
    if listed.no_elements is elements.empty is NO:
        return replace(_TEXT, empty=NO)
    return replace(_TEXT, empty=weak(listed.no_elements, YES))


def weak(answer: Answer, proved: Answer = NO) -> Answer:
    """Return an answer if it is the one that is proved, else that nothing is known."""
    return answer if answer is proved else UNKNOWN


def text_length(value: Value) -> int | None:
    """Return the most characters of a value as text.

    None if unknown, as for numbers that are computed.
    """
    if not _NO_SCALARS.isdisjoint(value.types) and value.can_be(_NO_SCALARS) is not NO:
        return None
    lengths: list[int | None] = []
    if value.may_be("string"):
        lengths.append(value.longest)
    if value.may_be("number"):
        lengths.append(MOST_DIGITS if value.given else None)
    if value.may_be("boolean"):
        lengths.append(len("false"))
    return longest_of(lengths)


_TEXT = of_type("string", empty=UNKNOWN)
_NUMBER = of_type("number")
_BOOLEAN = of_type("boolean")
_ARRAY = of_type("array")
_OBJECT = of_type("object")
_EMPTY: Schema = {"enum": [""]}
# The text of a number in JSON, for which `to_number` has a value.
_IS_NUMBER: Schema = {"pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
_OF_TREES = {"not_null": _first_of, "map": _map}
# Functions whose result depends on their arguments.
_CALLS: Mapping[str, Callable[[Messages, list[Value]], Value]] = {
    "to_number": _to_number,
    "max": _extreme,
    "min": _extreme,
    "join": lambda messages, arguments: of_joined(messages, arguments[-1]),
    "avg": lambda messages, arguments: replace(_NUMBER, missing=arguments[0].no_elements),
    "reverse": _reverse,
}
# The values of functions of JMESPath, if they do not raise an error.
_RESULTS: Mapping[str, Value] = {
    "length": _NUMBER,
    "abs": _NUMBER,
    "ceil": _NUMBER,
    "floor": _NUMBER,
    "sum": _NUMBER,
    "to_string": _TEXT,
    "type": of_type("string", longest=len("boolean")),
    "contains": _BOOLEAN,
    "starts_with": _BOOLEAN,
    "ends_with": _BOOLEAN,
    "keys": _ARRAY,
    "values": _ARRAY,
    "sort": _ARRAY,
    "sort_by": _ARRAY,
    "to_array": _ARRAY,
}


_KINDS: Mapping[str, Callable[[Messages, Scope, Tree], Value]] = {
    "literal": lambda messages, scope, tree: of_constant(tree["value"]),
    "or_expression": _first_of,
    "function_expression": _of_call,
    # Other comparisons than these have no value for other types than numbers.
    "comparator": lambda messages, scope, tree: (
        _BOOLEAN if tree["value"] in ("eq", "ne") else _NOTHING_KNOWN
    ),
    "projection": _of_projection,
    "filter_projection": _of_projection,
}
# The values of other expressions.
_NODES: Mapping[str, Value] = {
    "not_expression": _BOOLEAN,
    "multi_select_list": replace(_ARRAY, missing=UNKNOWN),
    "multi_select_dict": replace(_OBJECT, missing=UNKNOWN),
}
