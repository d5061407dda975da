"""The worker process: signals, reloads and limits."""

import gc
import logging
import os
import resource
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from router.errors import UsageError
from router.run.worker import RESOLVING_THREADS, WorkerOptions, WorkerService, raise_file_limit
from tests.support.aws import Aws, AwsFault, QueueAttributes, WriteResponse

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signal handlers and the garbage collector are restored after the test."""
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
def work(aws: Aws, config: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """Run a worker on an in-memory connection; returns its exit code and log messages."""

    def run(**options: Any) -> tuple[int, list[str]]:
        with caplog.at_level(logging.INFO, "router"):
            code = WorkerService(
                WorkerOptions(config, receivers=1, wait=0, **options), {}, lambda max_connections: aws
            ).run()
            # A stop does not wait for a reload, whose lines would be those of another test.
            for thread in threading.enumerate():
                if thread.name == "reload":
                    thread.join(0.5)
        return code, [entry.getMessage() for entry in caplog.records]

    return run


@pytest.fixture
def send() -> Callable[[int], None]:
    """Send a signal to this process once: a second one would end it at once."""
    sent: set[int] = set()

    def once(number: int) -> None:
        if number not in sent:
            sent.add(number)
            os.kill(os.getpid(), number)

    return once


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops(work: Any, tables: Any, queues: Any, messages: Any, send: Any, number: int) -> None:
    """The batch in progress is finished and deleted, and the exit code is 0."""
    queues.received.append(messages("a"))
    write = tables.batch_write

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> Any:
        send(number)
        return write(table, requests, timeout)

    tables.batch_write = batch_write

    code, output = work()

    # A receiver can finish before the worker has logged its start.
    assert (code, "worker started" in output, output[-1], list(tables.items), queues.deleted) == (
        0,
        True,
        "worker stopped",
        ["a"],
        [[("m-a", "handle-m-a")]],
    )


@pytest.mark.parametrize("name", ["routes.yaml", "flow.yaml"])
def test_reload(work: Any, config: Path, queues: Any, send: Any, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """SIGHUP reloads the config and its includes; SIGTERM then stops the new pool."""
    urls: list[str] = []
    ask = queues.receive
    edited = config.with_name(name)
    if edited != config:
        edited.write_text("queues: {q: {dead_letter: dlq}}\nroutes: {r: {queue: q, table: things}}\n")
        config.write_text("version: 1\ninclude: flow.yaml\ntables: {things: {key: {id: S}}}\n")

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        if not urls:
            edited.write_text(edited.read_text().replace("q:", "other:").replace("queue: q", "queue: other"))
            send(signal.SIGHUP)
        elif "other" in url and "config reloaded" in caplog.text:
            send(signal.SIGTERM)
        urls.append(url)
        return ask(url, count, wait_seconds, visibility)

    queues.receive = receive

    code, output = work()

    # The old receivers may poll once more while the new ones start.
    assert (code, [line for line in output if "reload" in line], urls[0], set(urls)) == (
        0,
        ["config reloaded"],
        "https://queues/q",
        {"https://queues/q", "https://queues/other"},
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("things}", "thinks}"), "the config has errors: continuing with the old one"),
        (
            ("queue: q", "queue: gone"),
            "cannot reload: queue 'gone' cannot be polled: NonExistentQueue; continuing with the old config",
        ),
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
    """A config with errors, or whose queues do not exist, is refused, and the old one continues."""
    urls: list[str] = []
    ask, find = queues.receive, queues.url
    queues.url = lambda name, timeout: (
        AwsFault("configuration", "NonExistentQueue", 400) if name == "gone" else find(name, timeout)
    )

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        if not urls:
            config.write_text(config.read_text().replace(*change))
            send(signal.SIGHUP)
        elif line in caplog.text:
            send(signal.SIGTERM)
        urls.append(url)
        return ask(url, count, wait_seconds, visibility)

    queues.receive = receive

    code, output = work()

    assert (code, line in output, set(urls)) == (0, True, {"https://queues/q"})


PLUGIN = """
@hookimpl
def router_transform_message(message, route):
    return message
