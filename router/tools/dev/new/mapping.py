"""Maps sample messages to items: as they are, or attribute by attribute where the key is inside of
an object.
"""

import json
import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.model import KeyType
from router.tools.dev.new.fields import KeyCandidate, Messages, Names, snake_case
from router.tools.dev.new.inference import Keywords
from router.tools.dev.new.versions import VersionField

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Mapped(Struct, frozen=True):
    """How messages become items."""

    key: "TableKey"
    mode: str = "put"
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
    return list(dict.fromkeys(name for message in messages for name in message))


class TableKey(Struct, frozen=True):
    """The key attributes of a table, and where the messages have them."""

    paths: Mapping[str, Names]
    """The path of each key attribute; () for the id of the message."""
    types: Mapping[str, KeyType]

    @property
    def item(self) -> dict[str, Any]:
        """The expression of each key attribute."""
        return {
            name: path_expression(path) if path else {"meta": name}
            for name, path in self.paths.items()
        }


MESSAGE_ID = TableKey({"message_id": ()}, {"message_id": "S"})
"""The key of items that have one each, as no field of a message can be theirs."""


def name_key(
    messages: Messages, key: Sequence[KeyCandidate], names: Sequence[str] | None
) -> TableKey:
    """Return the key attributes for fields; `names` are those of a table that exists."""
    members = names_in(messages)
    paths: dict[str, Names] = {}
    types: dict[str, KeyType] = {}
    for index, field in enumerate(key):
        name = names[index] if names else attribute_name(field.path, {*members, *paths})
        paths[name] = field.path
        types[name] = field.type
    return TableKey(paths, types)


def map_whole(messages: Messages, key: TableKey, version: VersionField | None, mode: str) -> Mapped:
    """Return the mapping of messages to items that have all their members."""
    members = [name for name in names_in(messages) if name]
    attributes = dict(key.paths)
    ordering = ""
    if version:
        ordering = version_name(version, {*members, *attributes})
        attributes[ordering] = version.path
    item: dict[str, Any] = {}
    if mode == "update" or any(path != (name,) for name, path in attributes.items()):
        for name in members:
            attributes.setdefault(name, (name,))
        item = {name: path_expression(path) for name, path in attributes.items()} | key.item
    if version and item:
        item[ordering] = version_expression(version)
    needs = version.needs if version else {}
    return Mapped(key, mode, item, ordering, needs)


def version_name(version: VersionField, taken: Container[str]) -> str:
    """Return the name of the attribute that orders items: its own, unless it is transformed."""
    if version.transform:
        return free_name(f"{joined(version.path)}_ns", taken)
    return attribute_name(version.path, taken) if version.path else free_name("sent_at", taken)


def version_expression(version: VersionField) -> Any:
    """Return the expression of the attribute that orders items."""
    if not version.path:
        return {"meta": "sent_at"}
    path = path_expression(version.path)
    return {"from": path, "transform": version.transform} if version.transform else path


def attribute_name(path: Names, taken: Container[str]) -> str:
    """Return the name of the attribute for a path: its own, or for one inside of objects all names
    together.
    """
    if len(path) == 1:
        return path[0]
    return free_name(joined(path), taken)


def joined(path: Names) -> str:
    """Return all names of a path together."""
    return snake_case("_".join(path)) or "key"


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken, with underscores behind it if need be."""
    while name in taken:
        name += "_"
    return name
