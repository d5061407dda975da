"""What tests of other rooms use of `router.aws`."""

from router.aws.artifacts import Artifacts
from router.aws.boto import DynamoTables
from router.aws.calls import (
    CONCURRENT_CALLS,
    MARGIN_SECONDS,
    RESERVE_SECONDS,
    RESPONSE_SECONDS,
    Duration,
    FixedDeadline,
    StartLimit,
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
from router.aws.http.connections import CONNECT_SECONDS
from router.aws.http.signing import Credentials, Signer, SigningScope
from router.aws.live import ACTIONS
from router.aws.protocols import TOO_LARGE, Aws, AwsFault, KeySchema, OutgoingMessage, QueueAttributes, WriteResponse
from router.aws.run_lock import RunLock
from router.aws.stacks import ResourceChange, Stack, StackEvent, Stacks

__all__ = [
    "ACTIONS",
    "CONCURRENT_CALLS",
    "CONNECT_SECONDS",
    "MARGIN_SECONDS",
    "RESERVE_SECONDS",
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
    "FixedDeadline",
    "KeySchema",
    "OutgoingMessage",
    "QueueAttributes",
    "ResourceChange",
    "RunLock",
    "ServiceClient",
    "Signer",
    "SigningScope",
    "Stack",
    "StackEvent",
    "Stacks",
    "StartLimit",
    "Unanswered",
    "WriteResponse",
    "boottime",
    "connect",
]
