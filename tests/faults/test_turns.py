"""A slow table with a backlog does not delay the messages of another queue in the same worker."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from tests.faults.fault_rig import FOLDER
from tests.support.dev import LocalAws

CONFIG = """\
version: 1
queues: {slow: {dead_letter: d}, quick: {dead_letter: d}}
tables: {slow: {key: {id: S}}, quick: {key: {id: S}}}
routes: {slow: {queue: slow, table: slow}, quick: {queue: quick, table: quick}}
"""
SETTLING_SECONDS = 5
"""Until the receivers of the backlog are as many as there will be."""
SECONDS = 6


def latencies(folder: Path, *, backlog: bool) -> list[float]:
    """Return the seconds from send to write of each message of the quick queue."""
    config = folder / "routes.yaml"
    config.write_text(CONFIG)
    server_command = [sys.executable, str(FOLDER / "paced_server.py"), "1" if backlog else "0"]
    worker_command = [sys.executable, "-m", "router", "worker", "-c", str(config)]
    with subprocess.Popen(server_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(worker_command, env=LocalAws(endpoint).environment(), stderr=log) as worker,
        ):
            try:
                for seconds in (SETTLING_SECONDS, SECONDS):
                    time.sleep(seconds)
                    print(file=server.stdin, flush=True)
                    found: list[float] = json.loads(server.stdout.readline())
            finally:
                worker.kill()
        server.stdin.close()
    return found


def test_slow_table(tmp_path: Path) -> None:
    """The messages of the other queue are written about as soon as without it; this bound is for a busy machine."""
    alone = latencies(tmp_path, backlog=False)
    beside = latencies(tmp_path, backlog=True)

    assert median(beside) < median(alone) + 0.3
