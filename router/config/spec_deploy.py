"""What is deployed: how Lambda reads a queue, the function, and the worker.

Limits of a mapping: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Limits of a function: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Sizes of tasks: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from router.config.spec_names import Duration, Spec

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
        Annotated[int, Meta(ge=1, le=10_000, extra={"rule": "a whole number from 1 to 10000"})] | UnsetType,
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
        Annotated[int, Meta(ge=2, le=1000, extra={"rule": "a whole number from 2 to 1000"})] | UnsetType,
        Meta(description="Invocations for this queue at a time. Default: no bound but the account's."),
    ] = UNSET


class Function(Spec, frozen=True, kw_only=True):
    """The Lambda function that serves all queues."""

    memory: Annotated[
        int,
        Meta(
            ge=128,
            le=10_240,
            description="Its memory in MB; processor time comes with it, one core with 1769.",
            extra={"rule": "a whole number from 128 to 10240"},
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
            extra={"rule": "a whole number from 512 to 122880"},
        ),
    ] = 1024
    architecture: Architecture = "arm64"
    min_tasks: Annotated[
        int,
        Meta(ge=1, le=5000, description="Tasks at least.", extra={"rule": "a whole number from 1 to 5000"}),
    ] = 1
    max_tasks: Annotated[
        int,
        Meta(ge=1, le=5000, description="Tasks at most.", extra={"rule": "a whole number from 1 to 5000"}),
    ] = 10
    backlog_per_task: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Visible messages of a queue for each task, beyond which there are to be more tasks.",
            extra={"rule": "a whole number from 1 to 1000000"},
        ),
    ] = 1000
    log_retention: LogRetention = "30d"
    environment: EnvironmentVariables = field(default_factory=dict)
