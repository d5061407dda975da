"""Metrics, by the same names in Lambda (CloudWatch's embedded format) and in the worker (Prometheus).

The embedded metric format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import msgspec

from router.model import OutcomeKind, Summary

NAMESPACE = "MessageRouter"
"""The CloudWatch namespace."""
DIMENSION = "queue"
"""The one dimension (in Prometheus: label): the queue's name in the config."""
Unit = Literal["Count", "Seconds"]
METRICS: Mapping[str, tuple[Unit, str]] = {
    **{f"router_messages_{kind}_total": ("Count", f"Messages that ended as {kind}.") for kind in get_args(OutcomeKind)},
    "router_conflicts_total": ("Count", "Messages found duplicate or stale while something else was stored."),
    "router_setup_faults_total": ("Count", "Messages that met a fault of the set-up: no such table, no permission."),
    "router_batches_total": ("Count", "Batches of messages that were worked on."),
    "router_batch_seconds_total": ("Seconds", "Wall time of the batches together."),
}
"""Each metric: its unit, and what it counts."""

Meter = Callable[[Summary], None]
"""What is told of each batch."""


def measure(summary: Summary) -> dict[str, float]:
    """What a batch adds to each metric; those that it adds nothing to are left out, but for the batch itself."""
    values: dict[str, float] = {f"router_messages_{kind}_total": number for kind, number in summary.counts.items()}
    values["router_batches_total"] = 1
    values["router_batch_seconds_total"] = round(summary.seconds, 6)
    if summary.conflicts:
        values["router_conflicts_total"] = summary.conflicts
    if summary.setup_faults:
        values["router_setup_faults_total"] = summary.setup_faults
    return values


def embedded(summary: Summary) -> str:
    """The line of a batch in CloudWatch's embedded metric format."""
    values = measure(summary)
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[DIMENSION]],
        "Metrics": [{"Name": name, "Unit": METRICS[name][0]} for name in values],
    }
    line: dict[str, Any] = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        DIMENSION: summary.queue,
        **values,
    }
    return msgspec.json.encode(line).decode()


def print_embedded(summary: Summary) -> None:
    """The meter of Lambda: what a function prints, CloudWatch reads."""
    print(embedded(summary), flush=True)  # noqa: T201 — standard output is where CloudWatch looks


def ignore(summary: Summary) -> None:
    """The meter of who wants none."""
