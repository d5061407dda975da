"""Finds what a condition requires of the text at a path, and indexes the routes of a
queue by it.

Of two thousand routes with `when: kind == '…'` a message then reaches only those that
name its kind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from router.runtime.engine.engine import RouteIndex
from router.runtime.program.expressions import Names, Tree, path_of
from router.runtime.program.expressions.compile import (
    Trees,
    look_up,
    parse_expression,
)

MIN_SPARED = 3
"""An index is asked in the time of about two conditions."""
MAX_ENTRIES = 200_000
"""The most entries of an index: routes without such a condition are listed under each
text.
"""

Required = Mapping[Names, frozenset[str]]
"""For paths, the texts of which one must be there for a condition to hold."""


def required_texts(tree: Tree) -> Required:
    """Return what a condition requires, by path.

    The condition is false, or fails, for any other value there.
    """
    match tree["type"]:
        case "comparator" if tree["value"] == "eq":
            left, right = tree["children"]
            return _one_of(left, [_literal(right)]) or _one_of(right, [_literal(left)])
        case "function_expression" if tree["value"] == "contains":
            listed, sought = tree["children"]
            if listed["type"] == "multi_select_list":
                return _one_of(sought, [*map(_literal, listed["children"])])
            # Only a literal has a list as its value.
            values = listed.get("value")
            if isinstance(values, list):
                return _one_of(sought, values)
        case "and_expression":
            # The condition is false wherever one side is, also if the other side fails.
            left, right = map(required_texts, tree["children"])
            both = {path: texts & right.get(path, texts) for path, texts in left.items()}
            return {**right, **both}
        case "or_expression":
            left, right = map(required_texts, tree["children"])
            return {path: texts | right[path] for path, texts in left.items() if path in right}
    return {}


def index_routes(conditions: Sequence[str | None], trees: Trees) -> RouteIndex | None:
    """Return an index of the routes with these `when`, all of them valid.

    None where it would not pay.
    """
    required: list[Required] = []
    for text in conditions:
        if text is None:
            required.append({})
        else:
            required.append(required_texts(parse_expression(text, trees)))
    best = _best_path(required)
    if best is None:
        return None
    # The texts that a route requires; None for a route that takes each message.
    bound = [each.get(best) for each in required]
    texts = frozenset[str]().union(*filter(None, bound))
    if sum(len(texts if each is None else each) for each in bound) > MAX_ENTRIES:
        return None
    by_text: dict[str, list[int]] = {text: [] for text in texts}
    for place, each in enumerate(bound):
        for text in texts if each is None else each:
            by_text[text].append(place)
    others = tuple(place for place, each in enumerate(bound) if each is None)
    found = {text: tuple(places) for text, places in by_text.items()}
    return RouteIndex(look_up(best), found, others)


def _best_path(required: Sequence[Required]) -> Names | None:
    """Return the path by which a message reaches the fewest routes at most.

    None if an index would not pay.
    """
    by_text: dict[Names, Counter[str]] = {}
    bound = Counter[Names]()
    for each in required:
        for path, texts in each.items():
            bound[path] += 1
            by_text.setdefault(path, Counter()).update(texts)
    spared = {path: bound[path] - max(texts.values(), default=0) for path, texts in by_text.items()}
    best = max(spared, key=spared.__getitem__, default=None)
    return None if best is None or spared[best] < MIN_SPARED else best


def _one_of(sought: Tree, values: Sequence[Any]) -> Required:
    """Return that one of some texts is at a path; nothing if that is no path, or not all are texts."""
    path = path_of(sought)
    if path is None or not all(isinstance(each, str) for each in values):
        return {}
    return {path: frozenset(values)}


def _literal(tree: Tree) -> Any:
    """Return the value of a literal; None for any other expression."""
    return tree["value"] if tree["type"] == "literal" else None
