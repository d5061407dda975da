"""Traces of a function: spans encoded as OTLP, and sent before the invocation ends, or dropped.

A function is frozen after its response: what is sent later may never be sent. The SDK of
OpenTelemetry, which sends in a thread of its own, would take longer to import than all else.
https://opentelemetry.io/docs/specs/otlp/#otlphttp
https://github.com/open-telemetry/opentelemetry-proto/blob/v1.9.0/opentelemetry/proto/trace/v1/trace.proto
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from logging import WARNING
from urllib.parse import urlsplit

from router.errors import UsageError
from router.model import Outcome, __version__
from router.runtime.aws.calls import CallTimeout, Clock, boottime
from router.runtime.aws.http.connections import Connections, Exchange
from router.runtime.aws.http.endpoints import parse_endpoint
from router.runtime.aws.http.opening import NoResponseError
from router.runtime.aws.http.responses import ResponseReader
from router.runtime.deliver.telemetry import LOGGER, Env, log, print_dropped_spans
from router.runtime.deliver.traces import (
    MESSAGE_ID,
    SCHEMA_URL,
    SCOPE,
    BatchSpan,
    Link,
    is_on,
    outcome_attributes,
    read_pairs,
    read_resource,
    read_sampling,
    trace_spans,
)
from router.runtime.deliver.visibility import Delivered
from router.runtime.engine.engine import CompiledQueue

SEND_SECONDS = 1.0
"""How long an invocation waits for the endpoint, at most: its messages are deleted only after it."""
PAUSE_BASE = 1.0
PAUSE_CAP = 60.0
"""Seconds; after an endpoint failed, spans are dropped without a call. The pause doubles up to PAUSE_CAP."""
_CONSUMER = b"\x30\x05"
"""The field `kind` of a span."""
_ERROR = b"\x7a\x02\x18\x02"
"""The field `status` of a span, with the code of an error."""
_SAMPLED = 1
_REMOTE = 0x300
"""Flags: it is known whether a context came from another process, and it did."""


class FunctionTracer:
    """Collects the spans of an invocation, and sends them at its end."""

    def __init__(
        self,
        url: str,
        env: Env,
        clock: Clock = boottime,
    ) -> None:
        """Raises UsageError, ValueError for a URL that is none."""
        parts = urlsplit(url)
        endpoint = parse_endpoint(f"{parts.scheme}://{parts.netloc}")
        path = parts.path or "/"
        if parts.query:
            path = f"{path}?{parts.query}"
        headers = {
            "Host": endpoint.host,
            "Content-Type": "application/x-protobuf",
            "User-Agent": f"{SCOPE}/{__version__}",
            **_read_headers(env),
        }
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        self._head = f"POST {path} HTTP/1.1\r\n{''.join(lines)}".encode()
        self._connections = Connections(endpoint, env, clock)
        self._clock = clock
        self._seconds = _read_seconds(env)
        self._sampling = read_sampling(env)
        self._resource = _resource(env)
        self._spans: list[tuple[str, bytes]] = []
        """Each with the name of its queue."""
        self._failures = 0
        self._pause_until = 0.0

    def trace(
        self, queue: CompiledQueue, results: Sequence[Delivered], since: float, seconds: float
    ) -> None:
        """Collect the spans of a batch."""
        spans = trace_spans(queue, results, since, seconds, self._sampling)
        trace_id = os.urandom(16)
        parent = b""
        for span in spans:
            span_id = os.urandom(8)
            self._spans.append((queue.name, _encode_span(span, trace_id, span_id, parent)))
            parent = parent or span_id

    def send(self, until: float) -> None:
        """Send what was collected, before a moment of the clock; what cannot be sent is dropped and counted."""
        if not self._spans:
            return
        spans = self._spans
        self._spans = []
        error = "paused"
        now = self._clock()
        if now >= self._pause_until:
            error = self._post(spans, now, until)
            if not error:
                self._failures = 0
                return
            pause = min(PAUSE_CAP, PAUSE_BASE * 2**self._failures)
            self._pause_until = self._clock() + pause
            self._failures += 1
        log(WARNING, "spans dropped", spans=len(spans), error=error)
        for queue, number in Counter([name for name, _ in spans]).items():
            print_dropped_spans(queue, number)

    def _post(self, spans: Sequence[tuple[str, bytes]], now: float, until: float) -> str:
        """Send spans; return why that failed, or ""."""
        body = _encode_request(self._resource, [encoded for _, encoded in spans])
        request = b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)
        timeout = CallTimeout(self._seconds, min(until, now + self._seconds))
        try:
            exchange = Exchange(self._connections, request, timeout, ResponseReader())
            response = self._connections.receive(exchange)
        except NoResponseError as error:
            return str(error)
        is_taken = 200 <= response.status < 300
        return "" if is_taken else str(response.status)


def make_tracer(env: Env) -> FunctionTracer | None:
    """Return the tracer of a function whose environment names an endpoint; None if traces are off.

    A function without traces is better than none: what is wrong with a variable is logged.
    """
    url = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not url:
        url = f"{env['OTEL_EXPORTER_OTLP_ENDPOINT'].rstrip('/')}/v1/traces"
    if not is_on(env):
        return None
    try:
        return FunctionTracer(url, env)
    except (UsageError, ValueError) as error:
        LOGGER.warning("no traces: %s", error)
        return None


def _read_headers(env: Env) -> dict[str, str]:
    """Return the headers of a request that the environment states."""
    given = read_pairs(
        env.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or env.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    )
    # A line break would end the header.
    return {name: value for name, value in given.items() if f"{name}{value}".isprintable()}


def _read_seconds(env: Env) -> float:
    """Return how long to wait for the endpoint: SEND_SECONDS, or less by the variable, in milliseconds."""
    given = env.get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") or env.get(
        "OTEL_EXPORTER_OTLP_TIMEOUT", ""
    )
    return min(SEND_SECONDS, int(given) / 1000) if given.isdecimal() else SEND_SECONDS


def _resource(env: Env) -> bytes:
    """Return the resource: what names the process, and where it runs."""
    place = {
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": env.get("AWS_REGION", ""),
        "faas.name": env.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "faas.version": env.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
    }
    known = {name: value for name, value in place.items() if value}
    return _encode_attributes(1, {**known, **read_resource(env)})


def _encode_request(resource: bytes, spans: Iterable[bytes]) -> bytes:
    """Return an ExportTraceServiceRequest."""
    schema_url = _text(3, SCHEMA_URL)
    scope = _text(1, SCOPE) + _text(2, __version__)
    scope_spans = _field(1, scope) + b"".join(spans) + schema_url
    resource_spans = _field(1, resource) + _field(2, scope_spans) + schema_url
    return _field(1, resource_spans)


def _encode_span(span: BatchSpan, trace_id: bytes, span_id: bytes, parent: bytes) -> bytes:
    """Return the field of ScopeSpans with a span."""
    parts = [
        _field(1, trace_id),
        _field(2, span_id),
        _field(4, parent) if parent else b"",
        _text(5, span.name),
        _CONSUMER,
        b"\x39%b" % span.start.to_bytes(8, "little"),
        b"\x41%b" % span.end.to_bytes(8, "little"),
        _encode_attributes(9, span.attributes),
        *map(_encode_link, span.links),
        _ERROR if span.error else b"",
        b"\x85\x01%b" % _SAMPLED.to_bytes(4, "little"),
    ]
    return _field(2, b"".join(parts))


def _encode_link(link: Link) -> bytes:
    flags = _REMOTE + _SAMPLED if link.sampled else _REMOTE
    return _field(
        13,
        b"\x0a\x10%b\x12\x08%b%b\x35%b"
        % (
            bytes.fromhex(link.trace_id),
            bytes.fromhex(link.span_id),
            _attribute(4, MESSAGE_ID, link.message_id) + _encode_outcome(link.outcome),
            flags.to_bytes(4, "little"),
        ),
    )


@lru_cache(maxsize=128)
def _encode_outcome(outcome: Outcome) -> bytes:
    """Cached, since most messages have the same outcome."""
    return _encode_attributes(4, outcome_attributes(outcome))


def _encode_attributes(number: int, attributes: Mapping[str, str | int]) -> bytes:
    """Return fields with attributes."""
    return b"".join([_attribute(number, name, value) for name, value in attributes.items()])


def _attribute(number: int, name: str, value: str | int) -> bytes:
    any_value = b"\x18%b" % _varint(value) if isinstance(value, int) else _text(1, value)
    return _field(number, _text(1, name) + _field(2, any_value))


def _text(number: int, text: str) -> bytes:
    # A variable may have half a surrogate pair.
    return _field(number, text.encode(errors="replace"))


def _field(number: int, content: bytes) -> bytes:
    """Return a field with a text, bytes or a message: its number and type, then its length."""
    size = len(content)
    if number < 16 and size < 128:
        # Nearly all fields: the number and the length take a byte each.
        return b"%c%c%b" % (number << 3 | 2, size, content)
    return b"%b%b%b" % (_varint(number << 3 | 2), _varint(size), content)


def _varint(number: int) -> bytes:
    """Return a number as seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
