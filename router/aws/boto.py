"""boto3's sessions and clients as the router sets them up, and its errors as faults."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from botocore.parsers import ResponseParserError

from router.aws.faults import translate
from router.aws.protocols import UNREADABLE, AwsFault
from router.errors import UsageError

CONNECT_TIMEOUT = 5
CONTROL_PLANE_TIMEOUT = 5
"""Seconds to wait for a response while a person waits."""
CONTROL_PLANE_ATTEMPTS = 3
CONTROL_PLANE_CALLS = 8
"""How many calls of the control plane are made at a time."""
ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""The exceptions of a boto3 client: AWS's own errors, and those for when there was no readable response."""

_Operation = Callable[..., Mapping[str, Any]]


def open_session() -> boto3.session.Session:
    """Open a session with the credentials, region and profile of the environment."""
    # Lambda and the other SDKs read the region from AWS_REGION, boto3 alone does not.
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION"))


def make_client(
    session: boto3.session.Session, service: str, *, timeout: int, attempts: int, connections: int, validates: bool
) -> Any:
    """Make the client of a service.

    `timeout` is how many seconds a response may take. Parameters are validated for the control plane only: the engine
    makes valid ones, and checking them again would double the CPU time of a full BatchWriteItem.
    """
    # boto3's types know services by literal names only.
    make: Callable[..., Any] = session.client
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        tcp_keepalive=True,
        parameter_validation=validates,
        user_agent_extra="message-router",
    )
    return make(service, config=config)


def control_plane_clients(services: Sequence[str], timeout: int = CONTROL_PLANE_TIMEOUT) -> Mapping[str, Any]:
    """Make clients for calls that are made while a person waits, by service; raises UsageError (no region, profile)."""
    attempts, calls = CONTROL_PLANE_ATTEMPTS, CONTROL_PLANE_CALLS
    with settings_errors():
        session = open_session()
        return {
            service: make_client(
                session, service, timeout=timeout, attempts=attempts, connections=calls, validates=True
            )
            for service in services
        }


@contextmanager
def settings_errors() -> Iterator[None]:
    """Raise UsageError for errors of boto3 about the settings of the environment."""
    try:
        yield
    except NoRegionError:
        raise UsageError("there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1") from None
    except BotoCoreError as error:
        raise UsageError(f"the AWS settings of this environment do not work: {error}") from None


def call(operation: _Operation, member: str = "", /, **parameters: Any) -> Mapping[str, Any] | AwsFault:
    """Call an operation of a boto3 client; return its response, or the fault.

    `member` is one that every response of the operation has: botocore takes any page with status 200, a proxy's for
    example, for an empty response, which must not pass for a confirmation.
    """
    try:
        response = operation(**parameters)
    except ERRORS as error:
        return fault_of(error)
    return UNREADABLE if member and member not in response else response


def fault_of(error: Exception) -> AwsFault:
    """Return the fault for one of `ERRORS`."""
    if not isinstance(error, ClientError):
        return translate(type(error).__name__)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return translate(error.response.get("Error", {}).get("Code", ""), status)
