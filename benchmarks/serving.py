"""The canned server as a process of its own, and its report of the requests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import ProxyHandler, build_opener

from certificates import make_certificates
from environment import HERE

direct = build_opener(ProxyHandler({}))
"""Opens URLs of this machine, whatever proxy there is for others."""


class Server:
    """A running canned server: its endpoints, and the trust stores for the one with TLS."""

    def __init__(self, port: str, secure_port: str, bundle: Path, roots: Path = Path()) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.secure_endpoint = f"https://127.0.0.1:{secure_port}"
        self.bundle = bundle
        self.roots = roots

    def tls_environment(self, *, few_roots: bool = False) -> dict[str, str]:
        """Return the variables of a program that is to use TLS, and to read all certificates, or few for AWS."""
        bundle = str(self.roots if few_roots else self.bundle)
        return {"AWS_ENDPOINT_URL": self.secure_endpoint, "AWS_CA_BUNDLE": bundle}

    def reset(self) -> None:
        """Delete the records of requests."""
        self._get("/reset")

    def fill(self, size: str, count: int, rate: float = 0.0, seed: int = 0) -> None:
        """Put messages into its queue; with a rate, so many a second, at moments that the seed decides."""
        self._get(f"/fill?size={size}&count={count}&rate={rate}&seed={seed}")

    def slow_down(self, milliseconds: float) -> None:
        """Set the latency of every call."""
        self._get(f"/latency?ms={milliseconds}")

    def use_cores(self, cores: set[int]) -> None:
        """Run on these cores, by their numbers."""
        self._get(f"/cores?numbers={','.join(map(str, sorted(cores)))}")

    def await_drained(self, seconds: float) -> bool:
        """Wait until all messages are deleted; return False after the time limit."""
        try:
            self._get("/drained", seconds)
        except TimeoutError:
            return False
        return True

    def report(self) -> dict[str, Any]:
        """Return the report of the requests since the last reset; see `canned.py`."""
        report: dict[str, Any] = self._get("/report")
        return report

    def _get(self, path: str, seconds: float = 120) -> Any:
        with direct.open(self.endpoint + path, timeout=seconds) as answer:
            return json.load(answer)


@contextmanager
def serve() -> Iterator[Server]:
    """Run a canned server while the context lasts."""
    with TemporaryDirectory() as folder:
        files = make_certificates(Path(folder))
        command = [sys.executable, str(HERE / "canned.py"), str(files.server)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            port, secure_port = process.stdout.readline().split()
            yield Server(port, secure_port, files.bundle, files.roots)
            process.stdin.close()
