"""A worker that is stopped while calls, a reload or plugins hang: it ends within its grace period."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from router.model import Table
from tests.faults.fault_rig import read_lines, wait_until
from tests.faults.hanging import FreezingProxy, freezing_proxy
from tests.support.dev import LocalAws, clients, create_queues, create_table, scan_table

ROOT = Path(__file__).parents[2]
GRACE = 4
AMPLE_GRACE = 100
"""The grace period of a worker that must not need it on a busy machine."""
SLACK = 50
"""No busy machine delays the end of a worker so much; a call that hangs, or a longer grace period, does."""
STOPPING = '"stopping: finishing the batches in progress"'
CONFIG = """
version: 1
queues: {q: {name: "${NAME}", dead_letter: "${NAME}-dlq"}}
tables: {items: {name: "${NAME}", key: {id: S}}}
routes: {r: {queue: q, table: items}}
"""


class StoppedWorker:
    """A worker with a queue and a table behind a proxy; `process` is that which was started."""

    def __init__(self, server: LocalAws, proxy: FreezingProxy, name: str, folder: Path) -> None:
        self.proxy = proxy
        self._name = name
        self._folder = folder
        self.config = folder / "routes.yaml"
        self.hangs, self.goes = folder / "hangs", folder / "goes"
        self.config.write_text(CONFIG)
        self._environment = LocalAws(proxy.endpoint).environment() | {"NAME": name}
        self._log = folder / "log"
        self._dynamodb, self._sqs = clients(server)
        self._url = create_queues(self._sqs, {name: f"{name}-dlq"})[name]
        create_table(self._dynamodb, Table(name, (("id", "S"),)))
        self.process: Any = None

    def plug_in(self, code: str) -> None:
        """Write a plugin, which is loaded when the config is; it has the paths of the files `hangs` and `goes`."""
        files = f"hangs, goes = map(Path, {[str(self.hangs), str(self.goes)]})"
        head = f"import time\nfrom pathlib import Path\nfrom router import hookimpl\n{files}\n"
        (self._folder / "own.py").write_text(head + code)
        self.config.write_text(f"{CONFIG}plugins: [own.py]\n")

    def send(self, *ids: str) -> None:
        """Send messages."""
        for id_ in ids:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps({"id": id_}))

    def wait_for_item(self, id_: str) -> None:
        """Wait until a message is written."""

        def is_there() -> bool:
            return id_ in {item["id"] for item in scan_table(self._dynamodb, self._name)}

        wait_until(is_there, 60, f"item {id_}")

    def wait_for_lines(self, text: str, count: int = 1) -> None:
        """Wait until so many lines of the log have a text."""
        wait_until(lambda: self._log.read_text().count(text) >= count, 60, text)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        return read_lines(self._log)

    @contextmanager
    def running(self, processes: int = 1, grace: int = AMPLE_GRACE) -> Iterator[None]:
        """Run it while the context lasts."""
        options = ["--wait", "1", "--grace", str(grace), "--processes", str(processes), "--receivers", "2"]
        options += ["--listen", "127.0.0.1:0"]
        command = [sys.executable, "-m", "tests.faults.patient", "worker", "-c", str(self.config), *options]
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stderr=stderr, start_new_session=True
            )
        children: list[int] = []
        try:
            self.wait_for_lines('"worker started"', processes)
            children = self.children()
            # A parent that does not know yet that a child has started stops it by a signal.
            wait_until(self._is_ready, 60, "the parent")
            yield
        finally:
            for pid in [self.process.pid, *children]:
                if Path(f"/proc/{pid}").exists():
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(60)

    def _is_ready(self) -> bool:
        port = next(line["port"] for line in self.lines() if line["message"] == "listening")
        try:
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/readyz", timeout=60):
                return True
        except HTTPError as error:
            error.close()
            return False

    def children(self) -> list[int]:
        """Return the processes that it has started."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]

    def freeze(self) -> None:
        """Let all calls hang from a write on: with messages received and a round of calls under way."""
        self.proxy.freeze_at(b"DynamoDB_")
        self.send(*[f"f{number}" for number in range(20)])
        self.proxy.wait()

    def begin_reload(self) -> None:
        """Send SIGHUP, and wait until a process has begun to read the config; the calls that follow hang."""
        self.plug_in("hangs.touch()\n")
        self.process.send_signal(signal.SIGHUP)
        wait_until(self.hangs.exists, 60, "the reload")

    def has_no_pending_signal(self) -> bool:
        """Whether a thread of the process has taken each signal that was sent to the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("ShdPnd:")[1].split()[0], 16) == 0

    def stop(self) -> None:
        """Send SIGTERM, and wait until all processes that work have begun to stop."""
        count = len(self.children()) or 1
        self.process.send_signal(signal.SIGTERM)
        self.wait_for_lines(STOPPING, count)

    def end(self, grace: int = 0) -> int:
        """Wait for its end, within so many seconds on an idle machine; return the exit code."""
        code: int = self.process.wait(grace + SLACK)
        return code


@pytest.fixture
def worker(ministack: LocalAws, name: str, tmp_path: Path) -> Iterator[StoppedWorker]:
    """A worker that is not started."""
    with freezing_proxy(ministack.endpoint) as proxy:
        yield StoppedWorker(ministack, proxy, name, tmp_path)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("reloads", [False, True], ids=["calls", "calls and reload"])
def test_all_hangs(worker: StoppedWorker, processes: int, reloads: bool) -> None:
    """If every call hangs, those of a reload too, it ends within the grace period."""
    with worker.running(processes, GRACE):
        worker.send("first")
        worker.wait_for_item("first")
        worker.freeze()
        if reloads:
            worker.begin_reload()
        worker.process.send_signal(signal.SIGTERM)

        assert worker.end(GRACE) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_second_signal(worker: StoppedWorker, processes: int) -> None:
    """A second signal ends it at once, whatever it is doing."""
    with worker.running(processes):
        children = worker.children()
        worker.freeze()
        worker.begin_reload()
        worker.stop()
        worker.process.send_signal(signal.SIGTERM)

        assert worker.end() == 128 + signal.SIGTERM
        wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children), 60, "the children")


def test_signals_to_all(worker: StoppedWorker) -> None:
    """A signal that a service manager sends to all processes counts once; the second one ends them at once."""
    with worker.running(2):
        everyone = [worker.process.pid, *worker.children()]
        worker.freeze()
        for pid in everyone:
            os.kill(pid, signal.SIGTERM)
        worker.wait_for_lines(STOPPING, 2)
        time.sleep(1.0)
        after_first = [Path(f"/proc/{pid}/cmdline").exists() for pid in everyone]
        for pid in reversed(everyone):
            os.kill(pid, signal.SIGTERM)

        worker.end()
        assert after_first == [True] * 3


def test_second_signal_to_a_child(worker: StoppedWorker) -> None:
    """A child by itself ends at once with the second signal; the parent starts another one."""
    with worker.running(2):
        child = worker.children()[0]
        worker.freeze()
        os.kill(child, signal.SIGTERM)
        worker.wait_for_lines(STOPPING)
        os.kill(child, signal.SIGTERM)

        worker.wait_for_lines('"process ended"')

    ended = [line["exit_code"] for line in worker.lines() if line["message"] == "process ended"]
    assert ended == [128 + signal.SIGTERM]


HANG_AT_STOP = """
@hookimpl
def router_stop(router):
    time.sleep(1000)
