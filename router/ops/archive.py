"""Writes the package: the same files always make the same bytes, whatever the date and the machine."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from msgspec import Struct, structs

from router.errors import UsageError
from router.ops.contents import Entry

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
        for what, size, limit in (("zipped", self.size, MAX_ZIPPED), ("unzipped", self.unzipped, MAX_UNZIPPED)):
            if size > limit:
                return f"{as_megabytes(size)} {what} exceeds Lambda's limit of {as_megabytes(limit)}: {LIMITS}"
        return ""


def as_megabytes(size: int) -> str:
    """Returns bytes as megabytes of 1,048,576, as Lambda counts them."""
    return f"{size / 1024 / 1024:.2f} MB"


def write_archive(entries: Iterable[Entry], folder: Path) -> Archive:
    """Writes the package into a folder; raises UsageError if two parts have different files of one name."""
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
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Archive(path, tuple(parts[name] for name in sorted(parts)), path.stat().st_size, sha256)


def move_archive(archive: Archive, output: Path) -> Archive:
    """Moves the package to its place atomically: a reader of that file gets the old one or the new one, complete."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=".lambda-", delete=False) as stream:
            stream.write(archive.path.read_bytes())
        temporary = Path(stream.name)
        temporary.chmod(0o644)
        temporary.replace(output)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from None
    return structs.replace(archive, path=output)


def _distinct(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yields one entry of each name in order; packages that share a namespace may have the same file."""
    by_name = attrgetter("name")
    for name, same in groupby(sorted(entries, key=by_name), by_name):
        first, *others = same
        for other in others:
            if other.read() != first.read():
                raise UsageError(f"{first.part} and {other.part} both have a file {name}; rename or remove one")
        yield first
