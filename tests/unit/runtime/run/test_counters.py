"""The metrics of worker processes, in memory and in the file that a parent reads."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from router.model import Route, Summary
from router.runtime.run.counters import (
    Counters,
    Labels,
    Totals,
    add_totals,
    exposition,
    of_ended,
    open_counters_file,
    read_counters,
)
from tests.support.deliver import METRICS
from tests.support.run import begun


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
    counters = Counters(file)
    empty = read_counters(file)
    counters.record(Summary("q", Counter(["written", "written", "retry"]), 0.5, conflicts=1))
    counters.record(Summary("größer", Counter(["written"]), 0.125, configuration_errors=1))
    counters.record(Summary("q", Counter(["written"]), 0.25))
    counters.set_dropped_lines(2)
    counters.set_dropped_lines(3)

    q, p = ("q",), ("größer",)
    expected = begun("q", "größer") | {
        "router_messages_written_total": {q: 3.0, p: 1.0},
        "router_messages_retry_total": {q: 1.0, p: 0.0},
        "router_conflicts_total": {q: 1.0, p: 0.0},
        "router_configuration_errors_total": {q: 0.0, p: 1.0},
        "router_batches_total": {q: 2.0, p: 1.0},
        "router_batch_seconds_total": {q: 0.75, p: 0.125},
        "router_log_lines_dropped_total": {("",): 3.0},
    }
    assert (empty, read_counters(file), counters.totals()) == ({}, expected, expected)


def test_file_of_a_process_that_is_starting(file: int) -> None:
    """As long as the process has written nothing, there is nothing."""
    assert read_counters(file) == {}


def test_file_is_not_inherited(file: int) -> None:
    """Processes that a plugin starts do not inherit the file."""
    os.set_inheritable(file, True)

    Counters(file)

    assert os.get_inheritable(file) is False


def test_no_dropped_lines() -> None:
    """Without dropped log lines there is no metric of them."""
    counters = Counters()

    counters.set_dropped_lines(0)

    assert counters.totals() == {}


def test_queues_from_the_start(file: int) -> None:
    """Each series of a queue is there with 0 before its first message, and what it has counted stays."""
    counters = Counters(file)
    counters.declare(["q"])
    declared = read_counters(file)
    counters.record(Summary("q", Counter(["rejected"]), 0.5))
    counters.declare(["q"])

    assert declared == begun("q")
    assert counters.totals()["router_messages_rejected_total"] == {("q",): 1.0}
    page = exposition(declared, "s").decode().splitlines()
    assert 'router_messages_rejected_total{queue="q",service="s"} 0.0' in page
    assert 'router_log_lines_dropped_total{queue="",service="s"} 0.0' in page


def test_add_totals() -> None:
    """Totals are added by metric and queue; a queue that only some processes have is kept."""
    q: Labels = ("q",)
    p: Labels = ("p",)
    first: Totals = {"written": {q: 2.0, p: 1.0}, "retry": {}}
    second: Totals = {"written": {q: 3.0}, "retry": {q: 1.0}}

    assert add_totals([first, second]) == {"written": {q: 5.0, p: 1.0}, "retry": {q: 1.0}}


def test_each_series_of_a_config_from_the_start() -> None:
    """By queue, code, cause and age; by route and table, if they are declared."""
    counters = Counters()
    counters.declare(["q"], [Route("r", "q", "t")], ["t"])

    found = {name: list(by_labels) for name, by_labels in counters.totals().items()}

    others = {"router_log_lines_dropped_total", "router_postponed_total"}
    assert set(found) == METRICS.keys() - others | {"router_message_age_seconds_sum"}
    assert found["router_messages_stale_total"] == [("q",)]
    assert found["router_outcomes_total"] == found["router_dead_letters_total"]
    assert {("q", "RT801"), ("q", "RT825")} < {*found["router_outcomes_total"]}
    assert ("q", "RT824") not in found["router_outcomes_total"]
    assert found["router_retries_total"][:2] == [("q", "throttled"), ("q", "outage")]
    assert found["router_message_age_seconds"][-2:] == [("q", "1209600.0"), ("q", "+Inf")]
    assert found["router_route_written_total"] == [("q", "r", "t")]
    assert found["router_write_units_total"] == [("t",)]


def test_all_that_a_batch_has(file: int) -> None:
    """Codes, causes, dead letters, ages, calls, write units and routes are added where they belong."""
    counters = Counters(file)
    counters.record(
        Summary(
            "q",
            {"written": 2, "rejected": 1, "retry": 1},
            0.5,
            codes={"RT806": 1, "RT814": 1, "RT999": 1},
            dead_letters={"RT806": 1},
            retries={"throttled": 1},
            ages=(1, 0, 1, *(0,) * 15),
            age_seconds=0.5,
            write_calls=3,
            write_units={"t": 2.5},
            routes={("r", "t"): {"written": 2, "retry": 1}},
        )
    )
    counters.add("q", "router_receives_total", 1.0)
    counters.add("q", "router_messages_in_flight", 3)

    totals = read_counters(file)

    counted = {
        (name, *labels): value for name, by_labels in totals.items() for labels, value in by_labels.items() if value
    }
    assert counted == {
        ("router_messages_written_total", "q"): 2.0,
        ("router_messages_rejected_total", "q"): 1.0,
        ("router_messages_retry_total", "q"): 1.0,
        ("router_batches_total", "q"): 1.0,
        ("router_batch_seconds_total", "q"): 0.5,
        ("router_outcomes_total", "q", "RT806"): 1.0,
        ("router_outcomes_total", "q", "RT814"): 1.0,
        ("router_dead_letters_total", "q", "RT806"): 1.0,
        ("router_retries_total", "q", "throttled"): 1.0,
        ("router_message_age_seconds", "q", "0.1"): 1.0,
        ("router_message_age_seconds", "q", "0.5"): 1.0,
        ("router_message_age_seconds_sum", "q"): 0.5,
        ("router_write_calls_total", "q"): 3.0,
        ("router_write_units_total", "t"): 2.5,
        ("router_route_written_total", "q", "r", "t"): 2.0,
        ("router_route_retry_total", "q", "r", "t"): 1.0,
        ("router_receives_total", "q"): 1.0,
        ("router_messages_in_flight", "q"): 3.0,
    }
    page = exposition(totals, "s").decode().splitlines()
    assert [
        line
        for line in page
        if line.startswith("router_message_age_seconds") and ('"0.1"' in line or '"0.5"' in line or "le" not in line)
    ] == [
        'router_message_age_seconds_bucket{le="0.1",queue="q",service="s"} 1.0',
        'router_message_age_seconds_bucket{le="0.5",queue="q",service="s"} 2.0',
        'router_message_age_seconds_count{queue="q",service="s"} 2.0',
        'router_message_age_seconds_sum{queue="q",service="s"} 0.5',
    ]
    assert "# TYPE router_messages_in_flight gauge" in page
    assert of_ended(totals) == {**totals, "router_messages_in_flight": {("q",): 0.0}}