"""
HANG = "hangs.touch()\nwhile not goes.exists():\n    time.sleep(0.01)\n"
HANG_AT_START = """
@hookimpl
def router_start(router):
    hangs.touch()
    time.sleep(1000)
"""


def test_plugin_hangs_at_stop(worker: StoppedWorker) -> None:
    """It ends within the grace period; the batches are finished."""
    worker.plug_in(HANG_AT_STOP)
    with worker.running(grace=GRACE):
        worker.send("first")
        worker.wait_for_item("first")
        worker.process.send_signal(signal.SIGTERM)

        worker.end(GRACE)


@pytest.mark.parametrize("where", ["import", "start"])
def test_plugin_hangs_in_a_reload(worker: StoppedWorker, where: str) -> None:
    """The old config continues, and stopping does not wait for the reload."""
    with worker.running():
        worker.plug_in(HANG_AT_START if where == "start" else HANG)
        worker.process.send_signal(signal.SIGHUP)
        wait_until(worker.hangs.exists, 60, "the plugin of the reload")
        worker.send("later")
        worker.wait_for_item("later")
        worker.process.send_signal(signal.SIGTERM)

        assert worker.end() == 0


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("import", "SystemExit(0)"),
        ("import", "KeyboardInterrupt"),
        ("register", "BaseException('x')"),
        ("start", "SystemExit(0)"),
        ("start", "KeyboardInterrupt"),
    ],
)
def test_plugin_raises_in_a_reload(worker: StoppedWorker, where: str, error: str) -> None:
    """Whatever it raises: the old config continues, and the error is logged."""
    hooks = {
        "import": f"raise {error}\n",
        "register": f"@hookimpl\ndef router_register_transforms(register):\n    raise {error}\n",
        "start": f"@hookimpl\ndef router_start(router):\n    raise {error}\n",
    }
    with worker.running():
        worker.plug_in(hooks[where])
        worker.process.send_signal(signal.SIGHUP)
        worker.wait_for_lines('"level":"ERROR"')
        worker.send("later")
        worker.wait_for_item("later")
        worker.process.send_signal(signal.SIGTERM)

        assert worker.end() == 0

    assert [line["message"] for line in worker.lines() if "continuing with the old" in line["message"]]


def test_signals_during_a_reload(worker: StoppedWorker) -> None:
    """Several that come during a reload cause one more, which reads the newest config."""
    with worker.running():
        worker.plug_in(HANG)
        worker.process.send_signal(signal.SIGHUP)
        wait_until(worker.hangs.exists, 60, "the reload")
        for _ in range(5):
            worker.process.send_signal(signal.SIGHUP)
            wait_until(worker.has_no_pending_signal, 60, "the signal")
        worker.goes.touch()
        worker.wait_for_lines('"config reloaded"', 2)
        # Another reload would begin at once; there is no state that says that none will.
        time.sleep(1.5)
        worker.process.send_signal(signal.SIGTERM)
        worker.end()

    assert [line["message"] for line in worker.lines()].count("config reloaded") == 2
