"""Metrics: the same names in Lambda and in the worker."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from router.model import Summary
from router.runtime.deliver.metrics import METRICS
from router.runtime.deliver.telemetry import embedded, ignore, measure, print_embedded, service_name
from tests.support.run import Counters, exposition

SUMMARY = Summary(
    "orders",
    {"written": 8, "stale": 1, "retry": 2},
    0.2500004,
    conflicts=1,
    configuration_errors=2,
    malformed_failures=3,
)
VALUES = {
    "router_messages_written_total": 8,
    "router_messages_stale_total": 1,
    "router_messages_retry_total": 2,
    "router_batches_total": 1,
    "router_batch_seconds_total": 0.25,
    "router_conflicts_total": 1,
    "router_configuration_errors_total": 2,
    "router_malformed_failures_total": 3,
}


def test_measure() -> None:
    """A batch adds its counts, itself and its time."""
    assert measure(SUMMARY) == VALUES


def test_measure_without_faults() -> None:
    """A metric to which a batch adds nothing is left out."""
    assert measure(Summary("orders", {"written": 1}, 0.5)) == {
        "router_messages_written_total": 1,
        "router_batches_total": 1,
        "router_batch_seconds_total": 0.5,
    }


def test_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has a directive that names each of its values, and the time.

    Configuration errors are measured for the service as a whole too, so that one alarm covers unknown queues.
    """
    monkeypatch.setenv("ROUTER_SERVICE", "flows-dev")
    monkeypatch.setattr("time.time", lambda: 1767323045.6789)
    line = json.loads(embedded(SUMMARY))
    metadata = line.pop("_aws")
    assert metadata["Timestamp"] == 1767323045678
    assert metadata["CloudWatchMetrics"] == [
        {
            "Namespace": "MessageRouter",
            "Dimensions": [["service", "queue"]],
            "Metrics": [
                {"Name": name, "Unit": "Seconds" if name == "router_batch_seconds_total" else "Count"}
                for name in VALUES
            ],
        },
        {
            "Namespace": "MessageRouter",
            "Dimensions": [["service"]],
            "Metrics": [{"Name": "router_configuration_errors_total", "Unit": "Count"}],
        },
    ]
    assert line == {"service": "flows-dev", "queue": "orders", **VALUES}


def test_embedded_without_configuration_errors() -> None:
    """A batch without configuration errors has no metric of the service, which CloudWatch would charge for."""
    line = json.loads(embedded(Summary("orders", {"written": 1}, 0.5)))

    assert [each["Dimensions"] for each in line["_aws"]["CloudWatchMetrics"]] == [[["service", "queue"]]]


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({}, "message-router"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "flows"}, "flows"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "flows", "ROUTER_SERVICE": "flows-dev"}, "flows-dev"),
        ({"ROUTER_SERVICE": ""}, "message-router"),
    ],
)
def test_service_name(env: dict[str, str], name: str) -> None:
    """The service is named by its variable, else as the Lambda function, else as the program."""
    assert service_name(env) == name


def test_print(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda's meter prints one line at once, before the process is frozen; the default one prints nothing."""
    written = BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(written))
    print_embedded(SUMMARY)
    ignore(SUMMARY)
    out = written.getvalue()
    assert (out.count(b"\n"), json.loads(out)["queue"]) == (1, "orders")


def test_prometheus() -> None:
    """The worker's counters add up, under the same names."""
    counters = Counters()
    counters.record(SUMMARY)
    counters.record(SUMMARY)
    lines = exposition(counters.totals(), "flows").decode().splitlines()
    values = dict(line.split("} ") for line in lines if not line.startswith("#"))
    counted = {f'{name}{{queue="orders",service="flows"': str(2.0 * value) for name, value in VALUES.items()}
    assert {name: value for name, value in values.items() if value != "0.0"} == counted
    assert values['router_messages_dropped_total{queue="orders",service="flows"'] == "0.0"
    assert values['router_log_lines_dropped_total{queue="",service="flows"'] == "0.0"


@pytest.mark.parametrize("name", METRICS)
def test_documented(name: Any) -> None:
    """Each metric has its line in the docs."""
    assert f"| `{name}` |" in (Path(__file__).parents[4] / "docs/observability.md").read_text()
