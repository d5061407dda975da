"""The worker and the function write at most `write_units` per second to a table, by the time of each call."""

import json
import time
from pathlib import Path
from typing import Any

from tests.faults.fault_proxy import FaultPlan, Kind, fault_proxy
from tests.faults.fault_rig import Rig, lambda_record, running_function, running_worker, wait_until
from tests.support.dev import LocalAws

CONFIG = """\
version: 1
queues: {puts: {name: "${PREFIX}-puts", dead_letter: "${PREFIX}-dead"}}
tables: {puts: {name: "${PREFIX}-puts", key: {id: S}, write_units: 80, share: 2}}
routes: {puts: {queue: puts, table: puts}}
"""
MESSAGES = 200
UNITS = 40
"""Those of one of two processes; each message is one."""


class Written(FaultPlan):
    """Makes no faults; keeps when each item was sent."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0)
        self.received = float("inf")
        self.times: list[float] = []

    def next(self, operation: str, request: Any) -> Kind | None:
        """Note the first receive, and the items of a BatchWriteItem."""
        if operation == "ReceiveMessage":
            self.received = min(self.received, time.monotonic())
        if operation == "BatchWriteItem":
            assert request["ReturnConsumedCapacity"] == "TOTAL"
            self.times += [time.monotonic()] * sum(len(puts) for puts in request["RequestItems"].values())
        return None


def rig_of(server: LocalAws, endpoint: str, name: str, folder: Path) -> Rig:
    """Make the queues and the table."""
    config = folder / "routes.yaml"
    config.write_text(CONFIG)
    return Rig(server, endpoint, name, config, visibility=30)


def test_worker(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """All receivers together have sent no more by any time than its units and one second's, and nothing twice."""
    plan = Written()
    with fault_proxy(ministack.endpoint, plan) as proxy:
        rig = rig_of(ministack, proxy.endpoint, name, tmp_path)
        rig.send("puts", [json.dumps({"id": f"m{number}"}) for number in range(MESSAGES)])
        with running_worker(rig, tmp_path / "log", 4, hasty=False):
            wait_until(lambda: not rig.left(), 60, "all messages written")

    assert (len(plan.times), len(rig.items("puts"))) == (MESSAGES, MESSAGES)
    # A call may be under way for any time before the server sees it, but none is sent before the first receive.
    sent_by = {moment: number for number, moment in enumerate(sorted(plan.times), 1)}
    assert [each for each, sent in sent_by.items() if sent > UNITS * (each - plan.received + 1)] == []


def test_function(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """The function waits for the units of its batch."""
    plan = Written()
    with fault_proxy(ministack.endpoint, plan) as proxy:
        rig = rig_of(ministack, proxy.endpoint, name, tmp_path)
        records = [
            lambda_record(
                {"MessageId": f"m{n}", "ReceiptHandle": "h", "Body": json.dumps({"id": f"m{n}"}), "Attributes": {}},
                f"{name}-puts",
            )
            for n in range(2 * UNITS)
        ]
        with running_function(rig, tmp_path / "log", hasty=False) as function:
            function.invoke(records[:1])
            began = time.monotonic()
            failed = function.invoke(records)

    assert (failed, len(rig.items("puts"))) == ([], 2 * UNITS)
    # It begins with the units of one second.
    assert max(plan.times) - began >= 1
