"""A shop whose messages reach the console: a config in a git repository with a change, dead letters, items."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from router.model import Table
from tests.support.dev import LocalAws, clients, create_queues, create_table, local_aws

CONFIG = """\
version: 1
queues:
  orders: {dead_letter: orders-dlq}
tables:
  orders: {key: {order_id: S}}
routes:
  orders:
    queue: orders
    table: orders
    description: What customers have ordered
    schema: schemas/order.json
    item:
      order_id: order_id
      status: status
      total: total
      email: customer.email
    tests:
      - name: a paid order
        message: {order_id: o-1, status: paid, total: 12.5, customer: {email: ann@example.com}}
        item_contains: {order_id: o-1, status: paid}
"""
SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["order_id", "status", "total", "customer"],
    "properties": {
        "order_id": {"type": "string", "minLength": 1, "maxLength": 64},
        "status": {"enum": ["open", "paid", "cancelled"]},
        "total": {"type": "number"},
        "customer": {
            "type": "object",
            "required": ["email"],
            "properties": {"email": {"type": "string", "maxLength": 200}},
        },
    },
}
CUSTOMER = {"email": "ann@example.com"}
MESSAGES: Sequence[Any] = (
    *({"order_id": f"o-{n}", "status": "paid", "total": f"{n}9.70", "customer": CUSTOMER} for n in range(1, 4)),
    {"order_id": "o-4", "status": "open", "total": 12.5, "customer": {"name": "<img src=x onerror=alert(1)>"}},
    "not JSON",
)
"""All of them are rejected."""
ITEM = {"order_id": {"S": "o-1"}, "status": {"S": "open"}, "total": {"N": "19.7"}, "email": {"S": "ann@example.com"}}
SECONDS = 60


class Shop:
    """The shop: the folder of its config, and its AWS, on which nothing runs."""

    def __init__(self, folder: Path, aws: LocalAws) -> None:
        self.folder = folder
        self.environment = aws.environment()
        self.dynamodb, self.sqs = clients(aws)
        self.urls: Mapping[str, str] = {}

    def prepare(self) -> None:
        """Write and commit the config; make the queues and the table; let a worker reject the messages."""
        (self.folder / "schemas").mkdir()
        (self.folder / "routes.yaml").write_text(CONFIG, encoding="utf-8")
        self.write_schema(SCHEMA)
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*IDENTITY, "commit", "-qm", "The shop"]):
            subprocess.run(["git", *words], cwd=self.folder, check=True)
        self.urls = create_queues(self.sqs, {"orders": "orders-dlq"})
        create_table(self.dynamodb, Table("orders", (("order_id", "S"),)))
        self.dynamodb.put_item(TableName="orders", Item=ITEM)
        for message in MESSAGES:
            body = message if isinstance(message, str) else json.dumps(message)
            self.sqs.send_message(QueueUrl=self.urls["orders"], MessageBody=body)
        command = [sys.executable, "-m", "router", "worker", "--wait", "1"]
        with subprocess.Popen(command, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL) as worker:
            end = time.monotonic() + SECONDS
            while self.dead_letters() < len(MESSAGES) and time.monotonic() < end:
                time.sleep(0.05)
            worker.terminate()

    def write_schema(self, schema: Mapping[str, Any]) -> None:
        """Write the schema of the messages."""
        (self.folder / "schemas" / "order.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")

    def take_text(self) -> None:
        """Let the schema take totals that are text, and no cancelled orders."""
        changed = {"total": {"type": ["number", "string"]}, "status": {"enum": ["open", "paid"]}}
        self.write_schema({**SCHEMA, "properties": {**SCHEMA["properties"], **changed}})

    def dead_letters(self) -> int:
        """The messages on the dead-letter queue that are visible."""
        url = self.urls["orders-dlq"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


IDENTITY = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")


@contextmanager
def running_shop(folder: Path) -> Iterator[Shop]:
    """Make a shop in an empty folder, on an AWS of its own."""
    with local_aws() as aws:
        shop = Shop(folder, aws)
        shop.prepare()
        yield shop
