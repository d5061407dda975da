"""The metrics of a worker process, for Prometheus."""

import threading
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from router.metrics import DIMENSION, METRICS, measure
from router.model import Summary


class Counters(Collector):
    """All metrics, by queue; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: Mapping[str, dict[str, float]] = {name: {} for name in METRICS}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def record(self, summary: Summary) -> None:
        """Add what a batch came to."""
        with self._lock:
            for name, value in measure(summary).items():
                by_queue = self._totals[name]
                by_queue[summary.queue] = by_queue.get(summary.queue, 0.0) + value

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What the library asks for: each metric with its totals."""
        with self._lock:
            totals = {name: dict(by_queue) for name, by_queue in self._totals.items()}
        for name, by_queue in totals.items():
            family = CounterMetricFamily(name, METRICS[name][1], labels=[DIMENSION])
            for queue, total in by_queue.items():
                family.add_metric([queue], total)
            yield family

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)
