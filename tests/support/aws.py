"""What tests of other rooms use of `router.aws`."""

from router.aws.boto import DynamoTables
from router.aws.calls import CONCURRENT_CALLS, MARGIN_SECONDS, Duration, FixedDeadline, RunLock, StartLimit, boottime
from router.aws.connect import connect
from router.aws.deployed import (
    Decision,
    DeployedState,
    FunctionFacts,
    IndexFacts,
    MappingFacts,
    QueueFacts,
    TableFacts,
    TtlFacts,
    Unanswered,
)
from router.aws.http.signing import Credentials, SigningScope, sign
from router.aws.live import ACTIONS
from router.aws.protocols import TOO_LARGE, Aws, AwsFault, OutgoingMessage, QueueAttributes, WriteResponse
from router.aws.stacks import ResourceChange, Stack, StackEvent, Stacks

__all__ = [
    "ACTIONS",
    "CONCURRENT_CALLS",
    "MARGIN_SECONDS",
    "TOO_LARGE",
    "Aws",
    "AwsFault",
    "Credentials",
    "Decision",
    "DeployedState",
    "Duration",
    "DynamoTables",
    "FixedDeadline",
    "FunctionFacts",
    "IndexFacts",
    "MappingFacts",
    "OutgoingMessage",
    "QueueAttributes",
    "QueueFacts",
    "ResourceChange",
    "RunLock",
    "SigningScope",
    "Stack",
    "StackEvent",
    "Stacks",
    "StartLimit",
    "TableFacts",
    "TtlFacts",
    "Unanswered",
    "WriteResponse",
    "boottime",
    "connect",
    "sign",
]
