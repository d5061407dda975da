"""Counts the cost of a record in units that are equal on every machine: `python benchmarks/counting.py`; prints JSON.

For each size of message, per record: bytecode instructions and function calls of the handler, without the fixed cost of
a batch; the maximum of allocated bytes; memory blocks that stay allocated after the batch. Also HTTP calls: for 1,000
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
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from environment import HERE, BenchmarkError, prepare, quiet
from messages import event
from serving import Server, serve

SIZES = ("small", "medium")
FEW, MANY = 50, 150
BATCH = 1000
QUEUED = 200


def main() -> None:
    """Count, and print."""
    if "PYTHONHASHSEED" not in os.environ:
        # The order of sets can change the executed instructions.
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONHASHSEED": "0"})
    with serve() as server, quiet():
        os.environ.update(prepare(server.endpoint))
        counts = {
            "python": platform.python_version(),
            "records": {size: count(size) for size in SIZES},
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
        "instructions": a_record(lambda given: _count_instructions(lambda: handler(given, None))),
        "calls": a_record(lambda given: _count_calls(lambda: handler(given, None))),
        "bytes": a_record(lambda given: _count_bytes(lambda: handler(given, None))),
        "kept": a_record(lambda given: _count_kept(lambda: handler(given, None))),
    }
    gc.enable()
    return counts


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


def _count_instructions(act: Callable[[], Any]) -> int:
    counted = 0

    def trace(frame: FrameType, what: str, argument: Any) -> Any:
        nonlocal counted
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted += what == "opcode"
        return trace

    with _tracing(sys.settrace, trace):
        act()
    return counted


def _count_calls(act: Callable[[], Any]) -> int:
    counted = 0

    def note(frame: FrameType, what: str, argument: Any) -> None:
        nonlocal counted
        counted += what in ("call", "c_call")

    with _tracing(sys.setprofile, note):
        act()
    return counted


@contextmanager
def _tracing(switch: Callable[[Any], None], note: Any) -> Iterator[None]:
    switch(note)
    try:
        yield
    finally:
        switch(None)


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
