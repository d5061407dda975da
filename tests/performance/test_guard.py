"""A record costs no more than it did: by counts, which are the same on every machine.

After a change that is worth its cost, or that saves some, `python benchmarks/counting.py` prints what to put here.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COUNTING = Path(__file__).parents[2] / "benchmarks" / "counting.py"
# What Python 3.11 counts for a record.
MEASURED = {
    "small": {"instructions": 1624, "calls": 121, "bytes": 3292},
    "medium": {"instructions": 7990, "calls": 706, "bytes": 28171},
}
HEADROOM = 1.15 if sys.version_info[:2] == (3, 11) else 1.5
"""Other versions of Python have other instructions, of which they need more or fewer."""


@pytest.fixture(scope="module")
def counted():
    """What is counted by a process of its own, which nothing else traces."""
    done = subprocess.run([sys.executable, str(COUNTING)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("size", MEASURED)
def test_a_record_takes_no_more_than_it_did(counted, size):
    """Instructions, calls of functions and memory stay within the bounds."""
    bounds = {name: value * HEADROOM for name, value in MEASURED[size].items()}
    over = {name: (counted["records"][size][name], bound) for name, bound in bounds.items()}
    assert {name: both for name, both in over.items() if both[0] > both[1]} == {}


@pytest.mark.parametrize("size", MEASURED)
def test_nothing_of_a_record_stays(counted, size):
    """When a batch is answered, its records have left no block of memory, bar what is kept once for all."""
    assert counted["records"][size]["kept"] < 0.05


def test_a_thousand_records_are_forty_calls(counted):
    """1,000 distinct puts are 40 calls of BatchWriteItem, and no other."""
    assert counted["http"]["handler"] == {"batchwriteitem": 40}


def test_ten_messages_of_a_worker_are_three_calls(counted):
    """For ten messages a worker receives, writes and deletes once; two more calls are for the start."""
    assert counted["http"]["worker"] == {
        "batchwriteitem": 20,
        "deletemessagebatch": 20,
        "getqueueattributes": 1,
        "getqueueurl": 1,
        "receivemessage": 20,
    }
