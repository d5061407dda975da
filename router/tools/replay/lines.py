"""The lines of a source: of files, of standard input, and of objects of S3, plain or gzip."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryFile
from typing import IO

from msgspec import Struct

from router.errors import UsageError, refusing_file
from router.runtime.printable import printable
from router.tools.control_plane.clients import ServiceClient

STANDARD_INPUT = "-"
S3 = "s3://"
MAX_LINE_BYTES = 16 * 1024 * 1024
"""The JSON of a message of 1 MiB with escapes, and room for its attributes."""
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Input(Struct, frozen=True):
    """A file, an object, or standard input; `size` is in bytes, None if it is not known.

    `identity` tells it from all others. A file has the same whether it is compressed or not.
    """

    name: str
    identity: str
    size: int | None
    open: Callable[[ExitStack], IO[bytes]]


class Line(Struct, frozen=True):
    """A line without its end, and its number in its input, from 1."""

    input: Input
    number: int
    text: bytes

    @property
    def place(self) -> str:
        """The place as people write it."""
        return f"{printable(self.input.name)}:{self.number}"


class Lines:
    """The lines of inputs, in order. `done` is how many bytes are read, of `size` in all."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.done = 0
        sizes = [each.size for each in inputs]
        self.size = None if None in sizes else sum(size or 0 for size in sizes)
        self._inputs = inputs

    def __iter__(self) -> Iterator[Line]:
        """Yield the lines that are not blank; raises UsageError for an input that cannot be read."""
        for each in self._inputs:
            name = printable(each.name)
            try:
                with refusing_file(f"read {name}"), ExitStack() as stack:
                    yield from self._lines(each, each.open(stack))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                raise UsageError(f"{name} is not complete: its gzip data ends or breaks") from None

    def _lines(self, input_: Input, raw: IO[bytes]) -> Iterator[Line]:
        counted = io.BufferedReader(_Counted(raw, self), 1024 * 1024)
        stream: io.BufferedIOBase = counted
        if counted.peek(2).startswith(_GZIP):
            stream = gzip.GzipFile(fileobj=counted)
        number = 0
        while text := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            line = Line(input_, number, (text.removeprefix(_BOM) if number == 1 else text).strip())
            if len(text) > MAX_LINE_BYTES:
                raise UsageError(f"{line.place} is longer than 16 MiB: a source has JSON lines")
            if line.text:
                yield line


class _Counted(io.RawIOBase):
    """A stream whose bytes are counted as they are read."""

    def __init__(self, stream: IO[bytes], lines: Lines) -> None:
        self._stream = stream
        self._lines = lines

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # what BufferedReader passes
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        self._lines.done += len(content)
        return len(content)


def find_inputs(names: Sequence[str], connect: Callable[[], ServiceClient]) -> Iterator[Input]:
    """Yield the inputs that names stand for: files, `-`, and the objects of a prefix in S3, by their keys.

    `connect` makes the client of S3. Raises UsageError for what is not there.
    """
    for name in names:
        if name.startswith(S3):
            yield from _find_objects(name, connect())
        elif name == STANDARD_INPUT:
            yield Input("standard input", STANDARD_INPUT, None, lambda stack: sys.stdin.buffer)
        else:
            yield find_file(Path(name))


def find_file(path: Path) -> Input:
    """Return a file, or what can be read like one; raises UsageError."""
    with refusing_file(f"read {printable(str(path))}"):
        found = path.stat()
        identity = str(path.resolve()).removesuffix(".gz")
    size = found.st_size if S_ISREG(found.st_mode) else None
    return Input(str(path), identity, size, lambda stack: stack.enter_context(path.open("rb")))


def _find_objects(name: str, s3: ServiceClient) -> Iterator[Input]:
    bucket, _, prefix = name.removeprefix(S3).partition("/")
    if not bucket:
        raise UsageError(f"{printable(name)} names no bucket; write s3://BUCKET/PREFIX")
    count = 0
    for page in s3.pages("ListObjectsV2", Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            key = each["Key"]
            size = each["Size"]
            if key.endswith("/"):
                # The console of S3 makes such an object for a folder.
                continue
            count += 1
            place = f"{S3}{bucket}/{key}"

            def download(stack: ExitStack, key: str = key) -> IO[bytes]:
                # A connection may not wait for writes as long as a whole object takes.
                file = stack.enter_context(TemporaryFile())  # noqa: SIM115 — the stack closes it
                s3.download(file, bucket, key)
                file.seek(0)
                return file

            yield Input(place, place.removesuffix(".gz"), size, download)
    if not count:
        raise UsageError(f"there is no object whose name begins with {printable(name)}")
