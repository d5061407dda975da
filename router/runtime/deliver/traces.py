"""Spans of batches: which batches have some, and which producers they link.

They have the names and attributes of OpenTelemetry's conventions for messaging:
https://github.com/open-telemetry/semantic-conventions/blob/v1.45.0/docs/messaging/messaging-spans.md

A producer is known by the message attribute `traceparent` (https://www.w3.org/TR/trace-context/),
by the same inside of an envelope, or by the system attribute `AWSTraceHeader`, in this order.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress, repeat
from operator import add, attrgetter, contains, itemgetter, lt, methodcaller
from urllib.parse import unquote

from msgspec import Struct

from router.model import WRITTEN, Outcome, __version__
from router.runtime.aws.references import queue_name
from router.runtime.deliver.telemetry import ATTRIBUTES_OF, LINE_FIELDS, LOGGER, Env, service_name
from router.runtime.deliver.visibility import Delivered
from router.runtime.engine.decode import decode_plain
from router.runtime.engine.engine import CompiledQueue

SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"
"""Names the version of the conventions."""
SCOPE = "message-router"
"""The name of the instrumentation."""
MESSAGE_ID = "messaging.message.id"
"""The attribute of a link with SQS's message id."""
QUEUE_ATTRIBUTE = "router.queue"
"""The attribute of a span with the queue's name in the config."""
MAX_LINKS = 128
"""The links of a span: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/"""
_RANKS = {"rejected": 0, "retry": 1}
"""The outcomes of messages that failed, in the order of their links."""
_NANOSECONDS = 1_000_000_000
_BY_PRODUCER = "parentbased_"
"""The prefix of a sampler that asks the producers."""
_RATIOS = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}
"""The ratio of a sampler; None if that is its argument."""
_DEFAULT_SAMPLER = "parentbased_always_on"

_SENT_OF = attrgetter("record.message_attributes")
_BODY_OF = attrgetter("record.body")
_HEADER_OF = methodcaller("get", "AWSTraceHeader", "")
_TRACEPARENT_OF = methodcaller("get", "traceparent", {})
_LAST_DIGIT = itemgetter(-1)
_TEXT_OF = methodcaller("get", "StringValue", "")
_W3C = r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_is_w3c = re.compile(_W3C).fullmatch
_QUOTE, _COLON = r'\\*"', r"\s*:\s*"
_VALUE = (
    rf"\{{\s*{_QUOTE}Type{_QUOTE}{_COLON}{_QUOTE}String{_QUOTE}\s*,\s*{_QUOTE}Value{_QUOTE}{_COLON}"
)
_find_in_envelope = re.compile(
    rf"{_QUOTE}traceparent{_QUOTE}{_COLON}(?:{_VALUE})?{_QUOTE}({_W3C}){_QUOTE}"
).search
"""Finds the member of an event, or the attribute of an SNS notification.

Inside of two envelopes, quotes are escaped."""
_ACCEPTED, _REFUSED = "Sampled=1", "Sampled=0"
"""What X-Ray's header says of a producer, and what is added to a `traceparent`, which says it by its last digit."""
_DECISIONS = dict(zip("0123456789abcdef", [_REFUSED, _ACCEPTED] * 8, strict=True))
_find_root = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})").search
_find_parent = re.compile(r"Parent=([0-9a-f]{16})").search


class Link(Struct, frozen=True):
    """The producer of a message; ids are in hexadecimal digits."""

    trace_id: str
    span_id: str
    sampled: bool
    message_id: str
    outcome: Outcome


def outcome_attributes(outcome: Outcome) -> dict[str, str]:
    """Return what a link says of the outcome of its message."""
    attributes: dict[str, str] = {"router.outcome": outcome.kind}
    if outcome.code:
        attributes["router.code"] = outcome.code
    return attributes


class BatchSpan(Struct, frozen=True):
    """A span of a batch; times are in nanoseconds since 1970.

    `error` is the code of the first message that failed, or "".
    """

    name: str
    attributes: Mapping[str, str | int]
    links: Sequence[Link]
    error: str
    start: int
    end: int


TraceBatch = Callable[[CompiledQueue, Sequence[Delivered], float, float], None]
"""Called with the queue and the messages of a batch, when it began by `time.time`, and how many seconds it took."""


class Sampling(Struct, frozen=True):
    """Which batches have spans, and how many links a span has at most.

    A `ratio` of the batches has spans; if `by_producer`, what the producers decided counts first.
    """

    by_producer: bool = True
    ratio: float = 1.0
    max_links: int = MAX_LINKS

    def decide(self) -> bool:
        """Return whether a batch has spans, whatever the producers decided."""
        return int.from_bytes(os.urandom(8)) < self.ratio * 2**64

    def choose(self, contexts: Sequence[str]) -> Sequence[object] | None:
        """Return for each context whether it is linked; None if the batch has no spans.

        A producer that is not sampled has no span to link. Each message comes through here, but no
        instruction of Python's.
        """
        if not self.by_producer:
            return contexts if self.decide() else None
        accepted = [*map(contains, contexts, repeat(_ACCEPTED))]
        refused = [*map(contains, contexts, repeat(_REFUSED))]
        if sum(accepted) + sum(refused) < len(contexts) and self.decide():
            # Those that have a context, and are not refused.
            return [*map(lt, refused, map(bool, contexts))]
        return accepted if True in accepted else None


