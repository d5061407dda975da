"""A handler on jsonschema that calls `put_item` for each record, and reports the records that failed."""

from typing import Any

import boto3
from peers.reference import SIZE, to_item

TABLE = boto3.resource("dynamodb").Table(SIZE)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write each record."""
    failures = []
    for record in event["Records"]:
        try:
            TABLE.put_item(Item=to_item(record["body"], record["attributes"]["SentTimestamp"]))
        except Exception:  # as people write it: after any error the message is redelivered
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
