"""A handler on Powertools for AWS Lambda: its batch processor, its validation, and `put_item` for each record."""

import json
from decimal import Decimal
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.validation import validate
from messages import map_message
from peers.reference import SCHEMA, SIZE, to_iso

TABLE = boto3.resource("dynamodb").Table(SIZE)
PROCESSOR = BatchProcessor(event_type=EventType.SQS)


def write(record: SQSRecord) -> None:
    """Write one record."""
    data = json.loads(record.body, parse_float=Decimal)
    validate(event=data, schema=SCHEMA)
    TABLE.put_item(Item=map_message(SIZE, data, to_iso(record.attributes.sent_timestamp)))


def handler(event: dict[str, Any], context: Any) -> Any:
    """Write each record."""
    return process_partial_response(event=event, record_handler=write, processor=PROCESSOR, context=context)
