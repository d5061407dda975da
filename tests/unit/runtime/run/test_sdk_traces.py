"""The spans of a worker: handed to the SDK, sent in the background, and counted where they are not."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.model import WRITTEN, Outcome, Record, __version__
from router.runtime.run import worker
from router.runtime.run.counters import Counters
from router.runtime.run.sdk_traces import WorkerTracer
from tests.support.aws import boottime
from tests.support.deliver import Delivered
from tests.support.otlp import Collector, attributes_of, running_collector

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
HEADER = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"
REJECTED = Outcome("rejected", "RT806", "reason", "r")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with running_collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        # A test that waits for a failure waits no longer than it must.
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        yield running


@pytest.fixture
def queue(compile_: Any) -> Any:
    return compile_().engine.queues["q"]


def batch(count: int) -> list[Delivered]:
    """Messages, of which the first is rejected."""
    outcomes = [REJECTED, *[WRITTEN] * (count - 1)]
    return [
        Delivered(Record(f"m{number}", "h", "{}", {"AWSTraceHeader": HEADER}), outcome, acknowledged=True)
        for number, outcome in enumerate(outcomes)
    ]


def await_end() -> None:
    """Wait for the threads of the SDK, whose logs another test would see."""
    for thread in threading.enumerate():
        if thread.name.startswith("OtelBatch"):
            thread.join(60)
            assert not thread.is_alive()


Dropped = list[tuple[str, str, float]]


def tracer(dropped: Dropped, **env: str) -> WorkerTracer:
    return WorkerTracer(env, lambda queue, name, number: dropped.append((queue, name, number)))


def test_a_batch(collector: Collector, queue: Any) -> None:
    """Its spans are those of a function."""
    dropped: Dropped = []
    tracing = tracer(dropped, OTEL_SERVICE_NAME="flows")
    tracing.trace(queue, batch(300), 1_700_000_000.25, 1.5)
    tracing.stop(10)

    spans = sorted(collector.spans, key=lambda span: span.parent_span_id)
    first, *others = spans
    assert sorted(len(span.links) for span in spans) == [44, 128, 128]
    assert {(span.trace_id, span.name, span.kind) for span in spans} == {
        (first.trace_id, "process q", first.SPAN_KIND_CONSUMER)
    }
    assert (len(first.trace_id), len(first.span_id), first.parent_span_id) == (16, 8, b"")
    assert [span.parent_span_id for span in others] == [first.span_id] * 2
    assert first.end_time_unix_nano - first.start_time_unix_nano == 1_500_000_000
    assert sorted(span.status.code for span in spans) == [0, 0, first.status.STATUS_CODE_ERROR]
    assert attributes_of(first)["messaging.batch.message_count"] == 300
    assert attributes_of(first)["error.type"] == "RT806"
    link = first.links[0]
    # The SDK says that the producer is another process, and leaves out whether it is sampled.
    assert (link.trace_id.hex(), link.span_id.hex(), link.flags & 0x300) == (TRACE, SPAN, 0x300)
    assert attributes_of(link) == {"messaging.message.id": "m0", "router.outcome": "rejected", "router.code": "RT806"}
    ((path, _, request),) = collector.requests
    (scope,) = request.resource_spans[0].scope_spans
    assert (path, scope.scope.name, scope.scope.version) == ("/v1/traces", "message-router", __version__)
    assert scope.schema_url == request.resource_spans[0].schema_url == "https://opentelemetry.io/schemas/1.45.0"
    assert (collector.resource["service.name"], collector.resource["service.version"]) == ("flows", __version__)
    assert dropped == []


@pytest.mark.parametrize("status", [400, 0])
def test_an_endpoint_that_fails(collector: Collector, queue: Any, status: int) -> None:
    """No batch waits for it; its spans are counted."""
    collector.status = status
    dropped: Dropped = []
    tracing = tracer(dropped)
    tracing.trace(queue, batch(300), 1.0, 0.1)
    meanwhile = [*dropped]
    tracing.stop(60)

    assert (meanwhile, dropped) == ([], [("q", "router_spans_dropped_total", 3)])


def test_too_many_wait(collector: Collector, queue: Any) -> None:
    """So that memory is bounded: later ones are counted, and not begun."""
    dropped: Dropped = []
    tracing = tracer(dropped, OTEL_BSP_MAX_QUEUE_SIZE="600")
    collector.status = 0
    for _ in range(700):
        tracing.trace(queue, batch(1), 1.0, 0.1)

    assert dropped == [("q", "router_spans_dropped_total", 1)] * 100
    collector.ended.set()
    tracing.stop(60)


def test_the_end(
    collector: Collector, queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that stops waits no longer than it may, and says how many spans it leaves."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30")
    collector.status = 0
    tracing = tracer([])
    tracing.trace(queue, batch(300), 1.0, 0.1)
    began = boottime()
    tracing.stop(0.05)

    (record,) = [each for each in caplog.records if each.name == "router"]
    fields: Any = vars(record)["fields"]
    assert (record.message, fields, boottime() - began < 20) == ("spans dropped", {"spans": 3}, True)
    collector.status = 200
    collector.ended.set()
    await_end()


def test_no_thread(
    collector: Collector, queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it fail where there is none."""
    tracing = tracer([])
    tracing.trace(queue, batch(1), 1.0, 0.1)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        tracing.stop(1)
    tracing.stop(60)

    assert [each.message for each in caplog.records if each.name == "router"] == [
        "cannot send the last spans: can't start new thread",
        "spans dropped",
    ]


def test_an_error_of_the_sdk(
    collector: Collector, queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged by its type, and no batch fails; the spans are counted."""
    dropped: Dropped = []
    tracing = tracer(dropped)

    def fail(*words: Any) -> None:
        raise LookupError("a value")

    monkeypatch.setattr(tracing, "_begin", fail)
    tracing.trace(queue, batch(1), 1.0, 0.1)

    tracing.stop(60)

    assert [each.message for each in caplog.records] == ["cannot trace a batch: LookupError"]
    assert dropped == [("q", "router_spans_dropped_total", 1)]


START: Callable[..., Any] = worker.start_tracing


def test_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable nothing is imported."""
    monkeypatch.setitem(sys.modules, "router.runtime.run.sdk_traces", None)

    assert START({}, Counters().add) is None
    assert START({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, Counters().add) is None


def test_it_is_not_installed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The worker says what to install, and goes on."""
    monkeypatch.setitem(sys.modules, "router.runtime.run.sdk_traces", None)

    assert START({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, Counters().add) is None
    assert [each.message for each in caplog.records] == [
        "no traces: OpenTelemetry needs more packages: pip install 'message-router[otel]'"
    ]


def test_variables_that_contradict_each_other(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker goes on."""
    with caplog.at_level(logging.WARNING):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_MAX_QUEUE_SIZE": "1"}
        assert START(env, Counters().add) is None
    assert ["no traces: " in each.message for each in caplog.records] == [True]


def test_it_is_on(collector: Collector, queue: Any) -> None:
    """By the base endpoint, or that of traces."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        tracing = START({name: collector.url}, Counters().add)
        tracing.trace(queue, batch(1), 1.0, 0.1)
        tracing.stop(60)

    assert len(collector.spans) == 2
