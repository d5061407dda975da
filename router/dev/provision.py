"""Makes queues and tables on the embedded AWS, and reads tables back."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from router.aws.references import queue_name, table_name
from router.dev.server import REGION, LocalAws
from router.engine.attributes import decode_item
from router.errors import MissingExtra, UsageError
from router.model import Item, KeyType

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

MAX_RECEIVE_COUNT = 5
VISIBILITY_SECONDS = 30

_ROLES: tuple[Literal["HASH", "RANGE"], ...] = ("HASH", "RANGE")


class TableSpec(Struct, frozen=True):
    """A table to make: its name or ARN, its key attributes in order, its time-to-live attribute if it has one."""

    name: str
    key: tuple[tuple[str, KeyType], ...]
    ttl: str = ""


class QueueSpec(Struct, frozen=True):
    """A queue to make, and its dead-letter queue if it has one; each a name, ARN or URL."""

    name: str
    dead_letter: str = ""


def clients(local: LocalAws) -> "tuple[DynamoDBClient, SQSClient]":
    """Clients of DynamoDB and SQS for the embedded AWS, whatever AWS the environment speaks of.

    Raises MissingExtra (no boto3), UsageError (they would call another AWS).
    """
    make = clients_of(local)
    return make("dynamodb"), make("sqs")


def clients_of(local: LocalAws) -> Callable[[str], Any]:
    """Makes a client of the embedded AWS by the name of a service; raises as `clients` does."""
    try:
        # For start-up time: only who provisions pays for it.
        import boto3
        import botocore.session
    except ModuleNotFoundError:
        raise MissingExtra("the demo", "local") from None
    unread = (None, None, os.devnull, None)
    session = boto3.session.Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 — the embedded AWS takes any
        region_name=REGION,
        botocore_session=botocore.session.Session(
            {"profile": (None, None, None, None), "config_file": unread, "credentials_file": unread}
        ),
    )

    # boto3's types know services by literal names only.
    make_client: Callable[..., Any] = session.client

    def make(service: str) -> Any:
        client = make_client(service, endpoint_url=local.endpoint)
        # Whatever an SDK may come to read from the environment one day: nothing is made anywhere else.
        refuse_foreign(client.meta.endpoint_url, local)
        return client

    return make


def refuse_foreign(endpoint: str, local: LocalAws) -> None:
    """Raise UsageError unless an endpoint is the embedded AWS's own."""
    if endpoint.rstrip("/") != local.endpoint:
        raise UsageError(f"this runs on the embedded AWS at {local.endpoint} only, not on {endpoint}")


def create_tables(client: "DynamoDBClient", specs: Sequence[TableSpec]) -> None:
    """Make tables, billed by request, with their time to live."""
    for name, spec in {table_name(spec.name): spec for spec in specs}.items():
        roles = zip(spec.key, _ROLES, strict=False)
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": attribute, "KeyType": role} for (attribute, _), role in roles],
            AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": kind} for attribute, kind in spec.key],
            BillingMode="PAY_PER_REQUEST",
        )
        if spec.ttl:
            client.update_time_to_live(
                TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": spec.ttl}
            )


def create_queues(client: "SQSClient", specs: Sequence[QueueSpec]) -> dict[str, str]:
    """Make queues, dead-letter queues first, each with its redrive policy; the URLs by name.

    A queue whose name ends in `.fifo` is FIFO, and takes messages without a deduplication id.
    """
    dead_letters = {queue_name(spec.name): queue_name(spec.dead_letter) for spec in specs}
    urls: dict[str, str] = {}
    for name in filter(None, (*dead_letters.values(), *dead_letters)):
        urls[name] = client.create_queue(QueueName=name, Attributes=_attributes(name))["QueueUrl"]
    for name, dead_letter in dead_letters.items():
        if dead_letter:
            _redrive(client, urls[name], urls[dead_letter])
    return urls


def scan_table(client: "DynamoDBClient", name: str) -> list[Item]:
    """All items of a table, in Python's own types, in no order."""
    pages = client.get_paginator("scan").paginate(TableName=table_name(name), ConsistentRead=True)
    return [decode_item(dict[str, Any](item)) for page in pages for item in page["Items"]]


def _attributes(name: str) -> "Mapping[QueueAttributeNameType, str]":
    visible: dict[QueueAttributeNameType, str] = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
    if name.endswith(".fifo"):
        return visible | {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return visible


def _redrive(client: "SQSClient", url: str, dead_letter_url: str) -> None:
    answer = client.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": str(MAX_RECEIVE_COUNT)}
    client.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
