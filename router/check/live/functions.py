"""Rules about functions themselves.

Reserved concurrency: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from collections.abc import Iterator

from router.aws.deployed import FunctionFacts, function_name
from router.check.live.deployed import Deployment
from router.check.rule import Found
from router.model import Code

NO_FUNCTION = Code("RT731", "no such function", "Nothing runs where the queue's messages are sent.")
NO_CONCURRENCY = Code(
    "RT732",
    "a function that may not run",
    "A reserved concurrency of 0 throttles every invocation, and each counts as a receive of its messages, until they "
    "are moved away by the redrive policy.",
)
NOT_MAPPED = Code(
    "RT741",
    "a queue that the function does not read",
    "No event source mapping leads from the queue to the function that was asked about; its messages stay there.",
)


def check_functions(deployment: Deployment) -> Iterator[Found]:
    """The functions that read the queues are there, and may run."""
    for arn, facts in deployment.seen.functions.items():
        name = function_name(arn)
        if not isinstance(facts, FunctionFacts):
            if facts.absent:
                yield Found(
                    NO_FUNCTION,
                    f"there is no function '{name}' in this region",
                    (),
                    "check its name, the region and the profile",
                )
        elif facts.reserved == 0:
            sentence = f"0 executions are reserved for function '{name}'"
            yield Found(NO_CONCURRENCY, sentence, (), "raise its reserved concurrency, or remove it")


def check_mapped(deployment: Deployment) -> Iterator[Found]:
    """The function that was asked about reads each queue."""
    for name, mappings in deployment.seen.mappings.items():
        if deployment.function and mappings == ():
            path, key = deployment.at_queue(name)
            sentence = f"no event source mapping leads from queue '{name}' to function '{deployment.function}'"
            yield Found(NOT_MAPPED, sentence, path, "make one, with ReportBatchItemFailures", key)
