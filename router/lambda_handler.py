"""The AWS Lambda function: one for all queues; the handler is `router.lambda_handler.handler`.

The config is loaded when this module is imported, which is once for each execution environment: a config with faults
stops the function before it takes a message.
"""

import base64
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from router.aws.client import connect
from router.compile.load import Program, load_program
from router.deliver import Delivery
from router.engine import codes
from router.errors import ConfigError
from router.log import LOGGER, log_result, set_up_logging
from router.model import Outcome, Record, Result

CONFIG_VARIABLE = "ROUTER_CONFIG"
"""The environment variable that names the config; default: `routes.yaml` beside the code."""
MARGIN_SECONDS = 2.0
"""The time kept at the end of an invocation for finishing the call that is under way, and for answering."""
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
    deadline = time.monotonic() + remaining - MARGIN_SECONDS
    by_arn: dict[str, list[Record]] = {}
    for record in event["Records"]:
        by_arn.setdefault(record.get("eventSourceARN", ""), []).append(read_record(record))
    failures = []
    for arn, records in by_arn.items():
        queue = PROGRAM.engine.queue_of(arn)
        if queue is None:
            failures += _refuse_queue(arn, records)
            continue
        for each in _delivery().deliver(queue, records, deadline):
            if not each.acknowledged:
                failures.append(each.record.message_id)
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


def _refuse_queue(arn: str, records: list[Record]) -> list[str]:
    """Messages of a queue that the config does not know stay on it."""
    outcome = Outcome("retry", codes.UNKNOWN_QUEUE.id, "the config does not know the queue", setup=True)
    for record in records:
        log_result(Result(record.message_id, arn, outcome))
    return [record.message_id for record in records]


def _load() -> Program:
    beside_the_code = Path(os.environ.get("LAMBDA_TASK_ROOT", Path(__file__).parents[1])) / "routes.yaml"
    path = Path(os.environ.get(CONFIG_VARIABLE, beside_the_code))
    set_up_logging()
    try:
        program = load_program(path, os.environ)
    except ConfigError as error:
        for finding in error.findings:
            LOGGER.error(str(finding))
        raise
    program.plugins.start(program)
    return program


@cache
def _delivery() -> Delivery:
    """The one delivery of this environment; its connections are kept from one invocation to the next."""
    return Delivery(PROGRAM, connect(max_connections=10))


PROGRAM = _load()
