"""Queues, tables, and the function or worker in the output of `router template`.

Limits of a mapping:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Limits of a function:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Sizes of tasks:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
Capacity of a table, and how it is scaled:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
Keys of indexes:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from router.model import KeyType
from router.runtime.config_types import (
    Architecture,
    AttributeName,
    Bucket,
    Description,
    Disposition,
    Duration,
    EnvironmentVariables,
    IndexName,
    KmsKey,
    LogRetention,
    OwnerName,
    PreviousKmsKey,
    ProvisionedPollers,
    ReservedConcurrency,
    Senders,
    SilentAfter,
    Spec,
    Tags,
    VpcSettings,
    form,
)
from router.runtime.envelopes import ENVELOPES


class OwnerSettings(Spec, frozen=True, kw_only=True):
    """A team or person that owns queues, tables and routes."""

    alarm_topic: Annotated[
        str,
        Meta(
            min_length=1,
            description="The ARN of the SNS topic for alarms of its queues, instead of "
            "the parameter `AlarmTopic`.",
            examples=["arn:aws:sns:eu-west-1:123456789012:team-orders"],
        ),
    ] = ""


class EventSourceMapping(Spec, frozen=True, kw_only=True):
    """The event source mapping by which Lambda reads a queue."""

    batch_size: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None,
        Meta(
            description="The most messages of an invocation. Default: 100, and 10 for "
            "a FIFO queue, its maximum."
        ),
    ] = None
    window: Annotated[
        Duration | None,
        Meta(
            description="How long Lambda waits for a batch to fill: at most `5m`; a "
            "FIFO queue has none. Default: `1s` "
            "if `batch_size` is over 10, which requires a window, else `0s`.",
            examples=["5s"],
        ),
    ] = None
    maximum_concurrency: Annotated[
        Annotated[int, Meta(ge=2, le=1000)] | None,
        Meta(
            description="The most concurrent invocations for this queue. Default: the "
            "limit of the account."
        ),
    ] = None
    pollers: ProvisionedPollers = None


class RetrySettings(Spec, frozen=True):
    """The visibility timeout before a retry: random up to a bound that grows with the receives."""

    base: Annotated[Duration, Meta(description="The bound after the first receive.")] = "2s"
    factor: Annotated[
        int,
        Meta(
            ge=1,
            le=10,
            description="The factor by which the bound grows with each receive.",
        ),
    ] = 2
    cap: Annotated[Duration, Meta(description="The largest bound.")] = "15m"
    lambda_: Annotated[
        bool,
        Meta(
            description="Whether it applies in Lambda, where it costs a call for each "
            "batch with such messages."
        ),
    ] = field(name="lambda", default=False)


class S3Pointer(Spec, frozen=True):
    """What the envelope `s3_pointer` may fetch: large messages that the Extended Client stored."""

    buckets: Annotated[
        Annotated[tuple[Bucket, ...], Meta(min_length=1)],
        Meta(
            description="The buckets that may be read; a pointer to any other bucket is rejected.",
            examples=[["payloads"]],
        ),
    ]
    max_bytes: Annotated[
        int,
        Meta(
            ge=1,
            le=67_108_864,
            description="The size of the largest object that is fetched; a pointer to "
            "a larger one is rejected.",
        ),
    ] = 16_777_216
    kms_key: KmsKey = ""


class RedactedAttribute(Spec, frozen=True):
    """A message attribute whose value is redacted."""

    meta: Annotated[
        str,
        Meta(
            description="`attribute.NAME`: a message attribute, or one that an envelope carries.",
            extra_json_schema=form(r"^attribute\..+$", "attribute.NAME"),
            examples=["attribute.email"],
        ),
    ]


class Queue(Spec, frozen=True):
    """An SQS queue. A queue with no settings needs no entry."""

    name: Annotated[
        str,
        Meta(
            description="Its name, URL or ARN. Default: the key.",
            examples=["${STAGE:-dev}-user-metadata"],
        ),
    ] = ""
    envelope: Annotated[
        tuple[str, ...],
        Meta(
            description="Envelopes around the message, unwrapped in order: "
            f"{', '.join(f'`{name}`' for name in ENVELOPES)}, or one that a plugin registers.",
            examples=[["sns"]],
        ),
    ] = ()
    s3_pointer: Annotated[
        S3Pointer | None,
        Meta(description="What the envelope `s3_pointer` may fetch; required with that envelope."),
    ] = None
    encoding: Annotated[
        Literal["json", "base64", "base64+gzip"],
        Meta(description="The encoding of the innermost payload, which is JSON."),
    ] = "json"
    dead_letter: Annotated[
        str,
        Meta(
            description="The queue for rejected messages: a key of `queues`, else a queue's name, "
            "URL or ARN. Without it, they stay on their queue, for its own redrive policy.",
            examples=["user-metadata-dlq"],
        ),
    ] = ""
    senders: Senders = ()
    redact: Annotated[
        tuple[
            Annotated[str, Meta(min_length=1, max_length=200)] | RedactedAttribute,
            ...,
        ],
        Meta(
            max_length=50,
            description="Values that are redacted in dead letters, by a hash with the key "
            "`ROUTER_REDACT_KEY` of the environment: paths of names, `[*]` for each element of a "
            "list and `*` for each value of an object; or message attributes.",
            examples=[["customer.email", "lines[*].card", {"meta": "attribute.email"}]],
        ),
    ] = ()
    match: Annotated[
        Literal["first", "all"],
        Meta(
            description="Which routes get a message: the first whose `when` is true, "
            "or all of them."
        ),
    ] = "all"
    unmatched: Annotated[
        Disposition,
        Meta(description="The outcome of a message that no route takes."),
    ] = "dead_letter"
    retry: Annotated[RetrySettings, Meta(description="The back-off of messages to retry.")] = (
        RetrySettings()
    )
    outlast: Annotated[
        Duration,
        Meta(
            description="How long an outage its messages survive: a message that met a "
            "configuration error, or a throttled or failing table, stays invisible so long that "
            "the receives which the redrive policy allows span this time. At most `14d`.",
            examples=["1d"],
        ),
    ] = "12h"
    silent_after: SilentAfter = None
    atomic: Annotated[
        bool,
        Meta(description="Write all items of one message in one transaction."),
    ] = False
    lambda_: Annotated[EventSourceMapping, Meta(description="How Lambda reads the queue.")] = field(
        name="lambda", default=EventSourceMapping()
    )
    managed: Annotated[
        bool,
        Meta(
            description="Whether `router template` creates it, with its dead-letter "
            "queue, or only refers to it. "
            "A queue named by URL or ARN is never created."
        ),
    ] = True
    deletion_policy: Annotated[
        Literal["delete", "retain"],
        Meta(
            description="What becomes of a queue that the stack created when it leaves "
            "the stack, or the stack is "
            "deleted: `retain` keeps it and its messages. The setting of the previous "
            "deployment counts."
        ),
    ] = "delete"
    kms_key: KmsKey = ""
    kms_key_previous: PreviousKmsKey = ""
    retention: Annotated[
        Duration | None,
        Meta(
            description="The retention of messages: `1m` to `14d`. Default: `4d`, and "
            "`14d` for a dead-letter queue, "
            "whose retention must be longer than the source queue's."
        ),
    ] = None
    max_receive_count: Annotated[
        Annotated[int, Meta(ge=5, le=1000)] | None,
        Meta(
            description="The number of receives after which SQS moves a message to the "
            "dead-letter queue. Default: 10; "
            "for an `outlast` of more than 32 hours, as many as it needs."
        ),
    ] = None
    owner: OwnerName = ""
    description: Description = ""
    tags: Tags = field(default_factory=dict)


Units = Annotated[int, Meta(ge=1, le=10_000_000)]


class CapacityRange(Spec, frozen=True, kw_only=True):
    """The units per second of a table that are provisioned for reads or writes."""

    min: Annotated[
        Units,
        Meta(
            description="The least units, with which the table is created.",
            examples=[10],
        ),
    ]
    max: Annotated[
        Units | None,
        Meta(
            description="The most units: Application Auto Scaling follows what is "
            "consumed up to there. Default: as "
            "`min`, so that the units stay as they are."
        ),
    ] = None
    target: Annotated[
        int,
        Meta(
            ge=20,
            le=90,
            description="The percentage of the units that is to be consumed, if they are scaled.",
        ),
    ] = 70

    @property
    def most(self) -> int:
        """The most units."""
        return self.min if self.max is None else self.max


class Capacity(Spec, frozen=True, kw_only=True):
    """Provisioned capacity of a table: write units are for 1 KB each, read units for 4 KB."""

    write: Annotated[
        CapacityRange,
        Meta(
            description="Write capacity units.",
            examples=[{"min": 10, "max": 500}],
        ),
    ]
    read: Annotated[
        CapacityRange,
        Meta(
            description="Read capacity units, for those who read the table: the router "
            "reads no items."
        ),
    ]


class TableIndex(Spec, frozen=True, kw_only=True):
    """A global secondary index: items that have all attributes of its key can be queried by it."""

    key: Annotated[
        dict[AttributeName, KeyType],
        Meta(
            min_length=1,
            max_length=8,
            description="The key attributes and their types: those of the partition "
            "key, then those of the sort key if there is one. Both have up to four.",
            examples=[{"region": "S", "status": "S", "placed_at": "S"}],
        ),
    ]
    partition: Annotated[
        int,
        Meta(
            ge=1,
            le=4,
            description="How many of the key attributes are the partition key; the "
            "others are the sort key.",
        ),
    ] = 1
    projection: Annotated[
        Literal["all", "keys"] | tuple[AttributeName, ...],
        Meta(
            description="The attributes that the index has: `all`, or the `keys` of "
            "table and index, or these and a list of others.",
            examples=[["total", "currency"]],
        ),
    ] = "all"

    @property
    def partition_key(self) -> tuple[tuple[str, KeyType], ...]:
        """The attributes of the partition key."""
        return tuple(self.key.items())[: self.partition]

    @property
    def sort_key(self) -> tuple[tuple[str, KeyType], ...]:
        """The attributes of the sort key."""
        return tuple(self.key.items())[self.partition :]


class TableSettings(Spec, frozen=True, kw_only=True):
    """A DynamoDB table."""

    name: Annotated[
        str,
        Meta(
            description="Its name or ARN, in the router's region. Default: the key.",
            examples=["${STAGE:-dev}-user-metadata"],
        ),
    ] = ""
    key: Annotated[
        dict[AttributeName, KeyType],
        Meta(
            min_length=1,
            max_length=2,
            description="The key attributes and their types: the partition key, then "
            "the sort key if there is one.",
            examples=[{"user_id": "S", "at": "N"}],
        ),
    ]
    indexes: Annotated[
        dict[IndexName, TableIndex],
        Meta(
            description="Global secondary indexes by name. An item without a key "
            "attribute of an index is not in it; a value of another type, or an empty "
            "one, makes DynamoDB refuse the item.",
            examples=[{"by_status": {"key": {"status": "S", "placed_at": "S"}}}],
        ),
    ] = field(default_factory=dict)
    ttl: Annotated[
        str,
        Meta(
            description="The attribute that DynamoDB's time to live reads.",
            examples=["expires_at"],
        ),
    ] = ""
    write_units: Annotated[
        Units | None,
        Meta(
            description="The write capacity units per second that the router uses of "
            "it at most. DynamoDB says what "
            "each write consumes; while the table throttles, the rate is lowered. "
            "Default: no bound."
        ),
    ] = None
    share: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="The number of processes that share `write_units`: workers, "
            "times their `--processes`, "
            "or concurrent invocations of the function.",
        ),
    ] = 1
    capacity: Annotated[
        Capacity | None,
        Meta(
            description="Provisioned capacity of a table that `router template` "
            "creates. Default: on demand."
        ),
    ] = None
    managed: Annotated[
        bool,
        Meta(
            description="Whether `router template` creates it, or only refers to it. A "
            "table named by ARN is never "
            "created."
        ),
    ] = True
    kms_key: KmsKey = ""
    kms_key_previous: PreviousKmsKey = ""
    owner: OwnerName = ""
    description: Description = ""
    tags: Tags = field(default_factory=dict)


class FunctionSettings(Spec, frozen=True, kw_only=True):
    """The Lambda function that serves all queues."""

    memory: Annotated[
        int,
        Meta(
            ge=128,
            le=10_240,
            description="Its memory in MB; processor time is proportional to it, one "
            "core with 1769.",
        ),
    ] = 512
    timeout: Annotated[
        Duration,
        Meta(description="The longest duration of an invocation: `1s` to `15m`."),
    ] = "60s"
    architecture: Architecture = "arm64"
    python: Annotated[
        Literal["3.11", "3.12", "3.13", "3.14"],
        Meta(description="The version of its runtime, in quotes."),
    ] = "3.13"
    reserved_concurrency: ReservedConcurrency = None
    vpc: VpcSettings = None
    log_retention: LogRetention = "30d"
    environment: EnvironmentVariables = field(default_factory=dict)


class Worker(Spec, frozen=True, kw_only=True):
    """The worker as an ECS service on Fargate, instead of the function."""

    cpu: Annotated[
        Literal[256, 512, 1024, 2048, 4096, 8192, 16384],
        Meta(description="CPU units of a task; 1024 units are a core."),
    ] = 512
    memory: Annotated[
        int,
        Meta(
            ge=512,
            le=122_880,
            description="The memory of a task in MB; `cpu` determines which values are valid.",
        ),
    ] = 1024
    architecture: Architecture = "arm64"
    min_tasks: Annotated[int, Meta(ge=1, le=5000, description="The smallest number of tasks.")] = 1
    max_tasks: Annotated[int, Meta(ge=1, le=5000, description="The largest number of tasks.")] = 10
    backlog_per_task: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="The number of visible messages of a queue per task above "
            "which tasks are added.",
        ),
    ] = 1000
    log_retention: LogRetention = "30d"
    environment: EnvironmentVariables = field(default_factory=dict)
