"""The walk over the expressions of a route.

Everything that asks what a route reads goes through it: redaction, compiled configs, the
rules and claims of `router check`, and recordings.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from router.model import Path
from router.runtime.config import spec
from router.runtime.sources import SOURCES, ExpressionUse, expressions_of, meta_of

Setting = Literal["when", "for_each", "merge", "once_key", "item"]
"""The key of a route, or of its `write`, that an expression belongs to."""


class RouteExpression(Struct, frozen=True):
    """An expression of a route.

    `path` is its path from the route. `attribute` is the name of the attribute of `item`
    whose value it is a part of.
    """

    setting: Setting
    text: str
    path: Path
    attribute: str = ""

    @property
    def reads_message(self) -> bool:
        """Whether its input is the message, and not an element of `for_each`."""
        return self.setting in ("when", "for_each", "once_key")


def expressions_of_route(route: spec.RouteSettings) -> Iterator[RouteExpression]:
    """Yield the expressions of a route."""
    uses = {name: expressions_of(each) for name, each in (route.item or {}).items()}
    return expressions_with(route, uses)


def metadata_of_route(route: spec.RouteSettings) -> Mapping[str, frozenset[str]]:
    """Return the names of the metadata that each attribute of `item` reads of a message."""
    return {name: meta_of(each) for name, each in (route.item or {}).items()}


def expressions_with(
    route: spec.RouteSettings, uses: Mapping[str, Iterable[ExpressionUse]]
) -> Iterator[RouteExpression]:
    """Yield the expressions of a route whose attributes of `item` have these expressions."""
    settings: dict[Setting, Any] = {
        "when": route.when,
        "for_each": route.for_each,
        "merge": route.merge and route.merge.from_,
        "once_key": route.write.once_key,
    }
    return _walk(settings, uses)


def expressions_in_data(route: Mapping[str, Any]) -> Iterator[RouteExpression]:
    """Yield the expressions of a route as it is in its file.

    A text may have variables in it. A source of an attribute that is such a text is left
    out: the braces of a variable would be taken for those of a template.
    """
    merge = route.get("merge")
    settings: dict[Setting, Any] = {
        "when": route.get("when"),
        "for_each": route.get("for_each"),
        "merge": merge.get("from") if isinstance(merge, dict) else merge,
        "once_key": (route.get("write") or {}).get("once_key"),
    }
    item = route.get("item") or {}
    return _walk(settings, {name: _uses_in_data(given) for name, given in item.items()})


def _walk(
    settings: Mapping[Setting, Any], uses: Mapping[str, Iterable[ExpressionUse]]
) -> Iterator[RouteExpression]:
    for setting, text in settings.items():
        if isinstance(text, str):
            path: Path = ("write", setting) if setting == "once_key" else (setting,)
            yield RouteExpression(setting, text, path)
    for name, found in uses.items():
        for use in found:
            yield RouteExpression("item", use.text, ("item", name, *use.place), name)


def _uses_in_data(attribute: str | Mapping[str, Any]) -> Iterator[ExpressionUse]:
    given = {"from": attribute} if isinstance(attribute, str) else attribute
    for key in SOURCES.keys() & given.keys():
        value = given[key]
        has_variable = isinstance(value, str) and "${" in value
        if value is not None and not has_variable:
            yield from SOURCES[key].expressions(value)
