"""Infers the types, presence and length of the values of expressions, constants and templates."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from msgspec import Struct, structs

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
from router.prover.schema_prover import Answer, SchemaProver
from router.runtime.program.expressions import Names, Tree, path_of

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ALL_TYPES = (*TYPES, "binary", "set")
"""The types of values; null counts as missing."""
ANY_TYPE: Mapping[str, Answer] = MappingProxyType(dict.fromkeys(ALL_TYPES, UNKNOWN))
_LIST = ("array",)
MOST_CHARACTERS = 2048
"""Greater bounds are not searched for: no key has more bytes."""
MOST_DIGITS = 170
"""The most characters of a number as text, without exponent: its sign, `0.`, 129 zeros and 38 digits.

No claim is about messages with numbers that DynamoDB cannot store.
"""


class Value(Struct, frozen=True):
    """What is inferred of a value. Each answer is to "can it be?": YES and NO are proved.

    `longest` is the most characters of its text, None if unknown. `origin` is its path in the message, if the value is
    taken from there unchanged; `lacking` the path at which a value may be missing, if this one is missing therefore.
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
    """Its first and its last element, if it is a list that was made from a text."""
    gap: str = ""
    """Why it may be missing, if that is not for a path of the message."""
    one_of: Steps | None = None
    """The path of values in the message of which it is one."""

    def can_be(self, kinds: Iterable[str]) -> Answer:
        """Whether it can have one of the types."""
        answers = [self.types.get(kind, NO) for kind in kinds]
        return YES if YES in answers else UNKNOWN if UNKNOWN in answers else NO

    def other_than(self, kinds: Iterable[str]) -> list[str]:
        """Return the other types that it provably can have."""
        return [kind for kind, answer in self.types.items() if answer is YES and kind not in kinds]

    @property
    def untyped(self) -> bool:
        """Whether it can have every type, as without a schema for it."""
        return all(self.types.get(kind) is YES for kind in TYPES)


def any_of(answers: Iterable[Answer]) -> Answer:
    """Return YES if one answer is, NO if all are, else UNKNOWN."""
    found = NO
    for answer in answers:
        if answer is YES:
            return YES
        if answer is UNKNOWN:
            found = UNKNOWN
    return found


def of_type(*kinds: str, missing: Answer = NO, empty: Answer = NO, longest: int | None = None) -> Value:
    """Return a value of the type, or of one of the types."""
    return Value(missing, dict.fromkeys(kinds, YES if len(kinds) == 1 else UNKNOWN), empty, longest)


def of_constant(value: Any) -> Value:
    """Infer a constant of the config."""
    if value is None:
        return Value(YES, {}, NO)
    kind = next(name for types, name in _PYTHON_TYPES if isinstance(value, types))
    return of_type(kind, empty=YES if value == "" else NO, longest=len(value) if kind == "string" else None)


def of_path(messages: SchemaProver | None, steps: Steps | None) -> Value:
    """Infer the value at a path of a message; once for all rules."""
    if messages is None or steps is None:
        return Value()
    messages = messages.about(steps)
    value: Value | None = messages.inferred.get(steps)
    return messages.keep(messages.inferred, steps, _at(messages, steps)) if value is None else value


def _at(messages: SchemaProver, steps: Steps) -> Value:
    types = {kind: answer for kind, answer in messages.types(steps).items() if answer is not NO}
    present = messages.present(steps)
    no_elements = messages.holds_at(steps, {"minItems": 1}).opposite() if "array" in types else NO
    if "string" not in types:
        return Value(present.opposite(), types, NO, None, steps, steps, True, (*steps, EACH), no_elements)
    return Value(
        missing=present.opposite(),
        types=types,
        empty=messages.holds_at(steps, {"minLength": 1}).opposite(),
        longest=messages.longest(steps, MOST_CHARACTERS),
        origin=steps,
        lacking=steps,
        given=True,
        elements=(*steps, EACH),
        no_elements=no_elements,
    )


def of_tree(messages: SchemaProver | None, scope: Scope, tree: Tree | None) -> Value:
    """Infer the value of an expression, if it does not raise an error."""
    if tree is None:
        return Value()
    names: Names | None = path_of(tree)
    if names is not None:
        if scope.each and not names:
            return of_type("object")
        return of_path(messages, scope.steps(names))
    refine = _KINDS.get(tree["type"])
    if refine is not None:
        return refine(messages, scope, tree)
    found = indexed(tree)
    if found is None:
        return _NODES.get(tree["type"], Value())
    names, index, rest = found
    return _of_element(messages, scope.steps(names), index, rest)


