"""Reports settings of what is deployed that AWS would refuse or throttle, and a timeout that one call can use up.

Mappings: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Functions: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Queues: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
Logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
Environment: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
Task sizes: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
Tables: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

import re
from collections.abc import Iterator

from router.codes import declare
from router.model import Path
from router.runtime.aws import RESPONSE_SECONDS
from router.runtime.aws.references import is_fifo
from router.runtime.config import spec
from router.runtime.config.environment import stands_for_unset
from router.runtime.config_types import parse_duration
from router.runtime.engine.backoff import MAX_OUTLAST
from router.tools.check.rule import Found, Subject, rule
from router.tools.check.rules.queues import MAX_BATCH_FIFO, MAX_BATCH_WITHOUT_WINDOW, MAX_RETENTION

BATCHES = declare(
    "RT225",
    "a batch size or window that Lambda does not allow",
    "Lambda refuses the mapping: a FIFO queue has batches of at most 10 messages and no window; batches over 10 need a "
    "window of at least 1 second, and a window has at most 5 minutes.",
)
NO_KEY_ARN = declare(
    "RT226",
    "a KMS key that is not given by its ARN",
    "The policy of the role names the key, and policies take ARNs of keys only: an alias grants nothing.",
)
TIMES = declare(
    "RT228",
    "a time that AWS does not allow",
    "AWS refuses it when the stack is created, and rolls the stack back.",
)
RESERVED = declare(
    "RT230",
    "an environment variable that cannot be set",
    "Lambda sets some variables itself, and refuses a function that sets them. A name consists of letters, digits and "
    "`_`, has at least 2 characters and begins with a letter.",
)
NO_SIZE = declare(
    "RT231",
    "a task size that Fargate does not have",
    "ECS refuses the task definition: each `cpu` has its own sizes of memory.",
)
NO_RANGE = declare(
    "RT232",
    "a minimum of tasks that is greater than the maximum",
    "There is no number of tasks between them.",
)

MIN_SILENT, MAX_SILENT = 300, 86_400
"""Seconds; a day is the longest period of an alarm:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
MAX_TIMEOUT, MAX_WINDOW, MIN_RETENTION = 900, 300, 60
LOG_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
# Compiled where a config has a key, or a variable.
_KEY_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+"
RESERVED_NAMES = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    )
)
VARIABLE = r"[A-Za-z][A-Za-z0-9_]+"
"""The names of variables that Lambda accepts."""
_GB = 1024
# The sizes of memory, in MB, of each `cpu`.
_SIZES = {
    256: (512, 1024, 2048),
    512: tuple(range(_GB, 4 * _GB + 1, _GB)),
    1024: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2048: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4096: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8192: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16384: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
}


@rule(BATCHES)
def check_batches(subject: Subject) -> Iterator[Found]:
    """Report batch sizes and windows that Lambda refuses."""
    for name, queue in subject.config.queues.items():
        path = ("queues", name, "lambda")
        mapping = queue.lambda_
        fifo = is_fifo(queue.name or name)
        size = mapping.batch_size if isinstance(mapping.batch_size, int) else 0
        window = parse_duration(mapping.window) if isinstance(mapping.window, str) else None
        if fifo and size > MAX_BATCH_FIFO:
            yield Found(
                BATCHES,
                f"queue '{name}' is FIFO: a batch has at most {MAX_BATCH_FIFO} messages, not {size}",
                (*path, "batch_size"),
                f"write 'batch_size: {MAX_BATCH_FIFO}' or less",
            )
        if fifo and window:
            yield Found(
                BATCHES, f"queue '{name}' is FIFO: it has no window", (*path, "window"), "remove it"
            )
        elif window is not None and window > MAX_WINDOW:
            yield Found(
                BATCHES,
                f"a window has at most {MAX_WINDOW} seconds, not {window}",
                (*path, "window"),
                "write 'window: 5m' or less",
            )
        elif not fifo and size > MAX_BATCH_WITHOUT_WINDOW and window == 0:
            yield Found(
                BATCHES,
                f"batches of {size} messages need a window of at least 1 second",
                (*path, "window"),
                "write 'window: 1s', or remove it",
            )


POLLERS = declare(
    "RT250",
    "pollers that Lambda does not allow",
    "Lambda refuses the mapping: pollers are provisioned from a least number up to a greatest one, and take the place "
    "of a maximum concurrency.",
)


