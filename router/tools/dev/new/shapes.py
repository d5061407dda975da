"""Groups sample messages by their shape: finds the field that decides which other fields a message
has.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.tools.dev.new.fields import (
    MAX_DEPTH,
    Message,
    Messages,
    Names,
    keys_of,
    last_name,
    paths_of,
    slug,
    snake_case,
    values_at,
)

_TYPE_NAME = re.compile(
    r"type|kind|event|action|(event|message|detail|notification)_(type|kind|name)"
)
"""Names of the type of a message. That of a part of it, as `payment_type`, is one property of many."""
_STATES = ("status", "state")
_AROUND = frozenset(
    ("data", "detail", "event", "message", "payload", "body", "meta", "metadata", "headers")
)
"""Names of objects that hold the message, or tell about it."""
_TYPE = re.compile(r"[A-Za-z][A-Za-z_.:/-]*\d{0,2}")
"""The name of a type; ids have more digits."""
_FEW = 3
"""The most types that may have one message each, if they differ little; with more, the field may as well be an id."""
_MAX_SHAPES = 20
COMMON = "common"
"""The end of the name of a route for what messages of several types have."""
_MIN_OF_EACH = 5
"""The fewest messages of each value of a field whose name is not that of a type."""
_ALIKE = 0.8
"""The part of all paths that messages of one shape have in common at least, if they are few."""

Presence = frozenset[Names]
"""The paths of all values in a message, objects included."""


class Shape(Struct, frozen=True):
    """Messages of one shape."""

    messages: Messages
    value: str = ""
    """The value of the discriminator, or the member that tells it apart; "" if there is only one shape."""
    label: str = ""
    """The value as a part of a name in the config; no two shapes have the same."""
    having: str = ""
    """The member that no message of another shape has, where no field has the type."""
    lacking: Sequence[str] = ()
    """The members of the other shapes, if it has none of its own."""


class Shapes(Struct, frozen=True):
    """The shapes of messages."""

    shapes: Sequence[Shape]
    discriminator: Names = ()
    """The path of the field that tells them apart; () if there is only one shape."""


def find_shapes(messages: Messages) -> Shapes:
    """Group messages by their discriminator.

    It is a text that all messages have, of few values, that decides whether other fields are there.
    """
    nulls = {path for message in messages for path, value in _all_values(message) if value is None}
    presence = [_presence(message, nulls) for message in messages]
    varying = frozenset.union(*presence) - frozenset.intersection(*presence)
    best_score = 0.0
    discriminator: Names = ()
    for path in paths_of(messages, 2):
        values = values_at(messages, path)
        score = _score(path, values, presence, varying)
        if score > best_score:
            best_score, discriminator = score, path
    if not discriminator:
        return Shapes([Shape(messages)])
    return _grouped(messages, discriminator)


def find_readings(messages: Messages, key: Sequence[Names]) -> Shapes:
    """Group messages by their type, if several have one key, and those of a type do not."""
    keys = keys_of(messages, key)
    if len(set(keys)) < len(keys):
        for path in paths_of(messages, 1):
            values = values_at(messages, path)
            is_text = all(isinstance(value, str) and value for value in values)
            if not is_text or not _is_type(path, sorted(set(values))):
                continue
            if len(set(zip(keys, values, strict=True))) == len(keys):
                return _grouped(messages, path)
    return Shapes([Shape(messages)])


def _grouped(messages: Messages, discriminator: Names) -> Shapes:
    groups = _group(messages, values_at(messages, discriminator))
    labels = labels_of(list(groups))
    shapes = [Shape(group, value, labels[value]) for value, group in groups.items()]
    return Shapes(shapes, discriminator)


def labels_of(values: Sequence[str]) -> dict[str, str]:
    """Return a part of a name for each value; those that differ in case or signs only are numbered."""
    labels: dict[str, str] = {}
    for value in values:
        label = slug(value)
        same = sum(slug(each) == label for each in labels) + (label == COMMON)
        labels[value] = f"{label}-{same + 1}" if same else label
    return labels


def _score(
    path: Names,
    values: Sequence[Any],
    presence: Sequence[Presence],
    varying: Presence,
) -> float:
    """Return how well a field tells shapes apart; 0 if it does not."""
    if not all(isinstance(value, str) and value for value in values):
        return 0
    groups = _group(presence, values)
    if not 1 < len(groups) <= _MAX_SHAPES:
        return 0
    is_type = _is_type(path, list(groups)) and _are_types(groups, len(values))
    is_type = is_type or _is_state(path, groups)
    are_few = min(map(len, groups.values())) < _MIN_OF_EACH
    if are_few and (not is_type or _are_one_thing(presence, varying)):
        return 0
    decided = sum(_decides(groups, other) for other in varying)
    # A field with another name than a type's must decide at least half of what varies.
    if decided == 0 or (not is_type and decided * 2 < len(varying)):
        return 0
    return decided + is_type / 2 - len(path) / 4


def _is_type(path: Names, values: Sequence[str]) -> bool:
    """Return whether the name of a field and its values are those of a type."""
    if not _TYPE_NAME.fullmatch(last_name(path)) or not all(map(_TYPE.fullmatch, values)):
        return False
    if any(snake_case(name) not in _AROUND for name in path[:-1]):
        return False
    # Types that differ in their numbers are ids.
    return len({re.sub(r"\d+", "", value) for value in values}) == len(values)


def _is_state(path: Names, groups: Mapping[str, list[Presence]]) -> bool:
    """Return whether a field is named like a state, and messages of each have something of their own.

    A thing that has more in a later state than in an earlier one is of one shape.
    """
    if last_name(path) not in _STATES or len(path) > 1:
        return False
    if not all(map(_TYPE.fullmatch, groups)):
        return False
    for state, group in groups.items():
        own = frozenset.intersection(*group)
        for other, messages in groups.items():
            if other != state:
                own = own.difference(*messages)
        if not own:
            return False
    return True


def _are_types(groups: Mapping[str, list[Presence]], messages: int) -> bool:
    """Return whether so many values are types: they are few, repeat, or most have fields of their own."""
    if len(groups) <= _FEW or len(groups) * 2 <= messages:
        return True
    different = {frozenset.union(*group) for group in groups.values()}
    return len(different) * 2 > len(groups)


def _are_one_thing(presence: Sequence[Presence], varying: Presence) -> bool:
    """Return whether messages differ in little, and only within the objects that they are about."""
    if any(_AROUND.issuperset(path[:-1]) for path in varying):
        return False
    return len(varying) <= (1 - _ALIKE) * len(frozenset.union(*presence))


def _group(items: Sequence[Any], values: Sequence[str]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item, value in zip(items, values, strict=True):
        groups.setdefault(value, []).append(item)
    return groups


def _decides(groups: Mapping[str, list[Presence]], path: Names) -> bool:
    """Return whether in each group all messages have a path, or none has."""
    for group in groups.values():
        having = sum(path in each for each in group)
        if having not in (0, len(group)):
            return False
    return True


def _presence(message: Message, nulls: set[Names]) -> Presence:
    """Return the paths of all values in a message, but for those in an object that is null in
    another: it is there all the same.
    """
    paths = [path for path, _ in _all_values(message)]
    return frozenset(path for path in paths if not _is_within(path, nulls))


def _is_within(path: Names, nulls: set[Names]) -> bool:
    return any(path[:length] in nulls for length in range(1, len(path)))


def _all_values(value: Any, above: Names = ()) -> Iterator[tuple[Names, Any]]:
    if not isinstance(value, dict) or len(above) == MAX_DEPTH:
        return
    for name, part in value.items():
        path = (*above, name)
        yield path, part
        yield from _all_values(part, path)
