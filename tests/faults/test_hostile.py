"""Hostile messages, in the worker and in Lambda: each is rejected, and the messages beside it are written."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.fault_rig import FOLDER, Rig, running_worker
from tests.faults.hostile.messages import HOSTILE, good_body
from tests.support.dev import LocalAws

CONFIG = FOLDER / "hostile" / "routes.yaml"
GOOD = 40
GOOD_SECONDS = 4
"""The most processor time that a worker may use until the good messages are written …"""
SECONDS = 12
"""… and until the hostile one has ended: a busy machine takes more time, but hardly more of the processor's."""
MAX_MEGABYTES = 700
"""The most memory that a worker may have had; it has 60 MB without hostile messages."""


def high_water_megabytes(pid: int) -> int:
    """Return the most memory that a process has had at a time, from /proc."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used, from /proc."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def wait_within(seconds: float, pid: int, look: Callable[[], bool], what: str) -> None:
    """Wait until something is true; fail once the process has used so many seconds of processor time."""
    while not look():
        assert processor_seconds(pid) < seconds, what
        time.sleep(0.05)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_message_in_the_worker(ministack: LocalAws, name: str, tmp_path: Path, case: str) -> None:
    """It ends by itself, with its reason, and neither delays nor loses the good messages around it."""
    hostile = HOSTILE[case]
    rig = Rig(ministack, ministack.endpoint, name, CONFIG, visibility=20)
    rig.send(hostile.queue, [good_body(hostile.queue, f"a{number}") for number in range(GOOD // 2)])
    (id_,) = rig.send(hostile.queue, [hostile.body])
    rig.send(hostile.queue, [good_body(hostile.queue, f"b{number}") for number in range(GOOD // 2)])
    with running_worker(rig, tmp_path / "log", hasty=False) as worker:
        assert worker.process

        def good() -> bool:
            return sum(item["id"][0] in "ab" for item in rig.items("items")) >= GOOD

        wait_within(GOOD_SECONDS, worker.process.pid, good, "the good messages")
        wait_within(SECONDS, worker.process.pid, lambda: not rig.left(), "the hostile message")
        memory = high_water_megabytes(worker.process.pid)
        codes = [line["code"] for line in worker.lines() if line.get("message_id") == id_ and "code" in line]
        assert (worker.starts(), worker.stop()) == (1, 0)

    letters = [json.loads(each["MessageAttributes"]["router"]["StringValue"]) for each in rig.letters("dead")]
    rejected = [letter["code"] for letter in letters if letter["message_id"] == id_]
    assert (*codes, *rejected)[-1:] == () or (*codes, *rejected)[-1] in hostile.codes
    assert ("" in hostile.codes) == (not rejected)
    assert memory < MAX_MEGABYTES
