"""Queues and tables as somebody sees them who is about to delete them: what is in them, and their deletion."""

import time

from router.aws.deployment_clients import CloudError, Service
from router.errors import UsageError

WAITING = "ApproximateNumberOfMessages"
IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
DELETION_SECONDS = 600
_PAUSE = 0.5
_GONE = "ResourceNotFoundException"


def count_messages(sqs: Service, url: str) -> int | None:
    """How many messages are on a queue, about; None where AWS does not tell."""
    try:
        answer = sqs.ask("GetQueueAttributes", QueueUrl=url, AttributeNames=[WAITING, IN_FLIGHT])
    except CloudError:
        # It is asked for the sake of a warning; who may delete a stack may not be allowed to ask.
        return None
    return int(answer["Attributes"][WAITING]) + int(answer["Attributes"][IN_FLIGHT])


def delete_table(dynamodb: Service, name: str) -> None:
    """Delete a table, protected or not, and wait until it is gone; raises UsageError if it does not go."""
    end = time.monotonic() + DELETION_SECONDS
    try:
        dynamodb.ask("UpdateTable", TableName=name, DeletionProtectionEnabled=False)
        _wait_until(dynamodb, name, "ACTIVE", end)
        dynamodb.ask("DeleteTable", TableName=name)
        _wait_until(dynamodb, name, "", end)
    except CloudError as error:
        if error.code != _GONE:
            raise


def _wait_until(dynamodb: Service, name: str, status: str, end: float) -> None:
    """Wait for a status of a table; raises CloudError once it is gone."""
    while time.monotonic() < end:
        if dynamodb.ask("DescribeTable", TableName=name)["Table"]["TableStatus"] == status:
            return
        time.sleep(_PAUSE)
    raise UsageError(f"the table '{name}' is not deleted after {DELETION_SECONDS} seconds; look at it in the console")
