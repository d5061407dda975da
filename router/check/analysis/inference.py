"""Infers the types, presence and length of the values of expressions, constants and templates."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from msgspec import Struct, structs

from router.check.analysis.entailment import Answer, Entailment
from router.check.analysis.expressions import Scope, elements_of
from router.check.analysis.predicates import EACH, TYPES, Steps
from router.program.expressions import Names, Tree, path_of

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ALL_TYPES = (*TYPES, "binary", "set")
"""The types of values; null counts as missing."""
ANY_TYPE: Mapping[str, Answer] = MappingProxyType(dict.fromkeys(ALL_TYPES, UNKNOWN))
_LIST = ("array",)
MOST_CHARACTERS = 2048
"""Greater bounds are not searched for: no key has more bytes."""
MOST_DIGITS = 152
"""The most characters of a whole number as text, with its sign; larger numbers are not converted to text."""
_NO_FRACTION = {"anyOf": [{"not": {"type": "number"}}, {"type": "integer"}]}
NOT_NUMERIC = ["", "x", "abc", "A", "a-1", "2026-01-02", "2026-01-02T03:04:05Z", "1.2.3"]
"""Samples of text that is not a number."""


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
    whole: bool = False
    """If it is a number, it is a whole number."""
    elements: Steps | None = None
    """The path of its elements in the message, if it is a list."""

    def can_be(self, kinds: Iterable[str]) -> Answer:
        """Whether it can have one of the types."""
        return any_of(self.types.get(kind, NO) for kind in kinds)

    def other_than(self, kinds: Iterable[str]) -> list[str]:
        """Return the other types that it provably can have."""
        return [kind for kind, answer in self.types.items() if answer is YES and kind not in kinds]

    @property
    def untyped(self) -> bool:
        """Whether it can have every type, as without a schema for it."""
        return all(self.types.get(kind) is YES for kind in TYPES)


def any_of(answers: Iterable[Answer]) -> Answer:
    """Return YES if one answer is, NO if all are, else UNKNOWN."""
    found = set(answers)
    return YES if YES in found else UNKNOWN if UNKNOWN in found else NO


def of_type(*kinds: str, missing: Answer = NO, empty: Answer = NO, longest: int | None = None) -> Value:
    """Return a value of the type, or of one of the types."""
    return Value(missing, dict.fromkeys(kinds, YES if len(kinds) == 1 else UNKNOWN), empty, longest)


def of_constant(value: Any) -> Value:
    """Infer a constant of the config."""
    if value is None:
        return Value(YES, {}, NO)
    kind = next(name for types, name in _PYTHON_TYPES if isinstance(value, types))
    return of_type(kind, empty=YES if value == "" else NO, longest=len(value) if kind == "string" else None)


def of_path(messages: Entailment | None, steps: Steps | None) -> Value:
    """Infer the value at a path of a message; once for all rules."""
    if messages is None or steps is None:
        return Value()
    if steps not in messages.inferred:
        messages.inferred[steps] = _at(messages, steps)
    value: Value = messages.inferred[steps]
    return value


def _at(messages: Entailment, steps: Steps) -> Value:
    types = {kind: answer for kind, answer in messages.types(steps).items() if answer is not NO}
    present = messages.present(steps)
    whole = "number" in types and messages.holds_at(steps, _NO_FRACTION) is YES
    if "string" not in types:
        return Value(present.opposite(), types, NO, None, steps, steps, whole, (*steps, EACH))
    return Value(
        missing=present.opposite(),
        types=types,
        empty=messages.holds_at(steps, {"minLength": 1}).opposite(),
        longest=messages.longest(steps, MOST_CHARACTERS),
        origin=steps,
        lacking=steps,
        whole=whole,
        elements=(*steps, EACH),
    )


def of_tree(messages: Entailment | None, scope: Scope, tree: Tree | None) -> Value:
    """Infer the value of an expression, if it does not raise an error."""
    if tree is None:
        return Value()
    names: Names | None = path_of(tree)
    if names is not None:
        if scope.each and not names:
            return of_type("object")
        return of_path(messages, scope.steps(names))
    kind = tree["type"]
    if kind == "literal":
        return of_constant(tree["value"])
    if kind == "or_expression":
        return _either(*(of_tree(messages, scope, child) for child in tree["children"]))
    if kind in ("function_expression", "comparator"):
        return _RESULTS.get(tree["value"], Value())
    if kind in ("projection", "filter_projection"):
        return _of_projection(messages, scope, tree)
    return _NODES.get(kind, Value())


def _of_projection(messages: Entailment | None, scope: Scope, tree: Tree) -> Value:
    """Infer the value of a projection: a list, or missing if what it projects is no list."""
    steps = elements_of(tree)
    elements = scope.steps(steps) if steps else None
    listed = of_tree(messages, scope, tree["children"][0])
    missing = listed.missing if listed.can_be(_LIST) is not NO and listed.other_than(_LIST) == [] else UNKNOWN
    return structs.replace(_ARRAY, missing=missing, lacking=listed.lacking, elements=elements)


def _either(left: Value, right: Value) -> Value:
    """Infer `left || right`: the left value, or the right one if the left is missing, false or empty."""
    types = {**dict.fromkeys(right.types, UNKNOWN), **left.types}
    longest = None if left.longest is None or right.longest is None else max(left.longest, right.longest)
    if left.can_be(["string"]) is NO:
        longest = right.longest
    return Value(_weak(right.missing), types, _weak(right.empty), longest)


def _weak(answer: Answer) -> Answer:
    return NO if answer is NO else UNKNOWN


def with_default(value: Value, default: Any) -> Value:
    """Infer a value with a default for when it is missing."""
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
    """Infer the text of a template from its literal texts and the values of its expressions."""
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
    """Return the most characters of a value as text; None if unknown, as for numbers with fractions."""
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
"""The values of functions and comparisons of JMESPath, if they do not raise an error."""
_NODES: Mapping[str, Value] = {
    "not_expression": _BOOLEAN,
    "multi_select_list": structs.replace(_ARRAY, missing=UNKNOWN),
    "multi_select_dict": of_type("object", missing=UNKNOWN),
}
"""The values of other expressions."""
_WORDS = {
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "set": "a set",
}


def in_words(types: Sequence[str]) -> str:
    """Return the names of types, for a sentence."""
    *most, last = [_WORDS.get(kind, kind) for kind in types]
    return f"{', '.join(most)} or {last}" if most else last
