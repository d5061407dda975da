"""How long a message that is to be retried stays hidden on its queue."""

from collections.abc import Callable
from random import random

from msgspec import Struct

MAX_SECONDS = 12 * 60 * 60 - 60
"""SQS hides a message for 12 hours at most, counted from its receipt, which was up to a minute ago:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""


class Backoff(Struct, frozen=True):
    """The back-off of a queue: seconds `base`, times `factor` for each receive after the first, `cap` at most."""

    base: int = 2
    factor: int = 2
    cap: int = 900
    in_lambda: bool = False
    """Whether Lambda hides messages too, which costs it a call."""

    def wait(self, receive_count: int, chance: Callable[[], float] = random) -> int:
        """Seconds to hide a message received so often: random up to the bound (full jitter), and 1 at least."""
        # A factor to the power of some hundred receives would be a number of many digits.
        grown: int = self.base * self.factor ** min(max(receive_count, 1) - 1, 64)
        bound = min(self.cap, grown, MAX_SECONDS)
        return max(1, round(bound * chance()))
