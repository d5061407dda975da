"""Connects to AWS through boto3, whose clients are set up here as the router needs them."""

import os
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config

from router.aws.client import Aws
from router.aws.dynamodb import DynamoTables
from router.aws.s3 import S3Objects
from router.aws.sqs import SqsQueues
from router.errors import UsageError

CONNECT_TIMEOUT = 5
TABLE_TIMEOUT = 10
"""Seconds to wait for an answer of DynamoDB, which answers in milliseconds when it is well."""
QUEUE_TIMEOUT = 30
"""Seconds to wait for an answer of SQS: longer than the longest poll, 20 seconds."""
QUEUE_ATTEMPTS = 3
OBJECT_TIMEOUT = 10
"""Seconds to wait for the next piece of an object from S3."""


def connect(max_connections: int) -> Aws:
    """Make the clients; raises UsageError if the environment's region or profile will not do."""
    try:
        # Lambda and the other SDKs know the region as AWS_REGION, boto3 alone does not.
        session = boto3.session.Session(region_name=os.environ.get("AWS_REGION"))
        return Aws(
            # Whoever writes tries again itself, with what is left of a batch and of the time.
            DynamoTables(session.client("dynamodb", config=_config(max_connections, TABLE_TIMEOUT, attempts=1))),
            SqsQueues(session.client("sqs", config=_config(max_connections, QUEUE_TIMEOUT, attempts=QUEUE_ATTEMPTS))),
            connect_objects(max_connections, session),
        )
    except exceptions.NoRegionError:
        raise UsageError("there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1") from None
    except exceptions.BotoCoreError as error:
        raise UsageError(f"the AWS settings of this environment do not work: {error}") from None


def connect_objects(max_connections: int, session: boto3.session.Session | None = None) -> S3Objects:
    """S3; its client is made when the first object is fetched, since only who follows pointers pays for it."""

    def make() -> Any:
        opened = session or boto3.session.Session(region_name=os.environ.get("AWS_REGION"))
        # Whoever fetches tries again itself.
        return opened.client("s3", config=_config(max_connections, OBJECT_TIMEOUT, attempts=1))

    return S3Objects(make)


def _config(max_connections: int, read_timeout: int, *, attempts: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=max_connections,
        tcp_keepalive=True,
        # What is sent was made by the engine; checking it again would double the CPU time of a full BatchWriteItem.
        parameter_validation=False,
        user_agent_extra="message-router",
    )
