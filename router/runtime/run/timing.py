"""How a receiver tells the time, waits, and chooses how long it waits."""

import time
from random import uniform

from msgspec import Struct

from router.runtime.aws.calls import Clock, boottime
from router.runtime.deliver.time_limits import Jitter, Sleep


class Timing(Struct, frozen=True):
    """The clock, the sleep, and the jitter of a receiver; tests have their own."""

    jitter: Jitter = uniform
    sleep: Sleep = time.sleep
    clock: Clock = boottime


REAL_TIMING = Timing()
