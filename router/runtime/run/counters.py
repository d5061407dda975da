"""The metrics of worker processes by queue, and the text in which Prometheus scrapes them.

One of several processes keeps its metrics in a file in memory, which it shares with its parent.
Each scrape has what all processes did so far. What a process did is still there after it was
killed.
"""

import os
import struct
import tempfile
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from router.model import Summary
from router.runtime.deliver.telemetry import LINES_DROPPED, METRICS, QUEUE, SERVICE, measure

Totals = Mapping[str, Mapping[str, float]]
"""The totals of each queue by metric name: {"router_batches_total": {"orders": 2.0}}."""
_POSITIONS = {name: at for at, name in enumerate(METRICS)}
_LENGTH = struct.Struct("=Q")
_NUMBER_BYTES = 8


def open_counters_file() -> int:
    """Return the descriptor of a new file in memory.

    Where the system has no such files, it is a temporary file.
    """
    # A container may have no directory to write to.
    if hasattr(os, "memfd_create"):
        return os.memfd_create("router-counters")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class QueueCounters:
    """The metrics of this process by queue; safe to use from several threads.

    They are kept in a file too if its descriptor is given. It begins with the names of the metrics,
    as JSON. A row for each queue follows, of its name and its numbers. Texts have their length
    before them and are padded, so that numbers are aligned and are written whole.
    """

    def __init__(self, file: int | None = None) -> None:
        self._lock = threading.Lock()
        self._file = file
        if file is not None:
            os.set_inheritable(file, False)
        self._rows: dict[str, tuple[array[float], int]] = {}
        """The numbers of each queue in the order of METRICS, and where they are in the file."""
        self._end = 0
        """The length of the file."""
        self._append(msgspec.json.encode(list(METRICS)))

    def declare(self, queues: Iterable[str]) -> None:
        """Begin the metrics of queues with 0: Prometheus sees no increase from nothing to 1."""
        with self._lock:
            for queue in queues:
                self._row(queue)

    def record(self, summary: Summary) -> None:
        """Add the metrics of a batch."""
        with self._lock:
            numbers, at = self._row(summary.queue)
            for name, value in measure(summary).items():
                numbers[_POSITIONS[name]] += value
            self._write(numbers, at)

    def set_dropped_lines(self, number: int) -> None:
        """Set how many log lines were dropped, which concerns no queue."""
        if number:
            with self._lock:
                numbers, at = self._row("")
                numbers[_POSITIONS[LINES_DROPPED]] = number
                self._write(numbers, at)

    def totals(self) -> Totals:
        """Return a copy of all totals."""
        with self._lock:
            rows = {queue: numbers for queue, (numbers, _) in self._rows.items()}
            return _by_metric(list(METRICS), rows)

    def _row(self, queue: str) -> "tuple[array[float], int]":
        row = self._rows.get(queue)
        if row is None:
            size = _NUMBER_BYTES * len(METRICS)
            numbers = array("d", bytes(size))
            self._append(queue.encode(), bytes(size))
            row = numbers, self._end - size
            self._rows[queue] = row
        return row

    def _append(self, text: bytes, numbers: bytes = b"") -> None:
        padding = bytes(-len(text) % _NUMBER_BYTES)
        # In one piece, so that the parent reads the whole row or none of it.
        written = _LENGTH.pack(len(text)) + text + padding + numbers
        self._write(written, self._end)
        self._end += len(written)

    def _write(self, data: "bytes | array[float]", at: int) -> None:
        if self._file is not None:
            os.pwrite(self._file, data, at)


def read_counters(file: int) -> Totals:
    """Return the totals of the process that keeps its metrics in a file."""
    data = os.pread(file, os.fstat(file).st_size, 0)
    if not data:
        return {}
    header, at = _read_text(data, 0)
    metrics = msgspec.json.decode(header, type=list[str])
    rows: dict[str, array[float]] = {}
    size = _NUMBER_BYTES * len(metrics)
    while at < len(data):
        queue, at = _read_text(data, at)
        rows[queue.decode()] = array("d", data[at : at + size])
        at += size
    return _by_metric(metrics, rows)


def _read_text(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the text at a position, and the position of what follows it."""
    (length,) = _LENGTH.unpack_from(data, at)
    start = at + _LENGTH.size
    end = start + length
    padding = -length % _NUMBER_BYTES
    return data[start:end], end + padding


def _by_metric(metrics: list[str], rows: "Mapping[str, array[float]]") -> Totals:
    """Return the numbers of rows by metric and queue: dropped log lines concern none, and all else a queue."""
    totals: dict[str, dict[str, float]] = {}
    for queue, numbers in rows.items():
        for name, number in zip(metrics, numbers, strict=True):
            if (name == LINES_DROPPED) is (queue == ""):
                totals.setdefault(name, {})[queue] = number
    return totals


def add_totals(parts: Iterable[Totals]) -> Totals:
    """Return the sums of the totals of several processes."""
    sums: dict[str, dict[str, float]] = {}
    for totals in parts:
        for name, by_queue in totals.items():
            queues = sums.setdefault(name, {})
            for queue, total in by_queue.items():
                queues[queue] = queues.get(queue, 0.0) + total
    return sums


def exposition(totals: Totals, service: str, config: str = "") -> bytes:
    """Return the totals of a service in the text format that Prometheus scrapes.

    `config` is the hash of its config.
    """
    registry = CollectorRegistry()
    registry.register(_TotalsCollector(totals, service, config))
    return generate_latest(registry)


class _TotalsCollector(Collector):
    def __init__(self, totals: Totals, service: str, config: str) -> None:
        self._totals = totals
        self._service = service
        self._config = config

    def collect(self) -> Iterator[Metric]:
        if self._config:
            info = InfoMetricFamily(
                "router_config",
                "The config that runs, by its hash.",
                labels=[SERVICE],
            )
            info.add_metric([self._service], {"config": self._config})
            yield info
        for name, (_, description) in METRICS.items():
            family = CounterMetricFamily(name, description, labels=[SERVICE, QUEUE])
            counted = self._totals.get(name, {})
            if name == LINES_DROPPED:
                counted = {"": 0.0, **counted}
            for queue, total in counted.items():
                family.add_metric([self._service, queue], total)
            yield family
