"""A handler on jsonschema and boto3's `batch_writer`."""

from typing import Any

import boto3
from peers.reference import SIZE, to_item

TABLE = boto3.resource("dynamodb").Table(SIZE)


def handler(event: dict[str, Any], context: object) -> None:
    """Write all records."""
    with TABLE.batch_writer() as batch:
        for record in event["Records"]:
            batch.put_item(Item=to_item(record["body"], record["attributes"]["SentTimestamp"]))
