"""The metrics of worker processes, and the text in which Prometheus scrapes them.

One of several processes keeps its metrics in a file in memory, which it shares with its parent.
Each scrape has what all processes did so far. What a process did is still there after it was
killed.
"""

import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import count
from threading import Lock

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from router.codes import NOT_OF_SQS, declared
from router.model import Route, Summary
from router.runtime.deliver.metrics import (
    AGE,
    AGES,
    CAUSE,
    CAUSES,
    CODE,
    DEAD_LETTERS,
    LINES_DROPPED,
    METRICS,
    OUTCOMES,
    QUEUE,
    RETRIES,
    ROUTE,
    SERVICE,
    TABLE,
    WRITE_UNITS,
    of_route,
)
from router.runtime.deliver.telemetry import measure

Labels = tuple[str, ...]
"""The values of the labels of a metric, in their order, without the service."""
Totals = Mapping[str, Mapping[Labels, float]]
"""The totals by metric and labels: {"router_batches_total": {("orders",): 2.0}}."""
Column = tuple[str, str]
"""A number of a row: the metric, and the value of its last label if the row has none for it."""
AGE_SUM = f"{AGE}_sum"
"""A column: the sum of all ages."""
_LENGTH = struct.Struct("=Q")
_NUMBER_BYTES = 8
_CODES = [code for code in declared() if code.startswith("RT8") and code != NOT_OF_SQS.id]
_BOUNDS = [*(str(float(age)) for age in AGES), "+Inf"]
_AGE_COLUMNS: Sequence[Column] = [(AGE, bound) for bound in _BOUNDS]
_SPREAD: Mapping[str, Iterable[str]] = {CODE: _CODES, CAUSE: CAUSES}
"""All values of the labels that a row has no value for."""


def _columns(labels: Labels) -> Iterator[Column]:
    """Yield the columns of the rows with these labels."""
    for name, metric in METRICS.items():
        if name == LINES_DROPPED or metric.source == "function":
            continue
        if name == AGE and labels == (QUEUE,):
            yield from _AGE_COLUMNS
            yield AGE_SUM, ""
        elif metric.labels == labels:
            yield name, ""
        elif metric.labels[:-1] == labels:
            yield from ((name, value) for value in _SPREAD.get(metric.labels[-1], ()))


_ROWS: Mapping[str, Sequence[Column]] = {
    "process": [(LINES_DROPPED, "")],
    QUEUE: [*_columns((QUEUE,))],
    TABLE: [*_columns((TABLE,))],
    ROUTE: [*_columns((QUEUE, ROUTE, TABLE))],
}
"""The columns of each kind of row."""
_POSITIONS = {kind: dict(zip(columns, count(), strict=False)) for kind, columns in _ROWS.items()}
_Row = tuple[str, ...]
"""What names a row: its kind, and the values of its labels."""


