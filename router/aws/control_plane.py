"""boto3's clients for calls that are made while a person waits."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config

from router.errors import UsageError

TIMEOUT = 5
"""Seconds to wait for a connection, and for an answer."""
ATTEMPTS = 3
READERS = 8
"""How many calls are made at a time."""


def clients(services: Sequence[str], timeout: int = TIMEOUT) -> Mapping[str, Any]:
    """Clients by the names of their services, with what the environment says of credentials, region and endpoint.

    `timeout` is how many seconds an answer may take. Raises UsageError if the region or profile will not do.
    """
    config = Config(
        connect_timeout=TIMEOUT,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=READERS,
        user_agent_extra="message-router",
    )
    try:
        # Lambda and the other SDKs know the region as AWS_REGION, boto3 alone does not.
        session = boto3.session.Session(region_name=os.environ.get("AWS_REGION"))
        # boto3's types know services by literal names only.
        make: Callable[..., Any] = session.client
        return {service: make(service, config=config) for service in services}
    except exceptions.NoRegionError:
        raise UsageError("there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1") from None
    except exceptions.BotoCoreError as error:
        raise UsageError(f"the AWS settings of this environment do not work: {error}") from None
