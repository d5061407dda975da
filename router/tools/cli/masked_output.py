"""Masks secrets in what a command writes to standard output and standard error, and ends a command
that cannot write there.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from traceback import format_exception
from types import TracebackType
from typing import Any, NoReturn

import click

from router.runtime.config.secret_values import WRITTEN


class OutputError(OSError):
    """Standard output or standard error cannot be written, as on a full disk."""


@contextmanager
def masking() -> Iterator[None]:
    """Mask the secrets of the configs that are loaded inside, also in what ends the program.

    What cannot be written to a stream raises OutputError, but for a pipe that nobody reads.
    """
    WRITTEN.clear()
    streams = sys.stdout, sys.stderr
    masked: tuple[Any, Any] = (
        streams[0] and _MaskedText(_Named(streams[0], "standard output")),
        streams[1] and _MaskedText(_Named(streams[1], "standard error")),
    )
    sys.stdout, sys.stderr = masked
    try:
        yield
    except SystemExit as error:
        if isinstance(error.code, str):
            error.code = WRITTEN.mask(error.code)
        raise
    except BaseException:  # whatever ends the command, its traceback must not show a secret
        sys.excepthook = _print_masked
        raise
    finally:
        # Where nobody reads a pipe, click has replaced both, so that Python writes no more at its end.
        if sys.stdout is masked[0]:
            sys.stdout, sys.stderr = streams


def _print_masked(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error that ends the program, as Python does."""
    sys.stderr.write(WRITTEN.mask("".join(format_exception(kind, error, trace))))


def end_without_output(error: OutputError) -> NoReturn:
    """End the program with exit code 2, and with a sentence if standard error can be written."""
    with suppress(OSError):
        tell(f"router: {error.strerror}")
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            # Python would write the rest once more at its end, fail, and exit with a code of its own.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(2)


def tell(sentence: str) -> None:
    """Print a sentence to standard error: on standard output are results only."""
    click.echo(sentence, err=True)


def write_exactly(text: str) -> None:
    """Write what a program reads to standard output, as it is."""
    out = sys.stdout
    click.echo(text, nl=False, file=out._stream if isinstance(out, _MaskedText) else out)


class _Named:
    """A stream of text or bytes that names itself in its errors; all else it does as the stream."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> "_Named":
        """The binary stream below."""
        return _Named(self._stream.buffer, self._name)

    def write(self, content: Any) -> int:
        """Write text or bytes."""
        try:
            written: int = self._stream.write(content)
            return written
        except OSError as error:
            raise self._with_name(error) from None

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            raise self._with_name(error) from None

    def _with_name(self, error: OSError) -> OSError:
        # click ends a command quietly if nobody reads its pipe.
        if isinstance(error, BrokenPipeError):
            return error
        reason = (error.strerror or "error").lower()
        return OutputError(error.errno, f"cannot write to {self._name}: {reason}")


class _MaskedBytes:
    """A binary stream whose texts are masked."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, content: bytes) -> int:
        """Write bytes, which are text in UTF-8."""
        if WRITTEN:
            content = WRITTEN.mask(bytes(content).decode(errors="surrogateescape")).encode(
                errors="surrogateescape"
            )
        written: int = self._stream.write(content)
        return written


class _MaskedText:
    """A text stream that is masked; all else it does as the stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> _MaskedBytes:
        """The binary stream below."""
        return _MaskedBytes(self._stream.buffer)

    def write(self, text: str) -> int:
        """Write text."""
        written: int = self._stream.write(WRITTEN.mask(text))
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)
