"""Which batches have spans, and which producers these link."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import aws_attributes, messaging_attributes
from opentelemetry.semconv.attributes import error_attributes

from router.model import WRITTEN, Outcome, Record
from router.runtime.deliver.telemetry import LINE_FIELDS
from router.runtime.deliver.traces import (
    MESSAGE_ID,
    BatchSpan,
    Sampling,
    is_on,
    outcome_attributes,
    read_pairs,
    read_resource,
    read_sampling,
    trace_spans,
)
from router.runtime.deliver.visibility import Delivered

TRACE, SPAN = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
OTHER, OTHER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROOT = f"Root=1-{TRACE[:8]}-{TRACE[8:]}"
SAMPLED, REFUSED, OPEN = (f"{ROOT};Parent={SPAN}{end}" for end in (";Sampled=1;Lineage=1:a:0", ";Sampled=0", ""))
W3C = f"00-{OTHER}-{OTHER_SPAN}-0"
REJECTED = Outcome("rejected", "RT806", "reason", "r")
RETRY = Outcome("retry", "RT814", "reason", "r")
STALE = Outcome("stale", "RT820")
NEVER = Sampling(ratio=0.0)


def text(value: str) -> Mapping[str, str]:
    return {"DataType": "String", "StringValue": value}


def delivered(
    header: str = "", outcome: Outcome = WRITTEN, id_: str = "m", body: str = "{}", **sent: Mapping[str, Any]
) -> Delivered:
    attributes = {"AWSTraceHeader": header} if header else {}
    return Delivered(Record(id_, "h", body, attributes, sent), outcome, acknowledged=True)


@pytest.fixture
def queue(compile_: Any) -> Any:
    return compile_().engine.queues["q"]


def linked(spans: Sequence[BatchSpan]) -> list[list[tuple[str, str, bool]]]:
    return [[(link.trace_id, link.span_id, link.sampled) for link in span.links] for span in spans]


BY_HEADER, BY_ATTRIBUTE = [[(TRACE, SPAN, True)]], [[(OTHER, OTHER_SPAN, True)]]
NO_LINK: Any = [[]]
NO_SPAN: Any = []


@pytest.mark.parametrize(
    ("message", "links"),
    [
        (delivered(SAMPLED), BY_HEADER),
        (delivered(OPEN), [[(TRACE, SPAN, False)]]),
        (delivered(REFUSED), NO_SPAN),
        (delivered(f"{ROOT};Sampled=1"), NO_LINK),
        (delivered("nothing;Sampled=1"), NO_LINK),
        (delivered(), NO_LINK),
        (delivered(traceparent=text(f"{W3C}1")), BY_ATTRIBUTE),
        (delivered(traceparent=text(f"{W3C}0")), NO_SPAN),
        # What a service on the way has added says less than what the producer wrote.
        (delivered(REFUSED, traceparent=text(f"{W3C}1")), BY_ATTRIBUTE),
        (delivered(SAMPLED, traceparent=text(f"{W3C}0")), NO_SPAN),
        (delivered(SAMPLED, traceparent=text("no traceparent")), BY_HEADER),
        (delivered(SAMPLED, traceparent=text(f"ff{W3C[2:]}1")), BY_HEADER),
        (delivered(SAMPLED, traceparent=text(f"00-{'0' * 32}-{OTHER_SPAN}-01")), BY_HEADER),
        (delivered(SAMPLED, traceparent={"DataType": "Binary", "BinaryValue": b"x"}), BY_HEADER),
        (delivered(SAMPLED, other=text("x")), BY_HEADER),
    ],
)
def test_a_producer(queue: Any, message: Delivered, links: Any) -> None:
    """By the sender's attribute, or X-Ray's; one that is not sampled has no span to link."""
    assert linked(trace_spans(queue, [message], 1.5, 0.25, Sampling())) == links


def test_senders_that_differ(queue: Any) -> None:
    """Each message of a batch has its own context, wherever it is."""
    messages = [
        delivered(SAMPLED, id_="a"),
        delivered(id_="b", traceparent=text(f"{W3C}1")),
        delivered(id_="c"),
        delivered(SAMPLED, id_="d", traceparent=text(f"{W3C}0")),
    ]

    (span,) = trace_spans(queue, messages, 1.5, 0.25, NEVER)

    assert [(link.message_id, link.trace_id) for link in span.links] == [("a", TRACE), ("b", OTHER)]


@pytest.mark.parametrize(
    ("contexts", "sampling", "links"),
    [
        # Each producer decides for its message, and the sampler for the others.
        ((SAMPLED, REFUSED, OPEN, ""), Sampling(), 2),
        ((SAMPLED, REFUSED, OPEN, ""), NEVER, 1),
        ((REFUSED, OPEN, ""), NEVER, None),
        ((REFUSED, REFUSED), Sampling(), None),
        (("", ""), Sampling(), 0),
        (("", ""), NEVER, None),
        ((), Sampling(), None),
        # Whatever the producers decided.
        ((SAMPLED, REFUSED, OPEN, ""), Sampling(by_producer=False), 3),
        ((SAMPLED, SAMPLED), Sampling(by_producer=False, ratio=0.0), None),
    ],
)
def test_sampling(queue: Any, contexts: Sequence[str], sampling: Sampling, links: int | None) -> None:
    """A batch has a span if one of its messages is sampled."""
    spans = trace_spans(queue, [delivered(context) for context in contexts], 1.0, 0.1, sampling)

    assert [len(span.links) for span in spans] == ([] if links is None else [links])


def test_a_ratio() -> None:
    """Of so many batches."""
    sampling = Sampling(ratio=0.25)

    sampled = sum(sampling.decide() for _ in range(4000))

    assert 800 < sampled < 1200


def test_the_attributes(queue: Any) -> None:
    """Names are those of the conventions, but the router's own."""
    results = [delivered(SAMPLED, id_="a"), delivered(SAMPLED, REJECTED, "b"), delivered(outcome=RETRY, id_="c")]

    (span,) = trace_spans(queue, results, 1.5, 0.25, Sampling())

    conventions = (messaging_attributes, aws_attributes, error_attributes)
    known = {value for module in conventions for value in vars(module).values() if isinstance(value, str)}
    of_links = [{MESSAGE_ID: link.message_id, **outcome_attributes(link.outcome)} for link in span.links]
    names = {*span.attributes, *(name for attributes in of_links for name in attributes)}
    assert {name for name in names if name not in known} == {"router.queue", "router.outcome", "router.code"}
    assert (span.name, span.error, span.start, span.end) == ("process q", "RT806", 1_500_000_000, 1_750_000_000)
    assert span.attributes == {
        "messaging.system": "aws_sqs",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "q",
        "messaging.batch.message_count": 3,
        "router.queue": "q",
        "error.type": "RT806",
    }
    assert of_links == [
        {"messaging.message.id": "b", "router.outcome": "rejected", "router.code": "RT806"},
        {"messaging.message.id": "a", "router.outcome": "written"},
    ]


