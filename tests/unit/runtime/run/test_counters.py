"""The metrics of worker processes, in memory and in the file that a parent reads."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from router.model import Summary
from router.runtime.run.counters import QueueCounters, add_totals, exposition, open_counters_file, read_counters
from tests.support.deliver import METRICS


@pytest.fixture(params=["memory", "directory"])
def file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An empty file for metrics: in memory, as there may be no directory to write to, or else a temporary one."""
    if request.param == "memory":
        monkeypatch.setattr("tempfile.TemporaryFile", None)
    else:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    descriptor = open_counters_file()
    yield descriptor
    os.close(descriptor)


def test_file(file: int) -> None:
    """The parent reads what the process has counted so far, by metric and queue, whatever the names of the queues."""
    counters = QueueCounters(file)
    empty = read_counters(file)
    counters.record(Summary("q", Counter(["written", "written", "retry"]), 0.5, conflicts=1))
    counters.record(Summary("größer", Counter(["written"]), 0.125, configuration_errors=1))
    counters.record(Summary("q", Counter(["written"]), 0.25))
    counters.set_dropped_lines(2)
    counters.set_dropped_lines(3)

    expected = {name: {"q": 0.0, "größer": 0.0} for name in METRICS} | {
        "router_messages_written_total": {"q": 3.0, "größer": 1.0},
        "router_messages_retry_total": {"q": 1.0, "größer": 0.0},
        "router_conflicts_total": {"q": 1.0, "größer": 0.0},
        "router_configuration_errors_total": {"q": 0.0, "größer": 1.0},
        "router_batches_total": {"q": 2.0, "größer": 1.0},
        "router_batch_seconds_total": {"q": 0.75, "größer": 0.125},
        "router_log_lines_dropped_total": {"": 3.0},
    }
    assert (empty, read_counters(file), counters.totals()) == ({}, expected, expected)


def test_file_of_a_process_that_is_starting(file: int) -> None:
    """As long as the process has written nothing, there is nothing."""
    assert read_counters(file) == {}


def test_file_is_not_inherited(file: int) -> None:
    """Processes that a plugin starts do not inherit the file."""
    os.set_inheritable(file, True)

    QueueCounters(file)

    assert os.get_inheritable(file) is False


def test_no_dropped_lines() -> None:
    """Without dropped log lines there is no metric of them."""
    counters = QueueCounters()

    counters.set_dropped_lines(0)

    assert counters.totals() == {}


def test_queues_from_the_start(file: int) -> None:
    """Each series of a queue is there with 0 before its first message, and what it has counted stays."""
    counters = QueueCounters(file)
    counters.declare(["q"])
    declared = read_counters(file)
    counters.record(Summary("q", Counter(["rejected"]), 0.5))
    counters.declare(["q"])

    zeros = {name: {"q": 0.0} for name in METRICS if name != "router_log_lines_dropped_total"}
    assert declared == zeros
    assert counters.totals()["router_messages_rejected_total"] == {"q": 1.0}
    page = exposition(declared, "s").decode().splitlines()
    assert 'router_messages_rejected_total{queue="q",service="s"} 0.0' in page
    assert 'router_log_lines_dropped_total{queue="",service="s"} 0.0' in page


def test_add_totals() -> None:
    """Totals are added by metric and queue; a queue that only some processes have is kept."""
    first = {"written": {"q": 2.0, "p": 1.0}, "retry": {}}
    second = {"written": {"q": 3.0}, "retry": {"q": 1.0}}

    assert add_totals([first, second]) == {"written": {"q": 5.0, "p": 1.0}, "retry": {"q": 1.0}}
