"""The journal of a replay: what it says after a run that was stopped anywhere, and what is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Outcome
from router.tools.replay.journal import LeftMessage, ReplayJournal, result_of
from tests.support.disk import full_disk

WRITTEN = ("written", "", "")
WHAT = {"sources": ["a.jsonl"], "--since": None}


@pytest.fixture
def journal(tmp_path: Path) -> Callable[..., ReplayJournal]:
    """Read the journal."""

    def read(**settings: Any) -> ReplayJournal:
        return ReplayJournal(tmp_path / "journal", **settings)

    return read


def test_going_on(journal: Callable[..., ReplayJournal]) -> None:
    """It says what is done, beyond the place until which all is, and the counts of all runs."""
    with journal() as first:
        first.start(WHAT)
        first.found_empty("t")
        first.reserve(3)
        first.confirm([1, 3], [WRITTEN, WRITTEN], 0)
        first.confirm([2], [result_of(Outcome("rejected", "RT801", "no JSON"))], 7)
        first.finish(3, 99, {})
        first.confirm([5], [WRITTEN], 7)

    second = journal()
    assert (second.what, second.position, second.digest, second.done) == (WHAT, 3, 99, {5})
    assert (second.results, second.rejected) == ({WRITTEN: 3, ("rejected", "RT801", "no JSON"): 1}, 7)
    assert second.empty == {"t"}
    with second as again:
        again.start({"sources": []})
        assert again.what == WHAT

    anew = journal(again=True)
    assert (anew.what, anew.position, anew.results, anew.is_needed) == ({}, 0, {}, False)
    with anew:
        pass
    assert not anew.path.exists()


def test_what_is_left(journal: Callable[..., ReplayJournal], tmp_path: Path) -> None:
    """It is kept until it is done, whatever is done after it; the place of the source does not go back."""
    left = {2: LeftMessage(22, ("a", "b")), 3: LeftMessage(33, ("c",))}
    with journal() as first:
        first.start(WHAT)
        first.confirm([1], [WRITTEN], 0)
        first.finish(4, 44, left)
        first.confirm([6], [WRITTEN], 0)
    second = journal()
    assert (second.left, second.position, second.digest, second.done) == (left, 4, 44, {6})

    with second as going_on:
        going_on.confirm([3], [WRITTEN], 0)
        going_on.finish(3, 33, {2: left[2]})
        assert ({*going_on.left}, going_on.position, going_on.done) == ({2}, 4, {6})
    third = journal()
    assert (third.left, third.position, third.digest, third.done) == ({2: left[2]}, 4, 44, {6})
    # It is in the journal once.
    assert sum(b'"left"' in each for each in (tmp_path / "journal").read_bytes().splitlines()) == 2

    with third as last:
        last.confirm([2], [WRITTEN], 0)
        last.finish(6, 66, {})
    assert (journal().left, journal().position, journal().results.total()) == ({}, 6, 4)
    assert journal(again=True).left == {}


def test_every_moment_of_a_kill_with_messages_left(journal: Callable[..., ReplayJournal], tmp_path: Path) -> None:
    """A message that is left is never counted as done."""
    path = tmp_path / "journal"
    with journal() as first:
        first.start(WHAT)
        first.confirm([1, 3], [WRITTEN, WRITTEN], 0)
        before = path.read_bytes().rstrip(b"\0")
        first.finish(3, 5, {2: LeftMessage(4, ("a",))})
        after = path.read_bytes().rstrip(b"\0")
    for length in range(len(before), len(after) + 1):
        path.write_bytes(after[:length] + b"\0" * 100)
        found = journal()
        is_whole = length == len(after)
        assert (found.position, found.done) == ((3, set()) if is_whole else (0, {1, 3}))
        assert 2 in found.left or not is_whole


def test_every_moment_of_a_kill(journal: Callable[..., ReplayJournal], tmp_path: Path) -> None:
    """Whatever part of the last line was written, it is the state before or after it."""
    path = tmp_path / "journal"
    with journal() as first:
        first.start(WHAT)
        first.confirm([1], [WRITTEN], 0)
        before = path.read_bytes().rstrip(b"\0")
        first.finish(1, 5, {})
        after = path.read_bytes().rstrip(b"\0")
    for length in range(len(before), len(after) + 1):
        path.write_bytes(after[:length] + b"\0" * 100)
        found = journal()
        is_whole = length == len(after)
        assert (found.position, found.done) == ((1, set()) if is_whole else (0, {1}))


def test_another_replay(journal: Callable[..., ReplayJournal]) -> None:
    """It is not gone on with: what was selected before may be done or not."""
    with journal() as first:
        first.start({**WHAT, "--since": "2h"})
        first.finish(1, 5, {})
    journal().require({**WHAT, "--since": "2h"})
    with pytest.raises(UsageError, match="is of another replay: its --since was 2h; call the command as before"):
        journal().require(WHAT)
    with journal(again=True) as other:
        other.start(WHAT)
        other.finish(1, 5, {})
    with pytest.raises(UsageError, match="its --since was nothing"):
        journal().require({**WHAT, "--since": "2h"})


@pytest.mark.parametrize(
    "line", ["{}", '{"id": "1", "result": "written"}', '{"replay": "other"}', '{"replay": "done"}', "x"]
)
def test_what_is_no_journal(journal: Callable[..., ReplayJournal], tmp_path: Path, line: str) -> None:
    """Such as that of a redrive: it is not written to."""
    (tmp_path / "journal").write_text(f"{line}\n")
    with pytest.raises(UsageError, match="is not a journal of 'router replay'; name another with --journal"):
        journal()
    assert (tmp_path / "journal").read_text() == f"{line}\n"


def test_a_full_disk(journal: Callable[..., ReplayJournal]) -> None:
    """There is room for the lines about messages before they are delivered, or they are not."""
    with journal() as first:
        first.start(WHAT)
        first.reserve(1000)
        with full_disk(first.path.stat().st_size):
            first.confirm([*range(1, 1001)], [WRITTEN] * 1000, 0)
            first.finish(1000, 1, {})
            with pytest.raises(UsageError, match="make room there, and run the same command again"):
                first.reserve(1_000_000)
    assert journal().position == 1000
    assert [json.loads(line)["replay"] for line in first.path.read_bytes().splitlines()] == ["begin", "done", "until"]
