"""Translates a JMESPath condition to a predicate.

The messages that satisfy the condition satisfy the predicate too.
"""

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
from router.prover.schema_prover import NO, YES, Answer, SchemaProver
from router.runtime.program.expressions import Names, Tree, is_true, path_of
from router.runtime.program.expressions.compile import (
    InvalidExpression,
    compile_condition,
)

_SWAPPED = {
    "gt": "lt",
    "gte": "lte",
    "lt": "gt",
    "lte": "gte",
    "eq": "eq",
    "ne": "ne",
}
_EQUALITIES = ("eq", "ne")
# Lengths over that are not translated.
_MAX_LENGTH = 1_000_000


class Condition(Struct, frozen=True):
    """A predicate that is necessary for a condition; if `exact`, it is sufficient too.

    If `partial`, the condition raises an error on some messages. These satisfy neither
    it nor its opposite, nor an expression that contains it.
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
    """Return the condition of messages that do not satisfy an expression.

    For them it is false, or raises an error.
    """
    condition = condition_of(text)
    return _exactly(condition.predicate, False) if condition.exact else ANYTHING


def types_if_true(
    messages: SchemaProver, steps: Steps, types: Mapping[str, Answer]
) -> dict[str, Answer]:
    """Return which of the types the value at a path can have where it is true.

    A list that is always empty never is.
    """
    found = dict(types)
    for kind, answer in types.items():
        if answer is YES and kind != "number":
            truthy = all_of([{"type": kind}, TRUTHY])
            found[kind] = messages.holds_at(steps, {"not": truthy}).opposite()
    return {kind: answer for kind, answer in found.items() if answer is not NO}


def evaluated(text: str, wanted: bool) -> Callable[[Any], bool]:
    """Return a callable that tells whether a condition of a message is as `wanted`.

    The condition is evaluated as the router does.
    """
    try:
        evaluate = compile_condition(text)
    # Loading a config reports it.
    except InvalidExpression:
        return lambda message: False
    return lambda message: evaluate(message) is wanted


def translate(tree: Tree, wanted: bool) -> Condition:
    """Return the condition that an expression is true, or false if not `wanted`."""
    names = path_of(tree)
    if names is not None:
        return _exactly(there(names, TRUTHY), wanted)
    children = tree["children"]
    match tree["type"]:
        case "literal":
            return _exactly({} if is_true(tree["value"]) else NOTHING, wanted)
        case "not_expression":
            return translate(children[0], not wanted)
        case "subexpression" if _is_negated_path(children[0]):
            # `!a.b` is `(!a).b`: true and false have no fields.
            return _exactly(NOTHING, wanted)
        case "and_expression" | "or_expression" as kind:
            parts = [translate(child, wanted) for child in children]
            return _combine(parts, (kind == "and_expression") == wanted)
        case "comparator":
            return _comparison(tree, wanted)
        case "function_expression" if tree["value"] in _FUNCTIONS:
            return _FUNCTIONS[tree["value"]](children, wanted)
    return ANYTHING


def _is_negated_path(tree: Tree) -> bool:
    return tree["type"] == "not_expression" and bool(path_of(tree["children"][0]))


def _combine(parts: list[Condition], conjunction: bool) -> Condition:
    predicates = [part.predicate for part in parts]
    exact = all(part.exact for part in parts)
    partial = any(part.partial for part in parts)
    if conjunction:
        return Condition(all_of(predicates), exact, partial)
    return Condition(any_of(predicates), exact and not partial, partial)


def _comparison(tree: Tree, wanted: bool) -> Condition:
    operator = tree["value"]
    left, right = tree["children"]
    if right["type"] != "literal":
        operator = _SWAPPED[operator]
        left, right = right, left
    if right["type"] != "literal":
        return ANYTHING
    value = right["value"]
    arguments = left["children"]
    if left["type"] == "function_expression" and len(arguments) == 1:
        argument = path_of(arguments[0])
        if argument is None or left["value"] not in _COMPARED_CALLS:
            return ANYTHING
        return _COMPARED_CALLS[left["value"]](argument, operator, value, wanted)
    names = path_of(left)
    if names is None:
        return ANYTHING
    if operator not in _EQUALITIES:
        return _order(names, operator, value, wanted)
    is_equal = wanted == (operator == "eq")
    if value is None:
        return _exactly(there(names, SOME_VALUE), not is_equal)
    return _exactly(there(names, {"enum": [value]}), is_equal)


def _order(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `path > number`.

    That is null for other types, but raises an error for text.
    """
    if isinstance(value, str):
        # Text is ordered too, which no schema can express.
        return _partly(there(names, {"type": "string"}), wanted)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return ANYTHING
    holds = there(names, {"type": "number", **_BOUNDS[operator](value)})
    if wanted:
        return Condition(holds, True, True)
    is_text = there(names, {"type": "string"})
    return Condition(all_of([{"not": holds}, {"not": is_text}]), True, True)


# Bounds in the keywords that all drafts share. `exclusiveMinimum` has another meaning
# in draft 4.
_BOUNDS: Mapping[str, Callable[[Any], Schema]] = {
    "gt": lambda value: {"not": {"maximum": value}},
    "gte": lambda value: {"minimum": value},
    "lt": lambda value: {"not": {"minimum": value}},
    "lte": lambda value: {"maximum": value},
}