"""


def test_old_plugins_are_freed(
    work: Any, compile_: Any, queues: Any, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """After each reload the plugins of the old config are gone; the next one begins when they are."""
    program = compile_(acme=PLUGIN)
    before = set(sys.modules)
    modules: dict[str, weakref.ref[ModuleType]] = {}
    ask = queues.receive
    asked: list[int] = []

    # The receivers of the old and the new config receive at the same time.
    looking = threading.Lock()

    def look() -> None:
        new = [name for name in set(sys.modules) - before - set(modules) if "router_plugin" in name]
        modules.update((name, weakref.ref(sys.modules[name])) for name in new)
        alive = sum(module() is not None for module in modules.values())
        if caplog.text.count("config reloaded") == len(modules) - 1 and alive == 1 and len(modules) > len(asked):
            asked.append(len(modules))
            if len(modules) < 6:
                os.kill(os.getpid(), signal.SIGHUP)
            else:
                send(signal.SIGTERM)

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        with looking:
            look()
        return ask(url, count, wait_seconds, visibility)

    queues.receive = receive

    code, output = work()

    assert (code, output.count("config reloaded"), asked) == (0, 5, [1, 2, 3, 4, 5, 6])
    assert program.routes


@pytest.mark.parametrize("where", ["raise Odd", "@hookimpl\ndef router_start(router):\n    raise Odd"])
def test_plugin_that_raises_anything(
    work: Any, config: Path, queues: Any, send: Any, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """A plugin that raises what is no Exception refuses the reload, at its import or its start."""
    ask = queues.receive

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        if "acme" not in config.read_text():
            plugin = f"from router import *\nclass Odd(BaseException):\n    pass\n{where}\n"
            config.with_name("acme.py").write_text(plugin)
            config.write_text(config.read_text().replace("plugins: []", "plugins: [acme.py]"))
            send(signal.SIGHUP)
        elif "Odd" in caplog.text:
            send(signal.SIGTERM)
        return ask(url, count, wait_seconds, visibility)

    queues.receive = receive

    code, output = work()

    assert (code, "worker stopped" in output, "config reloaded" in output) == (0, True, False)


@pytest.mark.parametrize(
    ("where", "options", "sentence"),
    [
        ("url", {}, "queue 'q' cannot be polled: AccessDenied"),
        ("attributes", {}, "queue 'q' cannot be polled: AccessDenied"),
        ("", {"queues": ("other",)}, "no route reads the queue 'other'; the config has q"),
    ],
)
def test_cannot_start(work: Any, queues: Any, where: str, options: Any, sentence: str) -> None:
    """A queue that cannot be polled, or that no route reads, is reported at start."""
    denied = AwsFault("configuration", "AccessDenied", 403)
    if where == "attributes":
        queues.found = denied
    queues.faults[where] = denied

    with pytest.raises(UsageError, match=f"^{sentence}$"):
        work(**options)


def test_queues_are_looked_up_at_a_time(work: Any, config: Path, queues: Any, send: Any) -> None:
    """Calls for some queues overlap at the start: each call of 32 queues waits until 16 are under way."""
    together = threading.Barrier(RESOLVING_THREADS)
    names = [f"q{number}" for number in range(2 * RESOLVING_THREADS)]
    routes = "".join(f"  {name}: {{queue: {name}, table: things}}\n" for name in names)
    tables = "tables: {things: {key: {id: S}}}\n"
    config.write_text(f"version: 1\n{tables}routes:\n{routes}")
    find, describe = queues.url, queues.attributes

    def url(reference: str, timeout: float) -> Any:
        together.wait(20)
        return find(reference, timeout)

    def attributes(url: str, timeout: float) -> Any:
        together.wait(20)
        return describe(url, timeout)

    queues.url, queues.attributes = url, attributes
    queues.on_receive = lambda: send(signal.SIGTERM)

    code, _ = work()

    assert (code, queues.attributes_read) == (0, len(names))


def test_release_hangs(work: Any, queues: Any, messages: Any, send: Any) -> None:
    """If setting visibility timeouts hangs too, the worker still ends within its grace period."""
    queues.received.append(messages("a"))
    end = threading.Event()
    began = 0.0

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        nonlocal began
        began = began or time.monotonic()
        send(signal.SIGTERM)
        end.wait(30)
        return {}

    queues.delete = queues.change_visibility = hang

    code, output = work(grace=3)

    took = time.monotonic() - began
    end.set()
    assert (code, output[-1], took < 15) == (1, "worker stopped", True)


@pytest.mark.parametrize(("receives", "least", "most"), [(10, 70, 88), (3, 42_300, 42_300)])
def test_redrive_policy(
    work: Any, tables: Any, queues: Any, messages: Any, send: Any, receives: int, least: int, most: int
) -> None:
    """In an outage, visibility timeouts follow the redrive policy of the queue, which is read once."""
    queues.found = QueueAttributes(30, receives)
    queues.received.append(messages("a", a={"ApproximateReceiveCount": "2"}))
    queues.on_receive = lambda: None if queues.received else send(signal.SIGTERM)
    tables.answers.append(WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400)))

    code, _ = work()

    ((_, _, seconds),) = queues.released[0]
    assert (code, least <= seconds <= most, queues.attributes_read) == (0, True, 1)


def test_unfinished(work: Any, queues: Any, messages: Any, send: Any) -> None:
    """Messages not finished within the grace period become visible, and the exit code is 1."""
    queues.received.append(messages("a"))
    end = threading.Event()

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        send(signal.SIGTERM)
        end.wait(30)
        return {}

    queues.delete = hang

    code, output = work(grace=3)

    end.set()
    assert (code, output[-1], queues.released) == (1, "worker stopped", [[("m-a", "handle-m-a", 0)]])


def test_stopped_while_a_reload_finishes_the_old_batches(
    work: Any, config: Path, queues: Any, messages: Any, send: Any
) -> None:
    """Messages of the old receivers become visible too, and the worker ends within the grace period."""
    queues.received.append(messages("a"))
    end, began = threading.Event(), 0.0
    ask = queues.receive

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        config.write_text(config.read_text().replace("q:", "other:").replace("queue: q", "queue: other"))
        send(signal.SIGHUP)
        end.wait(30)
        return {}

    def receive(url: str, *given: Any) -> Any:
        nonlocal began
        if "other" in url:
            began = began or time.monotonic()
            send(signal.SIGTERM)
        return ask(url, *given)

    queues.delete, queues.receive = hang, receive

    code, output = work(grace=4)

    took = time.monotonic() - began
    end.set()
    assert (code, output[-1], queues.released, took < 4 + 1) == (
        1,
        "worker stopped",
        [[("m-a", "handle-m-a", 0)]],
        True,
    )


@pytest.mark.parametrize(
    ("needed", "limits", "raised"),
    [
        (100, (256, 4096), []),
        (256, (256, 4096), []),
        (300, (256, 4096), [(300, 4096)]),
        (300, (256, resource.RLIM_INFINITY), [(300, resource.RLIM_INFINITY)]),
        (1000, (resource.RLIM_INFINITY, resource.RLIM_INFINITY), []),
    ],
)
def test_file_limit(needed: int, limits: tuple[int, int], raised: list[tuple[int, int]]) -> None:
    """The soft limit is raised to what is needed, and never lowered."""
    set_: list[tuple[int, int]] = []

    raise_file_limit(needed, lambda which: limits, lambda which, new: set_.append(new))

    assert set_ == raised


def test_file_limit_of_this_process() -> None:
    """By default the limit of this process is raised."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        raise_file_limit(300)

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def test_file_limit_is_too_low(caplog: pytest.LogCaptureFixture) -> None:
    """If the hard limit is too low, the soft limit is raised to it, with a warning."""
    set_: list[tuple[int, int]] = []

    with caplog.at_level(logging.WARNING, "router"):
        raise_file_limit(1000, lambda which: (256, 512), lambda which, new: set_.append(new))

    assert (set_, [record.getMessage() for record in caplog.records]) == (
        [(512, 512)],
        ["all receivers together may need more open files than the system allows: raise 'ulimit -Hn'"],
    )
