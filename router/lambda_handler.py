"""The AWS Lambda function: one for all queues; the handler is `router.lambda_handler.handler`.

The config is loaded when this module is imported, once for each execution environment: a config with errors stops the
function before it receives a message.
"""

# ruff: noqa: E402 — the collector is off before the other imports
import gc

# Most of what a cold start allocates stays; collecting it repeatedly would be a twentieth of its work.
gc.disable()

import base64
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from logging import WARNING
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import structs

from router import codes
from router.errors import ConfigError, UsageError
from router.model import Outcome, Record, Result, Summary
from router.runtime.aws.calls import CONCURRENT_CALLS, MOST_CALLS, boottime
from router.runtime.aws.connect import connect, import_clients
from router.runtime.aws.protocols import (
    UNREADABLE_ERRORS,
    Aws,
    AwsFault,
    QueueAttributes,
)
from router.runtime.aws.references import is_fifo
from router.runtime.config.secret_values import WRITTEN
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.metrics import cause_of
from router.runtime.deliver.telemetry import (
    LINE_FIELDS,
    LOGGER,
    Env,
    level_for_lambda,
    log,
    log_batch,
    log_results,
    print_embedded,
    report_postponed,
    set_up_logging,
)
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.deliver.visibility import Delivered, is_infrastructure_failure
from router.runtime.deliver.writer import Writer
from router.runtime.engine.backoff import OutageBackoff
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import GC_THRESHOLD, Program, load_program
from router.runtime.program.precompiled import COMPILED_NAME

if TYPE_CHECKING:
    from router.runtime.deliver.otlp import FunctionTracer

    class LambdaContext(Protocol):
        """The part of Lambda's context object that the handler uses."""

        def get_remaining_time_in_millis(self) -> int:
            """Return the milliseconds until the invocation times out."""


CONFIG_VARIABLE = "ROUTER_CONFIG"
"""The environment variable for the config's path; by default the compiled one beside the code, else `routes.yaml`."""
_attributes: dict[str, tuple[float, QueueAttributes]] = {}
"""Those of queues by URL, and when they were read: only if a message meets an outage."""
ANSWER_SECONDS = 0.2
"""Kept free at the end of an invocation, in which no call is under way any more: for the log and the response …"""
ANSWER_SECONDS_EACH = 0.0002
"""… and for each message so much more."""
INITIALIZATION = "AWS_LAMBDA_INITIALIZATION_TYPE"
CONNECT_SECONDS = 0.5
"""The longest wait for the first connection while the function is loaded."""
DEFAULT_SECONDS = 900.0
"""The time without a context, as when the handler is called in a test: Lambda's longest timeout."""

_members = itemgetter("messageId", "receiptHandle", "body", "attributes", "messageAttributes")
"""Returns the members of a record, in the order of the fields of `Record`."""
_OPTIONAL = {"receiptHandle": "", "attributes": {}, "messageAttributes": {}}
"""The members that a record may lack in an event that somebody wrote to try the function."""

PartialBatchResponse = dict[str, list[dict[str, str]]]


def handler(event: Mapping[str, Any], context: "LambdaContext | None") -> PartialBatchResponse:
    """Route the records of an SQS event; return a partial batch response with those that failed.

    Raises UsageError for an event of another service.
    """
    # A context that somebody wrote to try the function may have none.
    LINE_FIELDS["aws_request_id"] = getattr(context, "aws_request_id", "")
    remaining = context.get_remaining_time_in_millis() / 1000 if context else DEFAULT_SECONDS
    # Before the event is read, which takes a while for many messages.
    end = boottime() + remaining
    by_arn, failures = _read_event(event)
    reserve = ANSWER_SECONDS + ANSWER_SECONDS_EACH * len(event["Records"])
    deadline = FixedDeadline(end - min(reserve, remaining / 2))
    delivery = _delivery()
    for arn, records in by_arn.items():
        queue = _queue(arn)
        if queue is None:
            failures += _refuse_queue(arn, records, deadline)
            continue
        failed = [
            each for each in delivery.deliver(queue, records, deadline) if not each.acknowledged
        ]
        if failed:
            kept = _set_visibility(queue, arn, failed, deadline)
            failures += [each.record.message_id for each in kept]
    if TRACER is not None:
        TRACER.send(deadline.end)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}


@lru_cache(maxsize=64)
def _queue(arn: str) -> CompiledQueue | None:
    """Return the queue of an ARN, None if the config does not know it; dead letters name it by its ARN."""
    queue = PROGRAM.engine.queue_of(arn)
    return queue and structs.replace(queue, reference=arn)


