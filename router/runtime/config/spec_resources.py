"""Queues, and the function or worker in the output of `router template`.

Limits of a mapping:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Limits of a function:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Sizes of tasks:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from router.runtime.config.spec_access import (
    ProvisionedPollers,
    ReservedConcurrency,
    Senders,
    VpcSettings,
)
from router.runtime.config_types import (
    MAX_TAGS,
    Bucket,
    Disposition,
    Duration,
    Owner,
    SilentAfter,
    Spec,
    TagName,
    TagValue,
    form,
)
from router.runtime.envelopes import ENVELOPES

KmsKey = Annotated[
    str,
    Meta(
        description="The ARN of the KMS key that it is encrypted with. Default: a key "
        "of AWS's own.",
        examples=["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    ),
]
PreviousKmsKey = Annotated[
    str,
    Meta(
        description="The ARN of the KMS key that it was encrypted with before, or its messages or "
        "items are: it can still be decrypted with. Remove it when nothing is left that needs it.",
        examples=["arn:aws:kms:eu-west-1:123456789012:key/0987dcba-09fe-87dc-65ba-ab0987654321"],
    ),
]
Architecture = Annotated[
    Literal["arm64", "x86_64"], Meta(description="The processor architecture.")
]
LogRetention = Annotated[
    Duration,
    Meta(
        description="The retention of its log: 1, 3, 5, 7, 14, 30, 60, 90 … days, as "
        "CloudWatch Logs accepts them."
    ),
]
EnvironmentVariables = Annotated[
    dict[str, str],
    Meta(
        description="More environment variables, for plugins. Variables that the config refers to "
        "as `${NAME}` are set without being named here.",
        examples=[{"GEO_TABLE": "${STAGE:-dev}-places"}],
    ),
]


OwnerName = Annotated[
    Owner,
    Meta(
        description="The team or person that it belongs to. Default: the `owner` of the file.",
        examples=["team-orders"],
    ),
]
Description = Annotated[
    str,
    Meta(
        max_length=500,
        description="What it is for, in words. The alarms of a queue have it.",
        examples=["paid orders"],
    ),
]
Tags = Annotated[
    dict[TagName, TagValue],
    Meta(
        max_length=MAX_TAGS,
        description="Tags, added to the `tags` of the file; queues and tables that the stack "
        "creates get them, and `owner`.",
        examples=[{"cost-center": "42"}],
    ),
]


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
