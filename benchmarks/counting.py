"""Counts the cost of a record in units that are equal on every machine: `python benchmarks/counting.py`; prints JSON.

For each size of message, per record: bytecode instructions and function calls of the handler, without the fixed cost of
a batch; the maximum of allocated bytes; memory blocks that stay allocated after the batch. For each small message of a
worker's receiver, from the receive to the delete: instructions and calls of functions. Also HTTP calls: for 1,000
records in one batch, and for a worker that empties a queue of 200. Counts hold for one minor version of Python;
tests/performance has the bounds.
"""

import gc
import json
import os
import platform
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import patch

from counters import count_calls, count_instructions
from environment import HERE, BenchmarkError, prepare, quiet
from messages import event
from serving import Server, serve

SIZES = ("small", "medium")
FEW, MANY = 50, 150
BATCH = 1000
QUEUED = 200
DRAINED = (510, 2510)
"""Messages of a receiver, whose batches grow from 10 by doubling to 200 within the first of these counts."""


def main() -> None:
    """Count, and print."""
    if "PYTHONHASHSEED" not in os.environ:
        # The order of sets can change the executed instructions.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})
    # With each second some texts are made anew, and a slow machine needs more seconds: here it stays the same.
    with serve() as server, quiet(), patch("time.time", repeat(time.time()).__next__):
        os.environ.update(prepare(server.endpoint))
        counts = {
            "python": platform.python_version(),
            "records": {size: count(size) for size in SIZES},
            "receiver": count_receiver(server),
            "http": {"handler": count_handler(server), "worker": count_worker(server)},
        }
    print(json.dumps(counts, indent=1))


def count(size: str) -> dict[str, float]:
    """Return the counts of a record of a size."""
    from router.lambda_handler import handler

    few, many = event(size, FEW), event(size, MANY)
    handler(many, None)

    def a_record(counted: Callable[[dict[str, Any]], int]) -> float:
        return round((counted(many) - counted(few)) / (MANY - FEW), 2)

    gc.disable()
    counts = {
        "instructions": a_record(lambda given: count_instructions(lambda: handler(given, None))),
        "calls": a_record(lambda given: count_calls(lambda: handler(given, None))),
        "bytes": a_record(lambda given: _count_bytes(lambda: handler(given, None))),
        "kept": a_record(lambda given: _count_kept(lambda: handler(given, None))),
    }
    gc.enable()
    return counts


def count_receiver(server: Server) -> dict[str, float]:
    """Return the counts of a receiver for a message of full batches, the calls of AWS included."""
    from router.runtime.aws.connect import connect
    from router.runtime.deliver.delivery import Delivery
    from router.runtime.program.load import load_program
    from router.runtime.run.concurrency import Round, Tuning
    from router.runtime.run.leases import Leases
    from router.runtime.run.polling import PolledQueue, ReceiverContext, StopEvent
    from router.runtime.run.receiver import QueueState, Receiver

    program = load_program(Path(os.environ["ROUTER_CONFIG"]), os.environ)
    aws, queue = connect(1), program.engine.queues["small"]
    polled = PolledQueue(queue, str(aws.queues.url(queue.reference, 1)), visibility=3600, wait=1)
    # While instructions are counted, batches take longer than a worker allows.
    tuning = Tuning(batch_seconds=3600)

    def drain(count: int) -> None:
        server.fill("small", count)
        left = count

        def on_round(receiver: Receiver, finished: Round) -> bool:
            nonlocal left
            left -= finished.received
            return left > 0

        delivery = Delivery(program, aws)
        context = ReceiverContext(aws.queues, delivery, Leases(aws.queues), StopEvent(), tuning)
        Receiver(polled, context, on_round, QueueState(queue)).run()

    def a_message(counted: Callable[[Callable[[], None]], int]) -> float:
        few, many = (counted(partial(drain, count)) for count in DRAINED)
        return round((many - few) / (DRAINED[1] - DRAINED[0]), 2)

    drain(DRAINED[0])
    return {"instructions": a_message(count_instructions), "calls": a_message(count_calls)}


def count_handler(server: Server) -> dict[str, int]:
    """Return the HTTP calls for a batch of `BATCH` small messages."""
    from router.lambda_handler import handler

    server.reset()
    handler(event("small", BATCH), None)
    calls: dict[str, int] = server.report()["calls"]
    return calls


def count_worker(server: Server) -> dict[str, int]:
    """Return a worker's HTTP calls for `QUEUED` messages, without empty receives."""
    server.fill("small", QUEUED)
    command = [sys.executable, "-m", "router", "worker", "--queue", "small", "--wait", "1", "--grace", "5"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=HERE, stdin=nowhere, stdout=nowhere, stderr=nowhere) as worker:
        drained = server.await_drained(60)
        worker.send_signal(signal.SIGTERM)
    if not drained:
        raise BenchmarkError("the worker did not empty its queue")
    report = server.report()
    calls: dict[str, int] = report["calls"]
    calls["receivemessage"] = report["received"]
    return calls


def _count_bytes(act: Callable[[], Any]) -> int:
    """Return the maximum number of allocated bytes."""
    tracemalloc.start()
    act()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def _count_kept(act: Callable[[], Any]) -> int:
    """Return the number of blocks that stay allocated."""
    gc.collect()
    before = sys.getallocatedblocks()
    act()
    gc.collect()
    return sys.getallocatedblocks() - before


if __name__ == "__main__":
    main()
