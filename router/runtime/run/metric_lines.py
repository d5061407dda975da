"""The metrics of a worker as lines of its log, in CloudWatch's embedded metric format.

A line for each batch, as the function has it, would be longer than most messages.
"""

from collections.abc import Callable
from logging import INFO
from typing import Any

from router.errors import UsageError
from router.runtime.aws.calls import boottime
from router.runtime.deliver.metrics import (
    AGE,
    AGES,
    CLOUDWATCH,
    METRICS,
    METRICS_VARIABLE,
    RECEIVES,
)
from router.runtime.deliver.telemetry import Env, embedded_fields, log
from router.runtime.run.counters import Totals

SECONDS = 60.0
"""How often metrics are logged: the shortest period of CloudWatch for most purposes."""
_VALUES = ("", CLOUDWATCH, "prometheus")


def logs_metrics(env: Env) -> bool:
    """Return whether the metrics are to be logged; raises UsageError for an unknown value of the variable."""
    value = env.get(METRICS_VARIABLE, "")
    if value not in _VALUES:
        raise UsageError(f"{METRICS_VARIABLE} is '{value}'; it can be {' or '.join(_VALUES[1:])}")
    return value == CLOUDWATCH


class MetricLines:
    """Logs what was added to each metric since the last time."""

    def __init__(self, totals: Callable[[], Totals]) -> None:
        self._totals = totals
        self._logged: Totals = {}
        self._due = boottime() + SECONDS

    def log_if_due(self) -> None:
        """Log once in SECONDS."""
        if boottime() >= self._due:
            self.log()

    def log(self) -> None:
        """Log now."""
        self._due = boottime() + SECONDS
        totals = self._totals()
        for labels, values in _increases(totals, self._logged).items():
            log(INFO, "metrics", **embedded_fields(dict(labels), values))
        self._logged = totals


_Lines = dict[tuple[tuple[str, str], ...], dict[str, Any]]
"""What is logged of each metric, by labels and their values."""


def _increases(totals: Totals, before: Totals) -> _Lines:
    """Return what was added to each metric, by labels; SQS counts receives and messages in flight itself."""
    found: _Lines = {}
    for name, metric in METRICS.items():
        if metric.kind == "gauge" or name == RECEIVES:
            continue
        for labels, total in totals.get(name, {}).items():
            added = total - before.get(name, {}).get(labels, 0.0)
            if not added:
                continue
            # The bound of an age, which stands for its bucket, is after the labels. The last bucket
            # has no bound: the one before stands for it.
            # CloudWatch has no empty values.
            named = tuple(pair for pair in zip(metric.labels, labels, strict=False) if pair[1])
            values = found.setdefault(named, {})
            if name == AGE:
                buckets = values.setdefault(name, {"Values": [], "Counts": []})
                buckets["Values"].append(min(float(labels[-1]), AGES[-1]))
                buckets["Counts"].append(added)
            else:
                values[name] = round(added, 6)
    return found
