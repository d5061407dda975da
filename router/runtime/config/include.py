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
    path: FilePath, include: tuple[str, ...], findings: Findings
) -> Iterator[FilePath]:
    """Return the files that the config at `path` includes, each once.

    A pattern that matches none is a finding.
    """
    seen = {path.resolve()}
    for index, pattern in enumerate(include):
        for file in _files(path, pattern, ("include", index), findings):
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _files(path: FilePath, pattern: str, where: Path, findings: Findings) -> list[FilePath]:
    """Return the files that a pattern matches, sorted by name, but not the config."""
    own = path.resolve()
    fault = "finds no files"
    advice = "it is relative to the folder of this file"
    files = []
    try:
        found = _search(path.parent, pattern)
        files = [file for file in found if file.resolve() != own]
    except _UnsafeError as error:
        fault = str(error)
        advice = error.advice
    if not files:
        findings.add(
            NO_FILES,
            f"include {quote(pattern)} {fault}",
            where,
            suggestion=advice,
        )
    return files


class _UnsafeError(Exception):
    """Raised for a pattern that cannot be searched safely.

    It leads out of the folder, looks at too much, or at a folder that cannot be read.
    """

    def __init__(self, fault: str, advice: str) -> None:
        super().__init__(fault)
        self.advice = advice


class _Folder(Struct, frozen=True):
    """A folder to search.

    It has its path, the same with links resolved, and the number of parts of the
    pattern that lead to it.
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
    pending = deque([_Folder(folder, root, 0)])
    entries = 0
    while pending:
        here = pending.pop()
        # Links can lead in circles.
        if (here.real, here.at) in seen:
            continue
        seen.add((here.real, here.at))
        part = parts[here.at]
        is_last = here.at == len(parts) - 1
        is_any_depth = part == _ANY_DEPTH
        if is_any_depth and not is_last:
            pending.append(structs.replace(here, at=here.at + 1))
        names = _names(here.real, part, MAX_ENTRIES + 1 - entries)
        entries += len(names)
        if entries > MAX_ENTRIES:
            fault = f"looks at more than {MAX_ENTRIES:,} files and folders"
            raise _UnsafeError(fault, _NARROW)
        for name in names:
            is_hidden = name.startswith(".") and not part.startswith(".")
            if is_hidden or not fnmatchcase(name, part):
                continue
            path = here.path / name
            entry = here.real / name
            # `Path.is_dir` raises OSError for a name that is too long, `os.path.isdir` does not.
            is_folder = os.path.isdir(entry)  # noqa: PTH112
            if is_folder and (is_any_depth or not is_last):
                at = here.at if is_any_depth else here.at + 1
                inner = _Folder(path, _resolve(path, folder), at)
                # Links come last: a file that has two names is found under that without
                # a link.
                if entry.is_symlink():
                    pending.appendleft(inner)
                else:
                    pending.append(inner)
            elif is_last and os.path.isfile(entry):  # noqa: PTH113 — as isdir
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
        fault = f"cannot read the folder '{folder.name}': {reason}"
        raise _UnsafeError(fault, _NARROW) from None


def _resolve(path: FilePath, folder: FilePath) -> FilePath:
    """Return a path with links resolved.

    Raises _UnsafeError for one outside of the folder.
    """
    name = path.relative_to(folder)
    real = resolve_inside(folder, name)
    if real is None:
        raise _UnsafeError(f"{_OUT}, by the link '{name.as_posix()}'", _NARROW)
    return real
