"""What is deployed, as AWS describes it: tables, queues, functions, event source mappings and permissions."""

from collections.abc import Mapping

from msgspec import Struct

_ABSENT = """
    404 NoSuchBucket NoSuchEntity NoSuchKey NonExistentQueue NotFound QueueDoesNotExist ResourceNotFound
    ResourceNotFoundException
"""
_DENIED = (
    "403 AccessDenied AccessDeniedException AuthorizationError Forbidden UnauthorizedOperation"
)
# 403 and 404: boto3's codes for responses to HEAD, which have no text.
ABSENT = frozenset(_ABSENT.split())
"""The codes for what does not exist."""
DENIED = frozenset(_DENIED.split())
"""The codes for a call that the caller lacks the permission for."""
KeyAttributes = tuple[tuple[str, str], ...]
"""Key attributes and their types: those of the partition key, then those of the sort key."""


class Unanswered(Struct, frozen=True, tag=True):
    """A call that failed: IAM's name of the action, the resource, and AWS's error code."""

    action: str
    resource: str
    code: str

    @property
    def absent(self) -> bool:
        """Whether the resource does not exist."""
        return self.code in ABSENT

    @property
    def denied(self) -> bool:
        """Whether the caller lacks the permission."""
        return self.code in DENIED


class DeployedTtl(Struct, frozen=True, tag=True):
    """The time to live of a table: ENABLED, ENABLING, DISABLED or DISABLING, and its attribute or ""."""

    status: str
    attribute: str = ""

    @property
    def on(self) -> bool:
        """Whether expired items are deleted, now or within an hour."""
        return self.status in ("ENABLED", "ENABLING")


class DeployedIndex(Struct, frozen=True):
    """A secondary index: its key attributes, those of the partition key first, and how many these are.

    `projection` is ALL, KEYS_ONLY or INCLUDE, `projected` what INCLUDE lists; both are empty for a local index.
    """

    name: str
    key: KeyAttributes
    partition: int = 1
    status: str = "ACTIVE"
    projection: str = ""
    projected: tuple[str, ...] = ()


class DeployedTable(Struct, frozen=True, tag=True):
    """A table; the units of capacity are 0 for on-demand billing."""

    arn: str
    status: str
    key: KeyAttributes
    ttl: DeployedTtl | Unanswered
    read_units: int = 0
    write_units: int = 0
    indexes: tuple[DeployedIndex, ...] = ()

    @property
    def provisioned(self) -> bool:
        """Whether it has provisioned capacity."""
        return self.write_units > 0


class DeployedQueue(Struct, frozen=True, tag=True):
    """A queue. Times are in seconds, sizes in bytes; without redrive policy `redrive_to` is "" and the count 0.

    `kms_key` is the ARN, id or alias of its KMS key, or "", `policy` its policy as JSON, or "".
    """

    arn: str
    fifo: bool
    visibility: int
    retention: int
    max_bytes: int
    redrive_to: str = ""
    max_receive_count: int = 0
    kms_key: str = ""
    policy: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.arn.rpartition(":")[2]


class DeployedSubscription(Struct, frozen=True, tag=True):
    """The subscription of a queue, by its ARN, to a topic; `raw` is without an envelope."""

    queue: str
    raw: bool


READING = ("Creating", "Enabling", "Enabled", "Updating")
"""The states in which an event source mapping reads its queue, or is about to."""


class DeployedMapping(Struct, frozen=True, tag=True):
    """An event source mapping; `window` is in seconds, `max_concurrency` is 0 if none is set.

    `reason` is AWS's for its state, such as `USER_INITIATED`.
    """

    id: str
    function: str
    state: str
    batch_size: int
    window: int
    reports_failures: bool
    max_concurrency: int = 0
    filters: int = 0
    reason: str = ""


class DeployedFunction(Struct, frozen=True, tag=True):
    """A function; `timeout` is in seconds, `reserved` is None if it shares the account's concurrency.

    `modified` is when its code or a setting was changed, as AWS writes it.
    """

    arn: str
    timeout: int
    role: str
    reserved: int | Unanswered | None = None
    modified: str = ""

    @property
    def name(self) -> str:
        """Its name, with the version or alias if the mapping names one."""
        return function_name(self.arn)


class Decision(Struct, frozen=True, tag=True):
    """Which of the needed actions on a resource the policies of a principal deny."""

    resource: str
    needed: tuple[str, ...]
    denied: tuple[str, ...] = ()


Queues = Mapping[str, DeployedQueue | Unanswered]
Functions = Mapping[str, DeployedFunction | Unanswered]
MappingsOfQueue = tuple[DeployedMapping, ...] | Unanswered
QueueMappings = Mapping[str, MappingsOfQueue]
SubscriptionsToTopic = tuple[DeployedSubscription, ...] | Unanswered
TopicSubscriptions = Mapping[str, SubscriptionsToTopic]


class DeployedState(Struct, frozen=True):
    """All that was read.

    `tables` are by their name in the config, `queues` by their reference (name, URL or ARN), `mappings` by the queue's
    name in the config, `functions` and `subscriptions` by the ARN of the function or topic. `principal` is the one
    whose permissions `decisions` are about; "" if it is not known, or has all permissions.
    """

    tables: Mapping[str, DeployedTable | Unanswered] = {}
    queues: Queues = {}
    mappings: QueueMappings = {}
    functions: Functions = {}
    principal: str | Unanswered = ""
    decisions: tuple[Decision | Unanswered, ...] = ()
    subscriptions: TopicSubscriptions = {}


def function_name(arn: str) -> str:
    """The name in a function's ARN, with the version or alias if there is one."""
    return arn.partition(":function:")[2] or arn


def is_of_function(arn: str, function: str) -> bool:
    """Return whether the ARN of a function, version or alias is of a function by its name or ARN; "" is any."""
    name, _, qualifier = function_name(arn).partition(":")
    wanted, _, wanted_qualifier = function_name(function).partition(":")
    return not function or (name == wanted and wanted_qualifier in ("", qualifier))
