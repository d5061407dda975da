"""Reads the names, ARNs and URLs that a config may call queues and tables by."""

from typing import NamedTuple


class QueueName(NamedTuple):
    """A queue's name and, if the reference says so, the account that owns it."""

    name: str
    account: str = ""


def is_url(reference: str) -> bool:
    """Whether a reference to a queue is its URL."""
    return reference.startswith(("https://", "http://"))


def queue_name(reference: str) -> QueueName:
    """The queue of a name, an ARN (`arn:aws:sqs:REGION:ACCOUNT:NAME`) or a URL (`https://HOST/ACCOUNT/NAME`)."""
    if is_url(reference):
        _, account, name = reference.rstrip("/").rsplit("/", 2)
        return QueueName(name, account)
    if reference.startswith("arn:"):
        *_, account, name = reference.split(":")
        return QueueName(name, account)
    return QueueName(reference)


def table_name(reference: str) -> str:
    """The table of a name or an ARN (`arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`)."""
    return reference.rpartition("/")[2] if reference.startswith("arn:") else reference
