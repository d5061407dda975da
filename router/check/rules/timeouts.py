"""Reports a timeout of the function that leaves no time after a call that hangs."""

from collections.abc import Iterator

from router.aws.calls import RESPONSE_SECONDS
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config_types import parse_duration

LEAST_TIMEOUT = 2 * RESPONSE_SECONDS + 1
"""Seconds; half of a shorter invocation is over when a call that hangs is given up."""
SHORT_TIMEOUT = declare(
    "RT235",
    "a timeout of the function that one call can use up",
    f"A call waits up to {RESPONSE_SECONDS} seconds for data, and up to half of an invocation is kept for what follows "
    "a call as slow as that. In a short invocation no call starts after one that hangs: the function still responds in "
    "time, but what is left of the batch is received again.",
    severity="warning",
)


@rule(SHORT_TIMEOUT)
def check_function_timeout(subject: Subject) -> Iterator[Found]:
    """Report a timeout in which no write starts after one that hangs."""
    timeout = parse_duration(subject.config.function.timeout)
    if timeout < LEAST_TIMEOUT:
        advice = f"write 'timeout: {LEAST_TIMEOUT}s' or more"
        yield Found(SHORT_TIMEOUT, after_a_hang(timeout), ("function", "timeout"), advice)


def after_a_hang(timeout: int) -> str:
    """Return the sentence about a timeout that is too short."""
    return f"a call that hangs is given up after {RESPONSE_SECONDS} s, and no other follows it within the {timeout} s"
