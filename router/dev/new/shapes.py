"""Finds the field whose value decides which shape a message has, and groups sample messages by it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.dev.new.keys import Messages, Names, paths_of, snake_case, values_at

_TYPE_NAME = re.compile(r"(^|_)(type|kind|event|event_name|action|object|category)$")
_TYPE = re.compile(r"[A-Za-z][A-Za-z_.:/-]*\d{0,2}")
"""The name of a type; ids have more digits."""
_FEW = 3
"""The most types that may have one message each; with more, the field may as well be an id."""
_MAX_SHAPES = 20
_MIN_OF_EACH = 5
"""The fewest messages of each value of a field whose name is not that of a type."""
_DEPTH = 3


class Shape(Struct, frozen=True):
    """Messages of one shape; `value` is that of the discriminator, "" if there is only one shape."""

    messages: tuple[Mapping[str, Any], ...]
    value: str = ""


class Shapes(Struct, frozen=True):
    """The shapes of messages, and the path of the field that tells them apart; () if there is only one."""

    shapes: tuple[Shape, ...]
    discriminator: Names = ()


def find_shapes(messages: Messages) -> Shapes:
    """Group messages by their discriminator.

    It is a text that all messages have, of few values, that decides whether other fields are there.
    """
    presence = [frozenset(_paths(message, ())) for message in messages]
    everywhere = frozenset.intersection(*presence)
    varying = frozenset.union(*presence) - everywhere
    best: tuple[float, Names] = (0, ())
    for path in paths_of(messages, 2) if varying else ():
        values = values_at(messages, path)
        if not all(isinstance(value, str) and value for value in values):
            continue
        groups = _grouped(presence, values)
        is_type = bool(_TYPE_NAME.search(snake_case(path[-1]))) and all(map(_TYPE.fullmatch, groups))
        is_type = is_type and (len(groups) <= _FEW or len(groups) * 2 <= len(messages))
        few = min(map(len, groups.values())) < _MIN_OF_EACH and not is_type
        if few or not 1 < len(groups) <= _MAX_SHAPES:
            continue
        decided = sum(_decides(groups, each) for each in varying)
        if decided and (is_type or decided * 2 >= len(varying)):
            best = max(best, (decided + is_type / 2 - len(path) / 4, path), key=lambda each: each[0])
    if not best[1]:
        return Shapes((Shape(tuple(messages)),))
    grouped = _grouped(messages, values_at(messages, best[1]))
    return Shapes(tuple(Shape(tuple(group), value) for value, group in grouped.items()), best[1])


def _grouped(items: Sequence[Any], values: Sequence[str]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item, value in zip(items, values, strict=True):
        groups.setdefault(value, []).append(item)
    return groups


def _decides(groups: Mapping[str, list[frozenset[Names]]], path: Names) -> bool:
    """Return whether in each group all messages have a path, or none has."""
    return all(len({path in each for each in group}) == 1 for group in groups.values())


def _paths(value: Any, above: Names) -> Iterator[Names]:
    for name, part in value.items() if isinstance(value, dict) and len(above) < _DEPTH else ():
        yield (*above, name)
        yield from _paths(part, (*above, name))
