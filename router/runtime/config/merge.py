"""Merges a config with the files that it includes: from the files as they were read to
the config as a whole.

A file says of all its entries whose they are, and their tags; whose other queues and
tables are follows from routes.
"""

import pathlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct, UnsetType, structs

from router.codes import declare
from router.model import Finding, Path, Place, names_file, plugin_name
from router.runtime.config import spec
from router.runtime.config.findings import Findings, Locate, describe

DEFINED_TWICE = declare(
    "RT108",
    "a name that two files define",
    "A name refers to one queue, table or route; with two definitions, references to "
    "it are ambiguous.",
)

_Received = TypeVar("_Received", bound=spec.ReceivedMessage)
_Content = TypeVar("_Content", spec.Config, spec.Included)
SECTIONS = ("queues", "tables", "routes")
"""The keys whose entries files define by name."""
Unsaved = Mapping[pathlib.Path, bytes]
"""The contents of files as an editor has them, by the path with which they are read."""
NO_UNSAVED: Unsaved = {}


class SourceFile(Struct, frozen=True):
    """A file that was read: its data, and its findings, which know the places of its
    keys and values.
    """

    file: str
    """Its name in findings."""
    folder: pathlib.Path
    """The folder that file names in it are relative to."""
    data: dict[str, Any]
    """Plain data: dict, list, str, int, Decimal, bool and None."""
    findings: Findings
    """The faults that did not stop reading; later steps add their own."""


class IncludedFile(Struct, frozen=True):
    """An included file, and its folder relative to that of the config, such as `flows`,
    or empty.

    `left_out` are the paths of entries that are not in `content` because they have
    faults.
    """

    source: SourceFile
    folder: str
    content: spec.Included
    left_out: set[Path]


class Reading(Struct, frozen=True):
    """A config with all files that it includes.

    `config` is None if its faults leave nothing to compile. It is `complete` if no
    section as a whole was left out, so that a name which seems unknown is unknown.
    """

    config: spec.Config | None
    findings: Findings
    folder: pathlib.Path
    complete: bool


def merge(
    root: SourceFile,
    config: spec.Config | None,
    left_out: set[Path],
    parts: Sequence[IncludedFile] = (),
    unreadable: Iterable[Finding] = (),
) -> Reading:
    """Return the config with the entries of the included files.

    Every fault is a finding. `left_out` are the paths of entries that are not in
    `config` because they have faults, `unreadable` the findings of files that could not
    be read at all.
    """
    if config is None:
        return Reading(None, root.findings, root.folder, False)
    if any(part.content.plugins for part in parts):
        shared = config.plugins
        config = _with_plugins(config, shared)
        parts = [
            structs.replace(
                part,
                content=_with_plugins(part.content, (*shared, *part.content.plugins)),
            )
            for part in parts
        ]
    merger = _Merger(root, left_out)
    for finding in unreadable:
        merger.give_up(finding)
    return merger.merge(config, parts)


def _with_plugins(content: _Content, entries: Sequence[str]) -> _Content:
    """Return a file whose routes run the plugins of these entries, unless they name
    those to run.
    """
    names = tuple(dict.fromkeys(map(plugin_name, entries)))
    routes = {
        name: structs.replace(route, plugins=names)
        if isinstance(route.plugins, UnsetType)
        else route
        for name, route in content.routes.items()
    }
    return structs.replace(content, routes=routes)


def folder_of(file: pathlib.Path, root: pathlib.Path) -> str:
    """Return the folder of a file relative to the config's folder.

    Empty for that folder itself.
    """
    folder = file.parent.relative_to(root).as_posix()
    return "" if folder == "." else folder


def without_dependents(config: spec.Config, left_out: set[Path]) -> spec.Config:
    """Return the config without the routes that would have faults only because another
    entry was left out.
    """
    if not left_out:
        return config
    missing_attributes: dict[Any, set[Any]] = {}
    for path in left_out:
        if len(path) == 4 and path[2] == "item":
            missing_attributes.setdefault(path[1], set()).add(path[3])
    routes = {}
    for name, route in config.routes.items():
        table = config.tables.get(route.table)
        write = route.write
        needed = {write.version, *write.add, *write.append, *write.keep_first}
        if table:
            needed |= {table.ttl, *table.key}
        gone = ("queues", route.queue) in left_out or (
            "tables",
            route.table,
        ) in left_out
        gone |= ("tables",) in left_out and table is None
        if not gone and not needed & missing_attributes.get(name, set()):
            routes[name] = route
    return structs.replace(config, routes=routes)


