"""What a message costs that meets other than a plain put: by counts, which are the same on every machine.

After a change that is worth its cost, or that saves some, `python benchmarks/way.py WAY --count` prints what to
put here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bounding
import pytest
from serving import serve
from way import FOUR, LETTER, ROUTES, WAYS
from ways import measure_one

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "way.py"
# What Python 3.11 counts: instructions of bytecode, and calls of functions.
MEASURED = {
    "put": (605, 30),
    "hook of messages": (755, 41),
    "hook of items": (775, 41),
    "insert": (3175, 253),
    "newest": (3170, 250),
    "update": (4090, 275),
    "delete": (950, 51),
    LETTER: (2090, 157),
    FOUR: (6350, 425),
    "2 routes": (1210, 72),
    "2,000 routes": (1255, 77),
}
HEADROOM = 1.1 if sys.version_info[:2] == (3, 11) else 1.5
"""Other versions of Python have other instructions, of which they need more or fewer."""


def test_each_way_has_a_bound() -> None:
    """A new one, too."""
    assert sorted(MEASURED) == sorted(WAYS)


@pytest.mark.parametrize("way", MEASURED)
def test_a_way_costs_no_more_than_it_did(way: str) -> None:
    """Instructions and calls of a message, without the fixed cost of a batch; and nothing is left to collect."""
    command = [sys.executable, str(SCRIPT), way, "--count"]

    found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=200, check=True).stdout)

    instructions, calls = MEASURED[way]
    assert found["count_instructions"] <= instructions * HEADROOM, found
    assert found["count_calls"] <= calls * HEADROOM, found
    assert found["count_garbage"] <= 0, found


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ROUTES])
def test_a_way_does_its_work(way: str) -> None:
    """A figure is of messages that were all written, or are dead letters."""
    with serve() as server:
        assert measure_one(server, way, 0.0) > 0


def test_an_event_as_github_sends_it() -> None:
    """It has more brackets than are let pass without looking at them closely, and its schema takes it."""
    event: Any = bounding.event()
    text = json.dumps(event)

    assert text.count("{") + text.count("[") > 64
    assert bounding.schema_of(event)["properties"]["issue"]["properties"]["locked"] == {"type": "boolean"}
