"""The files that `include` names, and one config from all of them."""

import glob
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, structs

from router.config import spec
from router.config.findings import Findings, stopped
from router.config.homes import Homes, relocate_plugin, relocate_route
from router.config.parse import RT102, parse_part, without_dependents
from router.config.source import Source, read_source
from router.config.wording import describe, quote
from router.errors import ConfigError
from router.model import Code, Path, Severity

NO_FILES = Code(
    "RT107",
    "an include that finds no files",
    "What was to be included is not there, so its routes do not run. Files outside of the config's folder are not "
    "read: a deployment has that folder and nothing else.",
)
DEFINED_TWICE = Code(
    "RT108",
    "a name that two files define",
    "A name means one queue, table or route; of two, nobody could say which one the others speak of.",
)

SECTIONS = ("queues", "tables", "routes")
"""What files define by name."""


class Reading(Struct, frozen=True):
    """A config that was read with all that it includes; `config` is None if there is nothing to go on with.

    `complete` tells that no part as a whole had to be left out: what seems unknown elsewhere is not in one.
    """

    config: spec.Config | None
    findings: Findings
    folder: pathlib.Path
    complete: bool


class _Part(Struct, frozen=True):
    """An included file; `folder` is its own, from the folder of the config, as `flows`, or empty."""

    source: Source
    folder: str
    content: spec.Included
    left_out: set[Path]


def read_config(path: pathlib.Path, env: Mapping[str, str], unset: Severity = "error") -> Reading:
    """Read and parse a config and the files that it includes; every fault is a finding, none is raised.

    `unset` is how bad it is if a variable is not set and has no default.
    """
    try:
        root = read_source(path, env, unset=unset)
    except ConfigError as error:
        return Reading(None, stopped(error.findings), path.parent, False)
    config, left_out = parse_part(spec.Config, root.data, root.findings)
    if config is None or not config.include:
        kept = config and without_dependents(config, left_out)
        return Reading(kept, root.findings, root.folder, not _whole_sections(left_out))
    return _Merger(path, env, unset, root).merge(config, left_out)


def _whole_sections(left_out: set[Path]) -> set[Path]:
    return {path for path in left_out if len(path) == 1}


class _Merger:
    """Puts included files into a config, one after the other."""

    def __init__(self, path: pathlib.Path, env: Mapping[str, str], unset: Severity, root: Source) -> None:
        self._path, self._env, self._unset, self._root = path, env, unset, root
        self._homes = Homes(root.locate)
        self._findings = Findings(self._homes.locate)
        self._left_out: set[Path] = set()

    def merge(self, config: spec.Config, left_out: set[Path]) -> Reading:
        """The config with what the files that it includes define."""
        self._left_out |= left_out
        entries: dict[str, dict[str, Any]] = {name: dict(getattr(config, name)) for name in SECTIONS}
        plugins, ignored = list(config.plugins), list(config.ignore)
        parts = list(self._parts(config.include))
        self._findings.take(self._root.findings)
        for part in parts:
            self._findings.take(part.source.findings)
            for section in SECTIONS:
                self._define(section, part, entries[section])
            self._add_plugins(part, plugins)
            for index, ignore in enumerate(part.content.ignore):
                self._homes.settle(("ignore", len(ignored)), part.source.locate, ("ignore", index))
                ignored.append(ignore)
            self._left_out |= part.left_out
        if not entries["routes"] and not self._findings.failed:
            sentence = "there are no routes, neither in the config nor in what it includes"
            self._findings.add(RT102, sentence, ("include",), suggestion="add 'routes: …'")
        merged = structs.replace(config, plugins=tuple(plugins), ignore=tuple(ignored), **entries)
        kept = without_dependents(merged, self._left_out)
        return Reading(kept, self._findings, self._root.folder, not _whole_sections(self._left_out))

    def _parts(self, include: str | tuple[str, ...]) -> Iterator[_Part]:
        """The included files in order, each once; faults of one that cannot be read are noted."""
        patterns = {("include",): include} if isinstance(include, str) else _numbered(include)
        seen = {self._path.resolve()}
        for where, pattern in patterns.items():
            for file in self._files(pattern, where):
                real = file.resolve()
                if real not in seen:
                    seen.add(real)
                    yield from self._part(file)

    def _files(self, pattern: str, where: Path) -> list[pathlib.Path]:
        """The files that a pattern names, by name, the config itself aside."""
        folder, root, own = self._root.folder, self._root.folder.resolve(), self._path.resolve()
        try:
            # Unlike Path.glob, it passes over hidden files, as what editors leave behind.
            names = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
        except ValueError:  # a null in the name
            names = []
        found = [folder / name for name in names if not (folder / name).is_dir()]
        inside = [file for file in found if file.resolve().is_relative_to(root)]
        if pathlib.PurePath(pattern).is_absolute() or len(inside) < len(found):
            fault, advice = "leads out of the folder of the config", "name files in that folder, relative to it"
        else:
            fault, advice = "finds no files", "it is relative to the folder of this file"
            inside = [file for file in inside if file.resolve() != own]
            if inside:
                return inside
        self._root.findings.add(NO_FILES, f"include {quote(pattern)} {fault}", where, suggestion=advice)
        return []

    def _part(self, file: pathlib.Path) -> Iterator[_Part]:
        try:
            source = read_source(file, self._env, unset=self._unset)
        except ConfigError as error:
            for finding in error.findings:
                self._findings.add_finding(finding)
            # What it defines is not known.
            self._left_out |= {(section,) for section in (*SECTIONS, "plugins")}
            return
        content, left_out = parse_part(spec.Included, source.data, source.findings)
        assert content is not None  # it can do without any of its keys
        folder = file.parent.relative_to(self._root.folder).as_posix()
        yield _Part(source, "" if folder == "." else folder, content, left_out)

    def _define(self, section: str, part: _Part, entries: dict[str, Any]) -> None:
        """Add the entries of a section, but those that an earlier file has, perhaps with a fault."""
        locate = part.source.locate
        for where in part.left_out:
            if len(where) == 2 and where[0] == section and where not in self._left_out and where[1] not in entries:
                self._homes.settle(where, locate, where)
        for name, entry in getattr(part.content, section).items():
            here: Path = (section, name)
            if name not in entries and here not in self._left_out:
                self._homes.settle(here, locate, here)
                entries[name] = relocate_route(entry, part.folder) if isinstance(entry, spec.Route) else entry
                continue
            sentence = f"{describe(here)} is defined twice; the first is at {self._homes.locate(here, True)}"
            place, advice = locate(here, True), "rename one, or take it out"
            self._findings.add(DEFINED_TWICE, sentence, here, place=place, suggestion=advice)
            if section != "routes" and entries.get(name) != entry:
                # Which of them is meant is not known, and what would be said of it might be of either.
                entries.pop(name, None)
                self._left_out.add(here)

    def _add_plugins(self, part: _Part, plugins: list[str]) -> None:
        """Add the plugins of a file; one that another file loads too is loaded once."""
        others = tuple(plugins)
        for index, entry in enumerate(part.content.plugins):
            moved = relocate_plugin(entry, part.folder)
            if moved not in others:
                self._homes.settle(("plugins", len(plugins)), part.source.locate, ("plugins", index))
                plugins.append(moved)


def _numbered(patterns: tuple[str, ...]) -> dict[Path, str]:
    return {("include", index): pattern for index, pattern in enumerate(patterns)}
