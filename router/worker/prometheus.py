"""The metrics of a worker process, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest

from router.metrics import DIMENSION, METRICS, measure
from router.model import Summary


class Counters:
    """Counters of all metrics, by queue."""

    def __init__(self) -> None:
        # When a counter was made is of no use to anybody, and would double what is scraped.
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(name, told, [DIMENSION], registry=self._registry) for name, (_, told) in METRICS.items()
        }

    def record(self, summary: Summary) -> None:
        """Add what a batch came to."""
        for name, value in measure(summary).items():
            self._counters[name].labels(summary.queue).inc(value)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)