def _length(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `length(path) > number`.

    That raises an error for a value that has no length.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 0 <= value < _MAX_LENGTH:
        return _partly(there(names, _of_length()), wanted)
    match operator:
        case "gt":
            within = _of_length(value + 1)
        case "gte":
            within = _of_length(value)
        case "lt":
            within = _of_length(0, value - 1) if value else NOTHING
        case "lte":
            within = _of_length(0, value)
        case _:
            within = _of_length(value, value)
    if wanted == (operator != "ne"):
        return Condition(there(names, within), True, True)
    other = all_of([_of_length(), {"not": within}])
    return Condition(there(names, other), True, True)


def _of_length(least: int = 0, most: int | None = None) -> Schema:
    """Return the predicate that a value has a length, and that it is within bounds."""
    kinds: list[Schema] = []
    for kind, what in _LENGTHS.items():
        bounds: Schema = {"type": kind}
        if least:
            bounds[f"min{what}"] = least
        if most is not None:
            bounds[f"max{what}"] = most
        kinds.append(bounds)
    return any_of(kinds)


_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}


def _type(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `type(path) == 'string'`; the type of a missing value is 'null'."""
    if operator not in _EQUALITIES:
        return ANYTHING
    is_equal = wanted == (operator == "eq")
    if value == "null":
        return _exactly(there(names, SOME_VALUE), not is_equal)
    known = isinstance(value, str) and value in TYPES
    return _exactly(there(names, {"type": value}) if known else NOTHING, is_equal)


def _to_string(names: Names, operator: str, value: Any, wanted: bool) -> Condition:
    """Translate `to_string(path) == 'text'`: the value is that text, or its JSON is."""
    if operator not in _EQUALITIES or not isinstance(value, str):
        return ANYTHING
    is_text = there(names, {"enum": [value]})
    is_equal = wanted == (operator == "eq")
    try:
        parsed = DECODER.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return _exactly(is_text, is_equal)
    # A missing value is null, too.
    if parsed is None:
        return ANYTHING
    # Several values are equal and differ as text, as 1 and 1.0. The opposite of this is
    # not known then.
    if not is_equal:
        return Condition({"not": is_text}, False)
    return Condition(there(names, {"enum": [value, parsed]}), False)


_COMPARED_CALLS: Mapping[str, Callable[[Names, str, Any, bool], Condition]] = {
    "length": _length,
    "type": _type,
    "to_string": _to_string,
}


def _contains(arguments: list[Tree], wanted: bool) -> Condition:
    """Translate `contains(LIST, path)` of constants, and `contains(path, constant)`."""
    container, sought = arguments
    values = _constants(container)
    names = path_of(sought)
    if values is None or names is None or None in values:
        return _path_contains(path_of(container), sought, wanted)
    condition = _exactly(there(names, {"enum": values}) if values else NOTHING, wanted)
    if container["type"] == "literal":
        return condition
    # A list in brackets is evaluated on the message like any expression. It is null if
    # the message is null.
    predicate = all_of([condition.predicate, SOME_VALUE])
    return Condition(predicate, True, partial=True)


def _path_contains(names: Names | None, sought: Tree, wanted: bool) -> Condition:
    """Translate `contains(path, 'text')` for text and lists.

    It raises an error for other values.
    """
    text = _text(sought)
    if names is None or text is None:
        return ANYTHING
    in_text: Schema = {"pattern": escaped(text)}
    not_in_list: Schema = {"items": {"not": {"enum": [text]}}}
    if wanted:
        texts = {"type": "string", **in_text}
        lists = {"type": "array", "not": not_in_list}
    else:
        texts = {"type": "string", "not": in_text}
        lists = {"type": "array", **not_in_list}
    return Condition(there(names, any_of([texts, lists])), True, True)


def _text(tree: Tree) -> str | None:
    """Return the text that an expression is; None for another expression."""
    is_text = tree["type"] == "literal" and isinstance(tree["value"], str)
    return tree["value"] if is_text else None


def _affix(arguments: list[Tree], wanted: bool, form: str) -> Condition:
    names = path_of(arguments[0])
    affix = _text(arguments[1])
    if names is None or affix is None:
        return ANYTHING
    pattern: Schema = {"pattern": form.format(escaped(affix))}
    texts: Schema = {"type": "string", **(pattern if wanted else {"not": pattern})}
    return Condition(there(names, texts), True, True)


_FUNCTIONS: Mapping[str, Callable[[list[Tree], bool], Condition]] = {
    "contains": _contains,
    "starts_with": lambda arguments, wanted: _affix(arguments, wanted, "^{}"),
    "ends_with": lambda arguments, wanted: _affix(arguments, wanted, "{}$"),
}


def _constants(tree: Tree) -> list[Any] | None:
    """Return the distinct values of a list of constants.

    None for any other expression.
    """
    if tree["type"] == "literal":
        values = tree["value"]
        if not isinstance(values, list):
            return None
    elif tree["type"] == "multi_select_list":
        children = tree["children"]
        if any(child["type"] != "literal" for child in children):
            return None
        values = [child["value"] for child in children]
    else:
        return None
    return list({ENCODER.encode(value): value for value in values}.values())


def _exactly(predicate: Schema, wanted: bool) -> Condition:
    return Condition(predicate if wanted else {"not": predicate}, True)


def _partly(necessary: Schema, wanted: bool) -> Condition:
    """Return a condition of which only a necessary predicate is known."""
    return Condition(necessary if wanted else {}, False, True)
