"""How a receiver tells the time, waits, and chooses how long it waits."""

import time
from collections.abc import Callable
from random import uniform

from msgspec import Struct

from router.runtime.aws.calls import Clock, boottime


class Timing(Struct, frozen=True):
    """The clock, the sleep, and the jitter of a receiver; tests have their own.

    `jitter` chooses a wait between two bounds in seconds.
    """

    jitter: Callable[[float, float], float] = uniform
    sleep: Callable[[float], None] = time.sleep
    clock: Clock = boottime


REAL_TIMING = Timing()