class _Merger:
    """Merges included files into a config, one after the other."""

    def __init__(self, root: SourceFile, left_out: set[Path]) -> None:
        self._root = root
        self._sources: dict[Path, tuple[Locate, Path]] = {}
        """The file of each entry of another file, and its path there, by its path of
        two steps in the merged config.
        """
        self._findings = Findings(self._locate)
        self._left_out = set(left_out)

    def give_up(self, finding: Finding) -> None:
        """Add the finding of a file that cannot be read, so that its definitions are
        unknown.
        """
        self._findings.add_finding(finding)
        self._left_out |= {(section,) for section in (*SECTIONS, "plugins")}

    def merge(self, config: spec.Config, parts: Sequence[IncludedFile]) -> Reading:
        entries: dict[str, dict[str, Any]] = {
            name: dict(getattr(config, name)) for name in SECTIONS
        }
        plugins, ignored = list(config.plugins), list(config.ignore)
        self._findings.take(self._root.findings)
        for part in parts:
            self._findings.take(part.source.findings)
            for section in SECTIONS:
                self._define(section, part, entries[section])
            self._add_plugins(part, plugins)
            for index, ignore in enumerate(part.content.ignore):
                self._sources["ignore", len(ignored)] = (
                    part.source.findings.locate,
                    ("ignore", index),
                )
                ignored.append(ignore)
            self._left_out |= part.left_out
        if not entries["routes"] and not self._findings.failed:
            self._miss_routes()
        merged = structs.replace(
            config, plugins=tuple(plugins), ignore=tuple(ignored), **entries
        )
        kept = without_dependents(merged, self._left_out)
        complete = all(len(path) > 1 for path in self._left_out)
        return Reading(kept, self._findings, self._root.folder, complete)

    def _locate(self, path: Path, key: bool = False) -> Place:
        source = self._sources.get(path[:2])
        if source is None:
            return self._root.findings.locate(path, key)
        locate, own = source
        return locate((*own, *path[2:]), key)

    def _miss_routes(self) -> None:
        from router.runtime.config.schema import (
            RT102,
        )  # only for a config with this fault: start-up does without it

        sentence = "there are no routes, neither in the config nor in what it includes"
        self._findings.add(RT102, sentence, ("include",), suggestion="add 'routes: …'")

    def _define(
        self, section: str, part: IncludedFile, entries: dict[str, Any]
    ) -> None:
        """Add the entries of a section, except those that an earlier file defines, even
        if with a fault.
        """
        locate = part.source.findings.locate
        for where in part.left_out:
            if (
                len(where) == 2
                and where[0] == section
                and where not in self._left_out
                and where[1] not in entries
            ):
                self._sources[where] = (locate, where)
        for name, entry in getattr(part.content, section).items():
            here: Path = (section, name)
            if name not in entries and here not in self._left_out:
                self._sources[here] = (locate, here)
                entries[name] = (
                    relocate_route(entry, part.folder)
                    if isinstance(entry, spec.RouteSettings)
                    else entry
                )
                continue
            sentence = (
                f"{describe(here)} is defined twice; the first is at "
                f"{self._locate(here, True)}"
            )
            place, advice = locate(here, True), "rename one, or take it out"
            self._findings.add(
                DEFINED_TWICE, sentence, here, place=place, suggestion=advice
            )
            if section != "routes" and entries.get(name) != entry:
                # Neither definition is used: findings about one could be wrong for the
                # other.
                entries.pop(name, None)
                self._left_out.add(here)

    def _add_plugins(self, part: IncludedFile, plugins: list[str]) -> None:
        """Add the plugins of a file, except those that another file loads already."""
        others = tuple(plugins)
        for index, entry in enumerate(part.content.plugins):
            moved = relocate_plugin(entry, part.folder)
            if moved not in others:
                self._sources["plugins", len(plugins)] = (
                    part.source.findings.locate,
                    ("plugins", index),
                )
                plugins.append(moved)


def relocate_plugin(entry: str, folder: str) -> str:
    """Return an entry of `plugins` relative to the config's folder.

    The name of a module is returned as it is.
    """
    return relocate(entry, folder) if names_file(entry) else entry