def test_where_it_ran(compile_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invocation leads to the log; a worker knows its queue's URL."""
    from msgspec import structs

    queue = structs.replace(compile_().engine.queues["q"], reference="https://sqs.eu-west-1.amazonaws.com/1/flows-q")
    monkeypatch.setitem(LINE_FIELDS, "aws_request_id", "i-1")

    (span,) = trace_spans(queue, [delivered()], 1.5, 0.25, Sampling())

    assert (span.name, span.error) == ("process flows-q", "")
    assert span.attributes["aws.sqs.queue.url"] == queue.reference
    assert span.attributes["faas.invocation_id"] == "i-1"
    assert span.attributes["router.queue"] == "q"


def test_many_producers(queue: Any) -> None:
    """Spans together link all, those of failed messages first; a part says how much it covers."""
    kinds = [WRITTEN, STALE, RETRY, REJECTED]
    results = [delivered(SAMPLED, kinds[number % 4], str(number)) for number in range(500)]

    spans = trace_spans(queue, results, 1.0, 0.1, Sampling())

    ids = [link.message_id for span in spans for link in span.links]
    kinds_in_order = [link.outcome.kind for span in spans for link in span.links]
    assert ([len(span.links) for span in spans], len(set(ids))) == ([128, 128, 128, 116], 500)
    assert kinds_in_order[:250] == ["rejected"] * 125 + ["retry"] * 125
    assert {*kinds_in_order[250:]} == {"written", "stale"}
    assert [span.attributes["messaging.batch.message_count"] for span in spans] == [500, 128, 128, 116]
    assert [span.error for span in spans] == ["RT806", "RT814", "", ""]


NOTIFICATION = '{"Type": "Notification", "Message": "%s", "MessageAttributes": {%s}}'
ATTRIBUTE = f'"traceparent": {{"Type": "String", "Value": "{W3C}1"}}'
EVENT = f'{{"source": "s", "detail-type": "t", "detail": {{"id": "a", "traceparent": "{W3C}1"}}}}'


@pytest.mark.parametrize(
    ("settings", "body", "found"),
    [
        ("envelope: [sns]", NOTIFICATION % ("{}", ATTRIBUTE), True),
        ("envelope: [sns]", NOTIFICATION % ("{}", ATTRIBUTE.replace(": ", ":")), True),
        ("envelope: [sns]", NOTIFICATION % ("traceparent", ""), False),
        ("envelope: [eventbridge]", EVENT, True),
        ("envelope: [sns, eventbridge]", NOTIFICATION % (EVENT.replace('"', '\\"'), ""), True),
        ("envelope: [cloudevents]", f'{{"specversion": "1.0", "traceparent": "{W3C}1", "data": {{}}}}', True),
        ("envelope: [eventbridge]", EVENT.replace(OTHER, "0" * 32), False),
        ("envelope: [eventbridge]", '{"detail": {}}', False),
        # Without an envelope it is data.
        ("dead_letter: letters", EVENT, False),
    ],
)
def test_inside_of_an_envelope(compile_: Any, settings: str, body: str, found: bool) -> None:
    """SNS carries attributes, an event has a member."""
    queue = compile_(queue=settings).engine.queues["q"]

    (span,) = trace_spans(queue, [delivered(OPEN, body=body)], 1.0, 0.1, Sampling())

    assert [link.trace_id for link in span.links] == [OTHER if found else TRACE]


ON = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("env", "on", "warned"),
    [
        ({}, True, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True, False),
        ({"OTEL_SDK_DISABLED": "True"}, False, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, False, True),
    ],
)
def test_switched(caplog: pytest.LogCaptureFixture, env: dict[str, str], on: bool, warned: bool) -> None:
    """By OpenTelemetry's variables; what is not supported is said."""
    assert (is_on(ON | env), bool(caplog.records)) == (on, warned)


