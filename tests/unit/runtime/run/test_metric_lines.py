"""The metrics of a worker in its log, in CloudWatch's embedded metric format."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Summary
from router.runtime.run import metric_lines
from router.runtime.run.counters import Counters
from router.runtime.run.metric_lines import SECONDS, MetricLines, logs_metrics
from tests.support.deliver import AGES, embedded

SUMMARY = Summary(
    "q",
    Counter({"written": 2, "retry": 1, "rejected": 1}),
    0.5,
    conflicts=1,
    codes={"RT814": 1, "RT804": 1},
    dead_letters={"RT804": 1},
    retries={"throttled": 1},
    ages=(1, *(0 for _ in AGES[1:]), 1),
    age_seconds=1e7,
    write_calls=2,
    write_units={"things": 2.5},
    routes={("r", "things"): {"written": 2}},
)
Fields = dict[str, Any]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Fields]]:
    """Takes the fields of the lines that were logged since the last call, without their time."""
    caplog.set_level(logging.INFO, "router")

    def take() -> list[Fields]:
        fields = [vars(record)["fields"] for record in caplog.records]
        caplog.clear()
        for each in fields:
            del each["_aws"]["Timestamp"]
        return fields

    return take


def of_function(summary: Summary) -> list[Fields]:
    """What the function prints for a batch, without the time."""
    lines: list[Fields] = [json.loads(line) for line in embedded(summary).splitlines()]
    for each in lines:
        del each["_aws"]["Timestamp"]
    return lines


def ordered(lines: list[Fields]) -> list[Fields]:
    """Lines in an order that says nothing, nor that of their metrics."""
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            directive["Metrics"].sort(key=lambda each: each["Name"])
    return sorted(lines, key=lambda line: [line.get(label, "") for label in ("queue", "code", "cause", "route")])


def test_a_batch(logged: Callable[[], list[Fields]]) -> None:
    """The lines have the metrics, labels and units that those of the function have."""
    counters = Counters()
    lines = MetricLines(counters.totals)
    counters.record(SUMMARY)

    lines.log()

    found = logged()
    assert ordered(found) == ordered(of_function(SUMMARY))


def test_what_was_added(logged: Callable[[], list[Fields]]) -> None:
    """Only what was added since is logged; nothing if nothing was."""
    counters = Counters()
    counters.declare(["q", "idle"])
    lines = MetricLines(counters.totals)
    counters.record(SUMMARY)
    lines.log()
    logged()

    lines.log()
    nothing = logged()
    counters.record(Summary("q", Counter(["written"]), 0.25))
    counters.record(Summary("q", Counter(["written"]), 0.25))
    lines.log()

    (line,) = logged()
    values = {name: value for name, value in line.items() if name.startswith("router_")}
    assert (nothing, line["queue"], values) == (
        [],
        "q",
        {"router_messages_written_total": 2, "router_batches_total": 2, "router_batch_seconds_total": 0.5},
    )


def test_what_only_a_worker_has(logged: Callable[[], list[Fields]]) -> None:
    """Pauses, and lines that were dropped, of no queue; receives and messages in flight are metrics of SQS."""
    counters = Counters()
    counters.set_dropped_lines(3)
    for name in ("router_pauses_total", "router_receives_total", "router_messages_in_flight"):
        counters.add("q", name, 1.0)

    MetricLines(counters.totals).log()

    found = logged()
    directives = [each["_aws"]["CloudWatchMetrics"][0] for each in found]
    values = [{name: value for name, value in each.items() if name.startswith("router_")} for each in found]
    assert [each["Dimensions"] for each in directives] == [[["service", "queue"]], [["service"]]]
    assert values == [{"router_pauses_total": 1}, {"router_log_lines_dropped_total": 3}]


def test_once_a_minute(logged: Callable[[], list[Fields]], monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch counts by minutes."""
    now = [100.0]
    monkeypatch.setattr(metric_lines, "boottime", lambda: now[0])
    counters = Counters()
    lines = MetricLines(counters.totals)

    counts = []
    for second in (1, SECONDS - 1, SECONDS, SECONDS + 1, 2 * SECONDS):
        counters.record(Summary("q", Counter(["written"]), 0.25))
        now[0] = 100.0 + second
        lines.log_if_due()
        counts.append([line["router_batches_total"] for line in logged()])

    assert counts == [[], [], [3], [], [2]]


@pytest.mark.parametrize(("value", "expected"), [("cloudwatch", True), ("prometheus", False), ("", False)])
def test_who_asks_for_it(value: str, expected: bool) -> None:
    """The environment does, as that of the tasks of ECS."""
    assert (logs_metrics({"ROUTER_METRICS": value}), logs_metrics({})) == (expected, False)


def test_a_misspelt_value() -> None:
    """A misspelt value would be found when an alarm is missing."""
    with pytest.raises(UsageError, match="ROUTER_METRICS is 'cloudwach'; it can be cloudwatch or prometheus"):
        logs_metrics({"ROUTER_METRICS": "cloudwach"})
