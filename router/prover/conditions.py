"""Translates a JMESPath condition to a predicate that the messages that satisfy it satisfy too."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from router.prover.expressions import tree_of
from router.prover.patterns import escaped
from router.prover.predicates import (
    DECODER,
    ENCODER,
    NOTHING,
    SOME_VALUE,
    TRUTHY,
    TYPES,
    Schema,
    Steps,
    all_of,
    any_of,
    there,
)
from router.prover.schema_prover import Answer, SchemaProver
from router.runtime.program.expressions import Names, Tree, path_of
from router.runtime.program.expressions.compile import InvalidExpression, compile_condition

_SWAPPED = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte", "eq": "eq", "ne": "ne"}
_MAX_LENGTH = 1_000_000
"""Lengths over that are not translated."""


class Condition(Struct, frozen=True):
    """A predicate that is necessary for a condition; if `exact`, it is sufficient too.

    If `partial`, the condition raises an error on some messages; they satisfy neither it nor its opposite, nor an
    expression that contains it.
    """

    predicate: Schema
    exact: bool
    partial: bool = False


ANYTHING = Condition({}, False)
"""A condition that cannot be translated."""
ALWAYS = Condition({}, True)


def condition_of(text: str) -> Condition:
    """Return the condition that an expression is as a `when`."""
    tree = tree_of(text)
    return ANYTHING if tree is None else translate(tree, True)


def opposite_of(text: str) -> Condition:
    """Return the condition of messages that do not satisfy an expression, because it is false or raises an error."""
    condition = condition_of(text)
    return Condition({"not": condition.predicate}, True) if condition.exact else ANYTHING


def types_if_true(messages: SchemaProver, steps: Steps, types: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return which of the types the value at a path can have where it is true; a list that is always empty never is."""
    found = {
        kind: messages.holds_at(steps, {"not": all_of([{"type": kind}, TRUTHY])}).opposite()
        for kind, answer in types.items()
        if answer is Answer.YES and kind != "number"
    }
    return {kind: answer for kind, answer in {**types, **found}.items() if answer is not Answer.NO}


def evaluated(text: str, wanted: bool) -> Callable[[Any], bool]:
    """Return a callable that tells of a message whether a condition, as the router evaluates it, is as `wanted`."""
    try:
        evaluate = compile_condition(text)
    except InvalidExpression:  # loading reports it
        return lambda message: False
    return lambda message: evaluate(message) is wanted


def translate(tree: Tree, wanted: bool) -> Condition:
    """Return the condition that the tree of an expression is true, or false if not `wanted`."""
    kind, children = tree["type"], tree["children"]
    names = path_of(tree)
    if names is not None:
        return _exactly(there(names, TRUTHY), wanted)
    if kind == "literal":
        return _exactly({} if _is_true(tree["value"]) else NOTHING, wanted)
    if kind == "not_expression":
        return translate(children[0], not wanted)
    if kind == "subexpression" and children[0]["type"] == "not_expression" and path_of(children[0]["children"][0]):
        return _exactly(NOTHING, wanted)  # `!a.b` is `(!a).b`: true and false have no fields
    if kind in ("and_expression", "or_expression"):
        return _combine([translate(child, wanted) for child in children], (kind == "and_expression") == wanted)
    if kind == "comparator":
        return _comparison(tree, wanted)
    if kind == "function_expression" and tree["value"] in _FUNCTIONS:
        return _FUNCTIONS[tree["value"]](children, wanted)
    return ANYTHING


def _is_true(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})


def _combine(parts: list[Condition], conjunction: bool) -> Condition:
    predicates = [part.predicate for part in parts]
    exact, partial = all(part.exact for part in parts), any(part.partial for part in parts)
    if conjunction:
        return Condition(all_of(predicates), exact, partial)
    return Condition(any_of(predicates), exact and not partial, partial)


def _comparison(tree: Tree, wanted: bool) -> Condition:
    operator, (left, right) = tree["value"], tree["children"]
    if right["type"] != "literal":
        operator, left, right = _SWAPPED[operator], right, left
    if right["type"] != "literal":
        return ANYTHING
    names, value = path_of(left), right["value"]
    if left["type"] == "function_expression" and len(left["children"]) == 1:
        argument = path_of(left["children"][0])
        compare = {"length": _length, "type": _type, "to_string": _to_string}.get(left["value"])
        return ANYTHING if argument is None or compare is None else compare(argument, operator, value, wanted)
    if names is None:
        return ANYTHING
    if operator in ("eq", "ne"):
        predicate = there(names, SOME_VALUE if value is None else {"enum": [value]})
        return _exactly(predicate, wanted == ((operator == "eq") != (value is None)))
    return _order(names, operator, value, wanted)


