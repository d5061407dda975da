"""What a JMESPath expression claims, as a condition, of the messages that fulfil it."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from router.check.expressions import Names, path_of, tree_of
from router.check.predicates import NOTHING, SOME_VALUE, TRUTHY, TYPES, Schema, all_of, any_of, there
from router.program.expressions.tree import Tree

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_TURNED = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte", "eq": "eq", "ne": "ne"}
_MOST = 1_000_000
"""Lengths over that are not reasoned about."""
_META = frozenset("\\.+*?()|[]{}^$")


class Condition(Struct, frozen=True):
    """What a condition claims of the messages that fulfil it; unless `exact`, it may be that and more.

    A `frail` one fails on some messages, which fulfil then neither it nor whatever it is a part of.
    """

    claim: Schema
    exact: bool
    frail: bool = False


ANYTHING = Condition({}, False)
"""A condition of which nothing is known."""
ALWAYS = Condition({}, True)


def condition_of(text: str) -> Condition:
    """What an expression claims as a `when`."""
    tree = tree_of(text)
    return ANYTHING if tree is None else _holds(tree, True)


def opposite_of(text: str) -> Condition:
    """What is claimed of messages that do not fulfil an expression, be it that it fails on them."""
    condition = condition_of(text)
    return Condition({"not": condition.claim}, True) if condition.exact else ANYTHING


def _holds(tree: Tree, wanted: bool) -> Condition:
    """What is claimed by a tree being true, or false; by neither if it fails."""
    kind, children = tree["type"], tree["children"]
    names = path_of(tree)
    if names is not None:
        return _claim(there(names, TRUTHY), wanted)
    if kind == "literal":
        return _claim({} if _is_true(tree["value"]) else NOTHING, wanted)
    if kind == "not_expression":
        return _holds(children[0], not wanted)
    if kind in ("and_expression", "or_expression"):
        return _joined([_holds(child, wanted) for child in children], (kind == "and_expression") == wanted)
    if kind == "comparator":
        return _comparison(tree, wanted)
    if kind == "function_expression" and tree["value"] in _FUNCTIONS:
        return _FUNCTIONS[tree["value"]](children, wanted)
    return ANYTHING


def _is_true(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})


def _joined(parts: list[Condition], all_hold: bool) -> Condition:
    claims = [part.claim for part in parts]
    exact, frail = all(part.exact for part in parts), any(part.frail for part in parts)
    if all_hold:
        return Condition(all_of(claims), exact, frail)
    return Condition(any_of(claims), exact and not frail, frail)


def _comparison(tree: Tree, wanted: bool) -> Condition:
    sign, (left, right) = tree["value"], tree["children"]
    if right["type"] != "literal":
        sign, left, right = _TURNED[sign], right, left
    if right["type"] != "literal":
        return ANYTHING
    names, value = path_of(left), right["value"]
    if left["type"] == "function_expression" and len(left["children"]) == 1:
        of = path_of(left["children"][0])
        compare = {"length": _length, "type": _type}.get(left["value"])
        return ANYTHING if of is None or compare is None else compare(of, sign, value, wanted)
    if names is None:
        return ANYTHING
    if sign in ("eq", "ne"):
        claim = there(names, SOME_VALUE if value is None else {"enum": [value]})
        return _claim(claim, wanted == ((sign == "eq") != (value is None)))
    return _order(names, sign, value, wanted)


def _order(names: Names, sign: str, value: Any, wanted: bool) -> Condition:
    """`path > number`: of other types it is null, but fails on text."""
    if isinstance(value, str):
        # Texts are ordered too, which no schema can say.
        return Condition(there(names, {"type": "string"}) if wanted else {}, False, True)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return ANYTHING
    holds = there(names, {"type": "number", **_BOUNDS[sign](value)})
    if wanted:
        return Condition(holds, True, True)
    return Condition(all_of([{"not": holds}, {"not": there(names, {"type": "string"})}]), True, True)


_BOUNDS: Mapping[str, Callable[[Any], Schema]] = {
    "gt": lambda value: {"not": {"maximum": value}},
    "gte": lambda value: {"minimum": value},
    "lt": lambda value: {"not": {"minimum": value}},
    "lte": lambda value: {"maximum": value},
}
"""Bounds as each draft has them: `exclusiveMinimum` is something else in draft 4."""


def _length(names: Names, sign: str, value: Any, wanted: bool) -> Condition:
    """`length(path) > number`: it fails on what has no length."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        return Condition(there(names, _any_size({})) if wanted else {}, False, True)
    least, most = {
        "gt": (value + 1, None),
        "gte": (value, None),
        "lt": (0, value - 1),
        "lte": (0, value),
        "eq": (value, value),
        "ne": (value, value),
    }[sign]
    bounds = {"min": least} | ({} if most is None else {"max": most})
    within = _any_size(bounds) if most is None or most >= 0 else NOTHING
    if wanted == (sign != "ne"):
        return Condition(there(names, within), True, True)
    return Condition(there(names, all_of([_any_size({}), {"not": within}])), True, True)


