"""The AWS Lambda function: one for all queues; the handler is `router.lambda_handler.handler`.

The config is loaded when this module is imported, once for each execution environment: a config with errors stops the
function before it receives a message.
"""

# ruff: noqa: E402 — what makes the other imports faster comes before them
import gc
import os

from router.runtime import bytecode

# Most of what a cold start allocates stays; collecting it repeatedly would be a twentieth of its work.
gc.disable()
bytecode.install(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120 — pathlib is one of them

from router.runtime import import_stubs

import_stubs.import_libraries()

import base64
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from msgspec import structs

from router import codes
from router.errors import ConfigError, UsageError
from router.model import Outcome, Record, Result, Summary
from router.runtime.aws.calls import CONCURRENT_CALLS, MOST_CALLS, boottime
from router.runtime.aws.connect import connect, import_clients
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.config.secret_values import WRITTEN
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.telemetry import (
    LOGGER,
    log_batch,
    log_result,
    print_embedded,
    set_up_logging,
)
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.deliver.visibility import Delivered, is_infrastructure_failure
from router.runtime.deliver.writer import Writer
from router.runtime.engine.backoff import OutageBackoff
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import GC_THRESHOLD, Program, load_program
from router.runtime.program.precompiled import COMPILED_NAME

CONFIG_VARIABLE = "ROUTER_CONFIG"
"""The environment variable for the config's path; by default the compiled one beside the code, else `routes.yaml`."""
_max_receive_counts: dict[str, int] = {}
"""Those of the redrive policies of queues by URL, which are read when a message first meets an outage."""
ANSWER_SECONDS = 0.2
"""Kept free at the end of an invocation, in which no call is under way any more: for the log and the response …"""
ANSWER_SECONDS_EACH = 0.0002
"""… and for each message so much more."""
DEFAULT_SECONDS = 900.0
"""The time without a context, as when the handler is called in a test: Lambda's longest timeout."""

PartialBatchResponse = dict[str, list[dict[str, str]]]


class LambdaContext(Protocol):
    """The part of Lambda's context object that the handler uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation times out."""


def handler(event: Mapping[str, Any], context: LambdaContext | None) -> PartialBatchResponse:
    """Route the records of an SQS event; return a partial batch response with those that failed.

    Raises UsageError for an event of another service.
    """
    remaining = context.get_remaining_time_in_millis() / 1000 if context else DEFAULT_SECONDS
    # Before the event is read, which takes a while for many messages.
    end = boottime() + remaining
    by_arn = _read_event(event)
    reserve = ANSWER_SECONDS + ANSWER_SECONDS_EACH * len(event["Records"])
    deadline = FixedDeadline(end - min(reserve, remaining / 2))
    delivery = _delivery()
    failures = []
    for arn, records in by_arn.items():
        queue = _queue(arn)
        if queue is None:
            failures += _refuse_queue(arn, records, deadline)
            continue
        failed = [
            each for each in delivery.deliver(queue, records, deadline) if not each.acknowledged
        ]
        if failed:
            failures += [each.record.message_id for each in failed]
            _set_visibility(queue, arn, failed, deadline)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}


@lru_cache(maxsize=64)
def _queue(arn: str) -> CompiledQueue | None:
    """Return the queue of an ARN, None if the config does not know it; dead letters name it by its ARN."""
    queue = PROGRAM.engine.queue_of(arn)
    return queue and structs.replace(queue, reference=arn)


