"""The AWS Lambda function: one for all queues; the handler is `router.lambda_handler.handler`.

The config is loaded when this module is imported, which is once for each execution environment: a config with faults
stops the function before it takes a message.
"""

# ruff: noqa: E402 — the collector is turned off before the other imports
import gc

# A cold start makes what stays: looking it over again and again would be a twentieth of its work.
gc.disable()

import base64
import os
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from router import codes
from router.aws.client import Aws, connect
from router.aws.faults import Fault
from router.aws.overlap import CALLS_AT_ONCE
from router.deliver.delivery import MARGIN_SECONDS, Delivered, Delivery
from router.deliver.log import LOGGER, log_result, set_up_logging
from router.deliver.metrics import print_embedded
from router.engine.engine import CompiledQueue
from router.errors import ConfigError, UsageError
from router.model import Outcome, Record, Result
from router.program.load import Program, load_program
from router.program.precompiled import COMPILED_NAME

CONFIG_VARIABLE = "ROUTER_CONFIG"
"""The environment variable that names the config; default: beside the code, the compiled one, else `routes.yaml`."""
SETUP_HIDE_SECONDS = 15 * 60
"""How long a message is hidden when the set-up is at fault: Lambda cannot stop polling, and a person has to mend it."""
UNLIMITED_SECONDS = 900.0
"""The time taken as given without a context, as when the handler is called by hand: Lambda's longest."""

Answer = dict[str, list[dict[str, str]]]


class Context(Protocol):
    """What the handler needs of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended."""


def handler(event: Mapping[str, Any], context: Context | None) -> Answer:
    """Route the records of an SQS event; answer with those that are to come again."""
    remaining = context.get_remaining_time_in_millis() / 1000 if context else UNLIMITED_SECONDS
    end = time.monotonic() + remaining
    # Of the time, half is kept at most: after one very slow call there must be time for another to show better.
    longest = max(MARGIN_SECONDS, remaining / 2)
    delivery = _delivery()
    by_arn: dict[str, list[Record]] = {}
    for record in event["Records"]:
        by_arn.setdefault(record.get("eventSourceARN", ""), []).append(read_record(record))
    failures = []
    for arn, records in by_arn.items():
        queue = PROGRAM.engine.queue_of(arn)
        if queue is None:
            failures += _refuse_queue(arn, records)
            continue
        delivered = delivery.deliver(queue, records, lambda: end - min(delivery.margin, longest))
        failures += [each.record.message_id for each in delivered if not each.acknowledged]
        _hide(queue, arn, delivered)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failures]}


def read_record(record: Mapping[str, Any]) -> Record:
    """A record of Lambda's SQS event: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    given = record.get("messageAttributes")
    return Record(
        record["messageId"],
        record.get("receiptHandle", ""),
        record["body"],
        record.get("attributes", {}),
        {name: _read_attribute(value) for name, value in given.items()} if given else {},
    )


def _read_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    data_type = attribute["dataType"]
    if data_type.startswith("Binary"):
        return {"DataType": data_type, "BinaryValue": base64.b64decode(attribute["binaryValue"])}
    return {"DataType": data_type, "StringValue": attribute.get("stringValue", "")}


def _hide(queue: CompiledQueue, arn: str, delivered: Sequence[Delivered]) -> None:
    """Put off the next delivery of what failed: always for a fault of the set-up, else where the queue asks for it."""
    chosen = [each for each in delivered if each.outcome.setup or queue.backoff.in_lambda]
    if all(each.acknowledged for each in chosen):
        return
    url = _aws().queues.url(arn)
    faults = [url] if isinstance(url, Fault) else list(_delivery().hide(queue, url, chosen).values())
    if faults:
        # No harm: they come again when the visibility timeout of their queue is over.
        LOGGER.warning("cannot hide messages", extra={"fields": {"queue": queue.name, "error": faults[0].code}})


def _refuse_queue(arn: str, records: list[Record]) -> list[str]:
    """Messages of a queue that the config does not know stay on it, hidden until somebody may have mended that."""
    outcome = Outcome("retry", codes.UNKNOWN_QUEUE.id, "the config does not know the queue", setup=True)
    for record in records:
        log_result(Result(record.message_id, arn, outcome))
    url = _aws().queues.url(arn)
    if not isinstance(url, Fault):
        handles = [(record.message_id, record.receipt_handle, SETUP_HIDE_SECONDS) for record in records]
        _aws().queues.release(url, handles)
    return [record.message_id for record in records]


def _load() -> Program:
    code = Path(os.environ.get("LAMBDA_TASK_ROOT", Path(__file__).parents[1]))
    compiled = code / COMPILED_NAME
    path = Path(os.environ.get(CONFIG_VARIABLE) or (compiled if compiled.is_file() else code / "routes.yaml"))
    set_up_logging()
    try:
        program = load_program(path, os.environ)
    except ConfigError as error:
        for finding in error.findings:
            LOGGER.error(str(finding))
        raise
    except UsageError as error:
        LOGGER.error(str(error))
        raise
    program.plugins.start(program)
    return program


@cache
def _aws() -> Aws:
    """The one connection of this environment, kept from one invocation to the next."""
    return connect(max_connections=2 * CALLS_AT_ONCE)


@cache
def _delivery() -> Delivery:
    return Delivery(PROGRAM, _aws(), setup_wait=SETUP_HIDE_SECONDS, meter=print_embedded)


PROGRAM = _load()
# What is loaded stays until the end: the collector need not look at it again with each batch either.
gc.freeze()
gc.enable()
