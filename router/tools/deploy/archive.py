"""Selects the files of the package, and writes them: the same files always make the same bytes."""

import os
import posixpath
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from msgspec import Struct, structs

from router.errors import UsageError, refusing_file
from router.model import names_file
from router.runtime.filesystem import NOT_REGULAR, read_regular
from router.tools.deploy.file_writing import replace_file
from router.tools.deploy.packages import Wheel, sha256_of
from router.tools.deploy.requirements import FOLDER, module_file, run_time_modules
from router.tools.deploy.secret_files import SecretFiles

_CACHES = ("__pycache__", "*.py[co]", "*~", "*.egg-info")
_HIDDEN = (".*",)
_TESTS = ("test", "tests", "tests.py", "test_*.py", "*_test.py", "conftest.py")
_LISTS = ("requirements*.txt", "requirements*.in")
_LINK = "it is a link to a folder; copy the folder there"
_BROKEN = "it is a link to nothing"
_RELOCATED = ("purelib", "platlib")
_INSTALLER_FILES = (
    "RECORD",
    "RECORD.jws",
    "RECORD.p7s",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
)
MAX_ZIPPED = 50 * 1024 * 1024
"""Bytes of a package that is uploaded directly."""
MAX_UNZIPPED = 250 * 1024 * 1024
"""Bytes of the unpacked package, with layers."""
LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time in a zip file."""
_UNIX = 3
_MODE = 0o100644
"""Lambda's user must be able to read the files: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html"""
_DATA = ("runtime/config/exact.json",)
"""The files of the router that its modules read: without them, the function could not read a config in YAML."""


class Entry(Struct, frozen=True):
    """A file of the package: the part that it belongs to, its name in the package, and a function that reads it."""

    part: str
    name: str
    read: Callable[[], bytes]


class LeftOut(Struct, frozen=True):
    """A file of the config's folder that is not packed, and the reason."""

    name: str
    reason: str


def router_entries(plugins: Iterable[Path]) -> Iterator[Entry]:
    """Yield the modules of the router that the handler or a plugin file can import, and the data that they read."""
    for file in (*run_time_modules(plugins).values(), *(FOLDER / name for name in _DATA)):
        name = file.relative_to(FOLDER.parent).as_posix()
        yield Entry(FOLDER.name, name, file.read_bytes)


def wheel_entries(wheel: Wheel) -> Iterator[Entry]:
    """Yield the files that a wheel installs into site-packages, without tests, caches, scripts and installer files.

    Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    part = f"{wheel.name} {wheel.version}"
    with zipfile.ZipFile(wheel.file) as archive:
        members = [info.filename for info in archive.infolist() if not info.is_dir()]
    for member in members:
        parts = member.split("/")
        first = parts[0]
        if first.endswith(".data"):
            if parts[1] not in _RELOCATED:
                continue
            parts = parts[2:]
        *folders, base = parts
        if first.endswith(".dist-info") and base in _INSTALLER_FILES:
            continue
        is_test = "tests" in folders or _matches(parts[1:], ("conftest.py",))
        if not is_test and not _matches(parts, _CACHES):
            yield Entry(part, "/".join(parts), partial(_read_member, wheel.file, member))


def _read_member(file: Path, member: str) -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read(member)


def plugin_files(entries: Sequence[str], folder: Path) -> list[Path]:
    """Return the plugin files of a config; raises UsageError for one outside the config's folder."""
    root = folder.resolve()
    files = list(filter(names_file, entries))
    for entry in files:
        if Path(entry).is_absolute():
            raise UsageError(
                f"plugin '{entry}' is an absolute path; use a path relative to the config's folder"
            )
        if not (folder / entry).resolve().is_relative_to(root):
            raise UsageError(
                f"plugin '{entry}' is outside the folder of the config, and only files of that folder are packed; "
                "move it there, or make it a distribution and list it in plugins/requirements.txt"
            )
    return [folder / posixpath.normpath(entry) for entry in files]


def folder_entries(
    files: Sequence[Path], folder: Path, left_out: list[LeftOut], secrets: SecretFiles
) -> Iterator[Entry]:
    """Yield plugin files with all files beside and below them; in the config's own folder only the plugin files.

    Files that are not packed, except for caches, are added to `left_out`. Raises UsageError for links to outside files.
    """
    for name in packed_names(files, folder, left_out, secrets):
        yield _entry("plugins", name, folder, secrets)


def packed_names(
    files: Sequence[Path], folder: Path, left_out: list[LeftOut], secrets: SecretFiles
) -> Iterator[Path]:
    """Yield the names of what `folder_entries` packs, in order; nothing is read, and links may lead outside."""
    root = folder.resolve()
    inside = {file.parent for file in files if file.parent.resolve() != root}
    nested = {path for path in inside if not inside.isdisjoint(path.parents)}
    found = {file for file in files if file.parent not in inside}
    for top in inside - nested:
        for place, below, names in os.walk(top):
            found |= {Path(place, name) for name in names}
            for each in sorted(below):
                path = Path(place, each)
                if path.is_symlink():
                    left_out.append(LeftOut(path.relative_to(folder).as_posix(), _LINK))
    for file in sorted(found, key=lambda file: file.as_posix()):
        name = file.relative_to(folder)
        reason = "" if file in files else _exclusion(name.parts, secrets)
        if reason == "" and not file.is_file():
            reason = NOT_REGULAR if file.exists() else _BROKEN
        if reason:
            left_out.append(LeftOut(name.as_posix(), reason))
        elif reason is not None:
            yield name


