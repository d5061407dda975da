"""Traces of a worker: the SDK of OpenTelemetry sends its spans, in a thread of its own.

The module needs the extra `otel`, and is imported only where traces are on.
"""

from collections import Counter
from collections.abc import Sequence
from logging import WARNING
from threading import Lock

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from router.model import __version__
from router.runtime.aws.calls import NoThreadError, run_within
from router.runtime.deliver.metrics import SPANS_DROPPED
from router.runtime.deliver.telemetry import LOGGER, Env, log
from router.runtime.deliver.traces import (
    MESSAGE_ID,
    QUEUE_ATTRIBUTE,
    SCHEMA_URL,
    SCOPE,
    BatchSpan,
    outcome_attributes,
    read_number,
    read_resource,
    read_sampling,
    trace_spans,
)
from router.runtime.deliver.traces import Link as ProducerLink
from router.runtime.deliver.visibility import Delivered
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.polling import Count

QUEUE_SIZE = 2048
"""The SDK's default of OTEL_BSP_MAX_QUEUE_SIZE: so many spans wait to be sent, at most."""


class WorkerTracer:
    """Hands the spans of batches to the SDK; safe to use from several threads.

    Spans that are not sent, as the endpoint fails or too many wait, are counted.
    """

    def __init__(self, env: Env, count: Count) -> None:
        """The SDK reads its other variables from the environment; raises ValueError if they contradict each other."""
        self._sampling = read_sampling(env)
        self._count = count
        self._most_waiting = int(read_number(env, "OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE))
        self._exporter = _CountingExporter(count)
        # Which batches have spans is decided here, with what their producers decided.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(read_resource(env), SCHEMA_URL),
            shutdown_on_exit=False,
        )
        processor = BatchSpanProcessor(self._exporter, max_queue_size=self._most_waiting)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SCOPE, __version__, schema_url=SCHEMA_URL)

    def trace(
        self, queue: CompiledQueue, results: Sequence[Delivered], since: float, seconds: float
    ) -> None:
        """Record the spans of a batch."""
        spans = trace_spans(queue, results, since, seconds, self._sampling)
        dropped = len(spans)
        # The SDK would drop others in their place, without a count.
        if self._exporter.add_waiting(len(spans)) <= self._most_waiting:
            parent: Span | None = None
            try:
                for span in spans:
                    begun = self._begin(span, parent)
                    begun.end(span.end)
                    dropped -= 1
                    parent = parent or begun
            except Exception as error:
                # An error of the SDK is none of the batch.
                LOGGER.error("cannot trace a batch: %s", type(error).__name__)
        if dropped:
            self._exporter.add_waiting(-dropped)
            self._count(queue.name, SPANS_DROPPED, dropped)

    def flush(self) -> None:
        """Send what is collected, in this thread."""
        self._provider.force_flush()

    def stop(self, seconds: float) -> None:
        """Send what is left, within so many seconds."""
        try:
            run_within(seconds, self._provider.shutdown)
        except TimeoutError:
            pass
        except NoThreadError as error:
            LOGGER.error("cannot send the last spans: %s", error)
        waiting = self._exporter.add_waiting(0)
        if waiting:
            log(WARNING, "spans dropped", spans=waiting)

    def _begin(self, span: BatchSpan, parent: Span | None) -> Span:
        context = Context()
        if parent is not None:
            context = set_span_in_context(parent, context)
        begun = self._tracer.start_span(
            span.name,
            context,
            SpanKind.CONSUMER,
            span.attributes,
            [_link(each) for each in span.links],
            span.start,
        )
        if span.error:
            begun.set_status(StatusCode.ERROR)
        return begun


class _CountingExporter(OTLPSpanExporter):
    """Counts the spans that wait to be sent, and those that are not sent."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self._count = count
        self._lock = Lock()
        self._waiting = 0

    def add_waiting(self, number: int) -> int:
        """Add to the number of spans that wait, and return it."""
        with self._lock:
            self._waiting += number
            return self._waiting

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = SpanExportResult.FAILURE
        try:
            result = super().export(spans)
        finally:
            self.add_waiting(-len(spans))
            if result is not SpanExportResult.SUCCESS:
                queues = Counter([str((span.attributes or {})[QUEUE_ATTRIBUTE]) for span in spans])
                for queue, number in queues.items():
                    self._count(queue, SPANS_DROPPED, number)
        return result


def _link(link: ProducerLink) -> Link:
    sampled = TraceFlags(link.sampled)
    context = SpanContext(int(link.trace_id, 16), int(link.span_id, 16), True, sampled)
    return Link(context, {MESSAGE_ID: link.message_id, **outcome_attributes(link.outcome)})