def _read_event(event: Mapping[str, Any]) -> tuple[dict[str, list[Record]], list[str]]:
    """Return the records of an event by the ARN of their queue, and the ids of those that cannot be delivered.

    A record that cannot be read stays on its queue, and the others are delivered. Raises UsageError if the event is not
    one of SQS.
    """
    by_arn: dict[str, list[Record]] = {}
    undelivered: list[str] = []
    try:
        records = iter(event["Records"])
        for given in records:
            try:
                by_arn.setdefault(given["eventSourceARN"], []).append(read_record(given))
            except UNREADABLE_ERRORS:
                undelivered.append(_report_unread(given))
                if is_fifo(given["eventSourceARN"]):
                    # Any of those after it may be of its message group.
                    undelivered += [each["messageId"] for each in records]
        # Raises TypeError for what is no text.
        "".join(by_arn)
    except (KeyError, TypeError):
        text = (
            f"{codes.NOT_OF_SQS.id} the event{_source_of(event)} has no records of SQS: invoke the function by an "
            "event source mapping of a queue; to try it, use the event of the console's template 'SQS'"
        )
        LOGGER.error(text)
        raise UsageError(text) from None
    return by_arn, undelivered


def _report_unread(record: Mapping[str, Any]) -> str:
    """Log that a record cannot be read, and return its message id; raises KeyError, TypeError if it is not of SQS."""
    message_id, arn = record["messageId"], record["eventSourceARN"]
    if not isinstance(message_id, str) or not isinstance(arn, str):
        raise TypeError
    log(WARNING, "the record cannot be read", queue=arn, message_id=message_id)
    return message_id


def _source_of(event: Any) -> str:
    """Return ` of aws:s3` for an event of S3, as AWS names its services there; empty text if it does not say."""
    match event:
        case {"Records": [first, *_]}:
            event = first
    if isinstance(event, dict):
        for key in ("eventSource", "EventSource", "source"):
            name = str(event.get(key))
            if name.startswith(("aws:", "aws.")):
                return f" of {name}"
    return ""


def read_record(record: Mapping[str, Any]) -> Record:
    """Return a record of Lambda's SQS event: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

    Raises one of UNREADABLE_ERRORS if it cannot be read.
    """
    try:
        read = Record(*_members(record))
    except KeyError:
        read = Record(*_members({**_OPTIONAL, **record}))
    # `join` refuses what is no text, without a loop: each message of an event comes through here.
    "".join(read.attributes.values())
    if type(read.body) is not str or type(read.message_id) is not str:
        raise TypeError
    if read.message_attributes == {}:
        return read
    sent = read.message_attributes or {}
    attributes = {name: _read_attribute(value) for name, value in sent.items()}
    return structs.replace(read, message_attributes=attributes)


def _read_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    data_type = attribute["dataType"]
    if data_type.startswith("Binary"):
        return {
            "DataType": data_type,
            "BinaryValue": base64.b64decode(attribute["binaryValue"], validate=True),
        }
    value = attribute.get("stringValue") or ""
    if not isinstance(value, str):
        raise TypeError
    return {"DataType": data_type, "StringValue": value}


def _set_visibility(
    queue: CompiledQueue, arn: str, failed: Sequence[Delivered], deadline: FixedDeadline
) -> Sequence[Delivered]:
    """Set when failed messages become visible: always if they met an outage, else if the queue opts in.

    Return those that stay on the queue: in an outage with many messages in flight others are postponed.
    """
    outage = [each for each in failed if is_infrastructure_failure(each.outcome)]
    chosen = failed if queue.backoff.in_lambda else outage
    if not chosen:
        return failed
    url = _aws().queues.url(arn, deadline.end - boottime())
    if isinstance(url, AwsFault):
        faults = [url]
    else:
        if outage:
            queue, postponed = _postpone(queue, url, outage, deadline)
            failed = [each for each in failed if each.record.message_id not in postponed]
            chosen = [each for each in chosen if each.record.message_id not in postponed]
        faults = [
            *_delivery().set_visibility(queue, url, chosen, deadline.end - boottime()).values()
        ]
    if faults:
        # The messages become visible after the visibility timeout of their queue.
        log(WARNING, "cannot set the visibility timeout", queue=queue.name, error=faults[0].code)
    return failed


def _postpone(
    queue: CompiledQueue, url: str, outage: Sequence[Delivered], deadline: FixedDeadline
) -> tuple[CompiledQueue, frozenset[str]]:
    """Postpone messages that met an outage, if there are many; return the ids of those.

    Return the queue with the `maxReceiveCount` of its redrive policy, or unchanged if its attributes cannot be read.
    """
    # A cold start does without it.
    from router.runtime.deliver import postponing

    can_postpone = postponing.can_postpone(queue, PROGRAM.config)
    found = _read_attributes(url, postponing.COUNT_SECONDS if can_postpone else inf, deadline)
    if found is None:
        return queue, frozenset()
    waits = structs.replace(queue.outage, max_receive_count=found.max_receive_count)
    queue = structs.replace(queue, outage=waits)
    if not can_postpone:
        return queue, frozenset()
    began = boottime()
    postponed = postponing.postpone(
        _aws().queues,
        queue,
        url,
        outage,
        found.in_flight,
        deadline.end - began,
        PROGRAM.hash,
    )
    # Later batches leave so much time at their end.
    _delivery().final_duration.add(boottime() - began)
    if postponed:
        report_postponed(queue.name, len(postponed), found.in_flight)
    return queue, postponed


