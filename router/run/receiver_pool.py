"""The receivers of one program, started and stopped together."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from router.aws.client import Aws
from router.aws.run_lock import Turns
from router.deliver.delivery import Delivery
from router.deliver.metrics import Meter
from router.program.load import Program
from router.run.concurrency import Pace, Round
from router.run.leases import Held
from router.run.load import Load
from router.run.receiver import Polled, Receiver
from router.run.stopping import Stopping

RELIEF_SECONDS = 1.0
"""A queue all of whose receivers are at work for so long gets one more, that new messages need not wait for them …"""
RELIEF_RECEIVERS = 4
"""… up to so many: where a table does not keep up, more of them would not help it."""


class Crew:
    """Runs the receivers of each queue in threads of their own: one at first, up to `most` as there is work."""

    def __init__(
        self, program: Program, polled: Sequence[Polled], most: int, aws: Aws, held: Held, meter: Meter
    ) -> None:
        self._program = program
        self._stopping = Stopping()
        delivery = Delivery(program, aws, meter=meter)

        def may_grow() -> bool:
            return not held.is_full

        def hire(each: Polled, heed: Callable[[Receiver, Round], bool]) -> Receiver:
            return Receiver(each, aws.queues, delivery, held, self._stopping, heed)

        load, turns = Load(), Turns()

        def shift(each: Polled) -> _Shift:
            # What waits elsewhere than for SQS and DynamoDB would keep the others waiting too.
            waits_elsewhere = program.plugins.names or each.queue.pointers is not None
            return _Shift(each, Pace(most, load.share), hire, may_grow, nullcontext() if waits_elsewhere else turns)

        self._shifts = [shift(each) for each in polled]

    def start(self) -> None:
        """Prepare the plugins, then begin to poll; raises PluginError."""
        self._program.plugins.start(self._program)
        for shift in self._shifts:
            shift.adjust()

    def tend(self) -> None:
        """See to it that queues are polled whose receivers are all at work for long."""
        for shift in self._shifts:
            shift.relieve(time.monotonic())

    def stop(self, seconds: float) -> None:
        """Begin nothing new; what has begun has so many seconds."""
        self._stopping.set(seconds)
        for shift in self._shifts:
            shift.close()

    def join(self, until: float) -> bool:
        """Wait for the end of all receivers, to this moment of the monotonic clock at most; whether they have ended."""
        for shift in self._shifts:
            for thread in shift.threads:
                thread.join(max(0.0, until - time.monotonic()))
        ended = not any(thread.is_alive() for shift in self._shifts for thread in shift.threads)
        if ended:
            self._program.plugins.stop(self._program)
        return ended

    @property
    def queues(self) -> list[str]:
        """The names of the queues that it polls."""
        return [shift.polled.queue.name for shift in self._shifts]

    @property
    def receivers(self) -> list[Receiver]:
        """Those of now."""
        return [receiver for shift in self._shifts for receiver in shift.receivers]

    @property
    def stopping(self) -> bool:
        """Whether it has been told to stop."""
        return self._stopping.is_set()

    @property
    def alive(self) -> bool:
        """Whether each of its receivers runs."""
        return all(thread.is_alive() for shift in self._shifts for thread in shift.threads)


class _Shift:
    """The receivers of one queue, as many as its pace wants."""

    def __init__(
        self,
        polled: Polled,
        pace: Pace,
        hire: Callable[[Polled, Callable[[Receiver, Round], bool]], Receiver],
        may_grow: Callable[[], bool],
        turns: AbstractContextManager[None],
    ) -> None:
        self.polled = polled
        self._pace = pace
        self._hire = hire
        self._may_grow = may_grow
        self._turns = turns
        self._lock = threading.Lock()
        self._closed = False
        self._members: dict[Receiver, threading.Thread] = {}
        self._hired = 0

    @property
    def receivers(self) -> list[Receiver]:
        """Those of now."""
        with self._lock:
            return [*self._members]

    @property
    def threads(self) -> list[threading.Thread]:
        """Those that run, or have ended otherwise than by being one too many."""
        with self._lock:
            return [*self._members.values()]

    def adjust(self) -> None:
        """Start as many as are wanted."""
        with self._lock:
            while len(self._members) < self._pace.wanted and not self._closed:
                self._add()

    def relieve(self, now: float) -> None:
        """Add one if all have been at work for long; those that pause do so because the queue is to be polled less."""
        busy = [receiver.at_work_since for receiver in self.receivers]
        if len(busy) < RELIEF_RECEIVERS and all(since and now - since >= RELIEF_SECONDS for since in busy):
            self._pace.relieve(len(busy))
            self.adjust()

    def close(self) -> None:
        """Add no more."""
        with self._lock:
            self._closed = True

    def _add(self) -> None:
        receiver = self._hire(self.polled, self._heed)

        def work() -> None:
            with self._turns:
                receiver.run()

        # Daemons, so that one that hangs cannot keep the process from its end.
        name = f"receiver-{self.polled.queue.name}-{self._hired}"
        self._hired += 1
        self._members[receiver] = thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()

    def _heed(self, receiver: Receiver, made: Round) -> bool:
        """What a receiver asks after each round: whether it is to go on."""
        with self._lock:
            self._pace.heed(made, self._may_grow)
            if len(self._members) > self._pace.wanted and not self._closed:
                del self._members[receiver]
                return False
            while len(self._members) < self._pace.wanted and not self._closed:
                self._add()
            return True
