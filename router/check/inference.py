"""What a value on its way to an attribute can be, as far as it can be known without a message."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from msgspec import Struct, structs

from router.check.entailment import Answer, Facts
from router.check.expressions import Names, Scope, elements_of, path_of
from router.check.predicates import EACH, TYPES, Steps
from router.program.expressions.tree import Tree

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ALL_TYPES = (*TYPES, "binary", "set")
"""What a value can be; null counts as missing."""
ANY_TYPE: Mapping[str, Answer] = MappingProxyType(dict.fromkeys(ALL_TYPES, UNKNOWN))
_LIST = ("array",)
MOST_CHARACTERS = 2048
"""A length over that is as good as none: a key has no more bytes."""
MOST_DIGITS = 152
"""Characters of a whole number as text, with its sign: larger ones are not made into text."""
_NO_FRACTION = {"anyOf": [{"not": {"type": "number"}}, {"type": "integer"}]}
NOT_NUMERIC = ["", "x", "abc", "A", "a-1", "2026-01-02", "2026-01-02T03:04:05Z", "1.2.3"]
"""Texts that are no numbers, to try."""


class Value(Struct, frozen=True):
    """What a value can be. Each answer is to "can it be so?": YES if that is proved, NO if it never can.

    `longest` is the most characters of its text, None if unknown. `origin` is the path in the message that it is the
    value of, if it is just that; `lacking` the path that may have nothing, if it is missing for that.
    """

    missing: Answer = UNKNOWN
    types: Mapping[str, Answer] = ANY_TYPE
    empty: Answer = UNKNOWN
    longest: int | None = None
    origin: Steps | None = None
    lacking: Steps | None = None
    whole: bool = False
    """Its numbers are whole ones."""
    elements: Steps | None = None
    """The path to what its elements are, if it is a list of just that."""

    def can_be(self, kinds: Iterable[str]) -> Answer:
        """Whether it can be of one of the types."""
        return any_of(self.types.get(kind, NO) for kind in kinds)

    def other_than(self, kinds: Iterable[str]) -> list[str]:
        """The types, but these, that it provably can be of."""
        return [kind for kind, answer in self.types.items() if answer is YES and kind not in kinds]

    @property
    def untyped(self) -> bool:
        """Whether nothing is said of its type, so that it can be of each."""
        return all(self.types.get(kind) is YES for kind in TYPES)


def any_of(answers: Iterable[Answer]) -> Answer:
    """YES if one is, NO if all are."""
    found = set(answers)
    return YES if YES in found else UNKNOWN if UNKNOWN in found else NO


def of_type(*kinds: str, missing: Answer = NO, empty: Answer = NO, longest: int | None = None) -> Value:
    """A value that is of one of these types, as far as known of each; text that can be `empty` or not."""
    return Value(missing, dict.fromkeys(kinds, YES if len(kinds) == 1 else UNKNOWN), empty, longest)


def of_constant(value: Any) -> Value:
    """What a constant of the config is."""
    if value is None:
        return Value(YES, {}, NO)
    kind = next(name for types, name in _PYTHON_TYPES if isinstance(value, types))
    return of_type(kind, empty=YES if value == "" else NO, longest=len(value) if kind == "string" else None)


def of_path(facts: Facts | None, steps: Steps | None) -> Value:
    """What the value at a path of a message is; found out once for all rules."""
    if facts is None or steps is None:
        return Value()
    if steps not in facts.known_values:
        facts.known_values[steps] = _at(facts, steps)
    value: Value = facts.known_values[steps]
    return value


def _at(facts: Facts, steps: Steps) -> Value:
    types = {kind: answer for kind, answer in facts.types(steps).items() if answer is not NO}
    present = facts.present(steps)
    whole = "number" in types and facts.holds_at(steps, _NO_FRACTION) is YES
    if "string" not in types:
        return Value(present.opposite(), types, NO, None, steps, steps, whole, (*steps, EACH))
    return Value(
        missing=present.opposite(),
        types=types,
        empty=facts.holds_at(steps, {"minLength": 1}).opposite(),
        longest=facts.longest(steps, MOST_CHARACTERS),
        origin=steps,
        lacking=steps,
        whole=whole,
        elements=(*steps, EACH),
    )


def of_tree(facts: Facts | None, scope: Scope, tree: Tree | None) -> Value:
    """What an expression gives; a failing one rejects the message, which is no value."""
    if tree is None:
        return Value()
    names: Names | None = path_of(tree)
    if names is not None:
        if scope.each and not names:
            return of_type("object")
        return of_path(facts, scope.steps(names))
    kind = tree["type"]
    if kind == "literal":
        return of_constant(tree["value"])
    if kind == "or_expression":
        return _either(*(of_tree(facts, scope, child) for child in tree["children"]))
    if kind in ("function_expression", "comparator"):
        return _RESULTS.get(tree["value"], Value())
    if kind in ("projection", "filter_projection"):
        return _of_projection(facts, scope, tree)
    return _NODES.get(kind, Value())


def _of_projection(facts: Facts | None, scope: Scope, tree: Tree) -> Value:
    """A list of what is somewhere in each element of a list, and nothing if there is no list."""
    steps = elements_of(tree)
    elements = scope.steps(steps) if steps else None
    listed = of_tree(facts, scope, tree["children"][0])
    missing = listed.missing if listed.can_be(_LIST) is not NO and listed.other_than(_LIST) == [] else UNKNOWN
    return structs.replace(_ARRAY, missing=missing, lacking=listed.lacking, elements=elements)


def _either(left: Value, right: Value) -> Value:
    """Of `left || right`: the left value, and the right one if that is missing, false or empty."""
    types = {**dict.fromkeys(right.types, UNKNOWN), **left.types}
    longest = None if left.longest is None or right.longest is None else max(left.longest, right.longest)
    if left.can_be(["string"]) is NO:
        longest = right.longest
    return Value(_weak(right.missing), types, _weak(right.empty), longest)


def _weak(answer: Answer) -> Answer:
    return NO if answer is NO else UNKNOWN


def with_default(value: Value, default: Any) -> Value:
    """The value, or the default where it is missing."""
    other = of_constant(default)
    if other.missing is YES or value.missing is NO:
        return value
    types = {**value.types, **{kind: value.missing for kind in other.types if value.types.get(kind) is not YES}}
    longest = None if value.longest is None or other.longest is None else max(value.longest, other.longest)
    if value.can_be(["string"]) is NO:
        longest = other.longest
    empty = any_of([value.empty, YES if other.empty is YES and value.missing is YES else _weak(other.empty)])
    return structs.replace(value, missing=NO, types=types, empty=empty, longest=longest)


def of_template(literals: Sequence[str], parts: Sequence[Value]) -> Value:
    """What a template gives, of its literal texts and of the values of its expressions."""
    lengths = [*map(len, literals), *map(text_length, parts)]
    longest = None if None in lengths else sum(length for length in lengths if length is not None)
    empties = [part.empty for part in parts]
    empty = UNKNOWN
    if any(literals) or NO in empties:
        empty = NO
    elif len(parts) == 1:
        empty = empties[0]
    lacking = next((part.lacking for part in parts if part.missing is YES), None)
    return Value(any_of(part.missing for part in parts), {"string": YES}, empty, longest, None, lacking)


def text_length(value: Value) -> int | None:
    """The most characters that the value has as text; None if unknown, as for numbers with fractions."""
    if value.can_be(["array", "object", "binary", "set"]) is not NO:
        return None
    lengths = [value.longest] if value.can_be(["string"]) is not NO else []
    if value.can_be(["number"]) is not NO:
        lengths.append(MOST_DIGITS if value.whole else None)
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
_RESULTS: Mapping[str, Value] = {
    **dict.fromkeys(("length", "abs", "ceil", "floor", "sum"), _NUMBER),
    **dict.fromkeys(("avg", "to_number"), structs.replace(_NUMBER, missing=UNKNOWN)),
    **dict.fromkeys(("to_string", "join"), _TEXT),
    "type": of_type("string", longest=len("boolean")),
    **dict.fromkeys(("contains", "starts_with", "ends_with", "eq", "ne"), _BOOLEAN),
    **dict.fromkeys(("keys", "values", "sort", "sort_by", "map", "to_array"), _ARRAY),
}
"""What functions and comparisons of JMESPath give, if they do not fail."""
_NODES: Mapping[str, Value] = {
    "not_expression": _BOOLEAN,
    "multi_select_list": structs.replace(_ARRAY, missing=UNKNOWN),
    "multi_select_dict": of_type("object", missing=UNKNOWN),
}
"""What other expressions give."""
