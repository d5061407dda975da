"""The page of limits and the limits in the code."""

import re
from pathlib import Path

import pytest

from tests.support.aws import CONNECT_SECONDS, RESPONSE_SECONDS, connections
from tests.support.config import MAX_ENTRIES
from tests.support.deliver import (
    KEY_SECONDS,
    MARGIN_SECONDS,
    MAX_PLANNING_SECONDS,
    MAX_WAIT_SECONDS,
    QUICK_PLANNING_SECONDS,
    RESERVE_SECONDS,
    WAIT_SHARE,
)
from tests.support.engine import (
    FIRST_WAIT,
    MAX_BACKOFF_SECONDS,
    MAX_DECODED_BYTES,
    MAX_DIGITS,
    MAX_ELEMENTS,
    MAX_ITEM_BYTES,
    MAX_NESTING,
    MAX_OUTLAST,
    MAX_PARTITION_KEY_BYTES,
    MAX_PAYLOAD_NESTING,
    MAX_PLANNED_BYTES,
    MAX_SORT_KEY_BYTES,
    MAX_UNPACKED_BYTES,
)
from tests.support.program import MAX_BRANCHES
from tests.support.run import (
    EXTENSION_SECONDS,
    MAX_INVISIBLE,
    MAX_PROBES,
    MIN_LEASE_SECONDS,
    MIN_VISIBILITY_SECONDS,
    PROBE_SECONDS,
)
from tests.support.transforms import MAX_COLLISIONS

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("nesting of a payload", MAX_PAYLOAD_NESTING),
        ("size of an unpacked gzip payload", MAX_UNPACKED_BYTES),
        ("memory of decoded values", MAX_DECODED_BYTES),
        ("elements of `for_each`", MAX_ELEMENTS),
        ("memory of the items of one message", MAX_PLANNED_BYTES),
        ("CPU time of `for_each` before other messages go first", QUICK_PLANNING_SECONDS),
        ("CPU time of `for_each` in total", MAX_PLANNING_SECONDS),
        ("wait for retries of a few writes or S3 objects", MAX_WAIT_SECONDS),
        ("share of a receiver's time for such waits", WAIT_SHARE),
        ("distinct numbers of a set with the same hash", MAX_COLLISIONS),
        ("branches of `anyOf` and `oneOf` that are examined for a reason", MAX_BRANCHES),
        ("first wait of a message in an outage", FIRST_WAIT),
        ("longest wait", MAX_BACKOFF_SECONDS),
        ("`outlast` of a queue", MAX_OUTLAST),
        ("time until the key of a table is looked up again", KEY_SECONDS),
        ("files and folders that a pattern of `include` looks at", MAX_ENTRIES),
        ("messages of a queue that are probes in an outage", MAX_PROBES),
        ("messages of a queue whose receipt handles are kept in an outage", MAX_INVISIBLE),
        ("extension of their visibility timeout, or `outlast` if that is shorter", EXTENSION_SECONDS),
        ("time between probes", PROBE_SECONDS),
        ("rest of the visibility timeout that a long poll leaves", MIN_LEASE_SECONDS),
        ("shortest visibility timeout of a worker's receives", MIN_VISIBILITY_SECONDS),
        ("size of an item, with attribute names", MAX_ITEM_BYTES),
        ("digits of a number", MAX_DIGITS),
        ("nesting of an item", MAX_NESTING),
        ("partition key", MAX_PARTITION_KEY_BYTES),
        ("sort key", MAX_SORT_KEY_BYTES),
        ("kept free of new writes before that", MARGIN_SECONDS),
        ("time in which no write or fetch is under way before that", RESERVE_SECONDS),
        ("time for a response, and for each part of it", RESPONSE_SECONDS),
        ("more time for a large response", 1024 / connections.SLOWEST_BYTES),
        ("calls over one connection", connections.CALLS_OF_A_CONNECTION),
        ("wait for a connection", CONNECT_SECONDS),
    ],
)
def test_a_limit(limit: str, value: float) -> None:
    """The page states the value of the code."""
    number = re.match(r"[\d,.]+", ROWS[limit])

    assert number
    assert float(number[0].rstrip(",").replace(",", "")) == value
