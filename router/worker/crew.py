"""The receivers of one program, started and stopped together."""

import threading
import time
from collections.abc import Sequence

from router.aws.client import Aws
from router.compile.load import Program
from router.deliver import Delivery
from router.metrics import Meter
from router.worker.held import Held
from router.worker.receiver import Polled, Receiver
from router.worker.stopping import Stopping


class Crew:
    """Runs `receivers` of each queue in threads of their own."""

    def __init__(
        self, program: Program, polled: Sequence[Polled], receivers: int, aws: Aws, held: Held, meter: Meter
    ) -> None:
        self._program = program
        self._stopping = Stopping()
        delivery = Delivery(program, aws, meter=meter)
        self.receivers = [
            Receiver(each, aws.queues, delivery, held, self._stopping) for each in polled for _ in range(receivers)
        ]
        self._threads = [
            # Daemons, so that one that hangs cannot keep the process from its end.
            threading.Thread(target=receiver.run, name=f"receiver-{number}", daemon=True)
            for number, receiver in enumerate(self.receivers)
        ]

    def start(self) -> None:
        """Prepare the plugins, then begin to poll; raises PluginError."""
        self._program.plugins.start(self._program)
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Begin nothing new; what has begun has so many seconds."""
        self._stopping.set(seconds)

    def join(self, until: float) -> bool:
        """Wait for the end of all receivers, to this moment of the monotonic clock at most; whether they have ended."""
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        ended = not any(thread.is_alive() for thread in self._threads)
        if ended:
            self._program.plugins.stop(self._program)
        return ended

    @property
    def stopping(self) -> bool:
        """Whether it has been told to stop."""
        return self._stopping.is_set()

    @property
    def alive(self) -> bool:
        """Whether all of its threads run."""
        return all(thread.is_alive() for thread in self._threads)
