"""The common part of all peers: schema, validation and mapping of the size that BENCH_SIZE names, by jsonschema."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from messages import map_message

SIZE = os.environ.get("BENCH_SIZE", "small")
SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / f"{SIZE}.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def to_item(body: str, sent_ms: str) -> dict[str, Any]:
    """Validate a message and return its item; raises jsonschema's ValidationError."""
    data = json.loads(body, parse_float=Decimal)
    VALIDATOR.validate(data)
    return map_message(SIZE, data, to_iso(sent_ms))


def to_iso(sent_ms: str) -> str:
    """Convert SQS's time to the usual text."""
    moment = datetime.fromtimestamp(int(sent_ms) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
