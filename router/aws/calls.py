"""Makes a call through a boto3 client, with every error of it as a fault."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from router.aws.faults import Fault, translate

UNREADABLE = Fault("retry", "UnreadableAnswer", 200)

_Call = Callable[..., Mapping[str, Any]]


def call(operation: _Call, member: str = "", /, **parameters: Any) -> Mapping[str, Any] | Fault:
    """Call an operation of a boto3 client: its answer, or the fault.

    `member` is one that every answer has. botocore takes any page with status 200, a proxy's for example, for an
    answer in which nothing is said, and that must not pass for a confirmation.
    """
    try:
        answer = operation(**parameters)
    except ERRORS as error:
        return fault_of(error)
    return UNREADABLE if member and member not in answer else answer


ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""What a boto3 client raises: AWS's own errors, and those for when no readable answer came."""


def fault_of(error: Exception) -> Fault:
    """The fault that one of `ERRORS` stands for."""
    if not isinstance(error, ClientError):
        return translate(type(error).__name__)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return translate(error.response.get("Error", {}).get("Code", ""), status)
