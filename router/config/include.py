"""Reads a config and the files that `include` names."""

import glob
import pathlib
from collections.abc import Iterator, Mapping

from router.codes import declare
from router.config import spec
from router.config.findings import Findings, quote, stopped
from router.config.merge import as_read, folder_of, merge
from router.config.parse import parse_part
from router.config.reading import IncludedFile, Reading, SourceFile
from router.config.source import read_source
from router.errors import ConfigError
from router.model import Finding, Path, Severity

__all__ = ["NO_FILES", "Reading", "included_files", "read_config"]

NO_FILES = declare(
    "RT107",
    "an include that finds no files",
    "The files are missing, so their routes do not run. Files outside of the config's folder are not read: a "
    "deployment contains that folder and nothing else.",
)


def read_config(path: pathlib.Path, env: Mapping[str, str], unset: Severity = "error") -> Reading:
    """Read and parse a config and the files that it includes; every fault is a finding, none is raised.

    `unset` is the severity of a variable that is not set and has no default.
    """
    try:
        root = read_source(path, env, unset=unset)
    except ConfigError as error:
        return Reading(None, stopped(error.findings), path.parent, False)
    config, left_out = parse_part(spec.Config, root.data, root.findings)
    if config is None or not config.include:
        return as_read(root, config, left_out)
    parts: list[IncludedFile] = []
    unreadable: list[Finding] = []
    for file in included_files(path, config.include, root.findings):
        try:
            source = read_source(file, env, unset=unset)
        except ConfigError as error:
            unreadable += error.findings
        else:
            parts.append(_parse(source, folder_of(file, root.folder)))
    return merge(root, config, left_out, parts, unreadable)


def _parse(source: SourceFile, folder: str) -> IncludedFile:
    content, left_out = parse_part(spec.Included, source.data, source.findings)
    assert content is not None  # since none of its keys is required
    return IncludedFile(source, folder, content, left_out)


def included_files(path: pathlib.Path, include: str | tuple[str, ...], findings: Findings) -> Iterator[pathlib.Path]:
    """Return the files that the config at `path` includes, each once; a pattern that matches none is a finding."""
    patterns = {("include",): include} if isinstance(include, str) else _numbered(include)
    seen = {path.resolve()}
    for where, pattern in patterns.items():
        for file in _files(path, pattern, where, findings):
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _files(path: pathlib.Path, pattern: str, where: Path, findings: Findings) -> list[pathlib.Path]:
    """Return the files that a pattern matches, sorted by name, without the config itself."""
    folder, root, own = path.parent, path.parent.resolve(), path.resolve()
    try:
        # Unlike Path.glob, it skips hidden files, such as those that editors leave behind.
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
    findings.add(NO_FILES, f"include {quote(pattern)} {fault}", where, suggestion=advice)
    return []


def _numbered(patterns: tuple[str, ...]) -> dict[Path, str]:
    return {("include", index): pattern for index, pattern in enumerate(patterns)}
