"""Finds what a condition requires of the text at a path, and indexes the routes of a
queue by it.

Of two thousand routes with `when: kind == '…'` a message then reaches only those that
name its kind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import UnsetType

from router.runtime.engine.engine import RouteIndex
from router.runtime.program.expressions import Names, Tree, path_of
from router.runtime.program.expressions.compile import Trees, look_up, parse_expression

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
            return _one_of(left, [right]) or _one_of(right, [left])
        case "function_expression" if tree["value"] == "contains":
            listed, sought = tree["children"]
            if listed["type"] == "multi_select_list":
                return _one_of(sought, listed["children"])
            # Only a literal has a list as its value.
            values = listed.get("value")
            if isinstance(values, list):
                return _one_of(
                    sought, [{"type": "literal", "value": value} for value in values]
                )
        case "and_expression":
            # The condition is false wherever one side is, also if the other side fails.
            left, right = map(required_texts, tree["children"])
            both = {
                path: texts & right.get(path, texts) for path, texts in left.items()
            }
            return {**right, **both}
        case "or_expression":
            left, right = map(required_texts, tree["children"])
            return {
                path: texts | right[path]
                for path, texts in left.items()
                if path in right
            }
    return {}


def index_routes(
    conditions: Sequence[str | UnsetType], trees: Trees
) -> RouteIndex | None:
    """Return an index of the routes with these `when`, all of them valid.

    None where it would not pay.
    """
    required = [
        {}
        if isinstance(text, UnsetType)
        else required_texts(parse_expression(text, trees))
        for text in conditions
    ]
    best = _best_path(required)
    if best is None:
        return None
    texts = {text for each in required for text in each.get(best, ())}
    unbound = sum(best not in each for each in required)
    if (
        len(texts) * unbound + sum(len(each.get(best, ())) for each in required)
        > MAX_ENTRIES
    ):
        return None
    by_text: dict[str, list[int]] = {text: [] for text in texts}
    others: list[int] = []
    for place, each in enumerate(required):
        if best not in each:
            others.append(place)
        for text in each.get(best, texts):
            by_text[text].append(place)
    return RouteIndex(
        look_up(best),
        {text: tuple(found) for text, found in by_text.items()},
        tuple(others),
    )


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
    spared = {
        path: bound[path] - max(texts.values(), default=0)
        for path, texts in by_text.items()
    }
    best = max(spared, key=lambda path: spared[path], default=None)
    return None if best is None or spared[best] < MIN_SPARED else best


def _one_of(sought: Tree, literals: Sequence[Tree]) -> Required:
    path = path_of(sought)
    texts = [
        each["value"]
        for each in literals
        if each["type"] == "literal" and isinstance(each["value"], str)
    ]
    return (
        {} if path is None or len(texts) < len(literals) else {path: frozenset(texts)}
    )
