"""Maps sample messages to items: as they are, or attribute by attribute where the key is inside of
an object.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.tools.dev.new.fields import KeyCandidate, Messages, Names, VersionField, snake_case
from router.tools.dev.new.inference import Keywords

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Mapped(Struct, frozen=True):
    """How messages become items."""

    key: Mapping[str, Names]
    """The path of each key attribute."""
    key_types: Mapping[str, str]
    """The type of each key attribute."""
    item: Mapping[str, Any] = {}
    """The expression of each attribute; empty if the item is the whole message."""
    version: str = ""
    """The attribute that orders the writes of one key, "" if there is none."""
    keywords: Keywords = {}
    """What the schema needs besides the bounds of the key."""
    for_each: str = ""
    """The list whose elements are items, "" if the message is one item."""


def path_expression(path: Sequence[str]) -> str:
    """Return the JMESPath of a path through objects."""
    return ".".join(name if _NAME.fullmatch(name) else json.dumps(name) for name in path)


def names_in(messages: Messages) -> list[str]:
    """Return the names of the outermost members, in the order of the first message that has each."""
    names: dict[str, None] = {}
    for message in messages:
        names.update(dict.fromkeys(message))
    return list(names)


def map_item(
    messages: Messages,
    key: Sequence[KeyCandidate],
    version: VersionField | None,
    names: Sequence[str] | None,
) -> Mapped:
    """Return how messages become items; `names` are the key attributes of a table that exists."""
    members = names_in(messages)
    paths: dict[str, Names] = {}
    types: dict[str, str] = {}
    for index, field in enumerate(key):
        name = names[index] if names else _attribute(field.path, [*members, *paths])
        paths[name] = field.path
        types[name] = field.type
    attributes = dict(paths)
    ordering = ""
    keywords: Keywords = {}
    if version:
        suffix = "_ns" if version.transform else ""
        ordering = _attribute(version.path, [*members, *paths], suffix)
        attributes[ordering] = version.path
        keywords = {version.path: version.keywords}
    item: dict[str, Any] = {}
    if any(path != (name,) for name, path in attributes.items()):
        for name in members:
            if name:
                attributes.setdefault(name, (name,))
        item = {name: path_expression(path) for name, path in attributes.items()}
    if version and version.transform:
        item[ordering] = {"from": item[ordering], "transform": version.transform}
    return Mapped(paths, types, item, ordering, keywords)


def _attribute(path: Names, taken: Sequence[str], suffix: str = "") -> str:
    """Return the name of the attribute for a path: its own, or for one inside of objects or with a
    suffix all names together.
    """
    if len(path) == 1 and not suffix:
        return path[0]
    name = (snake_case("_".join(path)) or "key") + suffix
    while name in taken:
        name += "_"
    return name
