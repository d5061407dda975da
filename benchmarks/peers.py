"""The handlers that people write instead: what the router is compared with, for the first flow of the sample config."""

import json
from typing import Any

import boto3
from jsonschema import Draft202012Validator

SCHEMA = {
    "type": "object",
    "required": ["user_id", "device"],
    "properties": {
        "user_id": {"type": "string", "minLength": 1, "maxLength": 200},
        "device": {"type": "string", "minLength": 1, "maxLength": 200},
        "location": {"type": "string", "maxLength": 200},
    },
}
VALIDATOR = Draft202012Validator(SCHEMA)
TABLE = boto3.resource("dynamodb").Table("user-metadata")


def to_item(record: dict[str, Any]) -> dict[str, Any]:
    """The item of a record, checked."""
    message = json.loads(record["body"])
    VALIDATOR.validate(message)
    return {
        "user_id": message["user_id"],
        "device": message["device"],
        "location": message.get("location"),
        "sent_at": record["attributes"]["SentTimestamp"],
    }


def batch_writer(event: dict[str, Any], context: object) -> None:
    """Jsonschema and boto3's `batch_writer`."""
    with TABLE.batch_writer() as batch:
        for record in event["Records"]:
            batch.put_item(Item=to_item(record))


def put_item(event: dict[str, Any], context: object) -> None:
    """Jsonschema and a `put_item` for each record."""
    for record in event["Records"]:
        TABLE.put_item(Item=to_item(record))