def module_files(entry: str, folder: Path) -> list[Path]:
    """Return the file of a plugin module that is in the config's folder, not in a distribution; or no file."""
    file = module_file(folder / entry.partition(".")[0])
    return [file] if file else []


def named_entries(
    part: str, names: Iterable[str], folder: Path, secrets: SecretFiles
) -> Iterator[Entry]:
    """Yield the files of these names, such as schemas; what has no file, as inline schemas, is not yielded."""
    for name in sorted(names):
        if (folder / name).is_file():
            yield _entry(part, Path(name), folder, secrets)


def _entry(part: str, name: Path, folder: Path, secrets: SecretFiles) -> Entry:
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{file} is a link to a file outside the folder of the config; copy the file there"
        )
    return Entry(part, name.as_posix(), lambda: secrets.verify(_read(file), name.as_posix()))


def _read(file: Path) -> bytes:
    with refusing_file(f"read {file}"):
        return read_regular(file)


def _exclusion(parts: Sequence[str], secrets: SecretFiles) -> str | None:
    """Return why a file is not packed; "" if it is packed.

    None for a cache, a hidden file or a list of requirements: these are left out without saying so.
    """
    name = "/".join(parts)
    if name in secrets.allowed:
        return ""
    if parts[-1] == ".env" or parts[-1].startswith(".env."):
        return "environment files may hold secrets"
    if _matches(parts, (*_CACHES, *_HIDDEN)) or _matches(parts[-1:], _LISTS):
        return None
    if reason := secrets.reason(name):
        return reason
    return "tests are not packed" if _matches(parts, _TESTS) else ""


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatch(part.lower(), pattern) for part in parts for pattern in patterns)


class PackagePart(Struct, frozen=True):
    """A part of the package, such as a wheel: the number of its files, and their bytes zipped and unzipped."""

    name: str
    files: int
    zipped: int
    unzipped: int


class Archive(Struct, frozen=True):
    """A written package: its parts in order of names, its size in bytes, and its SHA-256 in hexadecimal."""

    path: Path
    parts: tuple[PackagePart, ...]
    size: int
    sha256: str

    @property
    def unzipped(self) -> int:
        """The bytes of all files."""
        return sum(part.unzipped for part in self.parts)

    @property
    def over(self) -> str:
        """Which limit of Lambda the package exceeds, as a sentence; or ""."""
        for what, size, limit in (
            ("zipped", self.size, MAX_ZIPPED),
            ("unzipped", self.unzipped, MAX_UNZIPPED),
        ):
            if size > limit:
                return f"{as_megabytes(size)} {what} exceeds Lambda's limit of {as_megabytes(limit)}: {LIMITS}"
        return ""


def as_megabytes(size: int) -> str:
    """Return bytes as megabytes of 1,048,576, as Lambda counts them."""
    return f"{size / 1024 / 1024:.2f} MB"


def write_archive(entries: Iterable[Entry], folder: Path) -> Archive:
    """Write the package into a folder; raises UsageError if two parts have different files of one name."""
    path = folder / "lambda.zip"
    parts: dict[str, PackagePart] = {}
    with zipfile.ZipFile(path, "w") as archive:
        for entry in _distinct(entries):
            info = zipfile.ZipInfo(entry.name, _TIME)
            info.create_system = _UNIX
            info.external_attr = _MODE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.read(), compresslevel=6)
            part = parts.get(entry.part) or PackagePart(entry.part, 0, 0, 0)
            zipped, unzipped = part.zipped + info.compress_size, part.unzipped + info.file_size
            parts[entry.part] = PackagePart(entry.part, part.files + 1, zipped, unzipped)
    in_order = tuple(parts[name] for name in sorted(parts))
    return Archive(path, in_order, path.stat().st_size, sha256_of(path))


def move_archive(archive: Archive, output: Path) -> Archive:
    """Move the package to its place atomically: a reader of that file gets the old one or the new one, complete."""
    with refusing_file(f"write {output}"):
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, archive.path.read_bytes())
    return structs.replace(archive, path=output)


def _distinct(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield one entry of each name in order; packages that share a namespace may have the same file."""
    by_name = attrgetter("name")
    for name, same in groupby(sorted(entries, key=by_name), by_name):
        first, *others = same
        for other in others:
            if other.read() != first.read():
                raise UsageError(
                    f"{first.part} and {other.part} both have a file {name}; rename or remove one"
                )
        yield first