def _read_attributes(url: str, seconds: float, deadline: FixedDeadline) -> QueueAttributes | None:
    """Return the attributes of a queue, which are `seconds` old at most; None if they cannot be read."""
    read_at, found = _attributes.get(url, (-inf, None))
    now = boottime()
    if found is None or now - read_at > seconds:
        response = _aws().queues.attributes(url, deadline.end - now)
        if isinstance(response, AwsFault):
            return found
        found = response
        _attributes[url] = now, found
    return found


def _refuse_queue(arn: str, records: list[Record], deadline: FixedDeadline) -> list[str]:
    """Leave messages of a queue that the config does not know on it, until somebody may have corrected that."""
    outcome = Outcome("retry", codes.UNKNOWN_QUEUE.id, "the config does not know the queue")
    log_results([Result(record.message_id, arn, outcome) for record in records])
    count = len(records)
    summary = Summary(
        arn,
        {"retry": count},
        0.0,
        configuration_errors=count,
        codes={outcome.code: count},
        retries={cause_of(outcome): count},
    )
    log_batch(summary, PROGRAM.hash)
    print_embedded(summary)
    url = _aws().queues.url(arn, deadline.end - boottime())
    if not isinstance(url, AwsFault):
        backoff = OutageBackoff()
        waits = [
            (record.message_id, record.receipt_handle, backoff.wait(record.receive_count))
            for record in records
        ]
        _aws().queues.change_visibility(url, waits, deadline.end - boottime())
    return [record.message_id for record in records]


def _load() -> Program:
    code = Path(os.environ.get("LAMBDA_TASK_ROOT", Path(__file__).parents[1]))
    compiled = code / COMPILED_NAME
    path = Path(
        os.environ.get(CONFIG_VARIABLE)
        or (compiled if compiled.is_file() else code / "routes.yaml")
    )
    set_up_logging(level=level_for_lambda(os.environ))
    try:
        program = load_program(path, os.environ)
    except (ConfigError, UsageError) as error:
        for text in error.findings if isinstance(error, ConfigError) else [error]:
            LOGGER.error(str(text))
        # From Python 3.12 on AWS's runtime client fails to report an error whose text is not Latin-1.
        error.args = (WRITTEN.mask(str(error)).encode("ascii", "backslashreplace").decode(),)
        raise
    LINE_FIELDS["config"] = program.hash
    program.plugins.start(program.router)
    return program


@cache
def _aws() -> Aws:
    """Connect once for each execution environment."""
    return connect(2 * CONCURRENT_CALLS, fetches=PROGRAM.fetches)


@cache
def _delivery() -> Delivery:
    aws = _aws()
    writer = Writer(aws.tables, most_calls=MOST_CALLS)
    options = DeliveryOptions(print_embedded, trace=TRACER.trace if TRACER else None)
    return Delivery(PROGRAM, aws, writer=writer, options=options)


def _connect_early(kind: str) -> None:
    """Make the client of DynamoDB and what uses it, and open its first connection, before the first invocation.

    `kind` is AWS_LAMBDA_INITIALIZATION_TYPE. An invocation by a provisioned environment comes long after, and a
    restored one has no connections:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    # What is wrong with the settings is the error of the first invocation, which tries again.
    with suppress(UsageError):
        _delivery()
        if kind == "on-demand":
            _aws().open_early(CONNECT_SECONDS)


def _make_tracer(env: Env) -> "FunctionTracer | None":
    """Return what traces batches, if a variable of OpenTelemetry names an endpoint."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not any(env.get(name) for name in endpoints):
        return None
    # Only where traces are on.
    from router.runtime.deliver.otlp import make_tracer

    return make_tracer(env)


PROGRAM = _load()
# Lambda gives a function a whole processor while it is loaded, and less for an invocation.
import_clients(fetches=PROGRAM.fetches)
if PROGRAM.fetches:
    import_module("router.runtime.deliver.payloads")
TRACER = _make_tracer(os.environ)
if INITIALIZATION in os.environ:
    _connect_early(os.environ[INITIALIZATION])
# What is loaded stays: garbage collections need not examine it again with each batch.
gc.freeze()
gc.set_threshold(GC_THRESHOLD)
gc.enable()
