"""The receiver pool of one program.

It scales the receivers of each queue, and starts and stops them together.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from logging import WARNING
from threading import Lock, Thread

from router.runtime.aws.calls import boottime
from router.runtime.aws.protocols import Aws
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.telemetry import LOGGER, log
from router.runtime.program.load import Program
from router.runtime.run.concurrency import (
    DEFAULT_TUNING,
    AdaptiveConcurrency,
    CpuShare,
    Round,
    Tuning,
)
from router.runtime.run.leases import Leases
from router.runtime.run.polling import Count, PolledQueue, ReceiverContext, StopEvent
from router.runtime.run.receiver import QueueState, Receiver
from router.runtime.run.run_lock import RunLock
from router.runtime.run.threads import start_daemon

BUSY_SECONDS = 1.0
"""If all receivers of a queue have been processing for this long, one is added …

New messages are received then.
"""
BUSY_MAX_RECEIVERS = 4
"""… up to this many: if a table is throttled, further receivers do not help."""
STUCK_SECONDS = 300
"""A receiver is stuck if it began no round for this long.

Its wait time and its visibility timeout are added.
"""


class ReceiverPool:
    """Runs the receivers of each queue in their own threads.

    A queue has one at first, and up to `tuning.receivers` while there is a backlog.
    """

    def __init__(
        self,
        program: Program,
        polled: Sequence[PolledQueue],
        aws: Aws,
        leases: Leases,
        options: DeliveryOptions,
        count: Count,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self._program = program
        self.config = program.hash
        """The hash of the config.

        It is known before a plugin starts, which may use up all file descriptors.
        """
        self._stop = StopEvent()
        self._stopping_plugins = Lock()
        self._plugins_stopped = False
        delivery = Delivery(program, aws, options=options)
        context = ReceiverContext(aws.queues, delivery, leases, self._stop, tuning, count=count)
        cpu_share = CpuShare()
        # Receivers process one at a time, queues in turns.
        lock = RunLock()
        self._by_queue: list[_QueueReceivers] = []
        for each in polled:
            # A receiver may block on other I/O than SQS and DynamoDB, which does not release the
            # lock. It would block the others.
            blocks = program.plugins.names or each.queue.pointers is not None
            receivers = _QueueReceivers(
                each,
                context,
                AdaptiveConcurrency(tuning.receivers, cpu_share, tuning),
                nullcontext() if blocks else lock.group(),
            )
            self._by_queue.append(receivers)

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
        for thread in self._all_threads():
            thread.join(max(0.0, until - boottime()))
        # Looked up again: a receiver may have been started meanwhile.
        return not any(thread.is_alive() for thread in self._all_threads())

    def is_alive(self, now: float) -> bool:
        """Return whether every receiver runs and none is stuck, at a moment of `boottime`."""
        return self._all_run() and not any(_is_stuck(each, now) for each in self.receivers)

    def is_ready(self) -> bool:
        """Return whether messages of every queue are received."""
        if self.stopping or not self._all_run():
            return False
        return all(receiver.healthy for receiver in self.receivers)

    @property
    def queues(self) -> list[str]:
        """The names of the polled queues."""
        return [queue.polled.queue.name for queue in self._by_queue]

    @property
    def receivers(self) -> list[Receiver]:
        """The current receivers."""
        return [receiver for queue in self._by_queue for receiver in queue.current]

    @property
    def paused(self) -> tuple[str, ...]:
        """The names of the queues that are not polled for now, as no message can be written."""
        names = [each.polled.queue.name for each in self.receivers if each.paused]
        return tuple(dict.fromkeys(names))

    @property
    def stopping(self) -> bool:
        """Whether the pool was stopped."""
        return self._stop.is_set()

    def _all_run(self) -> bool:
        return all(
            thread.is_alive() for queue in self._by_queue for thread in queue.current.values()
        )

    def _all_threads(self) -> list[Thread]:
        """Return the threads of all receivers, those that end included."""
        threads: list[Thread] = []
        for queue in self._by_queue:
            threads += [*queue.current.values(), *queue.ending]
        return threads


def _is_stuck(receiver: Receiver, now: float) -> bool:
    polled = receiver.polled
    return now - receiver.seen_at >= STUCK_SECONDS + polled.wait + polled.visibility


class _QueueReceivers:
    """The receivers of one queue, as many as its adaptive concurrency targets."""

    def __init__(
        self,
        polled: PolledQueue,
        context: ReceiverContext,
        concurrency: AdaptiveConcurrency,
        run_lock: AbstractContextManager[None],
    ) -> None:
        self.polled = polled
        self._context = context
        self._concurrency = concurrency
        self._run_lock = run_lock
        self._state = QueueState(polled.queue)
        self._lock = Lock()
        self._closed = False
        self._lacks_threads = False
        self._threads: dict[Receiver, Thread] = {}
        self._spawned = 0
        self.ending: list[Thread] = []
        """The threads of receivers that were scaled down, while they finish their deletes."""

    @property
    def current(self) -> dict[Receiver, Thread]:
        """The current receivers, each with its thread.

        Those that ended without being scaled down are included.
        """
        with self._lock:
            return self._threads.copy()

    def scale(self) -> None:
        """Start receivers up to the target."""
        with self._lock:
            self._start_missing()

    def unblock(self, now: float) -> None:
        """Add a receiver if all have been processing for long.

        One that pauses is not processing: it is to poll the queue less.
        """
        receivers = self.current
        if len(receivers) >= BUSY_MAX_RECEIVERS:
            return
        for receiver in receivers:
            since = receiver.busy_since
            if since is None or now - since < BUSY_SECONDS:
                return
        self._concurrency.add(len(receivers))
        self.scale()

    def close(self) -> None:
        """Start no further receivers."""
        with self._lock:
            self._closed = True
        self._state.long_polls.close()

    def _start_missing(self) -> None:
        while len(self._threads) < self._concurrency.target and not self._closed:
            try:
                self._start_one()
            except RuntimeError as error:
                # The system has no further thread. Those that run go on.
                running = len(self._threads)
                if not running:
                    raise
                self._concurrency.target = running
                if not self._lacks_threads:
                    self._lacks_threads = True
                    message = f"cannot start another receiver: {error}"
                    log(WARNING, message, queue=self.polled.queue.name, receivers=running)

    def _start_one(self) -> None:
        receiver = Receiver(self.polled, self._context, self._on_round, self._state)

        def run() -> None:
            with self._run_lock:
                receiver.run()

        name = f"receiver-{self.polled.queue.name}-{self._spawned}"
        self._spawned += 1
        # A thread that could not be started cannot be waited for. The receiver looks for its thread
        # under the lock, which is held here.
        self._threads[receiver] = start_daemon(name, run)

    def _on_round(self, receiver: Receiver, finished: Round) -> bool:
        """Scale after a round; returns whether the receiver continues."""
        with self._lock:
            self._concurrency.update(finished, self._may_grow)
            are_too_many = len(self._threads) > self._concurrency.target
            if are_too_many and not self._closed:
                self.ending = [thread for thread in self.ending if thread.is_alive()]
                self.ending.append(self._threads.pop(receiver))
                return False
            self._start_missing()
            return True

    def _may_grow(self) -> bool:
        return not self._context.leases.is_full
