"""An old message and a newer item, for each write mode and each way in which a message comes back from its queue."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.e2e.test_dlq import OnCall
from tests.support.dev import LocalAws, create_table
from tests.support.modes import MODES as REGISTERED
from tests.support.modes import WRITES

MODES = {name: write.replace("version: v", "version: at") for name, write in WRITES.items()}
DATED = {name for name, write in MODES.items() if "version" in write}
KEPT = DATED | {name for name, mode in REGISTERED.items() if mode.stores == "item" and not mode.destroys}
"""The modes that have a version, and those that store no second item."""
AFTER = {mode: "new" if mode in KEPT else None if mode == "delete" else "old" for mode in MODES}


class ModesOnCall(OnCall):
    """A queue with a route for each write mode, and its table."""

    def __init__(self, server: LocalAws, dynamodb: Any, sqs: Any, folder: Path) -> None:
        super().__init__(server, dynamodb, sqs, folder)
        for mode in MODES:
            create_table(dynamodb, Table(f"{self.prefix}-{mode}", (("id", "S"),)))

    def use(self, type_: str) -> None:
        tables = "".join(f"  {mode}: {{name: {self.prefix}-{mode}, key: {{id: S}}}}\n" for mode in MODES)
        routes = "".join(
            f"  {mode}:\n    queue: orders\n    table: {mode}\n    when: mode == '{mode}'\n"
            f"    schema: {{properties: {{total: {{type: {type_}}}}}}}\n"
            f"    item: {{id: id{'' if mode == 'delete' else ', at: {meta: sent_at}'}"
            f"{'' if 'delete' in mode else ', total: total'}}}\n    write: {write}\n"
            for mode, write in MODES.items()
        )
        self.config.write_text(
            f"version: 1\nqueues:\n  orders: {{name: {self.prefix}-orders, dead_letter: {self.prefix}-dlq}}\n"
            f"tables:\n{tables}routes:\n{routes}"
        )

    def store_newer(self) -> None:
        """Store an item of each mode that is newer than all messages so far."""
        time.sleep(0.01)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        item = {"id": {"S": "o"}, "at": {"S": now}, "total": {"S": "new"}}
        for mode in MODES:
            self.dynamodb.put_item(TableName=f"{self.prefix}-{mode}", Item=item)
        # What is sent from now on is newer than the items.
        time.sleep(0.01)

    def totals(self) -> dict[str, str | None]:
        """What is stored by mode."""
        found = {}
        for mode in MODES:
            answer = self.dynamodb.get_item(
                TableName=f"{self.prefix}-{mode}", Key={"id": {"S": "o"}}, ConsistentRead=True
            )
            found[mode] = answer.get("Item", {}).get("total", {}).get("S")
        return found

    def move(self) -> None:
        """Move all messages to their queue as AWS's console does: body and attributes, with a new id and time."""
        source, target = self.urls[f"{self.prefix}-dlq"], self.urls[f"{self.prefix}-orders"]
        moved = 0
        while moved < len(MODES):
            answer = self.sqs.receive_message(
                QueueUrl=source, MaxNumberOfMessages=10, VisibilityTimeout=30, MessageAttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                attributes = message.get("MessageAttributes", {})
                self.sqs.send_message(QueueUrl=target, MessageBody=message["Body"], MessageAttributes=attributes)
                self.sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
                moved += 1

    def come_back(self, way: str) -> None:
        """Let the messages come back, and wait until all are processed."""
        if way == "move":
            self.move()
        else:
            self.run("redrive", "--yes", *(["--to-queue"] if way == "to-queue" else []))
        if way != "redrive":
            self.work(lambda: self.count("orders") == (0, 0))


@pytest.fixture
def modes(server: LocalAws, dynamodb: Any, sqs: Any, tmp_path: Path) -> ModesOnCall:
    return ModesOnCall(server, dynamodb, sqs, tmp_path)


@pytest.mark.parametrize("way", ["redrive", "to-queue", "move"])
def test_a_dead_letter_of_the_router(modes: ModesOnCall, way: str) -> None:
    """It is the message that it was, whichever way it comes back: the newer item stays where the mode has a version."""
    for mode in MODES:
        modes.send({"mode": mode, "id": "o", "total": "old"})
    modes.work(lambda: modes.count("dlq")[0] == len(MODES))
    modes.use("string")
    modes.store_newer()

    modes.come_back(way)

    assert (modes.totals(), modes.count("dlq")) == (AFTER, (0, 0))


@pytest.mark.parametrize("way", ["redrive", "to-queue", "move"])
def test_a_message_without_the_attribute(modes: ModesOnCall, way: str) -> None:
    """As SQS moves one: `router dlq` keeps its time, and a plain move makes it newer than the item."""
    modes.use("string")
    for mode in MODES:
        modes.send(json.dumps({"mode": mode, "id": "o", "total": "old"}), "dlq")
    modes.store_newer()

    modes.come_back(way)

    overwritten = {mode: None if mode.startswith("delete") else "old" for mode in DATED}
    assert modes.totals() == (AFTER | overwritten if way == "move" else AFTER)
