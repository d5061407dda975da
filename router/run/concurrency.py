"""How many receivers a queue is to have: found by what their rounds are like, within bounds."""

from collections.abc import Callable

from msgspec import Struct

SPARSE = 5
"""Messages; where rounds bring fewer, there are more receivers than the queue needs."""
CROWDED = 1.5
"""Once a round takes so many times what it takes when nothing is in its way, receivers wait for each other (for this
process, for SQS, for a table), and a further one would only wait too."""
OVERCROWDED = 2.5
"""From here on there are too many."""
BUSY = 0.75
"""Once the process takes so much of a core, a further receiver would only be in the way of the others."""
OVERWORKED = 0.9
"""From here on there are too many: handing Python to and fro between them costs more than it brings."""
FORGETTING = 0.005
"""By this part the shortest time of a round grows in a second, since what it was long ago does not hold for ever."""


class Round(Struct, frozen=True):
    """What a receiver's round was like.

    `received` is how many messages it had; `full` whether the queue has more, and the receiver as many at a time as it
    may; `seconds` how long the round took; `well` whether nothing asks to go on more slowly.
    """

    received: int = 0
    full: bool = False
    seconds: float = 0.0
    well: bool = True


class Pace:
    """How many receivers a queue had better have: `wanted`, from 1 to `most`.

    One more after each full round, which doubles them in the time of a round, until rounds take longer for it or the
    process is busy; once there were too many, one more after each of them had a full round. Half as many after an empty
    round, or one that asks to go on more slowly; one fewer after a sparse one, so that those that stay have more to do
    at once.
    """

    def __init__(self, most: int, share: Callable[[], float] = lambda: 0.0) -> None:
        """`share` tells how much of one core the process takes."""
        self.wanted = 1
        self._share = share
        self._most = most
        self._shortest = 0.0
        self._slow_rounds = 0
        self._good_rounds = 0
        self._feels_its_way = False

    def heed(self, made: Round, may_grow: Callable[[], bool]) -> None:
        """Go by what a round was like; `may_grow` is asked before one more is wanted."""
        if not made.well or not made.received:
            self.wanted = max(1, self.wanted // 2)
            self._feels_its_way = False
        elif made.full:
            self._heed_full(made, may_grow)
        elif made.received < SPARSE:
            self.wanted = max(1, self.wanted - 1)

    def relieve(self, running: int) -> None:
        """All that run are at work, and nobody polls: one more is wanted, if there may be more."""
        self.wanted = min(self._most, running + 1)

    def _heed_full(self, made: Round, may_grow: Callable[[], bool]) -> None:
        each = made.seconds
        # One alone has nobody in its way.
        known = each if self.wanted == 1 else self._shortest * (1 + FORGETTING * made.seconds / self.wanted)
        self._shortest = min(each, known)
        share = self._share()
        if each <= CROWDED * self._shortest and share <= BUSY:
            self._heed_good(may_grow)
        elif self.wanted > 1 and (each > OVERCROWDED * self._shortest or share > OVERWORKED):
            # Each of them will find that.
            self._slow_rounds += 1
            if self._slow_rounds >= self.wanted:
                self._slow_rounds = self._good_rounds = 0
                self._feels_its_way = True
                self.wanted -= 1

    def _heed_good(self, may_grow: Callable[[], bool]) -> None:
        self._good_rounds += 1
        if self._feels_its_way and self._good_rounds < self.wanted:
            return
        if self.wanted < self._most and may_grow():
            self._good_rounds = 0
            self.wanted += 1
