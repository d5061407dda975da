"""From a compiled config to a program, with the environment of the start: no YAML, no schema files, no parser."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path as FilePath
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from router.config import spec
from router.config.environment import RT005, replace_references
from router.config.findings import Findings, Locate
from router.config.merge import as_read, merge
from router.config.places import locate_by
from router.config.reading import Part, Reading, Source, without_garbage_collector
from router.errors import UsageError
from router.model import Path, Place
from router.program.precompiled import File, Opened, read
from router.program.program import Loaded, compile_config
from router.program.schemas.compile import SchemaStore

_Kind = TypeVar("_Kind", spec.Config, spec.Included)


def load_precompiled(path: FilePath, env: Mapping[str, str]) -> Loaded:
    """The program of a compiled config, with the findings that the YAML file would have in this environment.

    Raises UsageError if another version compiled it, or for files that the config includes only in this environment.
    """
    with without_garbage_collector():
        opened = read(path)
        reading = _read(opened, path, env)
        return compile_config(reading, SchemaStore(reading.folder, opened.schemas), opened.trees)


def _read(opened: Opened, path: FilePath, env: Mapping[str, str]) -> Reading:
    places = cache(opened.places)
    sources = [_put_in(file, path.parent, env, index, places) for index, file in enumerate(opened.files.files)]
    root, *others = sources
    config, left_out = _parse(spec.Config, root)
    if config is None or not config.include:
        return as_read(root.source, config, left_out)
    given = (config.include,) if isinstance(config.include, str) else config.include
    if given != opened.files.include:
        if not root.source.findings.failed:
            raise UsageError(
                f"{path} was compiled to include {_listed(opened.files.include)}, and is to include {_listed(given)} "
                "in this environment: compile it in this one, or name the same files in all of them"
            )
        others = []  # as a file finds none, with a variable missing
    return merge(root.source, config, left_out, [_parse_part(each) for each in others])


class _Filled(Struct, frozen=True):
    """A file with the environment put in; `proved` tells that nothing put in can have a fault that `convert` misses."""

    source: Source
    folder: str
    proved: bool


def _put_in(
    file: File, folder: FilePath, env: Mapping[str, str], index: int, places: Callable[[], list[list[int]]]
) -> _Filled:
    shown = str(folder / file.name)

    @cache
    def locate_all() -> Locate:
        return locate_by(shown, file.data, places()[index])

    def locate(path: Path, key: bool = False) -> Place:
        return locate_all()(path, key)

    findings = Findings(locate)
    faults = replace_references(file.data, file.references, env)
    for fault in faults:
        findings.add(RT005, fault.sentence, fault.path, suggestion=fault.suggestion)
    # msgspec's `$` matches before a line feed at the end, too.
    proved = not faults and not any(_at(file.data, where).endswith("\n") for where in file.references)
    return _Filled(Source(shown, folder, file.data, findings, locate), file.folder, proved)


def _at(data: Any, path: Path) -> str:
    for step in path:
        data = data[step]
    return str(data)


def _parse(cls: type[_Kind], filled: _Filled) -> tuple[_Kind | None, set[Path]]:
    """A file as its typed part of the config.

    What does not come from the environment had no fault when it was compiled; what does is text, and `convert` finds
    whether it may stand there. Only if it finds that it may not is the walk needed that says what is wrong.
    """
    if filled.proved:
        with suppress(msgspec.ValidationError):
            return msgspec.convert(filled.source.data, cls), set()
    from router.config.parse import parse_part  # start-up does without it, but for a fault

    return parse_part(cls, filled.source.data, filled.source.findings)


def _parse_part(filled: _Filled) -> Part:
    content, left_out = _parse(spec.Included, filled)
    assert content is not None  # it can do without any of its keys
    return Part(filled.source, filled.folder, content, left_out)


def _listed(patterns: tuple[str, ...]) -> str:
    return ", ".join(f"'{pattern}'" for pattern in patterns)
