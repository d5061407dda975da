"""Merges a config with the files that it includes: from the files as they were read to
the config as a whole.

A file says of all its entries whose they are, and their tags; whose other queues and
tables are follows from routes.
"""

import pathlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct, structs

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
    """A file that was read: its data, and its findings.

    The findings know the places of its keys and values.
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
    """An included file.

    `folder` is its folder relative to that of the config, such as `flows`, or empty.
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
        parts = [_with_shared(part, shared) for part in parts]
    merger = _Merger(root, config, left_out)
    for finding in unreadable:
        merger.give_up(finding)
    for part in parts:
        merger.add(part)
    return merger.reading()


def _with_shared(part: IncludedFile, shared: Sequence[str]) -> IncludedFile:
    """Return a file whose routes run its own plugins after those of the config."""
    content = _with_plugins(part.content, (*shared, *part.content.plugins))
    return structs.replace(part, content=content)


def _with_plugins(content: _Content, entries: Sequence[str]) -> _Content:
    """Return a file whose routes run the plugins of these entries.

    A route that names those to run is left as it is.
    """
    names = tuple(dict.fromkeys(map(plugin_name, entries)))
    routes = dict(content.routes)
    for name, route in content.routes.items():
        if route.plugins is None:
            routes[name] = structs.replace(route, plugins=names)
    return structs.replace(content, routes=routes)


def folder_of(file: pathlib.Path, root: pathlib.Path) -> str:
    """Return the folder of a file relative to the config's folder.

    Empty for that folder itself.
    """
    folder = file.parent.relative_to(root).as_posix()
    return "" if folder == "." else folder


def without_dependents(config: spec.Config, left_out: set[Path]) -> spec.Config:
    """Return the config without the routes that depend on an entry that was left out.

    Such a route would have faults only because of that.
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
        needs: set[Path] = {("queues", route.queue), ("tables", route.table)}
        if table is None:
            needs.add(("tables",))
        missing = missing_attributes.get(name, set())
        if needs.isdisjoint(left_out) and needed.isdisjoint(missing):
            routes[name] = route
    return structs.replace(config, routes=routes)


class _Merger:
    """Merges included files into a config, one after the other."""

    def __init__(self, root: SourceFile, config: spec.Config, left_out: set[Path]) -> None:
        self._root = root
        self._config = config
        self._left_out = set(left_out)
        self._entries = {section: dict(getattr(config, section)) for section in SECTIONS}
        self._plugins = list(config.plugins)
        self._ignored = list(config.ignore)
        # Where included files have their entries, by the path of two steps that each entry
        # has in the merged config.
        self._sources: dict[Path, tuple[Locate, Path]] = {}
        self._findings = Findings(self._locate)
        self._findings.take(root.findings)

    def _locate(self, path: Path, key: bool = False) -> Place:
        source = self._sources.get(path[:2])
        if source is None:
            return self._root.findings.locate(path, key)
        locate, own = source
        return locate((*own, *path[2:]), key)

    def give_up(self, finding: Finding) -> None:
        """Add the finding of a file that cannot be read: its definitions are unknown."""
        self._findings.add_finding(finding)
        self._left_out |= {(section,) for section in (*SECTIONS, "plugins")}

    def add(self, part: IncludedFile) -> None:
        """Add what a file has."""
        self._findings.take(part.source.findings)
        for section in SECTIONS:
            self._define(section, part)
        # A plugin that another file loads already is left out.
        loaded = tuple(self._plugins)
        for index, entry in enumerate(part.content.plugins):
            moved = relocate_plugin(entry, part.folder)
            if moved not in loaded:
                self._append("plugins", self._plugins, moved, part, index)
        for index, ignore in enumerate(part.content.ignore):
            self._append("ignore", self._ignored, ignore, part, index)
        self._left_out |= part.left_out

    def _append(
        self, key: str, listed: list[Any], entry: Any, part: IncludedFile, index: int
    ) -> None:
        """Add the entry of a list, which has this index in its file."""
        self._sources[key, len(listed)] = (part.source.findings.locate, (key, index))
        listed.append(entry)

    def _define(self, section: str, part: IncludedFile) -> None:
        """Add the entries of a section.

        Those that an earlier file defines are a fault, even if they had one there.
        """
        locate = part.source.findings.locate
        entries = self._entries[section]
        for where in part.left_out:
            is_own = len(where) == 2 and where[0] == section
            if is_own and where not in self._left_out and where[1] not in entries:
                self._sources[where] = (locate, where)
        for name, entry in getattr(part.content, section).items():
            here: Path = (section, name)
            if name in entries or here in self._left_out:
                self._add_second(here, locate)
                if section != "routes" and entries.get(name) != entry:
                    # Neither definition is used: findings about one could be wrong for
                    # the other.
                    entries.pop(name, None)
                    self._left_out.add(here)
                continue
            self._sources[here] = (locate, here)
            is_route = section == "routes"
            entries[name] = relocate_route(entry, part.folder) if is_route else entry

    def _add_second(self, here: Path, locate: Locate) -> None:
        first = self._locate(here, True)
        self._findings.add(
            DEFINED_TWICE,
            f"{describe(here)} is defined twice; the first is at {first}",
            here,
            place=locate(here, True),
            suggestion="rename one, or take it out",
        )

    def reading(self) -> Reading:
        """Return the config as a whole."""
        if not self._entries["routes"] and not self._findings.failed:
            self._miss_routes()
        merged = structs.replace(
            self._config,
            plugins=tuple(self._plugins),
            ignore=tuple(self._ignored),
            **self._entries,
        )
        kept = without_dependents(merged, self._left_out)
        complete = all(len(path) > 1 for path in self._left_out)
        return Reading(kept, self._findings, self._root.folder, complete)

    def _miss_routes(self) -> None:
        # Only for a config with this fault: start-up does without the module.
        from router.runtime.config.schema import RT102

        self._findings.add(
            RT102,
            "there are no routes, neither in the config nor in what it includes",
            ("include",),
            suggestion="add 'routes: …'",
        )


def relocate_plugin(entry: str, folder: str) -> str:
    """Return an entry of `plugins` relative to the config's folder.

    The name of a module is returned as it is.
    """
    return relocate(entry, folder) if names_file(entry) else entry


def relocate_route(route: spec.RouteSettings, folder: str) -> spec.RouteSettings:
    """Return a route with its file names relative to the config's folder."""
    if not folder:
        return route
    schema = route.schema
    if isinstance(schema, str):
        schema = relocate(schema, folder)
    tests = tuple(_relocate_test(test, folder) for test in route.tests)
    return structs.replace(route, schema=schema, tests=tests)


