"""The start of a handler on boto3: the import, and one table."""

from typing import Any

import boto3

TABLE = boto3.resource("dynamodb").Table("small")


def handler(event: dict[str, Any], context: object) -> None:
    """Ignore the event."""
