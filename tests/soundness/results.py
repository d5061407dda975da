"""Keeps the result of each trial in a file as soon as it is there, so that a run that is cut short is not lost."""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tests.soundness.corpus import CACHE
from tests.soundness.jobs import CheckCost
from tests.soundness.trial import Judgement
from tests.soundness.workers import Ended

Result = Judgement | CheckCost | None
_ROOT = Path(__file__).parents[2]
_SOURCES = ("router", "tests/soundness")


class _Line(Struct, frozen=True):
    """The result of one task, by its kind and number."""

    kind: str
    number: int
    result: Result


class Results:
    """The results of the tasks of a run: those of the same code, seed and number of messages."""

    def __init__(self, seed: int, messages: int, folder: Path = CACHE / "results") -> None:
        self._path = folder / f"{_digest()}-{seed}-{messages}.jsonl"
        self._known: dict[tuple[str, int], Result] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            for text in self._path.read_bytes().splitlines():
                with suppress(msgspec.DecodeError):  # a run that was killed leaves a part of a line
                    line = msgspec.json.decode(text, type=_Line)
                    self._known[line.kind, line.number] = line.result

    def knows(self, kind: str, number: int) -> bool:
        """Whether there is a result of a task."""
        return (kind, number) in self._known

    def known(self, kind: str, number: int) -> Any:
        """Return the result of a task that is known."""
        return self._known[kind, number]

    def keep(self, kind: str, number: int, result: Result | Ended) -> None:
        """Add a result to the file, to which parts may write at once; a task that did not end is tried again."""
        if isinstance(result, Ended):
            return
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(_Line(kind, number, result)) + b"\n")


def _digest() -> str:
    """Return what tells one state of the code from another."""
    digest = sha256()
    for path in sorted(path for name in _SOURCES for path in (_ROOT / name).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
