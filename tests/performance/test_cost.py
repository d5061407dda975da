"""What a million messages cost, by figures that are given."""

import json
import subprocess
import sys
from pathlib import Path

import cost
import pytest

SCRIPT = Path(cost.__file__)
FIGURES = {
    "machine": {"date": "2026-01-02", "processor": "a processor"},
    "figures": {
        "handler": {
            "figures": [
                {"case": "10 small", "program": "router", "rounds": [1.0]},
                {"case": "1,000 small", "program": "router", "rounds": [0.00003, 0.00002, 0.00001]},
                {"case": "1,000 small", "program": "put_item", "rounds": [0.0004]},
                {"case": "1,000 small", "program": "powertools", "rounds": [0.0004]},
                {"case": "10,000 small", "program": "router", "rounds": [1.0]},
            ]
        },
        "drain": {"figures": [{"case": "1 process, no latency", "program": "router", "rounds": [0.0001]}]},
        "drain calls": {"figures": [{"case": "1 process, no latency", "program": "router", "rounds": [0.24]}]},
    },
}


def test_the_table(tmp_path):
    """A thousand messages at a time: a core's time by the memory, waves of calls, and what AWS charges for each."""
    (tmp_path / "figures.json").write_text(json.dumps(FIGURES))
    command = [sys.executable, SCRIPT, tmp_path / "figures.json", "--memory", "1769", "--latency", "20"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    # 20 µs for each of 1,000 is 20 ms; 40 calls, eight at a time, are five waves of 20 ms.
    assert done.stdout.splitlines()[5:8] == [
        "| 1,000 small | router | 120 ms | 0.0002 | 0.0028 | 0.080 | 0.625 | 0.708 |",
        "| 1,000 small | jsonschema, put_item | 20,400 ms | 0.0002 | 0.470 | 0.080 | 0.625 | 1.175 |",
        "",
    ]
    assert done.stdout.splitlines()[8] == (
        "A worker: a task of 0.5 cores and 1 GB costs $0.0198 an hour, busy or not, which is $14.42 a month. Its "
        "processor is enough for 5,000 small messages a second; a million then cost $0.0011 for the task and $0.08 for "
        "SQS, besides $0.625 for write units."
    )


@pytest.mark.parametrize(("size", "requests", "units"), [("small", 0.2, 1), ("medium", 0.2, 2), ("large", 1.7, 80)])
def test_sizes(size, requests, units):
    """SQS counts 64 KB, DynamoDB 1 KB."""
    assert (cost.queue_requests(size, 10), cost.write_units(size)) == (requests, units)


def test_no_figures(tmp_path):
    """Without figures there is no cost, and a sentence that says so."""
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "absent.json"], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr[:16]) == (2, "", "cost: cannot use")
