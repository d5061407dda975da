"""Logs and metrics of batches, with the same names in Lambda and in the worker.

A line of JSON is logged for each message that is not written, and one for each batch.

Metrics have the format of Prometheus in the worker, and CloudWatch's embedded metric format in
Lambda:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

import msgspec

from router.model import OutcomeKind, Result, Summary, iso_ms
from router.runtime.config.secret_values import WRITTEN
from router.runtime.printable import printable_json

LOGGER = logging.getLogger("router")
_LEVELS = {
    "rejected": logging.ERROR,
    "retry": logging.WARNING,
    "dropped": logging.INFO,
    "duplicate": logging.INFO,
    "stale": logging.INFO,
}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON.

    It has the time, level, message, and the fields of `extra={"fields": …}`. No line has the value
    of a variable that holds a secret.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": iso_ms(int(record.created * 1000)),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Only the type: the text of an exception may contain a value of a message.
            line["exception"] = record.exc_info[0].__name__
        text = WRITTEN.mask(msgspec.json.encode(line).decode())
        if text.isprintable():
            return text
        return printable_json(text)


def set_up_logging(handler: logging.Handler | None = None, level: int = logging.INFO) -> None:
    """Write the lines of the router, and only those, by a handler.

    By default they are written to standard error at once, as Lambda needs it. After an invocation
    the process is frozen, perhaps for ever: lines that wait to be written would be lost.
    """
    handler = handler or logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def number_lines(process: int) -> None:
    """Add the number of the process to each line from now on."""

    def add(record: logging.LogRecord) -> bool:
        record.fields = {**getattr(record, "fields", {}), "process": process}
        return True

    # Not a filter of the logger, which lines of its children would not pass.
    for handler in LOGGER.handlers:
        handler.addFilter(add)


def log_result(result: Result) -> None:
    """Log the outcome of a message, unless it was written."""
    level = _LEVELS.get(result.outcome.kind)
    if level is None:
        return
    outcome = result.outcome
    fields = {
        "outcome": outcome.kind,
        "code": outcome.code,
        "reason": outcome.reason,
        "queue": result.queue,
        "route": outcome.route,
        "pointer": outcome.pointer,
        "message_id": result.message_id,
        "conflict": outcome.conflict,
        "receive_count": result.receive_count,
    }
    _log(level, f"message {outcome.kind}", fields)


def log_batch(summary: Summary, config: str) -> None:
    """Log the summary of a batch; `config` is the hash of the running config."""
    fields: dict[str, object] = {
        "service": service_name(),
        "queue": summary.queue,
        "counts": summary.counts,
        "conflicts": summary.conflicts,
        "configuration_errors": summary.configuration_errors,
        "malformed_failures": summary.malformed_failures,
        "seconds": round(summary.seconds, 6),
        "config": config,
    }
    _log(logging.INFO, "batch done", fields)


def _log(level: int, message: str, fields: Mapping[str, object]) -> None:
    """Log a line as `LOGGER.log` does, without looking for the caller."""
    if LOGGER.isEnabledFor(level):
        extra = {"fields": fields}
        record = LOGGER.makeRecord(LOGGER.name, level, "", 0, message, (), None, extra=extra)
        LOGGER.handle(record)


NAMESPACE = "MessageRouter"
"""The CloudWatch namespace."""
SERVICE = "service"
"""A dimension, in Prometheus a label: what `service_name` returns."""
QUEUE = "queue"
"""A dimension, in Prometheus a label: the queue's name in the config."""
SERVICE_VARIABLE = "ROUTER_SERVICE"
"""The environment variable that names the service.

Stages in one account have metrics of their own with it.
"""
CONFIGURATION_ERRORS = "router_configuration_errors_total"
LINES_DROPPED = "router_log_lines_dropped_total"
Unit = Literal["Count", "Seconds"]
_KINDS: tuple[OutcomeKind, ...] = get_args(OutcomeKind)
_MESSAGES: Mapping[str, tuple[Unit, str]] = {
    # Each outcome has a metric of its own.
    f"router_messages_{kind}_total": ("Count", f"Messages with the outcome {kind}.")
    for kind in _KINDS
}
METRICS: Mapping[str, tuple[Unit, str]] = {
    **_MESSAGES,
    "router_conflicts_total": (
        "Count",
        "Duplicate or stale messages whose content differs from the stored item.",
    ),
    CONFIGURATION_ERRORS: (
        "Count",
        "Messages that met a configuration error: no such table, no permission.",
    ),
    "router_malformed_failures_total": (
        "Count",
        "Messages whose attribute `router` was ignored: it does not describe a dead letter.",
    ),
    "router_batches_total": ("Count", "Batches of messages that were processed."),
    "router_batch_seconds_total": ("Seconds", "Total wall time of the batches."),
    LINES_DROPPED: (
        "Count",
        "Log lines of a worker that were dropped, because nobody read the log.",
    ),
}
"""Each metric: its unit, and what it counts."""


def service_name(env: Mapping[str, str] = os.environ) -> str:
    """Return ROUTER_SERVICE of the environment.

    Without it, return the name of the Lambda function, else `message-router`.
    """
    return env.get(SERVICE_VARIABLE) or env.get("AWS_LAMBDA_FUNCTION_NAME") or "message-router"


Meter = Callable[[Summary], None]
"""Called for each batch."""


def measure(summary: Summary) -> dict[str, float]:
    """Return what a batch adds to each metric; zeros are left out."""
    values: dict[str, float] = {}
    for kind, number in summary.counts.items():
        values[f"router_messages_{kind}_total"] = number
    values["router_batches_total"] = 1
    values["router_batch_seconds_total"] = round(summary.seconds, 6)
    if summary.conflicts:
        values["router_conflicts_total"] = summary.conflicts
    if summary.configuration_errors:
        values[CONFIGURATION_ERRORS] = summary.configuration_errors
    if summary.malformed_failures:
        values["router_malformed_failures_total"] = summary.malformed_failures
    return values


def embedded(summary: Summary) -> str:
    """Return the line of a batch in CloudWatch's embedded metric format."""
    values = measure(summary)
    directives = [_directive([SERVICE, QUEUE], values)]
    if summary.configuration_errors:
        # For one alarm on all queues. It cannot name those that the config does not know.
        directives.append(_directive([SERVICE], [CONFIGURATION_ERRORS]))
    line: dict[str, object] = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": directives,
        },
        SERVICE: service_name(),
        QUEUE: summary.queue,
        **values,
    }
    return msgspec.json.encode(line).decode()


def _directive(dimensions: list[str], metrics: Iterable[str]) -> dict[str, object]:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": METRICS[name][0]} for name in metrics],
    }


def print_embedded(summary: Summary) -> None:
    """Print a batch's line: CloudWatch reads the standard output of a Lambda function."""
    print(embedded(summary), flush=True)  # noqa: T201 — for CloudWatch


def ignore(summary: Summary) -> None:
    """Measure nothing."""