def _order(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `path > number`, which is null for other types, but raises an error for text."""
    if isinstance(value, str):
        # Text is ordered too, which no schema can express.
        return Condition(there(names, {"type": "string"}) if wanted else {}, False, True)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return ANYTHING
    holds = there(names, {"type": "number", **_BOUNDS[operator](value)})
    if wanted:
        return Condition(holds, True, True)
    return Condition(all_of([{"not": holds}, {"not": there(names, {"type": "string"})}]), True, True)


_BOUNDS: Mapping[str, Callable[[Any], Schema]] = {
    "gt": lambda value: {"not": {"maximum": value}},
    "gte": lambda value: {"minimum": value},
    "lt": lambda value: {"not": {"minimum": value}},
    "lte": lambda value: {"maximum": value},
}
"""Bounds in the keywords that all drafts share: `exclusiveMinimum` has another meaning in draft 4."""


def _length(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `length(path) > number`, which raises an error for a value that has no length."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_LENGTH:
        return Condition(there(names, _of_length({})) if wanted else {}, False, True)
    least, most = {
        "gt": (value + 1, None),
        "gte": (value, None),
        "lt": (0, value - 1),
        "lte": (0, value),
        "eq": (value, value),
        "ne": (value, value),
    }[operator]
    bounds = {"min": least} | ({} if most is None else {"max": most})
    within = _of_length(bounds) if most is None or most >= 0 else NOTHING
    if wanted == (operator != "ne"):
        return Condition(there(names, within), True, True)
    return Condition(there(names, all_of([_of_length({}), {"not": within}])), True, True)


def _of_length(bounds: Mapping[str, int]) -> Schema:
    """Return the predicate that a value has a length, and that it is within bounds."""
    kinds = {"string": "Length", "array": "Items", "object": "Properties"}
    return any_of(
        [
            {"type": kind} | {f"{which}{what}": size for which, size in bounds.items() if which == "max" or size}
            for kind, what in kinds.items()
        ]
    )


def _type(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `type(path) == 'string'`; the type of a missing value is 'null'."""
    if operator not in ("eq", "ne"):
        return ANYTHING
    predicate = there(names, {"type": value}) if value in TYPES else NOTHING
    if value == "null":
        predicate = {"not": there(names, SOME_VALUE)}
    return _exactly(predicate, wanted == (operator == "eq"))


def _to_string(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `to_string(path) == 'text'`: the value is that text, or its JSON is."""
    if operator not in ("eq", "ne") or not isinstance(value, str):
        return ANYTHING
    try:
        parsed = [DECODER.decode(value)]
    except (msgspec.DecodeError, UnicodeEncodeError):
        parsed = []
    if None in parsed:  # a missing value is null, too
        return ANYTHING
    # Several values are equal and differ as text, as 1 and 1.0: the opposite of this is not known then.
    holds = wanted == (operator == "eq")
    if parsed and not holds:
        return Condition({"not": there(names, {"enum": [value]})}, False)
    return Condition(
        there(names, {"enum": [value, *parsed]}) if holds else {"not": there(names, {"enum": [value]})}, not parsed
    )


def _contains(arguments: list[Tree], wanted: bool) -> Condition:
    """Translate `contains(LIST, path)` with a list of constants, and `contains(path, constant)`."""
    container, sought = arguments
    values, names = _constants(container), path_of(sought)
    if values is None or names is None or None in values:
        return _path_contains(path_of(container), sought, wanted)
    condition = _exactly(there(names, {"enum": values}) if values else NOTHING, wanted)
    if container["type"] == "literal":
        return condition
    # A list in brackets is evaluated on the message like any expression, and is null if the message is null.
    return Condition(all_of([condition.predicate, SOME_VALUE]), True, partial=True)


def _path_contains(names: Names | None, sought: Tree, wanted: bool) -> Condition:
    """Translate `contains(path, 'text')` for text and lists; it raises an error for other values."""
    if names is None or sought["type"] != "literal" or not isinstance(sought["value"], str):
        return ANYTHING
    with_text: Schema = {"pattern": escaped(sought["value"])}
    without: Schema = {"items": {"not": {"enum": [sought["value"]]}}}
    texts = {"type": "string", **(with_text if wanted else {"not": with_text})}
    lists = {"type": "array", **({"not": without} if wanted else without)}
    return Condition(there(names, any_of([texts, lists])), True, True)


def _affix(arguments: list[Tree], wanted: bool, form: str) -> Condition:
    names, affix = path_of(arguments[0]), arguments[1]
    if names is None or affix["type"] != "literal" or not isinstance(affix["value"], str):
        return ANYTHING
    pattern: Schema = {"pattern": form.format(escaped(affix["value"]))}
    return Condition(there(names, {"type": "string", **(pattern if wanted else {"not": pattern})}), True, True)


_FUNCTIONS: Mapping[str, Callable[[list[Tree], bool], Condition]] = {
    "contains": _contains,
    "starts_with": lambda arguments, wanted: _affix(arguments, wanted, "^{}"),
    "ends_with": lambda arguments, wanted: _affix(arguments, wanted, "{}$"),
}


def _constants(tree: Tree) -> list[Any] | None:
    """Return the distinct values of a list of constants; None for any other expression."""
    if tree["type"] == "literal" and isinstance(tree["value"], list):
        values = tree["value"]
    elif tree["type"] == "multi_select_list" and all(child["type"] == "literal" for child in tree["children"]):
        values = [child["value"] for child in tree["children"]]
    else:
        return None
    return list({ENCODER.encode(value): value for value in values}.values())


def _exactly(predicate: Schema, wanted: bool) -> Condition:
    return Condition(predicate if wanted else {"not": predicate}, True)
