"""Writes the package: the same files make the same bytes, whatever the day, the clock and the machine's settings."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.ops.contents import Entry

MAX_ZIPPED = 50 * 1024 * 1024
"""Bytes of a package that is uploaded at once: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MAX_UNZIPPED = 250 * 1024 * 1024
"""Bytes of its files, layers included: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"

_TIME = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip file can name."""
_UNIX = 3
_MODE = 0o100644
"""A file that everybody may read, as Lambda's user has to: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html"""
_LEVEL = 6


class Part(Struct, frozen=True):
    """A part of the package: how many files, their bytes in the package and outside of it."""

    name: str
    files: int
    zipped: int
    unzipped: int


class Archive(Struct, frozen=True):
    """A package that was written: its parts in the order of names, its size in bytes, and its SHA-256 in hex."""

    path: Path
    parts: tuple[Part, ...]
    size: int
    sha256: str

    @property
    def unzipped(self) -> int:
        """The bytes of all files."""
        return sum(part.unzipped for part in self.parts)

    @property
    def over(self) -> str:
        """Which of Lambda's limits it passes, in a sentence; empty if none."""
        for what, size, limit in (("zipped", self.size, MAX_ZIPPED), ("unzipped", self.unzipped, MAX_UNZIPPED)):
            if size > limit:
                return f"{as_megabytes(size)} {what} is over Lambda's limit of {as_megabytes(limit)}: {LIMITS}"
        return ""


def as_megabytes(size: int) -> str:
    """Bytes in megabytes of 1,048,576, as Lambda counts them."""
    return f"{size / 1024 / 1024:.2f} MB"


def write_archive(entries: Iterable[Entry], folder: Path) -> Archive:
    """Write the package into a folder; raises UsageError where two parts want one name."""
    ordered = list(_one_of_each(entries))
    path = folder / "lambda.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for entry in ordered:
            _add(archive, entry)
        infos = archive.infolist()
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Archive(path, _parts(ordered, infos), path.stat().st_size, sha256)


def place(archive: Archive, output: Path) -> Archive:
    """Put the package where it is to be, at once: who reads that file has the old one or the new one, whole."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=".lambda-", delete=False) as stream:
            stream.write(archive.path.read_bytes())
        beside = Path(stream.name)
        beside.chmod(0o644)
        beside.replace(output)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from None
    return Archive(output, archive.parts, archive.size, archive.sha256)


def _add(archive: zipfile.ZipFile, entry: Entry) -> None:
    info = zipfile.ZipInfo(entry.name, _TIME)
    info.create_system = _UNIX
    info.external_attr = _MODE << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, entry.read(), compresslevel=_LEVEL)


def _one_of_each(entries: Iterable[Entry]) -> Iterator[Entry]:
    """In the order of names, the first of each; packages that share a namespace may have the same file."""
    by_name = attrgetter("name")
    for name, same in groupby(sorted(entries, key=by_name), by_name):
        first, *others = same
        for other in others:
            if other.read() != first.read():
                raise UsageError(f"{first.part} and {other.part} both have a file {name}; rename one, or take it out")
        yield first


def _parts(entries: Sequence[Entry], infos: Sequence[zipfile.ZipInfo]) -> tuple[Part, ...]:
    by_name: dict[str, list[zipfile.ZipInfo]] = {}
    for entry, info in zip(entries, infos, strict=True):
        by_name.setdefault(entry.part, []).append(info)
    return tuple(
        Part(name, len(found), sum(info.compress_size for info in found), sum(info.file_size for info in found))
        for name, found in sorted(by_name.items())
    )
