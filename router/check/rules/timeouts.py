"""Reports a timeout of the function that leaves no time after a call that hangs."""

from collections.abc import Iterator

from router.aws.calls import RESPONSE_SECONDS
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config_types import parse_duration

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
    timeout, least = parse_duration(subject.config.function.timeout), 2 * RESPONSE_SECONDS + 1
    if timeout < least:
        sentence = f"a call that hangs is given up after {RESPONSE_SECONDS} s, and no other follows within {timeout} s"
        yield Found(SHORT_TIMEOUT, sentence, ("function", "timeout"), f"write 'timeout: {least}s' or more")
