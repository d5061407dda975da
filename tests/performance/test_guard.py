"""A record costs no more than it did: by counts, which are the same on every machine.

After a change that is worth its cost, or that saves some, `python benchmarks/counting.py` prints what to put here.
"""

import json
import subprocess
import sys
from pathlib import Path

COUNTING = Path(__file__).parents[2] / "benchmarks" / "counting.py"
# What Python 3.11 counts for a record.
MEASURED = {
    "small": {"instructions": 1256, "calls": 85, "bytes": 3658},
    "medium": {"instructions": 5684, "calls": 466, "bytes": 30936},
}
HEADROOM = 1.1 if sys.version_info[:2] == (3, 11) else 1.5
"""Other versions of Python have other instructions, of which they need more or fewer."""
KEPT = 0.5
"""Blocks of memory that a record may leave behind: none, but what is kept once for all is counted too."""
HTTP = {
    "handler": {"batchwriteitem": 40},
    # For 200 messages, ten at a time; two calls are for the start.
    "worker": {
        "batchwriteitem": 20,
        "deletemessagebatch": 20,
        "getqueueattributes": 1,
        "getqueueurl": 1,
        "receivemessage": 20,
    },
}
"""The most calls of each operation; there is no other."""


def test_a_record_costs_no_more_than_it_did() -> None:
    """Instructions, function calls and memory of a record, and calls over HTTP, are within bounds."""
    done = subprocess.run([sys.executable, str(COUNTING)], capture_output=True, text=True, timeout=100)
    counted = json.loads(done.stdout)
    bounds = {
        size: {"kept": KEPT, **{name: count * HEADROOM for name, count in counts.items()}}
        for size, counts in MEASURED.items()
    }
    found = counted["records"] | counted["http"]
    over = {
        f"{what}: {name}": (count, (bounds | HTTP)[what].get(name, 0))
        for what, counts in found.items()
        for name, count in counts.items()
        if count > (bounds | HTTP)[what].get(name, 0)
    }
    assert (over, list(found)) == ({}, ["small", "medium", "handler", "worker"])
