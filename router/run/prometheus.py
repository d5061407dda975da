"""The metrics of a worker, for Prometheus."""

import threading
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from router.deliver.metrics import DIMENSION, METRICS, measure
from router.model import Summary
from router.run.state import Totals


class Counters:
    """All metrics of a process, by queue; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: Mapping[str, dict[str, float]] = {name: {} for name in METRICS}

    def record(self, summary: Summary) -> None:
        """Add what a batch came to."""
        with self._lock:
            for name, value in measure(summary).items():
                by_queue = self._totals[name]
                by_queue[summary.queue] = by_queue.get(summary.queue, 0.0) + value

    def totals(self) -> dict[str, dict[str, float]]:
        """What it all comes to."""
        with self._lock:
            return {name: dict(by_queue) for name, by_queue in self._totals.items()}


def exposition(totals: Totals) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Given(totals))
    return generate_latest(registry)


class _Given(Collector):
    """What the library asks for totals."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[CounterMetricFamily]:
        for name, (_, what) in METRICS.items():
            family = CounterMetricFamily(name, what, labels=[DIMENSION])
            for queue, total in self._totals.get(name, {}).items():
                family.add_metric([queue], total)
            yield family
