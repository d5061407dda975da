"""The canned server as a process of its own, and its report of the requests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import ProxyHandler, build_opener

from environment import HERE

_direct = build_opener(ProxyHandler({}))


class Server:
    """A running canned server."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"

    def reset(self) -> None:
        """Delete the records of requests."""
        self._get("/reset")

    def fill(self, size: str, count: int) -> None:
        """Put messages into its queue."""
        self._get(f"/fill?size={size}&count={count}")

    def slow_down(self, milliseconds: float) -> None:
        """Set the latency of every call."""
        self._get(f"/latency?ms={milliseconds}")

    def use_cores(self, cores: set[int]) -> None:
        """Run on these cores, by their numbers."""
        self._get(f"/cores?numbers={','.join(map(str, sorted(cores)))}")

    def await_drained(self, seconds: float, clients: int = 1) -> bool:
        """Wait until all messages are deleted and so many processes have started; return False after the time limit."""
        try:
            self._get(f"/drained?clients={clients}", seconds)
        except TimeoutError:
            return False
        return True

    def report(self) -> dict[str, Any]:
        """Return the report of the requests since the last reset; see `canned.py`."""
        report: dict[str, Any] = self._get("/report")
        return report

    def _get(self, path: str, seconds: float = 120) -> Any:
        with _direct.open(self.endpoint + path, timeout=seconds) as answer:
            return json.load(answer)


@contextmanager
def serve() -> Iterator[Server]:
    """Run a canned server while the context lasts."""
    command = [sys.executable, str(HERE / "canned.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield Server(int(process.stdout.readline()))
        process.stdin.close()
