"""Health and metrics of a worker: `/healthz`, `/readyz` and `/metrics` over HTTP."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from router.deliver.telemetry import LINES_DROPPED, LOGGER, METRICS, QUEUE, SERVICE, measure, service_name
from router.errors import UsageError
from router.model import Summary

Totals = Mapping[str, Mapping[str, float]]
"""The totals of each queue by metric name: {"router_batches_total": {"orders": 2.0}}."""
Page = tuple[HTTPStatus, str, bytes]
"""A response: status, content type, body."""


class WorkerStatus(Struct, frozen=True):
    """The status of one or several worker processes.

    `alive`: every receiver runs and none is stuck. `ready`: messages of every queue are received. `log_blocked`: nobody
    reads the log.
    """

    alive: bool = False
    ready: bool = False
    log_blocked: bool = False
    totals: dict[str, dict[str, float]] = {}


class QueueCounters:
    """The metrics of this process by queue; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: Mapping[str, dict[str, float]] = {name: {} for name in METRICS}

    def record(self, summary: Summary) -> None:
        """Add the metrics of a batch."""
        with self._lock:
            for name, value in measure(summary).items():
                by_queue = self._totals[name]
                by_queue[summary.queue] = by_queue.get(summary.queue, 0.0) + value

    def set_dropped_lines(self, number: int) -> None:
        """Set how many log lines were dropped, which concerns no queue."""
        if number:
            with self._lock:
                self._totals[LINES_DROPPED][""] = number

    def totals(self) -> dict[str, dict[str, float]]:
        """Return a copy of all totals."""
        with self._lock:
            return {name: dict(by_queue) for name, by_queue in self._totals.items()}


def add_totals(parts: Iterable[Totals]) -> dict[str, dict[str, float]]:
    """Return the sums of the totals of several processes."""
    sums: dict[str, dict[str, float]] = {}
    for totals in parts:
        for name, by_queue in totals.items():
            queues = sums.setdefault(name, {})
            for queue, total in by_queue.items():
                queues[queue] = queues.get(queue, 0.0) + total
    return sums


def exposition(totals: Totals, service: str) -> bytes:
    """Return the totals of a service in the text format that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_TotalsCollector(totals, service))
    return generate_latest(registry)


class _TotalsCollector(Collector):
    def __init__(self, totals: Totals, service: str) -> None:
        self._totals = totals
        self._service = service

    def collect(self) -> Iterator[CounterMetricFamily]:
        for name, (_, description) in METRICS.items():
            family = CounterMetricFamily(name, description, labels=[SERVICE, QUEUE])
            for queue, total in self._totals.get(name, {}).items():
                family.add_metric([self._service, queue], total)
            yield family


@contextmanager
def serve(listen: str, status: Callable[[], WorkerStatus]) -> Iterator[int]:
    """Serve the pages on HOST:PORT, or nothing if it is empty; yields the port. Raises UsageError."""
    if not listen:
        yield 0
        return
    host, _, port = listen.rpartition(":")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(status))
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"cannot listen on '{listen}': {error}; give HOST:PORT, e.g. 127.0.0.1:9090") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    LOGGER.info("listening", extra={"fields": {"port": server.server_port}})
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _handler(status: Callable[[], WorkerStatus]) -> type[BaseHTTPRequestHandler]:
    def page(path: str) -> Page:
        if path == "/healthz":
            now = status()
            # Messages are delivered all the same, and a restart would not help: not a reason to be ended.
            return _probe(now.alive, _LOG_BLOCKED if now.log_blocked else b"")
        if path == "/readyz":
            return _probe(status().ready)
        if path == "/metrics":
            return (
                HTTPStatus.OK,
                "text/plain; version=0.0.4; charset=utf-8",
                exposition(status().totals, service_name()),
            )
        return HTTPStatus.NOT_FOUND, "text/plain", b"pages: /healthz, /readyz, /metrics\n"

    class PageHandler(BaseHTTPRequestHandler):
        """Handles GET requests."""

        def do_GET(self) -> None:
            """Send a page."""
            status, content_type, body = page(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: probes and scrapes come every few seconds."""

    return PageHandler


_LOG_BLOCKED = b"the log is not read: its lines are queued, then dropped\n"


def _probe(passes: bool, remark: bytes = b"") -> Page:
    status, text = (HTTPStatus.OK, b"ok\n") if passes else (HTTPStatus.SERVICE_UNAVAILABLE, b"no\n")
    return status, "text/plain", text + remark
