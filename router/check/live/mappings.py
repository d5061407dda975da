"""Rules about event source mappings, and the functions that they invoke.

The limits of a mapping: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Visibility timeouts: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
Reported failures: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
Concurrency: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
Filters: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from collections.abc import Iterator

from msgspec import UnsetType

from router.aws.deployed import FunctionFacts, MappingFacts, QueueFacts, Unanswered, function_name
from router.check.live.deployed import Deployment
from router.check.rule import Found
from router.config import spec
from router.config_types import parse_duration
from router.model import Code, Path

NOT_REPORTED = Code(
    "RT742",
    "an event source mapping without ReportBatchItemFailures",
    "The function ends without an error and says which messages are to come again. Lambda does not read that answer, "
    "and deletes those messages.",
)
HIDDEN_TOO_SHORT = Code(
    "RT743",
    "a visibility timeout shorter than the function's timeout",
    "Messages come again while the function still works on them. Lambda refuses to make such a mapping, but the queue "
    "can be changed afterwards.",
)
HIDDEN_SHORT = Code(
    "RT744",
    "a visibility timeout shorter than advised",
    "While the function is throttled Lambda holds a batch and tries again. AWS advises six times the function's "
    "timeout, and the batch window, so that the queue does not give the messages to another invocation meanwhile.",
    severity="warning",
)
OVER_LIMITS = Code(
    "RT745",
    "a batch that Lambda does not allow",
    "A FIFO queue takes batches of 10 and no window, a standard queue 10,000; over 10 needs a window of at least a "
    "second, and a window has at most 300.",
)
OVER_RESERVED = Code(
    "RT746",
    "more concurrency than is reserved",
    "Lambda reads messages for more invocations than the function may have; the rest is throttled, and each time "
    "counts as a receive of its messages.",
    severity="warning",
)
FILTERED = Code(
    "RT747",
    "an event source mapping with filters",
    "A message that no filter lets through is deleted from the queue; the router never sees it, and nothing is logged.",
    severity="warning",
)
NOT_ENABLED = Code(
    "RT748",
    "an event source mapping that is not enabled",
    "The function reads nothing from the queue.",
    severity="warning",
)
SEVERAL = Code(
    "RT749",
    "a queue that several mappings read",
    "Each message goes to one of the functions only, and nobody knows to which.",
    severity="warning",
)
OTHER_SETTINGS = Code(
    "RT755",
    "an event source mapping that is not as the config says",
    "What the config says under `lambda` is in force only once it is deployed.",
    severity="warning",
)
ADVISED_TIMEOUTS = 6
MAX_BATCH, MAX_BATCH_FIFO, MAX_BATCH_WITHOUT_WINDOW, MAX_WINDOW = 10_000, 10, 10, 300
READING = ("Creating", "Enabling", "Enabled", "Updating")
"""The states in which a mapping reads its queue, or is about to."""


def check_mappings(deployment: Deployment) -> Iterator[Found]:
    """Each mapping of a queue loses nothing, and is as Lambda would take it."""
    for name in deployment.queues:
        path, key = deployment.at_queue(name)
        queue = deployment.facts_of(name)
        reading = 0
        for mapping, function in deployment.mapped(name):
            reading += mapping.state in READING
            for code, sentence, advice in _faults(queue, mapping, function):
                yield Found(code, sentence, path, advice, key)
            yield from _differences(deployment, name, mapping)
        if reading > 1:
            sentence = f"{reading} event source mappings read queue '{name}'"
            yield Found(SEVERAL, sentence, path, "keep one, and disable or delete the others", key)


_Fault = tuple[Code, str, str]


def _faults(
    queue: QueueFacts | None, mapping: MappingFacts, function: FunctionFacts | Unanswered | None
) -> Iterator[_Fault]:
    shown = f"the mapping to function '{function_name(mapping.function)}'"
    if not mapping.reports_failures:
        advice = "update it with --function-response-types ReportBatchItemFailures"
        yield NOT_REPORTED, f"{shown} does not have ReportBatchItemFailures: reported failures are deleted", advice
    if mapping.state not in READING:
        yield NOT_ENABLED, f"{shown} is {mapping.state}", "enable it, unless it is off on purpose"
    if mapping.filters:
        count = f"{mapping.filters} filter{'s' if mapping.filters > 1 else ''}"
        advice = "let routes say what they take with 'when', and 'unmatched' what becomes of the rest"
        yield FILTERED, f"{shown} has {count}: what does not match is deleted", advice
    if queue:
        yield from _batch_faults(queue, mapping, shown)
        if isinstance(function, FunctionFacts):
            yield from _visibility_faults(queue, mapping, function)


def _differences(deployment: Deployment, name: str, mapping: MappingFacts) -> Iterator[Found]:
    """What the config says of a mapping, where it is otherwise."""
    wanted = deployment.config.queues.get(name, spec.Queue()).lambda_
    window = parse_duration(wanted.window) if isinstance(wanted.window, str) else wanted.window
    for setting, value, actual in (
        ("batch_size", wanted.batch_size, mapping.batch_size),
        ("window", window, mapping.window),
        ("maximum_concurrency", wanted.maximum_concurrency, mapping.max_concurrency),
    ):
        if not isinstance(value, UnsetType) and value != actual:
            shown = f"{actual or 'none'} in the mapping to function '{function_name(mapping.function)}'"
            where: Path = ("queues", name, "lambda", setting)
            yield Found(OTHER_SETTINGS, f"'{setting}' is {value} here, and {shown}", where, "deploy it")


def _batch_faults(queue: QueueFacts, mapping: MappingFacts, shown: str) -> Iterator[_Fault]:
    size, window = mapping.batch_size, mapping.window
    most = MAX_BATCH_FIFO if queue.fifo else MAX_BATCH
    if size > most:
        yield OVER_LIMITS, f"{shown} has batches of {size}, over {most}", f"set its batch size to {most} or less"
    elif size > MAX_BATCH_WITHOUT_WINDOW and window < 1:
        yield OVER_LIMITS, f"{shown} has batches of {size} without a window", "set a batch window of 1 second or more"
    if window > (0 if queue.fifo else MAX_WINDOW):
        sentence = f"{shown} has a window of {window} s; a {'FIFO' if queue.fifo else 'standard'} queue allows "
        yield OVER_LIMITS, sentence + ("none" if queue.fifo else f"{MAX_WINDOW}"), "set a shorter batch window"


def _visibility_faults(queue: QueueFacts, mapping: MappingFacts, function: FunctionFacts) -> Iterator[_Fault]:
    advised = ADVISED_TIMEOUTS * function.timeout + mapping.window
    sentence = f"the visibility timeout of queue '{queue.name}' is {queue.visibility} s, less than "
    advice = f"set it to {advised} s or more"
    if queue.visibility < function.timeout:
        sentence += f"the {function.timeout} s timeout of function '{function.name}'"
        yield HIDDEN_TOO_SHORT, sentence, advice
    elif queue.visibility < advised:
        window = f" + {mapping.window} s of window" if mapping.window else ""
        sentence += f"{ADVISED_TIMEOUTS} times the {function.timeout} s timeout of function '{function.name}'{window}"
        yield HIDDEN_SHORT, sentence, advice


def check_concurrency(deployment: Deployment) -> Iterator[Found]:
    """The mappings of a function together may not invoke it more often at a time than it may run."""
    wanted: dict[str, int] = {}
    places: dict[str, tuple[Path, bool]] = {}
    for name in deployment.queues:
        for mapping, function in deployment.mapped(name):
            if isinstance(function, FunctionFacts) and mapping.max_concurrency and mapping.state in READING:
                wanted[mapping.function] = wanted.get(mapping.function, 0) + mapping.max_concurrency
                places.setdefault(mapping.function, deployment.at_queue(name))
    for arn, together in wanted.items():
        function = deployment.seen.functions[arn]
        reserved = function.reserved if isinstance(function, FunctionFacts) else None
        if isinstance(reserved, int) and 0 < reserved < together:
            path, key = places[arn]
            sentence = (
                f"the mappings to function '{function_name(arn)}' have a maximum concurrency of {together} together, "
                f"but {reserved} is reserved for it"
            )
            yield Found(OVER_RESERVED, sentence, path, f"reserve {together} or more, or lower the maxima", key)
