"""The state of the embedded AWS that is kept in a folder: it is saved however long that takes, or the loss is said."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from router.errors import UsageError
from router.model import Table
from tests.support.dev import clients, create_table, local_aws, wait_for_saving

TABLE = Table("things", (("id", "S"),))


def fill(state: Path) -> None:
    with local_aws(state=state) as local:
        create_table(clients(local)[0], TABLE)


def test_a_state_that_takes_long_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its files grow, it is waited for; if nothing is written for a while, it is not."""
    monkeypatch.setattr("router.tools.dev.guard.SAVE_SECONDS", 2)
    ended = threading.Event()

    def save() -> None:
        for _ in range(40):
            with (tmp_path / "dynamodb.json.tmp").open("a") as file:
                file.write("x")
            time.sleep(0.1)
        (tmp_path / "dynamodb.json.tmp").rename(tmp_path / "dynamodb.json")
        ended.set()

    saving = threading.Thread(target=save)
    saving.start()
    assert wait_for_saving(str(tmp_path), ended.is_set)
    saving.join()
    assert not wait_for_saving(str(tmp_path), lambda: False)


def test_a_state_that_cannot_be_saved(tmp_path: Path) -> None:
    """The sentence says why."""
    fill(tmp_path)
    before = (tmp_path / "dynamodb.json").read_bytes()
    (tmp_path / "dynamodb.json.tmp").mkdir()
    with pytest.raises(UsageError, match=r"^what is new could not be saved in .*: .*failed to save dynamodb"):
        fill_again(tmp_path)
    assert (tmp_path / "dynamodb.json").read_bytes() == before


def fill_again(state: Path) -> None:
    with local_aws(state=state) as local:
        create_table(clients(local)[0], Table("others", TABLE.key))


def test_a_server_that_ends_by_itself(tmp_path: Path) -> None:
    """What is new is lost, and that is said."""
    fill(tmp_path)
    with (
        pytest.raises(UsageError, match=r"could not be saved in .*: the embedded AWS ended before$"),
        local_aws(state=tmp_path) as local,
    ):
        os.kill(server_of(local.directory), signal.SIGKILL)
    with local_aws(state=tmp_path) as local:
        assert clients(local)[0].list_tables()["TableNames"] == ["things"]


def server_of(directory: str) -> int:
    """The process of the server, which has the greatest id of those that were started with a directory."""
    return max(processes_of(directory))


def processes_of(directory: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", directory], capture_output=True, text=True, check=True).stdout.split()
    return [*map(int, found)]


def test_a_guard_that_ends_by_itself(tmp_path: Path) -> None:
    """Nobody knows whether the server saves its state."""
    with (
        pytest.raises(UsageError, match=r"could not be saved in .*: the process that waits for it ended before, so"),
        local_aws(state=tmp_path) as local,
    ):
        os.kill(min(processes_of(local.directory)), signal.SIGKILL)


def test_a_folder_that_is_none_at_the_end(tmp_path: Path) -> None:
    """Something else has its name."""
    state = tmp_path / "state"
    with (
        pytest.raises(UsageError, match=r"could not be saved in .*: .*File exists"),
        local_aws(state=state),
    ):
        state.touch()


def test_a_state_that_cannot_be_loaded(tmp_path: Path) -> None:
    """It does not start empty, since it would be saved empty."""
    fill(tmp_path)
    (tmp_path / "dynamodb.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"(?s)did not start.*failed to load dynamodb"):
        fill_again(tmp_path)
    assert (tmp_path / "dynamodb.json").read_text(encoding="utf-8") == "{"
