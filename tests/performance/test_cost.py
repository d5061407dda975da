"""What a million messages cost, by figures that are given."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cost
import pytest
from figures import Figures
from results import Results

SCRIPT = Path(cost.__file__)
MEASURED = {
    "handler": {
        ("10 small", "router"): [1.0],
        ("1,000 small", "router"): [0.00003, 0.00002, 0.00001],
        ("1,000 small", "put_item"): [0.0004],
        ("1,000 small", "powertools"): [0.0004],
        ("10,000 small", "router"): [1.0],
    },
    "drain": {("1 process, no latency", "router"): [0.0001]},
    "drain calls": {("1 process, no latency", "router"): [0.24]},
}


@pytest.fixture
def measured(tmp_path: Path) -> Any:
    """A file of figures, as `run.py --json` writes it."""
    by_name = {name: Figures("", 1) for name in MEASURED}
    for name, values in MEASURED.items():
        for (case, program), rounds in values.items():
            for value in rounds:
                by_name[name].add(case, program, value)
    results = Results({"date": "2026-01-02", "processor": "a processor"}, by_name, [])
    (tmp_path / "figures.json").write_text(json.dumps(results.to_json()))
    return tmp_path / "figures.json"


def test_the_table(measured: Any) -> None:
    """A thousand messages at a time: a core's time by the memory, waves of calls, and what AWS charges for each."""
    command = [sys.executable, SCRIPT, measured, "--memory", "1769", "--latency", "20"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    # 20 µs for each of 1,000 is 20 ms; 40 calls at a time are one wave of 20 ms.
    assert done.stdout.splitlines()[5:8] == [
        "| 1,000 small | router | 40 ms | 0.0002 | 0.0009 | 0.080 | 0.625 | 0.706 |",
        "| 1,000 small | jsonschema, put_item | 20,400 ms | 0.0002 | 0.470 | 0.080 | 0.625 | 1.175 |",
        "",
    ]
    assert done.stdout.splitlines()[8] == (
        "A worker: a task of 0.5 cores and 1 GB costs $0.0198 an hour, busy or not, which is $14.42 a month. Its "
        "processor is enough for 5,000 small messages a second; a million then cost $0.0011 for the task and $0.08 for "
        "SQS, besides $0.625 for write units."
    )


def test_provisioned_capacity() -> None:
    """A unit for a second is a write unit; from a use of 29 % on, the hours cost less than the requests."""
    shares = [round(cost.provisioned_writes(use) / cost.WRITE_UNITS, 3) for use in (1, 0.7)]

    assert (shares, list(cost.of_capacity())[-1]) == (
        [0.289, 0.413],
        "Provisioned capacity is cheaper where more than 29% of it is used on average.",
    )


def test_metrics_and_alarms() -> None:
    """For the queues of the benchmarks, three of which have five alarms each, and the stack three."""
    _, month, log = cost.of_monitoring()

    assert (month[month.index("A stack") :], log[log.index("a million") :].partition(" in batches")[0]) == (
        "A stack of 3 queues with 5 metrics each, 18 alarms and a dashboard costs $10.20 a month.",
        "a million messages cost $0.0003",
    )


@pytest.mark.parametrize(("size", "requests", "units"), [("small", 0.2, 1), ("medium", 0.2, 2), ("large", 1.7, 80)])
def test_sizes(size: Any, requests: Any, units: Any) -> None:
    """SQS counts 64 KB, DynamoDB 1 KB."""
    assert (cost.queue_requests(size, 10), cost.write_units(size)) == (requests, units)


def test_no_figures(tmp_path: Path) -> None:
    """Without figures there is no cost, and a sentence that says so."""
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "absent.json"], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr[:16]) == (2, "", "cost: cannot use")