def open_counters_file() -> int:
    """Return the descriptor of a new file in memory.

    Where the system has no such files, it is a temporary file.
    """
    # A container may have no directory to write to.
    if hasattr(os, "memfd_create"):
        return os.memfd_create("router-counters")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Counters:
    """The metrics of this process; safe to use from several threads.

    They are kept in a file too if its descriptor is given. It begins with the columns of each kind of
    row, as JSON. Each row follows, of its name as JSON and its numbers. Texts have their length
    before them and are padded, so that numbers are aligned and are written whole.
    """

    def __init__(self, file: int | None = None) -> None:
        self._lock = Lock()
        self._file = file
        if file is not None:
            os.set_inheritable(file, False)
        self._rows: dict[_Row, tuple[array[float], int]] = {}
        """The numbers of each row, and where they are in the file."""
        self._end = 0
        """The length of the file."""
        self._append(msgspec.json.encode(_ROWS))

    def declare(
        self, queues: Iterable[str], routes: Iterable[Route] = (), tables: Iterable[str] = ()
    ) -> None:
        """Begin metrics with 0: Prometheus sees no increase from nothing to 1."""
        with self._lock:
            for queue in queues:
                self._row((QUEUE, queue))
            for route in routes:
                self._row((ROUTE, route.queue, route.name, route.table))
            for table in tables:
                self._row((TABLE, table))

    def record(self, summary: Summary) -> None:
        """Add the metrics of a batch."""
        of_queue: dict[Column, float] = {
            (name, ""): value for name, value in measure(summary).items()
        }
        of_queue |= zip(_AGE_COLUMNS, summary.ages, strict=False)
        of_queue[AGE_SUM, ""] = summary.age_seconds
        for name, numbers in (
            (OUTCOMES, summary.codes),
            (DEAD_LETTERS, summary.dead_letters),
            (RETRIES, summary.retries),
        ):
            of_queue |= {(name, label): number for label, number in numbers.items()}
        with self._lock:
            self._add((QUEUE, summary.queue), of_queue)
            for table, units in summary.write_units.items():
                self._add((TABLE, table), {(WRITE_UNITS, ""): units})
            for (route, table), counts in summary.routes.items():
                of_kinds = {(of_route(kind), ""): number for kind, number in counts.items()}
                self._add((ROUTE, summary.queue, route, table), of_kinds)

    def add(self, queue: str, name: str, value: float) -> None:
        """Add to one metric of a queue."""
        with self._lock:
            self._add((QUEUE, queue), {(name, ""): value})

    def set_dropped_lines(self, number: int) -> None:
        """Set how many log lines were dropped, which concerns no queue."""
        if number:
            with self._lock:
                numbers, at = self._row(("process", ""))
                numbers[0] = number
                self._write(numbers, at)

    def totals(self) -> Totals:
        """Return a copy of all totals."""
        with self._lock:
            rows = {row: numbers for row, (numbers, _) in self._rows.items()}
            return _by_metric(_ROWS, rows)

    def _add(self, row: _Row, values: Mapping[Column, float]) -> None:
        numbers, at = self._row(row)
        positions = _POSITIONS[row[0]]
        for column, value in values.items():
            # A batch must not fail for a code that is not known here: it would not be acknowledged.
            if column in positions:
                numbers[positions[column]] += value
        self._write(numbers, at)

    def _row(self, name: _Row) -> "tuple[array[float], int]":
        row = self._rows.get(name)
        if row is None:
            size = _NUMBER_BYTES * len(_ROWS[name[0]])
            numbers = array("d", bytes(size))
            self._append(msgspec.json.encode(name), bytes(size))
            row = numbers, self._end - size
            self._rows[name] = row
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
    stream = BytesIO(data)
    columns = msgspec.json.decode(_read_text(stream), type=dict[str, list[Column]])
    rows: dict[_Row, array[float]] = {}
    while stream.tell() < len(data):
        row = msgspec.json.decode(_read_text(stream), type=tuple[str, ...])
        size = _NUMBER_BYTES * len(columns[row[0]])
        rows[row] = array("d", stream.read(size))
    return _by_metric(columns, rows)


def _read_text(stream: BytesIO) -> bytes:
    """Read a text, its length before it and its padding after it; return the text."""
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
    text = stream.read(length)
    stream.read(-length % _NUMBER_BYTES)
    return text


def _by_metric(
    columns: Mapping[str, Sequence[Column]], rows: "Mapping[_Row, array[float]]"
) -> Totals:
    """Return the numbers of rows by metric and labels."""
    totals: dict[str, dict[Labels, float]] = {}
    for (kind, *labels), numbers in rows.items():
        for (name, label), number in zip(columns[kind], numbers, strict=True):
            values = (*labels, label) if label else tuple(labels)
            totals.setdefault(name, {})[values] = number
    return totals


def add_totals(parts: Iterable[Totals]) -> Totals:
    """Return the sums of the totals of several processes."""
    sums: dict[str, dict[Labels, float]] = {}
    for totals in parts:
        for name, by_labels in totals.items():
            summed = sums.setdefault(name, {})
            for labels, total in by_labels.items():
                summed[labels] = summed.get(labels, 0.0) + total
    return sums


def of_ended(totals: Totals) -> Totals:
    """Return what remains of the totals of a process that has ended: a gauge is of what it does now."""
    gauges = {name for name, metric in METRICS.items() if metric.kind == "gauge"}
    return {
        name: dict.fromkeys(by_labels, 0.0) if name in gauges else by_labels
        for name, by_labels in totals.items()
    }


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
        for name, metric in METRICS.items():
            labels = [SERVICE, *metric.labels]
            counted = self._totals.get(name, {})
            if metric.kind == "histogram":
                yield self._histogram(name, metric.what, labels, counted)
                continue
            if name == LINES_DROPPED:
                counted = {("",): 0.0, **counted}
            family_of = GaugeMetricFamily if metric.kind == "gauge" else CounterMetricFamily
            family = family_of(name, metric.what, labels=labels)
            for values, total in counted.items():
                family.add_metric([self._service, *values], total)
            yield family

    def _histogram(
        self, name: str, what: str, labels: Sequence[str], counted: Mapping[Labels, float]
    ) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, what, labels=labels)
        sums = self._totals.get(AGE_SUM, {})
        for values, total in sums.items():
            number = 0.0
            buckets = []
            for bound in _BOUNDS:
                number += counted[*values, bound]
                buckets.append((bound, number))
            family.add_metric([self._service, *values], buckets, total)
        return family
