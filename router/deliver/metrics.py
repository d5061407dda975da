"""Metrics, with the same names in Lambda (CloudWatch's embedded metric format) and in the worker (Prometheus).

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
    **{
        f"router_messages_{kind}_total": ("Count", f"Messages with the outcome {kind}.")
        for kind in get_args(OutcomeKind)
    },
    "router_conflicts_total": ("Count", "Duplicate or stale messages whose content differs from the stored item."),
    "router_setup_faults_total": ("Count", "Messages that met a configuration error: no such table, no permission."),
    "router_batches_total": ("Count", "Batches of messages that were processed."),
    "router_batch_seconds_total": ("Seconds", "Total wall time of the batches."),
}
"""Each metric: its unit, and what it counts."""

Meter = Callable[[Summary], None]
"""Called for each batch."""


def measure(summary: Summary) -> dict[str, float]:
    """Return what a batch adds to each metric; zeros are left out."""
    values: dict[str, float] = {f"router_messages_{kind}_total": number for kind, number in summary.counts.items()}
    values["router_batches_total"] = 1
    values["router_batch_seconds_total"] = round(summary.seconds, 6)
    if summary.conflicts:
        values["router_conflicts_total"] = summary.conflicts
    if summary.setup_faults:
        values["router_setup_faults_total"] = summary.setup_faults
    return values


def embedded(summary: Summary) -> str:
    """Return the line of a batch in CloudWatch's embedded metric format."""
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
    """Print a batch's line: CloudWatch reads the standard output of a Lambda function."""
    print(embedded(summary), flush=True)  # noqa: T201 — for CloudWatch


def ignore(summary: Summary) -> None:
    """Measure nothing."""
