"""Finds settings of the function's environment and of the worker's tasks that AWS would refuse.

Environment: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
Task sizes: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

import re
from collections.abc import Iterator

from router.check.rule import Found, Subject
from router.model import Code, Path

RESERVED = Code(
    "RT230",
    "an environment variable that cannot be set",
    "Lambda sets some itself, and refuses a function that is to have them; and a name is letters, digits and `_`, two "
    "at least, of which the first is a letter.",
)
NO_SIZE = Code(
    "RT231",
    "a size of tasks that Fargate does not have",
    "ECS refuses the task definition: each `cpu` has a few sizes of memory that go with it.",
)
NO_RANGE = Code(
    "RT232",
    "fewer tasks at most than at least",
    "There is no number of tasks between them.",
)

RESERVED_NAMES = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION"),
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"),
    )
)
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
"""The names that Lambda takes."""
_GB = 1024
SIZES = {
    256: (512, 1024, 2048),
    512: tuple(range(_GB, 4 * _GB + 1, _GB)),
    1024: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2048: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4096: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8192: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16384: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
}
"""The sizes of memory in MB that go with each size of processor."""


def check_environment(subject: Subject) -> Iterator[Found]:
    """Find variables that Lambda does not let anybody set."""
    for name in subject.config.function.environment:
        path: Path = ("function", "environment", name)
        if name in RESERVED_NAMES:
            yield Found(RESERVED, f"'{name}' is set by Lambda itself", path, "remove it", key=True)
        elif not VARIABLE.fullmatch(name):
            yield Found(RESERVED, f"'{name}' is no name of an environment variable", path, "rename it", key=True)


def check_tasks(subject: Subject) -> Iterator[Found]:
    """Find sizes and numbers of tasks that cannot be."""
    worker = subject.config.worker
    sizes = SIZES[worker.cpu]
    if worker.memory not in sizes:
        near = min(sizes, key=lambda size: abs(size - worker.memory))
        sentence = f"'cpu: {worker.cpu}' has {sizes[0]} to {sizes[-1]} MB in steps, and not {worker.memory}"
        yield Found(NO_SIZE, sentence, ("worker", "memory"), f"write 'memory: {near}', or another cpu")
    if worker.min_tasks > worker.max_tasks:
        sentence = f"'min_tasks' is {worker.min_tasks}, and 'max_tasks' {worker.max_tasks}"
        yield Found(NO_RANGE, sentence, ("worker", "min_tasks"), "raise 'max_tasks', or lower this")
