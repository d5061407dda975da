"""The worker process: signals, reloads and limits."""

import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
import pytest

from router.errors import UsageError
from router.runtime.run.counters import open_counters_file, read_counters
from router.runtime.run.monitoring import WorkerStatus
from router.runtime.run.receiver_pool import ReceiverPool
from router.runtime.run.supervisor import QUESTION
from router.runtime.run.worker import (
    FILES_PER_RECEIVER,
    OTHER_FILES,
    RESOLVING_THREADS,
    WorkerOptions,
    WorkerService,
    raise_file_limit,
)
from tests.support.aws import CONCURRENT_CALLS, Aws, AwsFault, QueueAttributes, WriteResponse, boottime
from tests.support.program import load_program
from tests.support.run import begun

UNFREEZE = gc.unfreeze
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SLACK = 50
LOG: Any = SimpleNamespace(blocked=False, dropped=0)
"""No busy machine delays the end of a worker so much; a call of these tests hangs for longer."""
AMPLE_GRACE = 100
"""The grace period of a worker that must not need it on a busy machine."""


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


@pytest.fixture(autouse=True)
def small_heap(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's collection leaves out what the process of the tests has: that takes seconds each time."""
    gc.freeze()
    monkeypatch.setattr(gc, "unfreeze", lambda: None)


@pytest.fixture
def whole_heap(small_heap: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collections leave out nothing, for tests of what they free."""
    monkeypatch.setattr(gc, "unfreeze", UNFREEZE)
    gc.unfreeze()


@pytest.fixture
def config(compile_: Any, tmp_path: Path) -> Path:
    """The smallest config."""
    compile_()
    return tmp_path / "routes.yaml"


@pytest.fixture
def work(aws: Aws, config: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Any]]:
    """Run a worker on an in-memory connection; returns its exit code and log messages."""

    def run(env: Mapping[str, str] = {}, **options: Any) -> tuple[int, list[str]]:
        given = WorkerOptions(config, **{"receivers": 1, "wait": 0, "grace": AMPLE_GRACE, **options})
        with caplog.at_level(logging.INFO, "router"):
            code = WorkerService(given, env, LOG, lambda _: aws).run()
        return code, [entry.getMessage() for entry in caplog.records]

    yield run
    # A stop does not wait for a reload, whose lines would be those of another test.
    for thread in threading.enumerate():
        if thread.name == "reload":
            thread.join(SLACK)


def wait_until(look: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + SLACK
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def send() -> Callable[[int], None]:
    """Send a signal to this process once: a second one would end it at once."""
    sent: set[int] = set()

    def once(number: int) -> None:
        if number not in sent:
            sent.add(number)
            os.kill(os.getpid(), number)

    return once


def test_logs_metrics(work: Any, tables: Any, queues: Any, messages: Any, send: Any) -> None:
    """If the environment asks for it, what was counted since the last time is logged before the worker ends."""
    queues.received.append(messages("a"))
    write = tables.batch_write

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> Any:
        send(signal.SIGTERM)
        return write(table, requests, timeout)

    tables.batch_write = batch_write

    code, lines = work({"ROUTER_METRICS": "cloudwatch"})

    assert (code, lines[-2:]) == (0, ["metrics", "worker stopped"]), lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops(
    work: Any, tables: Any, queues: Any, messages: Any, send: Any, caplog: pytest.LogCaptureFixture, number: int
) -> None:
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
    assert caplog.records[-1].__dict__["fields"] == {"finished": True}
    assert "stopping: finishing the batches in progress" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal(
    work: Any,
    queues: Any,
    messages: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """It ends the process at once, with the exit code of the signal; the first one does not."""
    queues.received.append(messages("a"))
    exits: list[int] = []
    monkeypatch.setattr("router.runtime.run.worker.os", SimpleNamespace(_exit=exits.append))

    def delete(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        os.kill(os.getpid(), number)
        wait_until(lambda: "stopping: finishing the batches in progress" in caplog.text)
        os.kill(os.getpid(), number)
        wait_until(lambda: exits)
        return {}

    queues.delete = delete

    work()

    assert exits == [128 + number]


@pytest.mark.parametrize("receivers", [1, 2])
def test_receivers(
    work: Any, queues: Any, messages: Any, send: Any, monkeypatch: pytest.MonkeyPatch, receivers: int
) -> None:
    """While those of a queue are busy another one polls, up to the limit of the options."""
    queues.received.extend(messages(id_) for id_ in "abcd")
    done = threading.Event()
    busy: set[str] = set()
    rounds: list[int] = []

    def delete(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        busy.add(threading.current_thread().name)
        done.wait(SLACK)
        return {}

    def unblock(pool: ReceiverPool, unblock: Any = ReceiverPool.unblock) -> None:
        unblock(pool)
        rounds.append(len(busy))
        if rounds.count(receivers) == 5:
            done.set()
            send(signal.SIGTERM)

    queues.delete = delete
    monkeypatch.setattr("router.runtime.run.receiver_pool.BUSY_SECONDS", 0.0)
    monkeypatch.setattr("router.runtime.run.worker.POLL_SECONDS", 0.01)
    monkeypatch.setattr(ReceiverPool, "unblock", unblock)

    work(receivers=receivers)

    assert max(rounds) == receivers


@pytest.mark.parametrize(
    ("queues_", "bare_names", "count"), [((), False, 2), (("p",), False, 1), (("p", "q"), True, 2)]
)
def test_connections(
    aws: Aws, config: Path, monkeypatch: pytest.MonkeyPatch, queues_: tuple[str, ...], bare_names: bool, count: int
) -> None:
    """They are enough for a call of each receiver of the chosen queues and for concurrent writes, as are the files."""
    config.write_text(
        "version: 1\ntables: {things: {key: {id: S}}}\n"
        "queues: {p: {name: 'arn:aws:sqs:eu-west-1:${ACCOUNT}:p'}}\n"
        "routes: {r: {queue: q, table: things}, s: {queue: p, table: things}}\n"
    )
    made: list[int] = []
    urls: set[str] = set()

    def connect(max_connections: int) -> Aws:
        made.append(max_connections)
        return aws

    def find(reference: str, timeout: float, url: Any = aws.queues.url) -> Any:
        urls.add(reference)
        return url(reference, timeout)

    monkeypatch.setattr("router.runtime.run.worker.raise_file_limit", made.append)
    monkeypatch.setattr(aws.queues, "url", find)
    options = WorkerOptions(config, queues_, receivers=7, bare_names=bare_names)

    service = WorkerService(options, {"ACCOUNT": "123456789012"}, LOG, connect)

    files, connections = made
    assert files >= count * 7 * FILES_PER_RECEIVER + OTHER_FILES
    assert connections >= count * 7 + CONCURRENT_CALLS
    assert connections < (count + 1) * 7 + CONCURRENT_CALLS
    names = {"p" if bare_names else "arn:aws:sqs:eu-west-1:123456789012:p", *(["q"] if count == 2 else [])}
    assert (urls, service.status().log_blocked, service.totals()) == (names, False, begun(*"pq"[:count]))


def test_one_of_several_processes(work: Any, queues: Any, messages: Any) -> None:
    """Its parent asks for its status, reads its metrics from a file, and stops it by closing the control socket."""
    queues.received.append(messages("a", "b"))
    ours, theirs = socket.socketpair()
    counters = open_counters_file()
    answers: list[WorkerStatus] = []

    def receive() -> None:
        if not queues.received and not answers:
            ours.sendall(QUESTION)
            with ours, ours.makefile("rb") as lines:
                answers.append(msgspec.json.decode(lines.readline(), type=WorkerStatus))

    ours.settimeout(SLACK)
    queues.on_receive = receive

    code, output = work(control=theirs.detach(), counters=counters)

    totals = read_counters(counters)
    os.close(counters)
    assert (code, output[-1], totals["router_messages_written_total"]) == (0, "worker stopped", {("q",): 2.0})
    assert [(each.alive, len(each.config)) for each in answers] == [(True, 16)]


def test_while_it_runs(
    work: Any,
    compile_: Any,
    queues: Any,
    send: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    whole_heap: None,
) -> None:
    """Plugins are started, and then stopped. Leases are renewed by a thread that ends with the worker.

    Health and metrics are those of the worker. Garbage collections are fewer, and leave the program out.
    """
    compile_(
        acme="@hookimpl\ndef router_start(router): print('started')\n"
        "@hookimpl\ndef router_stop(router): print('stopped')\n"
    )
    beats: list[threading.Thread] = []
    frozen: list[int] = []
    pages: list[str] = []

    def look() -> None:
        beats.extend(thread for thread in threading.enumerate() if thread.name == "heartbeat")
        frozen.append(gc.get_freeze_count())
        if not pages:
            (port,) = [entry.__dict__["fields"]["port"] for entry in caplog.records if entry.msg == "listening"]
            for path in ("/healthz", "/metrics"):
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", path)
                pages.append(connection.getresponse().read().decode())
                connection.close()
        send(signal.SIGTERM)

    gc.set_threshold(700)
    queues.on_receive = look

    work(listen="127.0.0.1:0")

    assert [thread.daemon for thread in beats[:1]] == [True]
    beats[0].join(60)
    assert (beats[0].is_alive(), frozen[0] > 10_000, gc.get_threshold()[0] > 700) == (False, True, True)
    assert capsys.readouterr().out == "started\nstopped\n"
    assert [pages[0][:10], "\nrouter_config_info{config=" in pages[1]] == ["ok\nconfig ", True]


def test_own_log(aws: Aws, config: Path) -> None:
    """The status has whether the log is blocked, and the metrics how many of its lines were dropped."""
    log: Any = SimpleNamespace(dropped=3, blocked=True)
    counters = open_counters_file()
    service = WorkerService(WorkerOptions(config, counters=counters), {}, log, lambda max_connections: aws)

    totals = service.totals()
    log.dropped = 4
    status = service.status()

    # A parent asks for the status, and reads the metrics from their file.
    read = read_counters(counters)
    os.close(counters)
    assert [each["router_log_lines_dropped_total"] for each in (totals, read)] == [{("",): 3.0}, {("",): 4.0}]
    assert (status.ready, status.log_blocked, len(status.config), status.paused) == (True, True, 16, ())


def test_paused(aws: Aws, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status has the queues that are not polled because of an outage."""
    monkeypatch.setattr(ReceiverPool, "paused", ("q",))

    assert WorkerService(WorkerOptions(config), {}, LOG, lambda max_connections: aws).status().paused == ("q",)


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
    fields = {entry.getMessage(): entry.__dict__["fields"] for entry in caplog.records if "fields" in entry.__dict__}
    old, new = fields["worker started"], fields["config reloaded"]
    assert (old["queues"], new["queues"]) == (["q"], ["other"])
    assert len({old["config"], new["config"]} - {"", None}) == 2


def test_a_reload_for_a_signal(
    work: Any, queues: Any, send: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each signal has one reload, in a thread that does not keep the process alive."""
    loads: list[tuple[str, bool]] = []
    rounds: list[bool] = []

    def load(*given: Any, load: Any = load_program) -> Any:
        loads.append((threading.current_thread().name, threading.current_thread().daemon))
        return load(*given)

    def unblock(pool: ReceiverPool) -> None:
        rounds.append("config reloaded" in caplog.text)
        if rounds.count(True) == 5:
            send(signal.SIGTERM)

    monkeypatch.setattr("router.runtime.run.worker.load_program", load)
    monkeypatch.setattr("router.runtime.run.worker.POLL_SECONDS", 0.01)
    monkeypatch.setattr(ReceiverPool, "unblock", unblock)
    queues.on_receive = lambda: send(signal.SIGHUP)

    code, _ = work()

    assert (code, loads) == (0, [("MainThread", False), ("reload", True)])


@pytest.mark.parametrize(
    ("change", "line", "findings"),
    [
        (
            ("things}", "thinks}"),
            "the config has errors: continuing with the old one",
            ["error RT201 unknown table 'thinks'; did you mean 'things'?"],
        ),
        (
            ("queue: q", "queue: gone"),
            (
                "cannot reload: queue 'gone' cannot be polled: NonExistentQueue: there is none of this name in this "
                "account and region; continuing with the old config"
            ),
            [],
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
    findings: list[str],
) -> None:
    """A config with errors, which the log has, or whose queues do not exist, is refused, and the old one continues."""
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
    assert [text.partition(": ")[2] for text in output if text.startswith(str(config))] == findings


PLUGIN = """
@hookimpl
def router_transform_message(message, route):
    return message
"""


def test_old_plugins_are_freed(
    whole_heap: None, work: Any, compile_: Any, queues: Any, send: Any, caplog: pytest.LogCaptureFixture
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


START = "@hookimpl\ndef router_start(router):\n    raise "


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("raise Odd", "the config has errors: continuing with the old one"),
        (
            f"{START}Odd",
            "cannot reload: plugin 'acme': router_start raised Odd (acme.py:6); continuing with the old config",
        ),
        (
            f"{START}KeyboardInterrupt",
            "cannot reload: KeyboardInterrupt was raised; continuing with the old config",
        ),
    ],
)
def test_plugin_that_raises_anything(
    work: Any, config: Path, queues: Any, send: Any, caplog: pytest.LogCaptureFixture, where: str, line: str
) -> None:
    """A plugin that raises what is no Exception refuses the reload, at its import or its start."""
    ask = queues.receive

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        if "acme" not in config.read_text():
            plugin = f"from router import *\nclass Odd(BaseException):\n    pass\n{where}\n"
            config.with_name("acme.py").write_text(plugin)
            config.write_text(config.read_text().replace("plugins: []", "plugins: [acme.py]"))
            send(signal.SIGHUP)
        elif "continuing with the old" in caplog.text:
            send(signal.SIGTERM)
        return ask(url, count, wait_seconds, visibility)

    queues.receive = receive

    code, output = work()

    assert (code, "worker stopped" in output, "config reloaded" in output) == (0, True, False)
    assert line in output


def test_no_thread_to_begin_a_reload(
    work: Any, queues: Any, send: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP does not end a worker that has no further thread: the old config stays in use."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "reload":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    queues.on_receive = lambda: send(signal.SIGTERM if "cannot reload" in caplog.text else signal.SIGHUP)

    code, output = work()

    line = "cannot reload: can't start new thread; continuing with the old config"
    assert (code, line in output, "config reloaded" in output) == (0, True, False)


def test_plugin_that_interrupts_the_stop(work: Any, compile_: Any, queues: Any, send: Any) -> None:
    """The worker ends as it would without it."""
    assert compile_(acme="@hookimpl\ndef router_stop(router):\n    raise KeyboardInterrupt\n").routes
    queues.on_receive = lambda: send(signal.SIGTERM)

    code, output = work()

    assert (code, "a plugin raised KeyboardInterrupt in router_stop" in output, "worker stopped" in output) == (
        0,
        True,
        True,
    )


@pytest.mark.parametrize("where", ["url", "attributes"])
def test_cannot_start(work: Any, queues: Any, where: str) -> None:
    """A queue that cannot be polled is reported at start."""
    denied = AwsFault("configuration", "AccessDenied", 403)
    if where == "attributes":
        queues.found = denied
    queues.faults[where] = denied

    with pytest.raises(
        UsageError, match=r"^queue 'q' cannot be polled: AccessDenied: these credentials may not do this$"
    ):
        work()


def test_no_such_queue(work: Any, config: Path) -> None:
    """A queue that no route reads is reported at start, with those that there are."""
    config.write_text(
        "version: 1\ntables: {things: {key: {id: S}}}\n"
        "routes: {r: {queue: q, table: things}, s: {queue: p, table: things}}\n"
    )

    with pytest.raises(UsageError, match=r"^no route reads the queue 'other'; the config has q, p$"):
        work(queues=("other",))


def test_queues_are_looked_up_at_a_time(work: Any, config: Path, queues: Any, send: Any) -> None:
    """Calls for some queues overlap at the start: each call of 32 queues waits until 16 are under way."""
    together = threading.Barrier(RESOLVING_THREADS)
    names = [f"q{number}" for number in range(2 * RESOLVING_THREADS)]
    routes = "".join(f"  {name}: {{queue: {name}, table: things}}\n" for name in names)
    tables = "tables: {things: {key: {id: S}}}\n"
    config.write_text(f"version: 1\n{tables}routes:\n{routes}")
    find, describe = queues.url, queues.attributes

    def url(reference: str, timeout: float) -> Any:
        together.wait(60)
        return find(reference, timeout)

    def attributes(url: str, timeout: float) -> Any:
        together.wait(60)
        return describe(url, timeout)

    queues.url, queues.attributes = url, attributes
    queues.on_receive = lambda: send(signal.SIGTERM)

    code, _ = work()

    assert (code, queues.attributes_read) == (0, len(names))


@pytest.mark.parametrize(
    ("visibility", "wait", "grace", "asked"),
    [(30, 10, 20, (10, 30)), (30, 20, 9, (4, 30)), (30, 5, 0, (0, 30)), (0, 10, 20, (1, 2))],
)
def test_receives(
    work: Any, queues: Any, send: Any, visibility: int, wait: int, grace: int, asked: tuple[int, int]
) -> None:
    """A long poll ends within half of the grace period; a visibility timeout leaves time for it and for a write."""
    queues.found = QueueAttributes(visibility, 5)
    found: list[tuple[int, int]] = []

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        found.append((wait_seconds, visibility))
        send(signal.SIGTERM)
        return []

    queues.receive = receive

    work(wait=wait, grace=grace)

    assert found[0] == asked


@pytest.mark.parametrize(("grace", "batches", "plugins"), [(20, 17.5, 19.5), (2, 1.25, 1.75)])
def test_parts_of_the_grace_period(
    work: Any, queues: Any, send: Any, monkeypatch: pytest.MonkeyPatch, grace: int, batches: float, plugins: float
) -> None:
    """Batches in progress leave some of it for unfinished messages, and those some for what remains to be done."""
    now = boottime()
    given: list[float] = []

    def stop(pool: ReceiverPool, seconds: float, stop: Any = ReceiverPool.stop) -> None:
        given.append(seconds)
        stop(pool, seconds)

    def join(pool: ReceiverPool, until: float, join: Any = ReceiverPool.join) -> bool:
        given.append(until - now)
        return bool(join(pool, until + 60))  # however busy the machine is

    def within(seconds: float, act: Callable[[], object]) -> None:
        given.append(seconds)
        act()

    monkeypatch.setattr("router.runtime.run.worker.boottime", lambda: now)
    monkeypatch.setattr("router.runtime.run.worker.run_within", within)
    monkeypatch.setattr(ReceiverPool, "stop", stop)
    monkeypatch.setattr(ReceiverPool, "join", join)
    queues.on_receive = lambda: send(signal.SIGTERM)

    work(grace=grace)

    assert given == pytest.approx([batches, batches, plugins])


def test_plugin_that_hangs_at_the_end(work: Any, queues: Any, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is logged, and all messages are finished nevertheless."""

    def within(seconds: float, act: Callable[[], object]) -> None:
        raise TimeoutError

    monkeypatch.setattr("router.runtime.run.worker.run_within", within)
    queues.on_receive = lambda: send(signal.SIGTERM)

    code, output = work()

    assert (code, output[-2:]) == (0, ["a plugin hangs in router_stop: it is not waited for", "worker stopped"])


def test_release_hangs(work: Any, queues: Any, messages: Any, send: Any) -> None:
    """If setting visibility timeouts hangs too, the worker still ends within its grace period."""
    queues.received.append(messages("a"))
    end = threading.Event()
    began = 0.0

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        nonlocal began
        began = began or time.monotonic()
        send(signal.SIGTERM)
        end.wait(100)
        return {}

    queues.delete = queues.change_visibility = hang

    code, output = work(grace=3)

    took = time.monotonic() - began
    end.set()
    assert (code, output[-1], took < 3 + SLACK) == (1, "worker stopped", True)


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


def test_dead_letters_name_the_url(work: Any, queues: Any, arrive: Any, send: Any) -> None:
    """The URL of a queue is unique, its name is not: a dead letter has the URL as its source."""
    queues.received.append([arrive("no JSON")])
    queues.on_receive = lambda: None if queues.received else send(signal.SIGTERM)

    work()

    (letter,) = queues.letters
    (failure,) = letter.message_attributes.values()
    assert json.loads(failure["StringValue"])["source"] == "https://queues/q"


def test_unfinished(work: Any, queues: Any, messages: Any, send: Any) -> None:
    """Messages not finished within the grace period become visible before its end, and the exit code is 1."""
    queues.received.append(messages("a"))
    end = threading.Event()
    times: list[float] = []

    def change_visibility(url: str, messages: Any, timeout: float, change: Any = queues.change_visibility) -> Any:
        times.append(timeout)
        return change(url, messages, timeout)

    queues.change_visibility = change_visibility

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        send(signal.SIGTERM)
        end.wait(100)
        return {}

    queues.delete = hang

    code, output = work(grace=3)

    # In a thread, for which a worker that was not run for the rest of its grace period does not wait.
    wait_until(lambda: queues.released)
    end.set()
    assert (code, output[-1], queues.released) == (1, "worker stopped", [[("m-a", "handle-m-a", 0)]])
    assert times[0] <= 3 / 4


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
        end.wait(100)
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
    wait_until(lambda: queues.released)
    end.set()
    # The reload, whose own grace period began before, may tell of its end last.
    assert (code, "worker stopped" in output, queues.released, took < 4 + SLACK) == (
        1,
        True,
        [[("m-a", "handle-m-a", 0)]],
        True,
    )


def test_old_batches_that_outlast_a_reload(
    work: Any, queues: Any, messages: Any, send: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages of the old receivers that a reload no longer waits for become visible when the worker stops."""
    queues.received.append(messages("a"))
    end = threading.Event()

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        send(signal.SIGHUP)
        end.wait(100)
        return {}

    queues.delete = hang
    queues.on_receive = lambda: send(signal.SIGTERM) if "config reloaded" in caplog.text else None

    code, output = work(grace=1)

    wait_until(lambda: queues.released)
    end.set()
    assert (code, output[-1], queues.released) == (1, "worker stopped", [[("m-a", "handle-m-a", 0)]])


def test_plugins_of_old_batches_that_outlast_a_reload(
    work: Any,
    compile_: Any,
    queues: Any,
    messages: Any,
    send: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are stopped by the first reload after the end of these batches."""
    compile_(acme="@hookimpl\ndef router_stop(router): print('stopped')\n")
    queues.received.append(messages("a"))
    end = threading.Event()
    hanging: list[threading.Thread] = []
    printed: list[str] = []

    def hang(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        hanging.append(threading.current_thread())
        send(signal.SIGHUP)
        end.wait(100)
        return {}

    def look() -> None:
        reloads = caplog.text.count("config reloaded")
        if reloads == 1 and not end.is_set():
            printed.append(capsys.readouterr().out)
            end.set()
            hanging[0].join(SLACK)
            os.kill(os.getpid(), signal.SIGHUP)
        elif reloads == 2:
            printed.append(capsys.readouterr().out)
            send(signal.SIGTERM)

    queues.delete, queues.on_receive = hang, look

    work(grace=2)

    assert printed[:2] == ["", "stopped\nstopped\n"]


def test_stopped_during_a_reload(
    work: Any,
    compile_: Any,
    queues: Any,
    send: Any,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reload is given up: the plugins that it has started are stopped, too."""
    compile_(
        acme="@hookimpl\ndef router_start(router): print('started')\n"
        "@hookimpl\ndef router_stop(router): print('stopped')\n"
    )
    printed = ""
    looked_up: list[str] = []
    find = queues.url

    def stopped() -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return printed.count("stopped") == 2

    def url(reference: str, timeout: float) -> Any:
        looked_up.append(reference)
        if len(looked_up) == 2:
            send(signal.SIGTERM)
            wait_until(lambda: "stopping: finishing the batches in progress" in caplog.text)
        return find(reference, timeout)

    queues.url = url
    queues.on_receive = lambda: send(signal.SIGHUP)

    code, output = work()

    wait_until(stopped)
    assert (code, printed.count("started"), "config reloaded" in output) == (0, 2, False)


def test_no_thread_for_a_reload(
    work: Any, queues: Any, send: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread of the new receivers can be started, the old ones continue, and end with the worker."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if threading.current_thread().name == "reload" and thread.name.startswith("receiver-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    queues.on_receive = lambda: send(signal.SIGTERM if "cannot reload" in caplog.text else signal.SIGHUP)

    code, output = work()

    text = "cannot reload: can't start new thread; continuing with the old config"
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("receiver-")]
    assert (code, text in output, "config reloaded" in output, left) == (0, True, False, [])


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
def test_file_limit(
    needed: int,
    limits: tuple[int, int],
    raised: list[tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The soft limit is raised to what is needed, and never lowered."""
    set_: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: set_.append(new))

    raise_file_limit(needed)

    assert (set_, caplog.records) == (raised, [])


def test_file_limit_of_this_process() -> None:
    """The limit of this process is raised."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        raise_file_limit(300)

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def test_file_limit_is_too_low(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the hard limit is too low, the soft limit is raised to it, with a warning."""
    set_: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 512))
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: set_.append(new))

    with caplog.at_level(logging.WARNING, "router"):
        raise_file_limit(1000)

    line = "all receivers together may need more open files than the system allows: raise 'ulimit -Hn'"
    assert (set_, [(entry.getMessage(), entry.__dict__["fields"]) for entry in caplog.records]) == (
        [(512, 512)],
        [(line, {"limit": 512, "needed": 1000})],
    )
