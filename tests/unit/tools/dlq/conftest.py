"""What the tests of dead-letter queues share: a program, and messages that failed in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.model import Record
from router.tools.dlq.messages import DlqMessage
from tests.support.program import Program, load_program

CONFIG = """
version: 1
queues:
  orders: {dead_letter: dead}
  other: {name: OTHER, dead_letter: dead}
tables: {orders: {key: {id: S}}}
routes:
  orders: {queue: orders, table: orders, schema: {type: object, required: [id]}, ROUTE}
  other: {queue: other, table: orders}
"""
Make = Callable[..., DlqMessage]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Program]:
    """Load the config with more settings of the route `orders`."""

    def load_config(route: str = "write: {mode: put}") -> Program:
        path = tmp_path / "routes.yaml"
        path.write_text(CONFIG.replace("ROUTE", route), encoding="utf-8")
        return load_program(path, {})

    return load_config


@pytest.fixture
def failed() -> Make:
    """Return a message with the attribute of the router; `failure` changes its members, None means no attribute."""

    def make(message: Any = None, id_: str = "m", system: Any = None, **failure: Any) -> DlqMessage:
        value = {
            "code": "RT806",
            "reason": "fails 'required' at /required",
            "queue": "orders",
            "route": "orders",
            "pointer": "/id",
            "message_id": f"original-{id_}",
            "receive_count": 1,
            "failed_at": "2026-01-02T00:00:00.000Z",
            "sent_at": "2026-01-01T00:00:00.000Z",
            **failure,
        }
        attributes = {"router": {"DataType": "String", "StringValue": json.dumps(value)}}
        reported = {"SentTimestamp": "1767312000000"} | (system or {})
        return DlqMessage.of(Record(id_, f"handle-{id_}", json.dumps(message), reported, attributes))

    return make


@pytest.fixture
def moved() -> Make:
    """Return a message that SQS moved, which has no attribute of the router."""

    def make(message: Any = None, id_: str = "m", **system: str) -> DlqMessage:
        reported = {"SentTimestamp": "1767225600000", **system}
        return DlqMessage.of(Record(id_, f"handle-{id_}", json.dumps(message), reported))

    return make
