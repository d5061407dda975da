"""Maps messages of several types that write one item: each type sets attributes of its own, so that
none erases what another stored, in whatever order they are received.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from router.tools.dev.new.fields import Message, Names, snake_case, values_at
from router.tools.dev.new.inference import Keywords, NewKeywords
from router.tools.dev.new.mapping import (
    Mapped,
    TableKey,
    attribute_name,
    free_name,
    joined,
    names_in,
    path_expression,
    version_expression,
    version_name,
)
from router.tools.dev.new.shapes import Shape
from router.tools.dev.new.versions import VersionField

_ALIKE = 0.75
"""The least part of the paths of objects that two types have both, if the objects are one thing."""


class Shared(Struct, frozen=True):
    """The mappings of messages that write one item."""

    types: Sequence[Mapped]
    """Of each type, in the order of the shapes."""
    common: Mapped | None
    """Of the members that several types have, for a route of their own; None if it has none."""
    members: Sequence[str]
    """Those members."""
    repeated: Sequence[str]
    """Members of several types that each type stores under a name of its own."""


class Group(Struct, frozen=True):
    """Messages of several types for one key."""

    shapes: Sequence[Shape]
    prefixes: Sequence[str]
    """What the names of attributes begin with that only one type sets, for each shape."""
    discriminator: Names
    key: TableKey
    versions: Sequence[VersionField | None]
    """What orders the messages of each type."""
    common_version: VersionField | None
    """What orders the messages of all types, if they can have a route for what they all have."""
    taken: frozenset[str] = frozenset()
    """Attributes that other routes of the table set."""

    @property
    def messages(self) -> list[Message]:
        """The messages of all types."""
        return [message for shape in self.shapes for message in shape.messages]


def prefixes_of(values: Sequence[str]) -> list[str]:
    """Return what the names of the attributes of each type begin with: its name, without the words
    with which all begin. Types that differ in case or signs only are numbered.
    """
    names = [(snake_case(value) or "other").split("_") for value in values]
    while len(names) > 1 and len({words[0] for words in names}) == 1 and min(map(len, names)) > 1:
        names = [words[1:] for words in names]
    counts = Counter[str]()
    prefixes = []
    for words in names:
        prefix = "_".join(words)
        counts[prefix] += 1
        prefixes.append(f"{prefix}_{counts[prefix]}" if counts[prefix] > 1 else prefix)
    return prefixes


def share(group: Group) -> Shared:
    """Return how the types of a group write their items."""
    repeated = _repeated(group)
    common = _common_members(group, repeated)
    mapped = _map_common(group, common) if common else None
    # The time of the latest message of all does not say when there was one of each type.
    left_out = [name for name in common if (name,) not in _paths_of(group.versions)]
    own = [name for name in repeated if name not in left_out]
    taken = {*group.taken, *group.key.paths, *names_in(group.messages)}
    if mapped:
        taken.update(mapped.item)
    types = []
    for shape, prefix, version in zip(group.shapes, group.prefixes, group.versions, strict=True):
        names = _Names(prefix, own, taken)
        types.append(_map_type(group, shape, version, names, left_out, mapped is None))
    aside = [*_paths_aside(group, group.common_version), *_paths_of(group.versions)]
    shown = [name for name in own if (name,) not in aside]
    return Shared(types, mapped, common, shown)


def _paths_of(versions: Sequence[VersionField | None]) -> list[Names]:
    return [version.path for version in versions if version]


def _paths_aside(group: Group, version: VersionField | None) -> list[Names]:
    """Return the paths that are mapped for what they are: the type, the key and the version."""
    paths = [group.discriminator, *group.key.paths.values()]
    if version and not version.transform:
        paths.append(version.path)
    return [path for path in paths if path]


def _repeated(group: Group) -> list[str]:
    """Return the members that several types have, or that another route of the table sets."""
    counts = Counter(name for shape in group.shapes for name in names_in(shape.messages))
    return [name for name, count in counts.items() if count > 1 or name in group.taken]


def _common_members(group: Group, repeated: Sequence[str]) -> list[str]:
    """Return the members for a route of their own: those that are the same thing in all types, and
    that no message lacks: of a late message nothing is stored.
    """
    if group.common_version is None:
        return []
    aside = _paths_aside(group, group.common_version)
    always = [name for name in repeated if None not in values_at(group.messages, (name,))]
    found = [name for name in always if name and (name,) not in aside and _is_alike(group, name)]
    # A time alone is no reason for a route: each type has its own.
    return [] if [(name,) for name in found] == [group.common_version.path] else found


def _is_alike(group: Group, name: str) -> bool:
    """Return whether a member is the same thing in all types, so that the value of the latest message
    stands for all.
    """
    found = []
    for shape in group.shapes:
        values = values_at(shape.messages, (name,))
        found.append({path for value in values for path in _paths(value)})
    every = set().union(*found)
    same = every.intersection(*found)
    return len(same) >= _ALIKE * len(every)


def _paths(value: Any, above: Names = ()) -> Iterator[tuple[Names, bool]]:
    """Yield the paths in a value, and whether there is an object at each."""
    is_object = isinstance(value, dict)
    yield above, is_object
    if is_object:
        for name, part in value.items():
            yield from _paths(part, (*above, name))


class _Names:
    """Makes the names of the attributes that one type sets; none has two types."""

    def __init__(self, prefix: str, repeated: Sequence[str], taken: set[str]) -> None:
        self._prefix = prefix
        self._repeated = repeated
        self._taken = taken

    def of_member(self, name: str) -> str:
        """Return the name of the attribute for a member."""
        return self.own(name) if name in self._repeated else name

    def own(self, name: str) -> str:
        """Return a name that no other type has."""
        found = free_name(f"{self._prefix}_{name}", self._taken)
        self._taken.add(found)
        return found


def _map_type(
    group: Group,
    shape: Shape,
    version: VersionField | None,
    names: _Names,
    left_out: Sequence[str],
    is_alone: bool,
) -> Mapped:
    """Return how messages of one type set their attributes; alone if no route is for all types."""
    item = group.key.item
    ordering = ""
    keywords: Keywords = {}
    aside = _paths_aside(group, version)
    for name in names_in(shape.messages):
        if not name or name in left_out or (name,) in aside:
            continue
        if not _is_key_only(group, shape, name):
            item[names.of_member(name)] = path_expression([name])
    if version:
        ordering = names.own(version_name(version, ()))
        item[ordering] = version_expression(version)
        keywords = version.needs
    is_kept = is_alone and len(group.discriminator) == 1
    if group.discriminator and (is_kept or not version):
        # An update that sets no attribute stores nothing, and each other member may be missing.
        item[names.own(joined(group.discriminator))] = path_expression(group.discriminator)
    if shape.lacking and not version:
        item[names.own("sent_at")] = {"meta": "sent_at"}
    return Mapped(group.key, "update", item, ordering, keywords)


def _is_key_only(group: Group, shape: Shape, name: str) -> bool:
    """Return whether a member is an object that has nothing but the key in all messages."""
    known = {path[:length] for path in group.key.paths.values() for length in range(len(path) + 1)}
    values = values_at(shape.messages, (name,))
    paths = {(name, *path) for value in values for path, _ in _paths(value)}
    return paths <= known


def _map_common(group: Group, members: Sequence[str]) -> Mapped:
    """Return how messages of all types set what they all have, ordered by one version."""
    version = group.common_version
    assert version is not None  # else there are no common members
    taken = {*group.key.paths, *names_in(group.messages)}
    item = group.key.item
    keywords: NewKeywords = {**version.needs}
    if group.discriminator:
        discriminator = attribute_name(group.discriminator, taken)
        taken.add(discriminator)
        item[discriminator] = path_expression(group.discriminator)
        keywords[group.discriminator] = {"enum": [shape.value for shape in group.shapes]}
    item |= {name: path_expression([name]) for name in members}
    ordering = version_name(version, taken)
    item[ordering] = version_expression(version)
    return Mapped(group.key, "update", item, ordering, keywords)


def project(message: Message, group: Group, members: Sequence[str]) -> dict[str, Any]:
    """Return what a message has for the route of common members: these, its type, its key and its
    version.
    """
    found = {name: message[name] for name in members}
    paths = _paths_aside(group, group.common_version)
    if group.common_version and group.common_version.path:
        paths.append(group.common_version.path)
    for path in paths:
        if path[0] not in members:
            target = found
            for name in path[:-1]:
                target = target.setdefault(name, {})
            [target[path[-1]]] = values_at([message], path)
    return found