@rule(POLLERS)
def check_pollers(subject: Subject) -> Iterator[Found]:
    """Report pollers beside a maximum concurrency, and those whose least number is greater than the greatest."""
    for name, queue in subject.config.queues.items():
        pollers = queue.lambda_.pollers
        if pollers is None:
            continue
        path = ("queues", name, "lambda", "pollers")
        if queue.lambda_.maximum_concurrency is not None:
            yield Found(
                POLLERS,
                f"queue '{name}' has both 'pollers' and 'maximum_concurrency'",
                path,
                "remove one of them",
                key=True,
            )
        if pollers.min > pollers.max:
            yield Found(
                POLLERS,
                f"'min' is {pollers.min}, and 'max' is {pollers.max}",
                (*path, "min"),
                "raise 'max', or lower this",
            )


@rule(NO_KEY_ARN)
def check_kms_keys(subject: Subject) -> Iterator[Found]:
    """Report KMS keys that are not given by their ARN."""
    config = subject.config
    keys: list[tuple[Path, str]] = []
    for name, queue in config.queues.items():
        if queue.s3_pointer is not None:
            keys.append((("queues", name, "s3_pointer", "kms_key"), queue.s3_pointer.kms_key))
    for section, entries in (("queues", config.queues), ("tables", config.tables)):
        for name, entry in entries.items():
            keys.append(((section, name, "kms_key"), entry.kms_key))
            keys.append(((section, name, "kms_key_previous"), entry.kms_key_previous))
    for path, key in keys:
        if key and not re.fullmatch(_KEY_ARN, key) and not stands_for_unset(key):
            yield Found(
                NO_KEY_ARN,
                f"'{key}' is not the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID",
                path,
                "use the ARN of the key, not of an alias",
            )


@rule(TIMES)
def check_times(subject: Subject) -> Iterator[Found]:
    """Report times outside AWS's limits."""
    config = subject.config
    timeout = parse_duration(config.function.timeout)
    if not 1 <= timeout <= MAX_TIMEOUT:
        yield Found(
            TIMES,
            f"the timeout of a function is 1 to {MAX_TIMEOUT} seconds, not {timeout}",
            ("function", "timeout"),
            "write '1s' to '15m'",
        )
    for section, retention in (
        ("function", config.function.log_retention),
        ("worker", config.worker.log_retention),
    ):
        days, rest = divmod(parse_duration(retention), 86_400)
        if rest or days not in LOG_DAYS:
            near = min(LOG_DAYS, key=lambda known: abs(known - days))
            yield Found(
                TIMES,
                f"CloudWatch Logs has no retention of '{retention}'",
                (section, "log_retention"),
                f"write '{near}d'",
            )
    for name, queue in config.queues.items():
        retention = queue.retention if isinstance(queue.retention, str) else "4d"
        if not MIN_RETENTION <= parse_duration(retention) <= MAX_RETENTION:
            yield Found(
                TIMES,
                f"the retention of a queue is 1 minute to 14 days, not '{retention}'",
                ("queues", name, "retention"),
                "write '1m' to '14d'",
            )
        if parse_duration(queue.outlast) > MAX_OUTLAST:
            yield Found(
                TIMES,
                f"SQS keeps no message for longer than 14 days, and 'outlast' is '{queue.outlast}'",
                ("queues", name, "outlast"),
                "write '14d' or less",
            )
        silent = queue.silent_after
        if silent and not MIN_SILENT <= parse_duration(silent) <= MAX_SILENT:
            yield Found(
                TIMES,
                f"an alarm can wait for 5 minutes to 1 day, not '{silent}'",
                ("queues", name, "silent_after"),
                "write '5m' to '1d'",
            )


@rule(RESERVED)
def check_environment(subject: Subject) -> Iterator[Found]:
    """Report environment variables that Lambda refuses."""
    for name in subject.config.function.environment:
        path = ("function", "environment", name)
        if name in RESERVED_NAMES:
            yield Found(RESERVED, f"'{name}' is set by Lambda itself", path, "remove it", key=True)
        elif not re.fullmatch(VARIABLE, name):
            yield Found(
                RESERVED,
                f"'{name}' is not a name of an environment variable",
                path,
                "rename it",
                key=True,
            )


