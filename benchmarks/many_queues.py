"""Starts a worker with many queues, and stops it once it polls all of them."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from drain import LATENCY_MS, memory_of
from environment import BenchmarkError, prepare
from serving import Server

COUNTS = (10, 30, 100, 300, 1000)
MOST_SECONDS = 5.0
"""The budget of the largest count."""
_WAIT_SECONDS = 20
"""The wait time of the receives, longer than a start: each queue is polled once."""
_GIVE_UP_SECONDS = 60


class Start(NamedTuple):
    """The seconds until all queues are polled, and the maximum memory in bytes by then."""

    seconds: float
    memory: int


def start(server: Server, count: int) -> Start:
    """Start a worker with a number of queues; raises BenchmarkError if it ends or does not poll them all."""
    server.reset()
    server.slow_down(LATENCY_MS)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "routes.yaml"
        config.write_text(json.dumps(_config(count)))
        command = [sys.executable, "-m", "router", "worker", "-c", str(config), "--wait", str(_WAIT_SECONDS)]
        began = time.monotonic()
        # `--grace` leaves a long poll half of it.
        with subprocess.Popen(
            [*command, "--grace", str(2 * _WAIT_SECONDS)],
            env=prepare(server.endpoint),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as worker:
            try:
                while server.report()["calls"].get("receivemessage", 0) < count:
                    if worker.poll() is not None or time.monotonic() > began + _GIVE_UP_SECONDS:
                        raise BenchmarkError(f"a worker of {count} queues does not poll them all")
                    time.sleep(0.02)
                found = Start(time.monotonic() - began, memory_of(worker.pid))
            finally:
                for _ in range(2):  # the second signal ends it without waiting for its receives
                    worker.send_signal(signal.SIGTERM)
                    time.sleep(0.2)
    server.slow_down(0)
    return found


def _config(count: int) -> dict[str, object]:
    """Return a configuration as JSON, which is YAML too."""
    routes = {f"route-{number}": {"queue": f"queue-{number}", "table": "all"} for number in range(count)}
    return {"version": 1, "tables": {"all": {"key": {"id": "S"}}}, "routes": routes}
