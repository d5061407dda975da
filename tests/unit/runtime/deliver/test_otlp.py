"""The spans of a function: encoded as the published proto says, and sent in time or dropped."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from router.model import WRITTEN, Outcome, Record, __version__
from router.runtime.deliver.otlp import PAUSE_CAP, FunctionTracer, make_tracer
from router.runtime.deliver.visibility import Delivered
from tests.support.aws import boottime
from tests.support.otlp import Collector, attributes_of, running_collector

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
HEADER = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"
W3C = f"00-{TRACE}-{SPAN}-00"
REJECTED = Outcome("rejected", "RT806", "reason", "r")
ENV = {"AWS_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_NAME": "flows", "OTEL_RESOURCE_ATTRIBUTES": "team=a%20b"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture
def queue(compile_: Any) -> Any:
    return compile_().engine.queues["q"]


def batch(count: int, **attributes: str) -> list[Delivered]:
    """Messages, of which the first is rejected."""
    outcomes = [REJECTED, *[WRITTEN] * (count - 1)]
    return [
        Delivered(Record(f"m{number}", "h", "{}", attributes), outcome, acknowledged=True)
        for number, outcome in enumerate(outcomes)
    ]


def test_a_batch(collector: Collector, queue: Any) -> None:
    """Its spans are of one trace; the first is the parent of the others."""
    tracer = FunctionTracer(f"{collector.url}/v1/traces", ENV)
    tracer.trace(queue, batch(300, AWSTraceHeader=HEADER), 1_700_000_000.25, 1.5)
    tracer.send(boottime() + 10)

    first, *others = collector.spans
    assert [len(span.links) for span in collector.spans] == [128, 128, 44]
    assert {(span.trace_id, span.name, span.kind, span.flags) for span in collector.spans} == {
        (first.trace_id, "process q", first.SPAN_KIND_CONSUMER, 1)
    }
    assert (len(first.trace_id), len(first.span_id), first.parent_span_id) == (16, 8, b"")
    assert [span.parent_span_id for span in others] == [first.span_id] * 2
    assert len({span.span_id for span in collector.spans}) == 3
    assert first.start_time_unix_nano == pytest.approx(1_700_000_000_250_000_000, abs=1000)
    assert first.end_time_unix_nano - first.start_time_unix_nano == 1_500_000_000
    assert [span.status.code for span in collector.spans] == [first.status.STATUS_CODE_ERROR, 0, 0]
    assert attributes_of(first)["messaging.batch.message_count"] == 300
    assert attributes_of(first)["error.type"] == "RT806"
    link = first.links[0]
    assert (link.trace_id.hex(), link.span_id.hex(), link.flags) == (TRACE, SPAN, 0x301)
    assert attributes_of(link) == {
        "messaging.message.id": "m0",
        "router.outcome": "rejected",
        "router.code": "RT806",
    }


def test_the_request(collector: Collector, queue: Any) -> None:
    """It names the process, the conventions and the router; headers are those of the environment."""
    env = ENV | {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b,x-bad=a%0Ab"}
    tracer = FunctionTracer(f"{collector.url}/v1/traces?a=b", env)
    tracer.trace(queue, batch(1), 1.0, 0.1)
    tracer.send(boottime() + 10)

    ((path, headers, request),) = collector.requests
    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    assert (path, headers["content-type"], headers["x-key"]) == ("/v1/traces?a=b", "application/x-protobuf", "a b")
    assert "x-bad" not in headers
    assert (scope.scope.name, scope.scope.version) == ("message-router", __version__)
    assert {resource.schema_url, scope.schema_url} == {"https://opentelemetry.io/schemas/1.45.0"}
    assert collector.resource == {
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": "eu-west-1",
        "faas.name": "flows",
        "team": "a b",
        "service.name": "flows",
        "service.version": __version__,
    }


def test_a_producer_that_does_not_know(collector: Collector, queue: Any) -> None:
    """A link says whether its producer is sampled."""
    tracer = FunctionTracer(collector.url, ENV | {"OTEL_TRACES_SAMPLER": "always_on"})
    tracer.trace(queue, batch(1, AWSTraceHeader=HEADER.replace("=1", "=0").replace("Root=0", "Root=1")), 1.0, 0.1)
    tracer.send(boottime() + 10)

    ((path, _, _),) = collector.requests
    assert (path, collector.spans[0].links[0].flags) == ("/", 0x300)


def test_nothing_is_sampled(collector: Collector, queue: Any) -> None:
    """There is no call."""
    tracer = FunctionTracer(collector.url, ENV | {"OTEL_TRACES_SAMPLER": "always_off"})
    tracer.trace(queue, batch(2, AWSTraceHeader=HEADER), 1.0, 0.1)
    tracer.send(boottime() + 10)

    assert collector.requests == []


def test_an_invocation_is_one_call(collector: Collector, queue: Any) -> None:
    """With the spans of all its batches; the next one has its own."""
    tracer = FunctionTracer(collector.url, ENV)
    for number in (2, 1):
        for _ in range(number):
            tracer.trace(queue, batch(1), 1.0, 0.1)
        tracer.send(boottime() + 10)

    assert len({span.trace_id for span in collector.spans}) == 3
    assert [len(request.resource_spans[0].scope_spans[0].spans) for _, _, request in collector.requests] == [2, 1]


Dropped = list[tuple[str, int]]


def failing(url: str, queue: Any, seconds: float = 10.0) -> tuple[Dropped, float]:
    """What is dropped of two spans, and how long that took."""
    dropped: Dropped = []
    tracer = FunctionTracer(url, ENV)
    tracer.trace(queue, batch(200, AWSTraceHeader=HEADER), 1.0, 0.1)
    with patch("router.runtime.deliver.otlp.print_dropped_spans", lambda *each: dropped.append(each)):
        began = boottime()
        tracer.send(began + seconds)
        return dropped, boottime() - began


def test_an_endpoint_that_refuses(queue: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Its spans are dropped, and counted."""
    with running_collector(503) as collector:
        dropped, _ = failing(collector.url, queue)

    (record,) = caplog.records
    fields: Any = vars(record)["fields"]
    assert (dropped, record.message, fields) == ([("q", 2)], "spans dropped", {"spans": 2, "error": "503"})


