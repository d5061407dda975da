"""The walk over the expressions of a route.

Everything that asks what a route reads goes through it: redaction, the rules and claims
of `router check`, and recordings.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from router.model import Path
from router.runtime.config import spec
from router.runtime.sources import expressions_of, meta_of

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
    yield from expressions_of_settings(route)
    for name, attribute in (route.item or {}).items():
        for use in expressions_of(attribute):
            yield RouteExpression("item", use.text, ("item", name, *use.place), name)


def expressions_of_settings(route: spec.RouteSettings) -> list[RouteExpression]:
    """Return the expressions of a route but those of its `item`."""
    settings: dict[Setting, str | None] = {
        "when": route.when,
        "for_each": route.for_each,
        "merge": route.merge.from_ if route.merge else None,
        "once_key": route.write.once_key,
    }
    found = []
    for setting, text in settings.items():
        if text is not None:
            path: Path = ("write", setting) if setting == "once_key" else (setting,)
            found.append(RouteExpression(setting, text, path))
    return found


def metadata_of_route(route: spec.RouteSettings) -> Mapping[str, frozenset[str]]:
    """Return the names of the metadata that each attribute of `item` reads of a message."""
    return {name: meta_of(each) for name, each in (route.item or {}).items()}