def _of_element(messages: SchemaProver | None, listed: Steps | None, index: int, rest: Names = ()) -> Value:
    """Infer the value at a path in one element of a list."""
    if messages is None or listed is None:
        return Value()
    steps = (*listed, EACH, *rest)
    lists, elements = of_path(messages, listed), of_path(messages, steps)
    enough = messages.holds_at(listed, {"type": "array", "minItems": index + 1 if index >= 0 else -index})
    lacking: Steps | None = listed
    missing, gap = UNKNOWN, ""
    if lists.missing is YES:
        missing = YES
    elif enough is NO:
        missing, lacking, gap = YES, None, f"'{text_of(listed)}' may have no element [{index}]"
    elif messages.allows(somewhere(steps[: len(listed) + 1], {"not": there(rest, SOME_VALUE)})) is YES:
        missing, lacking = YES, steps
    elif lists.missing is enough.opposite() is elements.missing is NO:
        missing = NO
    # What all elements can be at once, one of them can be.
    types = {kind: weak(messages.allows(somewhere(steps, {"type": kind})), YES) for kind in elements.types}
    empty = NO if elements.empty is NO else weak(messages.can_be(steps, [""]), YES)
    return Value(missing, types, empty, elements.longest, None, lacking, elements.given, gap=gap, one_of=steps)


def of_list_end(messages: SchemaProver | None, listed: Value, index: int) -> Value:
    """Infer the first element of a list, or with -1 its last."""
    if listed.origin is None:
        gap = "the list may be empty" if listed.no_elements is YES else ""
        return Value(YES if gap else UNKNOWN, gap=gap)
    return _of_element(messages, listed.origin, index)


def _of_projection(messages: SchemaProver | None, scope: Scope, tree: Tree) -> Value:
    """Infer the value of a projection: a list, or missing if what it projects is no list."""
    base, *each = tree["children"]
    flattened = base["type"] == "flatten"
    base = base["children"][0] if flattened else base
    steps = elements_of({**tree, "children": [base, *each]})
    elements = scope.steps(steps) if steps else None
    listed = of_tree(messages, scope, base)
    inner = of_path(messages, listed.elements)
    if flattened and inner.can_be(_LIST) is not NO:
        nested = listed.elements if inner.types.keys() == {"array"} else None
        elements = None if elements is None or nested is None else (*nested, EACH, *elements[len(nested) :])
    missing = YES if listed.other_than(_LIST) else listed.missing if listed.can_be(_LIST) is not NO else UNKNOWN
    none = YES if listed.no_elements is YES else UNKNOWN
    types = {} if listed.can_be(_LIST) is NO else _ARRAY.types
    return Value(missing, types, NO, None, None, listed.lacking, False, elements, none, None, listed.gap)


def _first_of(messages: SchemaProver | None, scope: Scope, tree: Tree) -> Value:
    """Infer `a || b`, the first value that is true, else the last, and `not_null(a, b)`, the first that is not null."""
    wanted = TRUTHY if tree["type"] == "or_expression" else SOME_VALUE
    values = [of_tree(messages, scope, child) for child in tree["children"]]
    paths = [*map(scope.path, tree["children"])]
    value = values[-1]
    for other, steps in zip(reversed(values[:-1]), reversed(paths[:-1]), strict=True):
        types = other.types
        if wanted is TRUTHY and messages is not None and steps is not None and EACH not in steps:
            types = types_if_true(messages, steps, types)
        value = _either(other, types, value, wanted)
    if messages is None or any(each is None or EACH in each for each in paths):
        return value
    *before, end = [each for each in paths if each is not None]
    passed = [{"not": there(each, wanted)} for each in before]
    missing = value.missing
    if missing is not NO:
        missing = messages.allows(all_of([*passed, {"not": there(end, SOME_VALUE)}]))
    empty = value.empty
    if empty is not NO:
        first = NO if wanted is TRUTHY else weak(values[0].empty, YES)
        empty = any_of([messages.allows(all_of([*passed, there(end, _EMPTY)])), first])
    return structs.replace(value, missing=missing, lacking=end if missing is YES else None, empty=empty)


def _either(left: Value, types: Mapping[str, Answer], right: Value, wanted: Schema) -> Value:
    """Infer the left value, which has one of the types if it is as wanted, or else the right one."""
    if left.missing is NO and (
        wanted is SOME_VALUE or (left.empty is NO and left.types.keys() <= {"string", "number"})
    ):
        return left
    types = {**dict.fromkeys(right.types, UNKNOWN), **types}
    longest = None if left.longest is None or right.longest is None else max(left.longest, right.longest)
    if left.can_be(["string"]) is NO:
        longest = right.longest
    if wanted is TRUTHY:  # an empty text is not true
        return Value(weak(right.missing), types, weak(right.empty), longest)
    return Value(
        NO if NO in (left.missing, right.missing) else UNKNOWN, types, weak(any_of([left.empty, right.empty])), longest
    )


def _of_call(messages: SchemaProver | None, scope: Scope, tree: Tree) -> Value:
    """Infer the result of a function, if it does not raise an error."""
    name = tree["value"]
    if name == "not_null":
        return _first_of(messages, scope, tree)
    arguments = [of_tree(messages, scope, child) for child in tree["children"] if child["type"] != "expref"]
    refine = _CALLS.get(name)
    return _RESULTS.get(name, Value()) if refine is None else refine(messages, arguments)