@rule(NO_SIZE)
def check_sizes_of_tasks(subject: Subject) -> Iterator[Found]:
    """Report task sizes that Fargate does not have."""
    worker = subject.config.worker
    sizes = _SIZES[worker.cpu]
    if worker.memory not in sizes:
        near = min(sizes, key=lambda size: abs(size - worker.memory))
        yield Found(
            NO_SIZE,
            f"'cpu: {worker.cpu}' has {sizes[0]} to {sizes[-1]} MB of memory in steps, not {worker.memory}",
            ("worker", "memory"),
            f"write 'memory: {near}', or another cpu",
        )


@rule(NO_RANGE)
def check_numbers_of_tasks(subject: Subject) -> Iterator[Found]:
    """Report a minimum of tasks that is greater than the maximum."""
    worker = subject.config.worker
    if worker.min_tasks > worker.max_tasks:
        yield Found(
            NO_RANGE,
            f"'min_tasks' is {worker.min_tasks}, and 'max_tasks' is {worker.max_tasks}",
            ("worker", "min_tasks"),
            "raise 'max_tasks', or lower this",
        )


LEAST_TIMEOUT = 2 * RESPONSE_SECONDS + 1
"""Seconds; half of a shorter invocation is over when a call that hangs is given up."""
SHORT_TIMEOUT = declare(
    "RT235",
    "a timeout of the function that one call can use up",
    f"A call waits up to {RESPONSE_SECONDS} seconds for its response, and up to half of an invocation is kept for what "
    "follows a call as slow as that. In a short invocation no call starts after one that hangs: the function still "
    "responds in time, but what is left of the batch is received again.",
    severity="warning",
)


@rule(SHORT_TIMEOUT)
def check_function_timeout(subject: Subject) -> Iterator[Found]:
    """Report a timeout in which no write starts after one that hangs."""
    timeout = parse_duration(subject.config.function.timeout)
    if timeout < LEAST_TIMEOUT:
        yield Found(
            SHORT_TIMEOUT,
            after_a_hang(timeout),
            ("function", "timeout"),
            f"write 'timeout: {LEAST_TIMEOUT}s' or more",
        )


def after_a_hang(timeout: int) -> str:
    """Return the sentence about a timeout that is too short."""
    return f"a call that hangs is given up after {RESPONSE_SECONDS} s, and no other follows it within the {timeout} s"


EMPTY_RANGE = declare(
    "RT624",
    "a `max` of `capacity` that is less than its `min`",
    "Application Auto Scaling keeps the units between the two, and refuses them.",
)
UNFIT = declare(
    "RT625",
    "a capacity that does not fit",
    "A table has 40,000 units of each kind at most, unless AWS raised that quota; and where the router may use more "
    "write units than are provisioned, DynamoDB throttles it.",
    "warning",
)
# Read or write capacity units of a table, by default, in each region.
_TABLE_QUOTA = 40_000


@rule(EMPTY_RANGE, UNFIT)
def check_capacity(subject: Subject) -> Iterator[Found]:
    """Report capacities with a wrong range, over a quota, or under the `write_units` of the router."""
    for name, table in subject.config.tables.items():
        if table.capacity is None:
            continue
        path = ("tables", name, "capacity")
        for kind, units in (("write", table.capacity.write), ("read", table.capacity.read)):
            yield from _check_range(units, f"table '{name}'", (*path, kind))
        # What a write uses of its indexes is measured with it; each has the capacity of the table.
        most = table.capacity.write.most * (1 + len(table.indexes))
        if table.write_units is not None and table.write_units > most:
            yield Found(
                UNFIT,
                f"the router may use {table.write_units} write units of table '{name}', which has {most} at most",
                ("tables", name, "write_units"),
                f"write 'write_units: {most}' or less, or raise 'max'",
            )


def _check_range(units: spec.CapacityRange, what: str, path: Path) -> Iterator[Found]:
    if units.most < units.min:
        yield Found(
            EMPTY_RANGE,
            f"the {path[-1]} units of {what} are at least {units.min} and at most {units.most}",
            (*path, "max"),
            "exchange the two, or leave 'max' out",
        )
    elif units.most > _TABLE_QUOTA:
        key = "min" if units.max is None else "max"
        yield Found(
            UNFIT,
            f"{units.most} {path[-1]} units are over the quota of a table, {_TABLE_QUOTA}",
            (*path, key),
            "lower it, or ask AWS for more, and then ignore this",
        )