def relocate_route(route: spec.RouteSettings, folder: str) -> spec.RouteSettings:
    """Return a route with its file names relative to the config's folder."""
    if not folder:
        return route
    schema = (
        relocate(route.schema, folder)
        if isinstance(route.schema, str)
        else route.schema
    )
    tests = tuple(
        structs.replace(
            _relocate_file(test, folder),
            messages=tuple(_relocate_file(each, folder) for each in test.messages),
        )
        for test in route.tests
    )
    return structs.replace(route, schema=schema, tests=tests)


def _relocate_file(message: _Received, folder: str) -> _Received:
    if not isinstance(message.file, str):
        return message
    return structs.replace(message, file=relocate(message.file, folder))


def relocate(name: str, folder: str) -> str:
    """Return a file name of an included file in `folder`, relative to the config's
    folder.
    """
    return posixpath.normpath(posixpath.join(folder, name)) if folder else name


def resolve_inside(
    folder: pathlib.Path, name: str | pathlib.Path
) -> pathlib.Path | None:
    """Return a file or folder that the config names, with links resolved.

    None if it is outside of the config's folder. A deployment contains that folder and
    nothing else, and a config must not show what is elsewhere. None also for a loop of
    links, and a name that no file can have.
    """
    try:
        root, real = folder.resolve(), (folder / name).resolve()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ):  # a loop of links, or a null in the name
        return None
    # From Python 3.13 on a loop of links is no error: its link is then returned as it
    # is.
    return real if real.is_relative_to(root) and not real.is_symlink() else None


def with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a file in which entries without an owner have that of the
    file, and all have its tags.
    """
    owner, tags = data.get("owner"), data.get("tags")
    owner = owner if isinstance(owner, str) and owner else None
    tags = tags if isinstance(tags, dict) and tags else None
    if owner is None and tags is None:
        return data
    changed = dict(data)
    for section in SECTIONS:
        entries = data.get(section)
        if isinstance(entries, dict):
            changed[section] = {
                name: _entry_with_defaults(entry, owner, tags)
                for name, entry in entries.items()
            }
    return changed


def _entry_with_defaults(
    entry: Any, owner: str | None, tags: dict[str, Any] | None
) -> Any:
    if not isinstance(entry, dict):
        return entry
    changed = dict(entry)
    if owner is not None and not entry.get("owner"):
        changed["owner"] = owner
    own = entry.get("tags") or {}
    if tags is not None and isinstance(own, dict):
        changed["tags"] = {**tags, **own}
    return changed


class Owners(Struct, frozen=True):
    """The owner of each queue, table and route by its name in the config, "" if it has
    none.
    """

    queues: Mapping[str, str]
    tables: Mapping[str, str]
    routes: Mapping[str, str]


def owners_of(config: spec.Config) -> Owners:
    """Return the owners.

    A queue or table without one belongs to the owner of all its routes, if that is one.
    A dead-letter queue without one belongs to the owner of the queues that it serves.
    """
    routes = {name: route.owner for name, route in config.routes.items()}
    users: dict[str, dict[str, list[str]]] = {"queues": {}, "tables": {}}
    for name, route in config.routes.items():
        users["queues"].setdefault(route.queue, []).append(routes[name])
        tables = [
            route.table,
            *([route.write.once] if isinstance(route.write.once, str) else []),
        ]
        for table in tables:
            users["tables"].setdefault(table, []).append(routes[name])
    names = dict.fromkeys([*config.queues, *users["queues"]])
    queues = {
        name: _owner(config.queues.get(name), users["queues"].get(name))
        for name in names
    }
    served: dict[str, list[str]] = {}
    for name, queue in config.queues.items():
        if queue.dead_letter:
            served.setdefault(queue.dead_letter, []).append(queues[name])
    for name, owners in served.items():
        queues[name] = queues.get(name) or _owner(config.queues.get(name), owners)
    tables_ = {
        name: _owner(table, users["tables"].get(name))
        for name, table in config.tables.items()
    }
    return Owners(queues, tables_, routes)


def _owner(
    settings: spec.Queue | spec.TableSettings | None, users: list[str] | None
) -> str:
    if settings is not None and settings.owner:
        return settings.owner
    found = set(users or ())
    return found.pop() if len(found) == 1 else ""
