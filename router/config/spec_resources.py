"""Queues, tables, and what `router template` makes besides: the function and the worker.

Limits of a mapping: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Limits of a function: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Sizes of tasks: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from router.config_types import Bucket, Disposition, Duration, Spec
from router.model import KeyType

KmsKey = Annotated[
    str,
    Meta(
        description="The ARN of the KMS key that it is encrypted with. Default: a key of AWS's own.",
        examples=["arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    ),
]
Architecture = Annotated[Literal["arm64", "x86_64"], Meta(description="The processor that it runs on.")]
LogRetention = Annotated[
    Duration,
    Meta(description="How long its log is kept: 1, 3, 5, 7, 14, 30, 60, 90 … days, as CloudWatch Logs takes them."),
]
EnvironmentVariables = Annotated[
    dict[str, str],
    Meta(
        description="More environment variables, as plugins may want them. Those that the config names as `${NAME}` "
        "are there without being named here.",
        examples=[{"GEO_TABLE": "${STAGE:-dev}-places"}],
    ),
]


class EventSourceMapping(Spec, frozen=True, kw_only=True):
    """How Lambda reads a queue."""

    batch_size: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | UnsetType,
        Meta(
            description="Messages that an invocation gets at most. Default: 100, and 10 for a FIFO queue, which has no "
            "more."
        ),
    ] = UNSET
    window: Annotated[
        Duration | UnsetType,
        Meta(
            description="How long Lambda waits for a batch to fill: at most `5m`; a FIFO queue has none. Default: `1s` "
            "where `batch_size` is over 10, which needs one, else `0s`.",
            examples=["5s"],
        ),
    ] = UNSET
    maximum_concurrency: Annotated[
        Annotated[int, Meta(ge=2, le=1000)] | UnsetType,
        Meta(description="Invocations for this queue at a time. Default: no bound but the account's."),
    ] = UNSET


class Retry(Spec, frozen=True):
    """How long a message that is to be retried stays hidden: random up to a bound that grows with its receive count."""

    base: Annotated[Duration, Meta(description="The bound after the first receive.")] = "2s"
    factor: Annotated[
        int,
        Meta(
            ge=1,
            le=10,
            description="How many times longer the bound is with each further receive.",
        ),
    ] = 2
    cap: Annotated[Duration, Meta(description="The bound never is longer.")] = "15m"
    lambda_: Annotated[
        bool, Meta(description="In Lambda too, where it costs a call for each batch with such messages.")
    ] = field(name="lambda", default=False)


class S3Pointer(Spec, frozen=True):
    """What the envelope `s3_pointer` may fetch: messages too large for SQS, that the Extended Client put into S3."""

    buckets: Annotated[
        Annotated[tuple[Bucket, ...], Meta(min_length=1)],
        Meta(
            description="The buckets that may be read; a pointer to another one is rejected.", examples=[["payloads"]]
        ),
    ]
    max_bytes: Annotated[
        int,
        Meta(
            ge=1,
            le=67_108_864,
            description="The largest object that is fetched; a larger one is rejected.",
        ),
    ] = 16_777_216


class Queue(Spec, frozen=True):
    """An SQS queue. A queue with no settings needs no entry."""

    name: Annotated[
        str,
        Meta(description="Its name, URL or ARN. Default: the key.", examples=["${STAGE:-dev}-user-metadata"]),
    ] = ""
    envelope: Annotated[
        tuple[str, ...],
        Meta(
            description="Envelopes around the message, unwrapped in order: `sns`, `eventbridge`, `cloudevents`, "
            "`s3_pointer`, or one that a plugin registers.",
            examples=[["sns"]],
        ),
    ] = ()
    s3_pointer: Annotated[
        S3Pointer | UnsetType, Meta(description="What the envelope `s3_pointer` may fetch; it needs this.")
    ] = UNSET
    encoding: Annotated[
        Literal["json", "base64", "base64+gzip"],
        Meta(description="How the innermost payload is encoded; each is JSON in the end."),
    ] = "json"
    dead_letter: Annotated[
        str,
        Meta(
            description="Where rejected messages go: a key of `queues`, else a queue's name, URL or ARN. Without it "
            "they stay on their queue, for its own redrive policy.",
            examples=["user-metadata-dlq"],
        ),
    ] = ""
    match: Annotated[
        Literal["first", "all"],
        Meta(description="Which of the routes whose `when` holds get the message."),
    ] = "all"
    unmatched: Annotated[Disposition, Meta(description="What happens to a message that no route takes.")] = (
        "dead_letter"
    )
    retry: Annotated[Retry, Meta(description="The back-off of messages that are to be retried.")] = Retry()
    atomic: Annotated[bool, Meta(description="Write all items of one message in one transaction.")] = False
    lambda_: Annotated[EventSourceMapping, Meta(description="How Lambda reads it.")] = field(
        name="lambda", default=EventSourceMapping()
    )
    managed: Annotated[
        bool,
        Meta(
            description="Whether `router template` makes it, with its dead-letter queue; else it is only referred to. "
            "One named by URL or ARN is never made."
        ),
    ] = True
    kms_key: KmsKey = ""
    retention: Annotated[
        Duration | UnsetType,
        Meta(
            description="How long it keeps a message: `1m` to `14d`. Default: `4d`, and `14d` for a queue that takes "
            "dead letters, which has to keep them longer."
        ),
    ] = UNSET
    max_receive_count: Annotated[
        Annotated[int, Meta(ge=5, le=1000)] | UnsetType,
        Meta(description="After how many receives SQS moves a message to the dead-letter queue. Default: 5."),
    ] = UNSET


class Table(Spec, frozen=True, kw_only=True):
    """A DynamoDB table."""

    name: Annotated[
        str,
        Meta(
            description="Its name or ARN, in the router's region. Default: the key.",
            examples=["${STAGE:-dev}-user-metadata"],
        ),
    ] = ""
    key: Annotated[
        dict[str, KeyType],
        Meta(
            min_length=1,
            max_length=2,
            description="The key attributes and their types: the partition key, then the sort key if there is one.",
            examples=[{"user_id": "S", "at": "N"}],
        ),
    ]
    ttl: Annotated[
        str, Meta(description="The attribute that DynamoDB's time to live reads.", examples=["expires_at"])
    ] = ""
    managed: Annotated[
        bool,
        Meta(
            description="Whether `router template` makes it; else it is only referred to. One named by ARN is never "
            "made."
        ),
    ] = True
    kms_key: KmsKey = ""


class Function(Spec, frozen=True, kw_only=True):
    """The Lambda function that serves all queues."""

    memory: Annotated[
        int,
        Meta(
            ge=128,
            le=10_240,
            description="Its memory in MB; processor time comes with it, one core with 1769.",
        ),
    ] = 512
    timeout: Annotated[Duration, Meta(description="How long an invocation may take: `1s` to `15m`.")] = "60s"
    architecture: Architecture = "arm64"
    python: Annotated[
        Literal["3.11", "3.12", "3.13", "3.14"], Meta(description="The version of its runtime, in quotes.")
    ] = "3.13"
    log_retention: LogRetention = "30d"
    environment: EnvironmentVariables = field(default_factory=dict)


class Worker(Spec, frozen=True, kw_only=True):
    """The worker as a service of ECS on Fargate, where there is one instead of the function."""

    cpu: Annotated[
        Literal[256, 512, 1024, 2048, 4096, 8192, 16384],
        Meta(description="Processor units of a task; 1024 are a core."),
    ] = 512
    memory: Annotated[
        int,
        Meta(
            ge=512,
            le=122_880,
            description="The memory of a task in MB; which are possible depends on `cpu`.",
        ),
    ] = 1024
    architecture: Architecture = "arm64"
    min_tasks: Annotated[
        int,
        Meta(ge=1, le=5000, description="Tasks at least."),
    ] = 1
    max_tasks: Annotated[
        int,
        Meta(ge=1, le=5000, description="Tasks at most."),
    ] = 10
    backlog_per_task: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Visible messages of a queue for each task, beyond which there are to be more tasks.",
        ),
    ] = 1000
    log_retention: LogRetention = "30d"
    environment: EnvironmentVariables = field(default_factory=dict)
