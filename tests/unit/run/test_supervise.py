"""A worker process: what its signals do."""

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.aws.client import Aws
from router.aws.faults import Fault
from router.errors import UsageError
from router.run.supervise import Worker, WorkerOptions

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals mean afterwards what they meant before, and the garbage collector works as before."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def config(compile_: Any, tmp_path: Path) -> Path:
    """The smallest config."""
    compile_()
    return tmp_path / "routes.yaml"


@pytest.fixture
def work(
    aws: Aws, config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[..., Any]:
    """Run a worker on the connection in memory; its exit code, and what it logged."""

    def run(**options: Any) -> tuple[int, list[str]]:
        monkeypatch.setattr("router.run.supervise.connect", lambda max_connections: aws)
        with caplog.at_level(logging.INFO, "router"):
            code = Worker(WorkerOptions(config, receivers=1, wait=0, **options), {}).run()
        return code, [entry.getMessage() for entry in caplog.records]

    return run


@pytest.fixture
def send() -> Callable[[int], None]:
    """Send a signal to this process, each only once: a second one would end it at once."""
    sent: set[int] = set()

    def once(number: int) -> None:
        if number not in sent:
            sent.add(number)
            os.kill(os.getpid(), number)

    return once


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops(work: Any, tables: Any, queues: Any, messages: Any, send: Any, number: int) -> None:
    """It finishes what it has begun, deletes it, and ends with 0."""
    queues.received.append(messages("a"))
    write = tables.batch_write

    def batch_write(table: str, requests: Any) -> Any:
        send(number)
        return write(table, requests)

    tables.batch_write = batch_write

    code, said = work()

    # A receiver may be done before the worker has said that it started.
    assert (code, "worker started" in said, said[-1], list(tables.items), queues.deleted) == (
        0,
        True,
        "worker stopped",
        ["a"],
        [[("m-a", "handle-m-a")]],
    )


@pytest.mark.parametrize("name", ["routes.yaml", "flow.yaml"])
def test_reload(work: Any, config: Path, queues: Any, send: Any, name: str) -> None:
    """SIGHUP goes on with the config, and what it includes, as it is now; SIGTERM then stops that."""
    urls: list[str] = []
    ask = queues.receive
    edited = config.with_name(name)
    if edited != config:
        edited.write_text("queues: {q: {dead_letter: dlq}}\nroutes: {r: {queue: q, table: things}}\n")
        config.write_text("version: 1\ninclude: flow.yaml\ntables: {things: {key: {id: S}}}\n")

    def receive(url: str, count: int, wait_seconds: int) -> Any:
        if not urls:
            edited.write_text(edited.read_text().replace("q:", "other:").replace("queue: q", "queue: other"))
            send(signal.SIGHUP)
        elif "other" in url:
            send(signal.SIGTERM)
        urls.append(url)
        return ask(url, count, wait_seconds)

    queues.receive = receive

    code, said = work()

    # The old receivers may poll once more while the new ones begin.
    assert (code, [line for line in said if "reload" in line], urls[0], set(urls)) == (
        0,
        ["config reloaded"],
        "https://queues/q",
        {"https://queues/q", "https://queues/other"},
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("things}", "thinks}"), "the config has faults: going on with the old one"),
        (("queue: q", "queue: gone"), "cannot reload: queue 'gone' cannot be polled: NonExistentQueue"),
    ],
)
def test_refused_reload(
    work: Any,
    config: Path,
    queues: Any,
    send: Any,
    caplog: pytest.LogCaptureFixture,
    change: tuple[str, str],
    line: str,
) -> None:
    """A config that has faults, or whose queues are not there, is not taken: the old one goes on."""
    urls: list[str] = []
    ask, find = queues.receive, queues.url
    queues.url = lambda name: Fault("setup", "NonExistentQueue", 400) if name == "gone" else find(name)

    def receive(url: str, count: int, wait_seconds: int) -> Any:
        if not urls:
            config.write_text(config.read_text().replace(*change))
            send(signal.SIGHUP)
        elif line in caplog.text:
            send(signal.SIGTERM)
        urls.append(url)
        return ask(url, count, wait_seconds)

    queues.receive = receive

    code, said = work()

    assert (code, line in said, set(urls)) == (0, True, {"https://queues/q"})


@pytest.mark.parametrize(
    ("where", "options", "sentence"),
    [
        ("url", {}, "queue 'q' cannot be polled: AccessDenied"),
        ("visibility", {}, "queue 'q' cannot be polled: AccessDenied"),
        ("", {"queues": ("other",)}, "no route reads the queue 'other'; there are q"),
    ],
)
def test_cannot_start(work: Any, queues: Any, where: str, options: Any, sentence: str) -> None:
    """A queue that cannot be polled, or that no route reads, is said before anything is begun."""
    queues.faults[where] = Fault("setup", "AccessDenied", 403)

    with pytest.raises(UsageError, match=f"^{sentence}$"):
        work(**options)


def test_released_within_the_grace_period(work: Any, queues: Any, messages: Any, send: Any) -> None:
    """Where showing messages to others hangs too, the end comes all the same, and in time."""
    queues.received.append(messages("a"))
    end = threading.Event()
    began = 0.0

    def hang(url: str, pairs: Any) -> dict[str, Fault]:
        nonlocal began
        began = began or time.monotonic()
        send(signal.SIGTERM)
        end.wait(30)
        return {}

    queues.delete = queues.release = hang

    code, said = work(grace=3)

    took = time.monotonic() - began
    end.set()
    assert (code, said[-1], took < 15) == (1, "worker stopped", True)


def test_too_slow(work: Any, queues: Any, messages: Any, send: Any) -> None:
    """What cannot be finished within the grace period is shown to others again, and the exit code says so."""
    queues.received.append(messages("a"))
    end = threading.Event()

    def hang(url: str, pairs: Any) -> dict[str, Fault]:
        send(signal.SIGTERM)
        end.wait(30)
        return {}

    queues.delete = hang

    code, said = work(grace=3)

    end.set()
    assert (code, said[-1], queues.released) == (1, "worker stopped", [[("m-a", "handle-m-a", 0)]])