@pytest.mark.parametrize(
    ("env", "sampling", "warned"),
    [
        ({}, Sampling(), False),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, Sampling(by_producer=False), False),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, Sampling(by_producer=False, ratio=0.0), False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, Sampling(ratio=0.0), False),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"},
            Sampling(by_producer=False, ratio=0.01),
            False,
        ),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, Sampling(), False),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "x"}, Sampling(by_producer=False), True),
        ({"OTEL_TRACES_SAMPLER": "xray"}, Sampling(), True),
        ({"OTEL_SPAN_LINK_COUNT_LIMIT": "20"}, Sampling(max_links=20), False),
        ({"OTEL_SPAN_LINK_COUNT_LIMIT": "1000"}, Sampling(), False),
        ({"OTEL_SPAN_LINK_COUNT_LIMIT": "0"}, Sampling(max_links=1), False),
    ],
)
def test_the_sampler(caplog: pytest.LogCaptureFixture, env: dict[str, str], sampling: Sampling, warned: bool) -> None:
    """By OpenTelemetry's variables; an unknown one is the default, as the specification says."""
    with caplog.at_level(logging.WARNING):
        assert (read_sampling(env), bool(caplog.records)) == (sampling, warned)


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({}, "message-router"),
        ({"ROUTER_SERVICE": "flows-prod"}, "flows-prod"),
        ({"ROUTER_SERVICE": "flows-prod", "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,b=c"}, "a"),
        ({"OTEL_SERVICE_NAME": "b", "OTEL_RESOURCE_ATTRIBUTES": "service.name=a"}, "b"),
    ],
)
def test_the_service(env: dict[str, str], name: str) -> None:
    """By OpenTelemetry's variables, else as the metrics name it."""
    assert read_resource(env)["service.name"] == name


def test_pairs() -> None:
    """Values are percent-encoded."""
    assert read_pairs("a=1, b = x%20y=z ,c,=") == {"a": "1", "b": "x y=z", "": ""}
