"""Starts the receivers of a program, and stops them on a signal."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType

from msgspec import Struct

from router.aws.client import Aws, connect
from router.aws.faults import Fault
from router.compile.load import Program
from router.deliver import Delivery
from router.engine.engine import CompiledQueue
from router.errors import UsageError
from router.log import LOGGER
from router.worker.receiver import Polled, Receiver


class WorkerOptions(Struct, frozen=True):
    """How a worker runs: `queues` by name, all if empty; `receivers` for each queue; `wait` in seconds, 0 to 20."""

    queues: tuple[str, ...] = ()
    receivers: int = 4
    wait: int = 10


def run_worker(program: Program, options: WorkerOptions) -> None:
    """Route messages until SIGTERM or SIGINT; raises UsageError for a queue that is not there."""
    chosen = _choose(program, options.queues)
    aws = connect(max_connections=2 * len(chosen) * options.receivers)
    polled = [_poll(aws, queue, options.wait) for queue in chosen]
    stop = threading.Event()
    _stop_on_signals(stop)
    program.plugins.start(program)
    delivery = Delivery(program, aws)
    receivers = [Receiver(each, aws.queues, delivery, stop) for each in polled for _ in range(options.receivers)]
    threads = [threading.Thread(target=receiver.run, name=f"receiver-{n}") for n, receiver in enumerate(receivers)]
    for thread in threads:
        thread.start()
    LOGGER.info("worker started", extra={"fields": {"queues": [queue.name for queue in chosen]}})
    for thread in threads:
        thread.join()
    program.plugins.stop(program)
    LOGGER.info("worker stopped")


def _choose(program: Program, names: Sequence[str]) -> list[CompiledQueue]:
    queues = program.engine.queues
    for name in names:
        if name not in queues:
            raise UsageError(f"no route reads the queue '{name}'; there are {', '.join(queues)}")
    return [queues[name] for name in names or queues]


def _poll(aws: Aws, queue: CompiledQueue, wait: int) -> Polled:
    url = aws.queues.url(queue.reference)
    visibility = url if isinstance(url, Fault) else aws.queues.visibility(url)
    if isinstance(url, Fault) or isinstance(visibility, Fault):
        fault = url if isinstance(url, Fault) else visibility
        raise UsageError(f"queue '{queue.reference}' cannot be polled: {fault}")
    return Polled(queue, url, visibility, wait)


def _stop_on_signals(stop: threading.Event) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        LOGGER.info("stopping: finishing what has begun", extra={"fields": {"signal": signal.Signals(number).name}})
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