def _any_size(bounds: Mapping[str, int]) -> Schema:
    kinds = {"string": "Length", "array": "Items", "object": "Properties"}
    return any_of(
        [
            {"type": kind} | {f"{which}{what}": size for which, size in bounds.items() if which == "max" or size}
            for kind, what in kinds.items()
        ]
    )


def _type(names: Names, sign: str, value: Any, wanted: bool) -> Condition:
    """`type(path) == 'string'`; of what is missing it is 'null'."""
    if sign not in ("eq", "ne"):
        return ANYTHING
    claim = there(names, {"type": value}) if value in TYPES else NOTHING
    if value == "null":
        claim = {"not": there(names, SOME_VALUE)}
    return _claim(claim, wanted == (sign == "eq"))


def _contains(arguments: list[Tree], wanted: bool) -> Condition:
    """`contains(LIST, path)` with a list of constants, and `contains(path, constant)`."""
    held, sought = arguments
    values, names = _constants(held), path_of(sought)
    if values is None or names is None or None in values:
        return _holding(path_of(held), sought, wanted)
    condition = _claim(there(names, {"enum": values}) if values else NOTHING, wanted)
    if held["type"] == "literal":
        return condition
    # In brackets, constants are looked up in the message like anything else, and null has nothing.
    return Condition(all_of([condition.claim, SOME_VALUE]), True, frail=True)


def _holding(names: Names | None, sought: Tree, wanted: bool) -> Condition:
    """A text that has a text in it, or a list that has a value; it fails on anything else."""
    if names is None or sought["type"] != "literal" or not isinstance(sought["value"], str):
        return ANYTHING
    with_text: Schema = {"pattern": _escaped(sought["value"])}
    without: Schema = {"items": {"not": {"enum": [sought["value"]]}}}
    texts = {"type": "string", **(with_text if wanted else {"not": with_text})}
    lists = {"type": "array", **({"not": without} if wanted else without)}
    return Condition(there(names, any_of([texts, lists])), True, True)


def _affix(arguments: list[Tree], wanted: bool, form: str) -> Condition:
    names, affix = path_of(arguments[0]), arguments[1]
    if names is None or affix["type"] != "literal" or not isinstance(affix["value"], str):
        return ANYTHING
    pattern: Schema = {"pattern": form.format(_escaped(affix["value"]))}
    return Condition(there(names, {"type": "string", **(pattern if wanted else {"not": pattern})}), True, True)


_FUNCTIONS: Mapping[str, Callable[[list[Tree], bool], Condition]] = {
    "contains": _contains,
    "starts_with": lambda arguments, wanted: _affix(arguments, wanted, "^{}"),
    "ends_with": lambda arguments, wanted: _affix(arguments, wanted, "{}$"),
}


def _escaped(text: str) -> str:
    """A pattern that matches just this text."""
    return "".join(f"\\{char}" if char in _META else char for char in text)


def _constants(tree: Tree) -> list[Any] | None:
    if tree["type"] == "literal" and isinstance(tree["value"], list):
        values = tree["value"]
    elif tree["type"] == "multi_select_list" and all(child["type"] == "literal" for child in tree["children"]):
        values = [child["value"] for child in tree["children"]]
    else:
        return None
    return list({_ENCODER.encode(value): value for value in values}.values())


def _claim(claim: Schema, wanted: bool) -> Condition:
    return Condition(claim if wanted else {"not": claim}, True)
