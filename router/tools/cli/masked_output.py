"""Masks secrets in what a command writes to standard output and standard error."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from traceback import format_exception
from types import TracebackType
from typing import IO, Any, TextIO

import click

from router.runtime.config.secret_values import WRITTEN


@contextmanager
def masking() -> Iterator[None]:
    """Mask the secrets of the configs that are loaded inside, also in what ends the program."""
    WRITTEN.clear()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (each and _MaskedText(each) for each in streams)
    try:
        yield
    except click.ClickException as error:
        # click declares it Final; another exception would have another exit code.
        error.message = WRITTEN.mask(error.message)  # type: ignore[misc]
        raise
    except SystemExit as error:
        if isinstance(error.code, str):
            error.code = WRITTEN.mask(error.code)
        raise
    except BaseException:  # whatever ends the command, its traceback must not show a secret
        sys.excepthook = _print_masked
        raise
    finally:
        sys.stdout, sys.stderr = streams


def _print_masked(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error that ends the program, as Python does."""
    sys.stderr.write(WRITTEN.mask("".join(format_exception(kind, error, trace))))


def tell(sentence: str) -> None:
    """Print a sentence to standard error: on standard output are results only."""
    click.echo(sentence, err=True)


def write_exactly(text: str) -> None:
    """Write what a program reads to standard output, as it is."""
    out = sys.stdout
    click.echo(text, nl=False, file=out._stream if isinstance(out, _MaskedText) else out)


class _MaskedBytes:
    """A binary stream whose texts are masked."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, content: bytes) -> int:
        """Write bytes, which are text in UTF-8."""
        if WRITTEN:
            content = WRITTEN.mask(bytes(content).decode(errors="surrogateescape")).encode(
                errors="surrogateescape"
            )
        return self._stream.write(content)


class _MaskedText:
    """A text stream that is masked; all else it does as the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> _MaskedBytes:
        """The binary stream below."""
        return _MaskedBytes(self._stream.buffer)

    def write(self, text: str) -> int:
        """Write text."""
        return self._stream.write(WRITTEN.mask(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)