def _to_number(messages: SchemaProver | None, arguments: list[Value]) -> Value:
    """Infer `to_number(value)`, which is missing for all but numbers and text that is one."""
    (value,) = arguments
    if value.other_than(("string", "number")):
        return structs.replace(_NUMBER, missing=YES, gap="'to_number' has no value for other than text")
    numeric = UNKNOWN if value.can_be(["string"]) is not NO else YES
    if numeric is UNKNOWN and messages is not None and value.origin is not None:
        numeric = messages.holds_at(value.origin, _IS_NUMBER)
    if value.can_be(["string"]) is YES and numeric is NO:
        return structs.replace(_NUMBER, missing=YES, gap="'to_number' has no value for text that is not a number")
    if numeric is YES and value.types.keys() <= {"string", "number"}:
        return structs.replace(_NUMBER, missing=value.missing, lacking=value.lacking)
    return structs.replace(_NUMBER, missing=UNKNOWN)


def _extreme(messages: SchemaProver | None, arguments: list[Value]) -> Value:
    """Infer `max(list)` and `min(list)`, which are missing for an empty list."""
    (listed,) = arguments
    types = of_path(messages, listed.elements).types
    gap = "of an empty list there is no greatest or least element" if listed.no_elements is YES else ""
    return Value(listed.no_elements, dict.fromkeys(types, YES) if len(types) == 1 else types, gap=gap)


def of_joined(messages: SchemaProver | None, listed: Value) -> Value:
    """Infer the text of a list, which is empty if the list is, or if all elements are."""
    elements = of_path(messages, listed.elements)
    empty = NO if listed.no_elements is elements.empty is NO else weak(listed.no_elements, YES)
    return structs.replace(_TEXT, empty=empty)


def weak(answer: Answer, proved: Answer = NO) -> Answer:
    """Return an answer if it is the one that is proved, else that nothing is known."""
    return answer if answer is proved else UNKNOWN


def text_length(value: Value) -> int | None:
    """Return the most characters of a value as text; None if unknown, as for numbers that are computed."""
    if value.can_be(["array", "object", "binary", "set"]) is not NO:
        return None
    lengths = [value.longest] if value.can_be(["string"]) is not NO else []
    if value.can_be(["number"]) is not NO:
        lengths.append(MOST_DIGITS if value.given else None)
    if value.can_be(["boolean"]) is not NO:
        lengths.append(len("false"))
    return None if None in lengths else max((length for length in lengths if length is not None), default=0)


_PYTHON_TYPES: tuple[tuple[Any, str], ...] = (
    (str, "string"),
    (bool, "boolean"),
    ((int, Decimal), "number"),
    (list, "array"),
    (dict, "object"),
)
_TEXT = of_type("string", empty=UNKNOWN)
_NUMBER = of_type("number")
_BOOLEAN = of_type("boolean")
_ARRAY = of_type("array")
_EMPTY: Schema = {"enum": [""]}
_IS_NUMBER: Schema = {"pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
"""The text of a number in JSON, for which `to_number` has a value."""
_CALLS: Mapping[str, Callable[[SchemaProver | None, list[Value]], Value]] = {
    "to_number": _to_number,
    "max": _extreme,
    "min": _extreme,
    "join": lambda messages, arguments: of_joined(messages, arguments[-1]),
    "avg": lambda messages, arguments: structs.replace(_NUMBER, missing=arguments[0].no_elements),
    "reverse": lambda messages, arguments: structs.replace(
        Value(), missing=NO, types=arguments[0].types, empty=arguments[0].empty, longest=arguments[0].longest
    ),
}
"""Functions whose result depends on their arguments."""
_RESULTS: Mapping[str, Value] = {
    **dict.fromkeys(("length", "abs", "ceil", "floor", "sum"), _NUMBER),
    "to_string": _TEXT,
    "type": of_type("string", longest=len("boolean")),
    **dict.fromkeys(("contains", "starts_with", "ends_with"), _BOOLEAN),
    **dict.fromkeys(("keys", "values", "sort", "sort_by", "map", "to_array"), _ARRAY),
}
"""The values of functions of JMESPath, if they do not raise an error."""
_KINDS: Mapping[str, Callable[[SchemaProver | None, Scope, Tree], Value]] = {
    "literal": lambda messages, scope, tree: of_constant(tree["value"]),
    "or_expression": _first_of,
    "function_expression": _of_call,
    # Other comparisons than these have no value for other types than numbers.
    "comparator": lambda messages, scope, tree: _BOOLEAN if tree["value"] in ("eq", "ne") else Value(),
    "projection": _of_projection,
    "filter_projection": _of_projection,
}
"""Expressions whose values depend on the message."""
_NODES: Mapping[str, Value] = {
    "not_expression": _BOOLEAN,
    "multi_select_list": structs.replace(_ARRAY, missing=UNKNOWN),
    "multi_select_dict": of_type("object", missing=UNKNOWN),
}
"""The values of other expressions."""
