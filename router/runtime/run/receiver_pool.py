"""The receiver pool: scales the receivers of each queue of one program, and starts and stops them together."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from router.runtime.aws.calls import boottime
from router.runtime.aws.protocols import Aws
from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.telemetry import LOGGER, Meter
from router.runtime.program.load import Program
from router.runtime.run.concurrency import DEFAULT_TUNING, AdaptiveConcurrency, CpuShare, Round, Tuning
from router.runtime.run.leases import Leases
from router.runtime.run.receiver import PolledQueue, QueueState, Receiver, StopEvent
from router.runtime.run.run_lock import RunLock

BUSY_SECONDS = 1.0
"""If all receivers of a queue have been processing for this long, one is added, so that new messages are received …"""
BUSY_MAX_RECEIVERS = 4
"""… up to this many: if a table is throttled, further receivers do not help."""
STUCK_SECONDS = 300
"""A receiver is stuck if it began no round for this long, plus its wait time and visibility timeout."""


class ReceiverPool:
    """Runs the receivers of each queue in their own threads: one at first, up to `limit` while there is a backlog."""

    def __init__(
        self,
        program: Program,
        polled: Sequence[PolledQueue],
        limit: int,
        aws: Aws,
        leases: Leases,
        meter: Meter,
        tuning: Tuning = DEFAULT_TUNING,
        run_lock: Callable[[], RunLock] = RunLock,
    ) -> None:
        """`run_lock` makes the lock with which receivers process one at a time, and queues in turns."""
        self._program = program
        self.config = program.hash
        """The hash of the config: known before a plugin starts, which may use up all file descriptors."""
        self._stop = StopEvent()
        self._stopping_plugins = threading.Lock()
        self._plugins_stopped = False
        delivery = Delivery(program, aws, meter=meter)

        def may_grow() -> bool:
            return not leases.is_full

        cpu_share, lock = CpuShare(), run_lock()

        def receivers_of(each: PolledQueue) -> _QueueReceivers:
            # A receiver that can block on other I/O than SQS and DynamoDB would block the others with the lock.
            blocks = program.plugins.names or each.queue.pointers is not None
            concurrency = AdaptiveConcurrency(limit, cpu_share, tuning)
            state = QueueState(each.queue)

            def spawn(on_round: Callable[[Receiver, Round], bool]) -> Receiver:
                return Receiver(each, aws.queues, delivery, leases, self._stop, on_round, tuning, state)

            return _QueueReceivers(each, concurrency, spawn, may_grow, nullcontext() if blocks else lock.group())

        self._by_queue = [receivers_of(each) for each in polled]

    def start_plugins(self) -> None:
        """Start the plugins; raises PluginError."""
        self._program.plugins.start(self._program.router)

    def stop_plugins(self) -> None:
        """Stop the plugins, once, whoever calls it; who comes later waits for the first."""
        with self._stopping_plugins:
            if not self._plugins_stopped:
                self._plugins_stopped = True
                try:
                    self._program.plugins.stop(self._program.router)
                except KeyboardInterrupt:
                    # The worker handles signals by itself: only a plugin raises it.
                    LOGGER.error("a plugin raised KeyboardInterrupt in router_stop")

    def start(self) -> None:
        """Begin to poll."""
        for queue in self._by_queue:
            queue.scale()

    def unblock(self) -> None:
        """Add a receiver to each queue whose receivers have all been processing for long."""
        for queue in self._by_queue:
            queue.unblock(boottime())

    def stop(self, seconds: float) -> None:
        """Begin no further rounds; batches in progress have this many seconds."""
        self._stop.stop(seconds)
        for queue in self._by_queue:
            queue.close()

    def join(self, until: float) -> bool:
        """Wait for all receivers until a moment of `boottime`; returns whether they have ended."""
        threads = [thread for queue in self._by_queue for thread in (*queue.threads, *queue.ending)]
        for thread in threads:
            thread.join(max(0.0, until - boottime()))
        return not any(thread.is_alive() for queue in self._by_queue for thread in (*queue.threads, *queue.ending))

    def is_alive(self, now: float) -> bool:
        """Return whether every receiver runs and none is stuck, at a moment of `boottime`."""
        return self._all_run() and all(
            now - receiver.seen_at < STUCK_SECONDS + receiver.polled.wait + receiver.polled.visibility
            for receiver in self.receivers
        )

    def is_ready(self) -> bool:
        """Return whether messages of every queue are received."""
        return self._all_run() and not self.stopping and all(receiver.healthy for receiver in self.receivers)

    @property
    def queues(self) -> list[str]:
        """The names of the polled queues."""
        return [queue.polled.queue.name for queue in self._by_queue]

    @property
    def receivers(self) -> list[Receiver]:
        """The current receivers."""
        return [receiver for queue in self._by_queue for receiver in queue.receivers]

    @property
    def paused(self) -> tuple[str, ...]:
        """The names of the queues that are not polled for now: no message of them can be written."""
        return tuple(dict.fromkeys(each.polled.queue.name for each in self.receivers if each.paused))

    @property
    def stopping(self) -> bool:
        """Whether the pool was stopped."""
        return self._stop.is_set()

    def _all_run(self) -> bool:
        return all(thread.is_alive() for queue in self._by_queue for thread in queue.threads)


class _QueueReceivers:
    """The receivers of one queue, as many as its adaptive concurrency targets."""

    def __init__(
        self,
        polled: PolledQueue,
        concurrency: AdaptiveConcurrency,
        spawn: Callable[[Callable[[Receiver, Round], bool]], Receiver],
        may_grow: Callable[[], bool],
        run_lock: AbstractContextManager[None],
    ) -> None:
        self.polled = polled
        self._concurrency = concurrency
        self._spawn = spawn
        self._may_grow = may_grow
        self._run_lock = run_lock
        self._lock = threading.Lock()
        self._closed = False
        self._lacks_threads = False
        self._threads: dict[Receiver, threading.Thread] = {}
        self._spawned = 0
        self.ending: list[threading.Thread] = []
        """The threads of receivers that were scaled down, while they finish their deletes."""

    @property
    def receivers(self) -> list[Receiver]:
        """The current receivers."""
        with self._lock:
            return [*self._threads]

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads of the current receivers, including those that ended without being scaled down."""
        with self._lock:
            return [*self._threads.values()]

    def scale(self) -> None:
        """Start receivers up to the target."""
        with self._lock:
            self._start_missing()

    def unblock(self, now: float) -> None:
        """Add a receiver if all have been processing for long; one that pauses does so to poll the queue less."""
        busy = [receiver.busy_since for receiver in self.receivers]
        if len(busy) < BUSY_MAX_RECEIVERS and all(since and now - since >= BUSY_SECONDS for since in busy):
            self._concurrency.add(len(busy))
            self.scale()

    def close(self) -> None:
        """Start no further receivers."""
        with self._lock:
            self._closed = True

    def _start_missing(self) -> None:
        while len(self._threads) < self._concurrency.target and not self._closed:
            try:
                self._start_one()
            except RuntimeError as error:  # the system has no further thread
                if not self._threads:
                    raise
                self._concurrency.target = len(self._threads)
                if not self._lacks_threads:
                    self._lacks_threads = True
                    fields = {"queue": self.polled.queue.name, "receivers": len(self._threads)}
                    LOGGER.warning("cannot start another receiver: %s", error, extra={"fields": fields})

    def _start_one(self) -> None:
        receiver = self._spawn(self._on_round)

        def run() -> None:
            with self._run_lock:
                receiver.run()

        # A daemon thread, so that a receiver that hangs does not keep the process alive.
        name = f"receiver-{self.polled.queue.name}-{self._spawned}"
        self._spawned += 1
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        # Only now: one that cannot be started, nobody can wait for. Its receiver looks for it under the lock.
        self._threads[receiver] = thread

    def _on_round(self, receiver: Receiver, finished: Round) -> bool:
        """Scale after a round; returns whether the receiver continues."""
        with self._lock:
            self._concurrency.update(finished, self._may_grow)
            if len(self._threads) > self._concurrency.target and not self._closed:
                self.ending = [thread for thread in self.ending if thread.is_alive()]
                self.ending.append(self._threads.pop(receiver))
                return False
            self._start_missing()
            return True