def _read_event(event: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Return the records of an event by the ARN of their queue; raises UsageError if it is not one of SQS."""
    by_arn: dict[str, list[Record]] = {}
    try:
        for record in event["Records"]:
            by_arn.setdefault(record["eventSourceARN"], []).append(read_record(record))
    except (KeyError, TypeError, AttributeError):
        text = (
            f"{codes.NOT_OF_SQS.id} the event{_source_of(event)} has no records of SQS: invoke the function by an "
            "event source mapping of a queue; to try it, use the event of the console's template 'SQS'"
        )
        LOGGER.error(text)
        raise UsageError(text) from None
    return by_arn


def _source_of(event: Any) -> str:
    """Return ` of aws:s3` for an event of S3, as AWS names its services there; empty text if it does not say."""
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if isinstance(records, list) and records else event
    names = (
        [first.get(key) for key in ("eventSource", "EventSource", "source")]
        if isinstance(first, dict)
        else []
    )
    return next(
        (
            f" of {name}"
            for name in names
            if isinstance(name, str) and name.startswith(("aws:", "aws."))
        ),
        "",
    )


def read_record(record: Mapping[str, Any]) -> Record:
    """Return a record of Lambda's SQS event: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    attributes = record.get("messageAttributes")
    return Record(
        record["messageId"],
        record.get("receiptHandle", ""),
        record["body"],
        record.get("attributes", {}),
        {name: _read_attribute(value) for name, value in attributes.items()} if attributes else {},
    )


def _read_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    data_type = attribute["dataType"]
    if data_type.startswith("Binary"):
        return {"DataType": data_type, "BinaryValue": base64.b64decode(attribute["binaryValue"])}
    return {"DataType": data_type, "StringValue": attribute.get("stringValue", "")}


def _set_visibility(
    queue: CompiledQueue, arn: str, failed: Sequence[Delivered], deadline: FixedDeadline
) -> None:
    """Set when failed messages become visible: always if they met an outage, else if the queue opts in."""
    outage = [each for each in failed if is_infrastructure_failure(each.outcome)]
    chosen = failed if queue.backoff.in_lambda else outage
    if not chosen:
        return
    url = _aws().queues.url(arn, deadline.end - boottime())
    if isinstance(url, AwsFault):
        faults = [url]
    else:
        queue = _with_redrive_policy(queue, url, deadline) if outage else queue
        faults = [
            *_delivery().set_visibility(queue, url, chosen, deadline.end - boottime()).values()
        ]
    if faults:
        # The messages become visible after the visibility timeout of their queue.
        fields = {"queue": queue.name, "error": faults[0].code}
        LOGGER.warning("cannot set the visibility timeout", extra={"fields": fields})


def _with_redrive_policy(queue: CompiledQueue, url: str, deadline: FixedDeadline) -> CompiledQueue:
    """Return a queue with the `maxReceiveCount` of its redrive policy, or unchanged if that cannot be read."""
    if url not in _max_receive_counts:
        found = _aws().queues.attributes(url, deadline.end - boottime())
        if isinstance(found, AwsFault):
            return queue
        _max_receive_counts[url] = found.max_receive_count
    outage = structs.replace(queue.outage, max_receive_count=_max_receive_counts[url])
    return structs.replace(queue, outage=outage)


def _refuse_queue(arn: str, records: list[Record], deadline: FixedDeadline) -> list[str]:
    """Leave messages of a queue that the config does not know on it, until somebody may have corrected that."""
    outcome = Outcome("retry", codes.UNKNOWN_QUEUE.id, "the config does not know the queue")
    for record in records:
        log_result(Result(record.message_id, arn, outcome))
    summary = Summary(arn, {"retry": len(records)}, 0.0, configuration_errors=len(records))
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
    set_up_logging()
    try:
        program = load_program(path, os.environ)
    except (ConfigError, UsageError) as error:
        for text in error.findings if isinstance(error, ConfigError) else [error]:
            LOGGER.error(str(text))
        # From Python 3.12 on AWS's runtime client fails to report an error whose text is not Latin-1.
        error.args = (WRITTEN.mask(str(error)).encode("ascii", "backslashreplace").decode(),)
        raise
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
    return Delivery(PROGRAM, aws, writer=writer, options=DeliveryOptions(print_embedded))


PROGRAM = _load()
# Lambda gives a function a whole processor while it is loaded, and less for an invocation.
import_clients(fetches=PROGRAM.fetches)
# What is loaded stays: garbage collections need not examine it again with each batch.
gc.freeze()
gc.set_threshold(GC_THRESHOLD)
gc.enable()