def is_on(env: Env) -> bool:
    """Return whether OpenTelemetry's variables switch traces on."""
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if env.get("OTEL_TRACES_EXPORTER", "otlp") not in ("", "otlp"):
        return False
    protocol = (
        env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or env.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    if protocol != "http/protobuf":
        LOGGER.warning("no traces: the protocol '%s' is not http/protobuf", protocol)
        return False
    return True


def read_sampling(env: Env) -> Sampling:
    """Return what OTEL_TRACES_SAMPLER and its argument say, and OTEL_SPAN_LINK_COUNT_LIMIT up to MAX_LINKS."""
    name = env.get("OTEL_TRACES_SAMPLER") or _DEFAULT_SAMPLER
    if name.removeprefix(_BY_PRODUCER) not in _RATIOS:
        LOGGER.warning("OTEL_TRACES_SAMPLER is '%s': %s is used", name, _DEFAULT_SAMPLER)
        name = _DEFAULT_SAMPLER
    ratio = _RATIOS[name.removeprefix(_BY_PRODUCER)]
    if ratio is None:
        ratio = read_number(env, "OTEL_TRACES_SAMPLER_ARG", 1.0)
    limit = int(read_number(env, "OTEL_SPAN_LINK_COUNT_LIMIT", MAX_LINKS))
    return Sampling(name.startswith(_BY_PRODUCER), ratio, max(1, min(MAX_LINKS, limit)))


def read_resource(env: Env) -> dict[str, str]:
    """Return what names the process: OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, and the version."""
    given = read_pairs(env.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = env.get("OTEL_SERVICE_NAME") or given.get("service.name") or service_name(env)
    return {"service.version": __version__, **given, "service.name": name}


def read_pairs(text: str) -> dict[str, str]:
    """Return the pairs of a variable, as in `a=1,b=2`; values are percent-decoded."""
    pairs = [each.partition("=") for each in text.split(",") if "=" in each]
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def trace_spans(
    queue: CompiledQueue,
    results: Sequence[Delivered],
    since: float,
    seconds: float,
    sampling: Sampling,
) -> list[BatchSpan]:
    """Return the spans of a batch that began at `since`; none if it is not sampled.

    Together they link all producers, those of failed messages first. The first span is that of the
    whole batch, and the parent of the others.
    """
    contexts = _find_contexts(queue, results)
    chosen = sampling.choose(contexts)
    if chosen is None:
        return []
    producers = map(_read_link, compress(results, chosen), compress(contexts, chosen))
    links = sorted(
        filter(None, producers),
        key=lambda link: _RANKS.get(link.outcome.kind, len(_RANKS)),
    )
    destination = queue_name(queue.reference)
    common: dict[str, str | int] = {
        "messaging.system": "aws_sqs",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": destination,
        QUEUE_ATTRIBUTE: queue.name,
    }
    if "://" in queue.reference:
        common["aws.sqs.queue.url"] = queue.reference
    request_id = LINE_FIELDS.get("aws_request_id")
    if request_id:
        common["faas.invocation_id"] = str(request_id)
    start = int(since * _NANOSECONDS)
    end = start + int(seconds * _NANOSECONDS)
    outcomes = [each.outcome for each in results if each.outcome is not WRITTEN]
    count = len(results)
    spans = []
    for first in range(0, len(links) or 1, sampling.max_links):
        part = links[first : first + sampling.max_links]
        if first:
            outcomes = [link.outcome for link in part]
            count = len(part)
        error = _first_failure(outcomes)
        attributes = {**common, "messaging.batch.message_count": count}
        if error:
            attributes["error.type"] = error
        spans.append(BatchSpan(f"process {destination}", attributes, part, error, start, end))
    return spans


def _find_contexts(queue: CompiledQueue, results: Sequence[Delivered]) -> list[str]:
    """Return the context of each message's producer as text, "" for none.

    Each message comes through here: what most of them do without is done by maps, which execute no
    instruction of Python's.
    """
    contexts = [*map(_HEADER_OF, map(ATTRIBUTES_OF, results))]
    sent = [*map(_SENT_OF, results)]
    if queue.decode is not decode_plain:
        carried = [*map(_read_envelope, map(_BODY_OF, results))]
        contexts = _prefer(carried, contexts)
    if any(sent):
        contexts = _prefer([*map(_TEXT_OF, map(_TRACEPARENT_OF, sent))], contexts)
    return contexts


def _prefer(texts: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the texts that are a `traceparent`, with what it decides, and the others instead of the rest."""
    found = [*map(_is_w3c, texts)]
    if all(found):
        # All senders do alike, most likely: no instruction of Python's.
        return [*map(add, texts, map(_DECISIONS.__getitem__, map(_LAST_DIGIT, texts)))]
    return [
        each[0] + _DECISIONS[each[0][-1]] if each else other
        for each, other in zip(found, others, strict=True)
    ]


def _read_envelope(body: str) -> str:
    if "traceparent" not in body:
        return ""
    found = _find_in_envelope(body)
    return found[1] if found else ""


def _read_link(delivered: Delivered, context: str) -> Link | None:
    """Return the link to the producer of a message; None if its context names no span."""
    if context[2:3] == "-":
        trace_id = context[3:35]
        span_id = context[36:52]
    else:
        root = _find_root(context)
        parent = _find_parent(context)
        if root is None or parent is None:
            return None
        trace_id = root[1] + root[2]
        span_id = parent[1]
    sampled = _ACCEPTED in context
    return Link(trace_id, span_id, sampled, delivered.record.message_id, delivered.outcome)


def _first_failure(outcomes: Iterable[Outcome]) -> str:
    """Return the code of a message that failed, "" if none did."""
    failed = [outcome for outcome in outcomes if outcome.kind in _RANKS]
    return min(failed, key=lambda outcome: _RANKS[outcome.kind]).code if failed else ""


def read_number(env: Env, name: str, default: float) -> float:
    """Return the number of a variable; the default if it has none."""
    try:
        return float(env.get(name) or default)
    except ValueError:
        LOGGER.warning("%s is no number: %s is used", name, default)
        return default
