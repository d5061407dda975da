"""What tests of other rooms use of `router.runtime.aws`."""

from router.runtime.aws import RESPONSE_SECONDS, boto
from router.runtime.aws.boto import DynamoTables
from router.runtime.aws.calls import (
    CONCURRENT_CALLS,
    Duration,
    blocking,
    boottime,
)
from router.runtime.aws.connect import connect
from router.runtime.aws.http import connections, objects, opening, queues, tables
from router.runtime.aws.http.opening import CONNECT_SECONDS
from router.runtime.aws.http.signing import Credentials, Signer, SigningScope
from router.runtime.aws.protocols import (
    NO_ROOM,
    OUT_OF_TIME,
    TOO_LARGE,
    Aws,
    AwsFault,
    EndedCall,
    KeySchema,
    OutgoingMessage,
    QueueAttributes,
    WriteResponse,
)
from router.tools.control_plane.artifacts import Artifacts
from router.tools.control_plane.clients import AwsCallError, ServiceClient, connect_invoker
from router.tools.control_plane.deployed import (
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
from router.tools.control_plane.live import ACTIONS
from router.tools.control_plane.resource_changes import DriftedValue, ResourceChange
from router.tools.control_plane.stacks import Stack, StackEvent, StackResource, Stacks, StackTemplate

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
    "AwsCallError",
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
    "DriftedValue",
    "Duration",
    "DynamoTables",
    "EndedCall",
    "KeySchema",
    "OutgoingMessage",
    "QueueAttributes",
    "ResourceChange",
    "ServiceClient",
    "Signer",
    "SigningScope",
    "Stack",
    "StackEvent",
    "StackResource",
    "StackTemplate",
    "Stacks",
    "Unanswered",
    "WriteResponse",
    "blocking",
    "boottime",
    "boto",
    "connect",
    "connect_invoker",
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
