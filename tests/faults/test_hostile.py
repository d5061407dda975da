"""Hostile messages, in the worker and in Lambda: each is rejected, and the messages beside it are written."""

import json
from pathlib import Path

import pytest

from tests.faults.fault_rig import FOLDER, Rig, running_worker, wait_until
from tests.faults.hostile.messages import HOSTILE, good_body
from tests.support.dev import LocalAws

CONFIG = FOLDER / "hostile" / "routes.yaml"
GOOD = 40
MAX_MEGABYTES = 700
"""The most memory that a worker may have had; it has 60 MB without hostile messages."""


def high_water_megabytes(pid: int) -> int:
    """Return the most memory that a process has had at a time, from /proc."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_message_in_the_worker(ministack: LocalAws, name: str, tmp_path: Path, case: str) -> None:
    """It ends by itself, with its reason, and neither delays nor loses the good messages around it."""
    hostile = HOSTILE[case]
    rig = Rig(ministack, ministack.endpoint, name, CONFIG, visibility=20)
    rig.send(hostile.queue, [good_body(hostile.queue, f"a{number}") for number in range(GOOD // 2)])
    (id_,) = rig.send(hostile.queue, [hostile.body])
    rig.send(hostile.queue, [good_body(hostile.queue, f"b{number}") for number in range(GOOD // 2)])
    with running_worker(rig, tmp_path / "log") as worker:
        assert worker.process

        def good() -> bool:
            return sum(item["id"][0] in "ab" for item in rig.items("items")) >= GOOD

        wait_until(good, 15, "the good messages")
        wait_until(lambda: not rig.left(), 30, "the hostile message")
        memory = high_water_megabytes(worker.process.pid)
        codes = [line["code"] for line in worker.lines() if line.get("message_id") == id_ and "code" in line]
        assert (worker.starts(), worker.stop()) == (1, 0)

    letters = [json.loads(each["MessageAttributes"]["router"]["StringValue"]) for each in rig.letters("dead")]
    rejected = [letter["code"] for letter in letters if letter["message_id"] == id_]
    assert (*codes, *rejected)[-1:] == () or (*codes, *rejected)[-1] in hostile.codes
    assert ("" in hostile.codes) == (not rejected)
    assert memory < MAX_MEGABYTES