def _relocate_test(test: spec.Test, folder: str) -> spec.Test:
    messages = tuple(_relocate_file(each, folder) for each in test.messages)
    return structs.replace(_relocate_file(test, folder), messages=messages)


def _relocate_file(message: _Received, folder: str) -> _Received:
    if not isinstance(message.file, str):
        return message
    return structs.replace(message, file=relocate(message.file, folder))


def relocate(name: str, folder: str) -> str:
    """Return a file name in `folder` as one relative to the config's folder."""
    return posixpath.normpath(posixpath.join(folder, name)) if folder else name


def resolve_inside(folder: pathlib.Path, name: str | pathlib.Path) -> pathlib.Path | None:
    """Return a file or folder that the config names, with links resolved.

    None if it is outside of the config's folder. A deployment contains that folder and
    nothing else, and a config must not show what is elsewhere. None also for a loop of
    links, and a name that no file can have.
    """
    try:
        root = folder.resolve()
        real = (folder / name).resolve()
        # From Python 3.13 on a loop of links is no error: its link is returned as it is.
        is_loop = real.is_symlink()
    except (OSError, RuntimeError, ValueError):
        # A loop of links, a null in the name, or a name that is too long.
        return None
    return real if real.is_relative_to(root) and not is_loop else None


def with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a file whose entries have its owner and its tags.

    An entry with an owner keeps it, and its own tags come before those of the file.
    """
    owner = data.get("owner")
    tags = data.get("tags")
    given: dict[str, Any] = {}
    if isinstance(owner, str) and owner:
        given["owner"] = owner
    if isinstance(tags, dict) and tags:
        given["tags"] = tags
    if not given:
        return data
    changed = dict(data)
    for section in SECTIONS:
        entries = data.get(section)
        if isinstance(entries, dict):
            changed[section] = {
                name: _entry_with_defaults(entry, given) for name, entry in entries.items()
            }
    return changed


def _entry_with_defaults(entry: Any, given: dict[str, Any]) -> Any:
    if not isinstance(entry, dict):
        return entry
    changed = {**given, **entry}
    if "owner" in given:
        changed["owner"] = entry.get("owner") or given["owner"]
    own = entry.get("tags") or {}
    if "tags" in given and isinstance(own, dict):
        changed["tags"] = {**given["tags"], **own}
    return changed