def test_no_endpoint(queue: Any) -> None:
    """Nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert failing(f"http://127.0.0.1:{port}", queue)[0] == [("q", 2)]


@pytest.mark.parametrize(("seconds", "most"), [(10.0, 1.0), (0.2, 0.2), (-1.0, 0.0)])
def test_an_endpoint_that_hangs(queue: Any, seconds: float, most: float) -> None:
    """An invocation waits for a second at most, and never beyond its deadline."""
    with running_collector(0) as collector:
        dropped, took = failing(collector.url, queue, seconds)

    # The time that a busy machine takes besides is much less than the next bound.
    assert (dropped, most <= took + 0.01, took < most + 5) == ([("q", 2)], True, True)


def test_a_pause(collector: Collector, queue: Any, time_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure spans are dropped without a call, for longer each time; a success ends it."""
    time_.now = boottime()
    dropped: Dropped = []
    monkeypatch.setattr("router.runtime.deliver.otlp.print_dropped_spans", lambda *each: dropped.append(each))
    tracer = FunctionTracer(collector.url, ENV, time_)
    collector.status = 503
    calls = []

    def send() -> None:
        before = len(dropped)
        tracer.trace(queue, batch(1), 1.0, 0.1)
        tracer.send(float("inf"))
        calls.append(len(dropped) - before)

    for pause in (1, 2, 4, 8, 16, 32, PAUSE_CAP, PAUSE_CAP):
        send()
        time_.now += pause - 0.5
        collector.status = 200
        send()
        assert collector.requests == []
        time_.now += 0.5
        collector.status = 503
    collector.status = 200
    send()

    assert (calls, len(collector.spans)) == ([1] * 16 + [0], 1)


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL/"}, "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL/base"}, "/base/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL/x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/own"}, "/own"),
    ],
)
def test_the_endpoint(collector: Collector, queue: Any, env: dict[str, str], path: str) -> None:
    """The base endpoint gets a path, that of traces is taken as it is."""
    tracer = make_tracer({name: value.replace("URL", collector.url) for name, value in env.items()})
    assert tracer
    tracer.trace(queue, batch(1), 1.0, 0.1)
    tracer.send(boottime() + 10)

    assert [each for each, _, _ in collector.requests] == [path]


@pytest.mark.parametrize(
    ("env", "warned"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://a"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://["}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_no_tracer(caplog: pytest.LogCaptureFixture, env: dict[str, str], warned: bool) -> None:
    """A wrong variable does not stop the function."""
    with caplog.at_level(logging.WARNING):
        assert (make_tracer(env), bool(caplog.records)) == (None, warned)


@pytest.mark.parametrize(("given", "most"), [("100", 0.1), ("60000", 1.0), ("soon", 1.0)])
def test_the_timeout(queue: Any, given: str, most: float) -> None:
    """The variable shortens the wait, in milliseconds."""
    with running_collector(0) as collector:
        tracer = FunctionTracer(collector.url, ENV | {"OTEL_EXPORTER_OTLP_TIMEOUT": given})
        tracer.trace(queue, batch(1), 1.0, 0.1)
        began = boottime()
        tracer.send(began + 10)

    assert most <= boottime() - began < most + 5


@pytest.fixture
def endpoint(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """The endpoint of a function that is loaded afterwards."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    return collector


def event(*bodies: str) -> dict[str, Any]:
    records = [
        {
            "messageId": f"m{number}",
            "receiptHandle": "h",
            "body": body,
            "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q",
            "attributes": {"AWSTraceHeader": HEADER},
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def test_the_handler(endpoint: Collector, handler: Any) -> None:
    """It sends the spans of an invocation before it answers."""
    assert handler(event('{"id":"a"}', '{"id":"b"}'), None) == {"batchItemFailures": []}

    (span,) = endpoint.spans
    assert (span.name, len(span.links)) == ("process q", 2)


def test_the_handler_counts(endpoint: Collector, handler: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What it drops, as a metric of the queue."""
    endpoint.status = 503
    assert handler(event('{"id":"a"}'), None) == {"batchItemFailures": []}

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["router_spans_dropped_total"] for line in lines if "router_spans_dropped_total" in line] == [1]
    (line,) = [line for line in lines if "router_spans_dropped_total" in line]
    assert (line["queue"], line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]) == ("q", [["service", "queue"]])


def test_a_function_without_an_endpoint(handler: Any, tmp_path: Path) -> None:
    """It has no tracer."""
    import router.lambda_handler as function

    assert function.TRACER is None
