"""Finds the files that `include` names, in a bounded walk that stays in the config's
folder.
"""

import os
import posixpath
from collections import deque
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path as FilePath

from msgspec import Struct, structs

from router.codes import declare
from router.model import Path
from router.runtime.config.findings import Findings, quote
from router.runtime.config.merge import resolve_inside

NO_FILES = declare(
    "RT107",
    "an include that finds no files",
    "The files are missing, so their routes do not run. Files outside of the config's "
    "folder are not read: a "
    "deployment contains that folder and nothing else.",
)

MAX_ENTRIES = 100_000
"""The files and folders that one pattern looks at: a second or so of a local disk."""
_MAGIC = frozenset("*?[")
_ANY_DEPTH = "**"
_OUT = "leads out of the folder of the config"
_NARROW = "narrow the pattern to the folders that have the files"


def included_files(
    path: FilePath, include: str | tuple[str, ...], findings: Findings
) -> Iterator[FilePath]:
    """Return the files that the config at `path` includes, each once.

    A pattern that matches none is a finding.
    """
    patterns: dict[Path, str] = {
        ("include", index): pattern for index, pattern in enumerate(include)
    }
    if isinstance(include, str):
        patterns = {("include",): include}
    seen = {path.resolve()}
    for where, pattern in patterns.items():
        for file in _files(path, pattern, where, findings):
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _files(
    path: FilePath, pattern: str, where: Path, findings: Findings
) -> list[FilePath]:
    """Return the files that a pattern matches, sorted by name, without the config
    itself.
    """
    try:
        files = [
            file
            for file in _search(path.parent, pattern)
            if file.resolve() != path.resolve()
        ]
        fault, advice = "finds no files", "it is relative to the folder of this file"
    except _UnsafeError as error:
        files, fault, advice = [], str(error), error.advice
    if not files:
        findings.add(
            NO_FILES, f"include {quote(pattern)} {fault}", where, suggestion=advice
        )
    return files


class _UnsafeError(Exception):
    """Raised for a pattern that leads out of the folder, looks at too much, or at a
    folder that cannot be read.
    """

    def __init__(self, fault: str, advice: str) -> None:
        super().__init__(fault)
        self.advice = advice


class _Folder(Struct, frozen=True):
    """A folder to search: its path, the same with links resolved, and the number of
    parts of the pattern before.
    """

    path: FilePath
    real: FilePath
    at: int


def _search(folder: FilePath, pattern: str) -> list[FilePath]:
    """Return the files that a pattern matches, sorted by name; raises _UnsafeError.

    Hidden files and folders are skipped, such as those that editors leave behind,
    unless the pattern names them.
    """
    parts = posixpath.normpath(pattern).split("/")
    if parts[0] in ("", ".."):
        raise _UnsafeError(_OUT, "name files in that folder, relative to it")
    root = folder.resolve()
    found: list[FilePath] = []
    seen: set[tuple[FilePath, int]] = set()
    pending, entries = deque([_Folder(folder, root, 0)]), 0
    while pending:
        here = pending.pop()
        if (here.real, here.at) in seen:  # links can lead in circles
            continue
        seen.add((here.real, here.at))
        part, is_last = parts[here.at], here.at == len(parts) - 1
        if part == _ANY_DEPTH and not is_last:
            pending.append(structs.replace(here, at=here.at + 1))
        names = _names(here.real, part, MAX_ENTRIES + 1 - entries)
        entries += len(names)
        if entries > MAX_ENTRIES:
            raise _UnsafeError(
                f"looks at more than {MAX_ENTRIES:,} files and folders", _NARROW
            )
        for name in names:
            if _matches(name, part):
                path, entry = here.path / name, here.real / name
                if entry.is_dir() and (part == _ANY_DEPTH or not is_last):
                    inner = _Folder(
                        path, _resolve(path, folder), here.at + (part != _ANY_DEPTH)
                    )
                    # Links come last: a file that has two names is found under that
                    # without a link.
                    (pending.appendleft if entry.is_symlink() else pending.append)(
                        inner
                    )
                elif is_last and entry.is_file():
                    _resolve(path, folder)
                    found.append(path)
    return sorted(found, key=str)


def _names(folder: FilePath, part: str, most: int) -> list[str]:
    """Return the names in a folder that a part of a pattern is compared with, sorted.

    No more than `most`.
    """
    if _MAGIC.isdisjoint(part):
        return [part]
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, most))
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise _UnsafeError(
            f"cannot read the folder '{folder.name}': {reason}", _NARROW
        ) from None


def _matches(name: str, part: str) -> bool:
    return (part.startswith(".") or not name.startswith(".")) and fnmatchcase(
        name, part
    )


def _resolve(path: FilePath, folder: FilePath) -> FilePath:
    """Return a path with links resolved.

    Raises _UnsafeError for one outside of the folder.
    """
    real = resolve_inside(folder, path.relative_to(folder))
    if real is None:
        raise _UnsafeError(
            f"{_OUT}, by the link '{path.relative_to(folder).as_posix()}'", _NARROW
        )
    return real
