"""What tests of other rooms use of `router.aws`."""

from router.aws import boto
from router.aws.artifacts import Artifacts
from router.aws.boto import DynamoTables
from router.aws.calls import (
    CONCURRENT_CALLS,
    RESPONSE_SECONDS,
    Duration,
    blocking,
    boottime,
)
from router.aws.connect import connect
from router.aws.control_plane import ServiceClient
from router.aws.deployed import (
    Decision,
    DeployedFunction,
    DeployedIndex,
    DeployedMapping,
    DeployedQueue,
    DeployedState,
    DeployedTable,
    DeployedTtl,
    Unanswered,
)
from router.aws.http import connections, objects, opening, queues, tables
from router.aws.http.opening import CONNECT_SECONDS
from router.aws.http.signing import Credentials, Signer, SigningScope
from router.aws.live import ACTIONS
from router.aws.protocols import (
    NO_ROOM,
    OUT_OF_TIME,
    TOO_LARGE,
    Aws,
    AwsFault,
    KeySchema,
    OutgoingMessage,
    QueueAttributes,
    WriteResponse,
)
from router.aws.stacks import ResourceChange, Stack, StackEvent, Stacks

__all__ = [
    "ACTIONS",
    "CONCURRENT_CALLS",
    "CONNECT_SECONDS",
    "NO_ROOM",
    "OUT_OF_TIME",
    "RESPONSE_SECONDS",
    "TOO_LARGE",
    "Artifacts",
    "Aws",
    "AwsFault",
    "Credentials",
    "Decision",
    "DeployedFunction",
    "DeployedIndex",
    "DeployedMapping",
    "DeployedQueue",
    "DeployedState",
    "DeployedTable",
    "DeployedTtl",
    "Duration",
    "DynamoTables",
    "KeySchema",
    "OutgoingMessage",
    "QueueAttributes",
    "ResourceChange",
    "ServiceClient",
    "Signer",
    "SigningScope",
    "Stack",
    "StackEvent",
    "Stacks",
    "Unanswered",
    "WriteResponse",
    "blocking",
    "boottime",
    "boto",
    "connect",
    "connections",
    "set_call_seconds",
    "tables",
]


def set_call_seconds(seconds: int) -> None:
    """Set how long each call of this process waits for a connection and for a response."""
    boto.CONNECT_TIMEOUT = boto.DYNAMODB_TIMEOUT = boto.SQS_TIMEOUT = boto.S3_TIMEOUT = seconds
    for module in (connections, opening):
        vars(module)["CONNECT_SECONDS"] = seconds
    tables.SECONDS = queues.SECONDS = seconds
    vars(objects)["RESPONSE_SECONDS"] = seconds
