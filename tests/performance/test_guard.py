"""A record costs no more than it did: by counts, which are the same on every machine.

After a change that is worth its cost, or that saves some, `python benchmarks/counting.py` prints what to put here.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# What Python 3.11 counts for a record, and for a small message of a receiver. Beside busy processes more looks for
# answers find none: of a small record they were 9 of 650 instructions.
MEASURED = {
    "small": {"instructions": 580, "calls": 30, "bytes": 1640},
    "medium": {"instructions": 2460, "calls": 118, "bytes": 10100},
    "receiver": {"instructions": 961, "calls": 56},
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
MODULES = {"the first batch": 21, "a later batch": 21, "a batch in the fast path": 17}
"""The most modules that a message passes; one of them masks values of secrets in what is logged."""


def test_a_record_costs_no_more_than_it_did() -> None:
    """Instructions, function calls and memory of a record, and calls over HTTP, are within bounds."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "counting.py")], capture_output=True, text=True, timeout=300
    )
    counted = json.loads(done.stdout)
    bounds = {
        size: {"kept": KEPT, **{name: count * HEADROOM for name, count in counts.items()}}
        for size, counts in MEASURED.items()
    }
    found = counted["records"] | {"receiver": counted["receiver"]} | counted["http"]
    over = {
        f"{what}: {name}": (count, (bounds | HTTP)[what].get(name, 0))
        for what, counts in found.items()
        for name, count in counts.items()
        if count > (bounds | HTTP)[what].get(name, 0)
    }
    assert (over, list(found)) == ({}, ["small", "medium", "receiver", "handler", "worker"])


def test_a_plain_put_passes_few_modules() -> None:
    """From the handler to the response: in the first batch, in later ones, and once a queue has its fast path."""
    command = [sys.executable, str(BENCHMARKS / "trace_put.py")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)

    counts = {which: int(count) for which, count in re.findall(r"^(\w.+): (\d+) modules", done.stdout, re.MULTILINE)}
    assert {which: count <= MODULES[which] for which, count in counts.items()} == dict.fromkeys(MODULES, True), counts
