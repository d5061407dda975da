"""Reports functions that do not run, and faults of the event source mappings that invoke them.

Reserved concurrency: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
Visibility timeouts: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
Reported failures: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
Concurrency: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
Filters: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from collections.abc import Iterator

from router.codes import declare
from router.model import Code, Path
from router.runtime.config import spec
from router.runtime.config_types import parse_duration
from router.tools.check.live.deployed import DeployedConfig, live_rule
from router.tools.check.rule import Found
from router.tools.check.rules.aws_limits import LEAST_TIMEOUT, after_a_hang
from router.tools.check.rules.queues import VISIBILITY_PER_TIMEOUT
from router.tools.control_plane.deployed import (
    READING,
    DeployedFunction,
    DeployedMapping,
    DeployedQueue,
    Unanswered,
    function_name,
)

NO_FUNCTION = declare(
    "RT731", "no such function", "The mapping invokes a function that does not exist."
)
NO_CONCURRENCY = declare(
    "RT732",
    "a function that cannot run",
    "A reserved concurrency of 0 throttles every invocation. Each counts as a receive of its messages, until the "
    "redrive policy moves them to the dead-letter queue.",
)
NOT_MAPPED = declare(
    "RT741",
    "a queue that the function does not read",
    "No event source mapping connects the queue with the function of --function, so that its messages stay on it.",
)
NOT_REPORTED = declare(
    "RT742",
    "an event source mapping without ReportBatchItemFailures",
    "The function returns a partial batch response with the messages to retry. Lambda ignores it, and deletes these "
    "messages.",
)
VISIBILITY_TOO_SHORT = declare(
    "RT743",
    "a visibility timeout shorter than the function's timeout",
    "Messages become visible again while the function still processes them. Lambda refuses to create such a mapping, "
    "but the queue can be changed afterwards.",
)
VISIBILITY_SHORT = declare(
    "RT744",
    "a visibility timeout shorter than advised",
    "While the function is throttled, Lambda keeps a batch and retries it. AWS advises six times the function's "
    "timeout, plus the batch window, so that the messages do not become visible meanwhile.",
    severity="warning",
)
OVER_RESERVED = declare(
    "RT746",
    "more concurrency than is reserved",
    "Lambda reads messages for more invocations than the function may have. The excess is throttled, and each time "
    "counts as a receive of the messages.",
    severity="warning",
)
SHORT_TIMEOUT = declare(
    "RT757",
    "a function with a timeout that one call can use up",
    "As RT235 says of the config; Lambda's own default is a timeout of 3 seconds.",
    severity="warning",
)
FILTERED = declare(
    "RT747",
    "an event source mapping with filters",
    "A message that matches no filter is deleted from the queue; the router never gets it, and nothing is logged.",
    severity="warning",
)
NOT_ENABLED = declare(
    "RT748",
    "an event source mapping that is not enabled",
    "The function gets no messages from the queue.",
    severity="warning",
)
SEVERAL = declare(
    "RT749",
    "a queue that several mappings read",
    "Each message goes to only one of the functions, and it is unpredictable to which.",
    severity="warning",
)
OTHER_SETTINGS = declare(
    "RT755",
    "an event source mapping that differs from the config",
    "The settings under `lambda` take effect only when they are deployed.",
    severity="warning",
)


@live_rule(NO_FUNCTION, NO_CONCURRENCY)
def check_functions(deployment: DeployedConfig) -> Iterator[Found]:
    """Report functions that do not exist, or cannot run."""
    for arn, deployed in deployment.seen.functions.items():
        name = function_name(arn)
        if not isinstance(deployed, DeployedFunction):
            if deployed.absent:
                yield Found(
                    NO_FUNCTION,
                    f"there is no function '{name}' in this region",
                    (),
                    "check its name, the region and the profile",
                )
        elif deployed.reserved == 0:
            yield Found(
                NO_CONCURRENCY,
                f"the reserved concurrency of function '{name}' is 0",
                (),
                "raise it, or remove it",
            )


@live_rule(NOT_MAPPED)
def check_mapped(deployment: DeployedConfig) -> Iterator[Found]:
    """Report queues that the function of --function does not read."""
    for name, mappings in deployment.seen.mappings.items():
        if deployment.function and mappings == ():
            yield Found(
                NOT_MAPPED,
                f"no event source mapping connects queue '{name}' with function '{deployment.function}'",
                deployment.queue_path(name),
                "create one, with ReportBatchItemFailures",
            )


@live_rule(
    NOT_REPORTED,
    VISIBILITY_TOO_SHORT,
    VISIBILITY_SHORT,
    FILTERED,
    NOT_ENABLED,
    SEVERAL,
    OTHER_SETTINGS,
)
def check_mappings(deployment: DeployedConfig) -> Iterator[Found]:
    """Report mappings that lose messages, or differ from the config."""
    for name in deployment.queues:
        path = deployment.queue_path(name)
        queue = deployment.queue_of(name)
        reading = 0
        for mapping, function in deployment.mapped(name):
            reading += mapping.state in READING
            for code, sentence, advice in _faults(queue, mapping, function):
                yield Found(code, sentence, path, advice)
            yield from _differences(deployment, name, mapping)
        if reading > 1:
            yield Found(
                SEVERAL,
                f"{reading} event source mappings read queue '{name}'",
                path,
                "keep one, and disable or delete the others",
            )


_MappingFault = tuple[Code, str, str]


def _faults(
    queue: DeployedQueue | None,
    mapping: DeployedMapping,
    function: DeployedFunction | Unanswered | None,
) -> Iterator[_MappingFault]:
    label = f"the mapping to function '{function_name(mapping.function)}'"
    if not mapping.reports_failures:
        advice = "update it with --function-response-types ReportBatchItemFailures"
        yield (
            NOT_REPORTED,
            f"{label} does not have ReportBatchItemFailures: failed messages are deleted",
            advice,
        )
    if mapping.state not in READING:
        yield (
            NOT_ENABLED,
            f"{label} is {mapping.state}",
            "enable it, unless it is disabled on purpose",
        )
    if mapping.filters:
        count = f"{mapping.filters} filter{'s' if mapping.filters > 1 else ''}"
        advice = "use 'when' in routes instead, and 'unmatched' for the other messages"
        yield FILTERED, f"{label} has {count}: messages that match none are deleted", advice
    if queue and isinstance(function, DeployedFunction):
        yield from _visibility_faults(queue, mapping, function)


def _differences(
    deployment: DeployedConfig, name: str, mapping: DeployedMapping
) -> Iterator[Found]:
    """Report settings of a mapping that differ from the config."""
    wanted = deployment.config.queues.get(name, spec.Queue()).lambda_
    window = parse_duration(wanted.window) if isinstance(wanted.window, str) else wanted.window
    for setting, value, actual in (
        ("batch_size", wanted.batch_size, mapping.batch_size),
        ("window", window, mapping.window),
        ("maximum_concurrency", wanted.maximum_concurrency, mapping.max_concurrency),
    ):
        if value is not None and value != actual:
            label = (
                f"{actual or 'none'} in the mapping to function '{function_name(mapping.function)}'"
            )
            yield Found(
                OTHER_SETTINGS,
                f"'{setting}' is {value} in the config, and {label}",
                ("queues", name, "lambda", setting),
                "deploy it",
            )


def _visibility_faults(
    queue: DeployedQueue, mapping: DeployedMapping, function: DeployedFunction
) -> Iterator[_MappingFault]:
    advised = VISIBILITY_PER_TIMEOUT * function.timeout + mapping.window
    sentence = f"the visibility timeout of queue '{queue.name}' is {queue.visibility} s, less than "
    advice = f"set it to {advised} s or more"
    if queue.visibility < function.timeout:
        sentence += f"the {function.timeout} s timeout of function '{function.name}'"
        yield VISIBILITY_TOO_SHORT, sentence, advice
    elif queue.visibility < advised:
        window = f" + {mapping.window} s of window" if mapping.window else ""
        sentence += (
            f"{VISIBILITY_PER_TIMEOUT} times the {function.timeout} s timeout of function "
            f"'{function.name}'{window}"
        )
        yield VISIBILITY_SHORT, sentence, advice


@live_rule(SHORT_TIMEOUT)
def check_timeouts(deployment: DeployedConfig) -> Iterator[Found]:
    """Report functions in whose timeout no write starts after one that hangs."""
    checked: set[str] = set()
    for name in deployment.queues:
        for _, function in deployment.mapped(name):
            if isinstance(function, DeployedFunction) and function.arn not in checked:
                checked.add(function.arn)
                if function.timeout < LEAST_TIMEOUT:
                    yield Found(
                        SHORT_TIMEOUT,
                        f"{after_a_hang(function.timeout)} of function '{function.name}'",
                        deployment.queue_path(name),
                        f"set its timeout to {LEAST_TIMEOUT} s or more",
                    )


@live_rule(OVER_RESERVED)
def check_concurrency(deployment: DeployedConfig) -> Iterator[Found]:
    """Report functions whose mappings together have a greater maximum concurrency than is reserved."""
    wanted: dict[str, int] = {}
    places: dict[str, Path] = {}
    for name in deployment.queues:
        for mapping, function in deployment.mapped(name):
            if (
                isinstance(function, DeployedFunction)
                and mapping.max_concurrency
                and mapping.state in READING
            ):
                wanted[mapping.function] = wanted.get(mapping.function, 0) + mapping.max_concurrency
                places.setdefault(mapping.function, deployment.queue_path(name))
    for arn, together in wanted.items():
        function = deployment.seen.functions[arn]
        reserved = function.reserved if isinstance(function, DeployedFunction) else None
        if isinstance(reserved, int) and 0 < reserved < together:
            yield Found(
                OVER_RESERVED,
                f"the mappings to function '{function_name(arn)}' have a maximum concurrency of {together} together, "
                f"but {reserved} is reserved for it",
                places[arn],
                f"reserve {together} or more, or lower the maxima",
            )
