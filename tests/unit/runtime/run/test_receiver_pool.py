"""The receiver pool: scaling, start and stop."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest
from msgspec import structs

from router.model import Summary
from router.runtime.run.concurrency import DEFAULT_TUNING, Tuning
from router.runtime.run.leases import Leases
from router.runtime.run.long_polls import LongPolls
from router.runtime.run.polling import Count, PolledQueue, ignore_count
from router.runtime.run.receiver_pool import BUSY_MAX_RECEIVERS, BUSY_SECONDS, STUCK_SECONDS, ReceiverPool
from router.runtime.run.run_lock import RunLock
from tests.support.aws import Aws, AwsFault, WriteResponse, blocking, boottime
from tests.support.deliver import PAUSES, DeliveryOptions

GRACE = 60.0
EVER = float("inf")
UNTIMED = Tuning(200, EVER, EVER, EVER, EVER, EVER)
"""Neither the duration of rounds nor the load of this process matters."""
ONE_CALL = Tuning(10, EVER, EVER, EVER, EVER, EVER)
"""A receive of ten messages is the largest."""


class Gate:
    """Blocks callers until it is opened; counts those that wait."""

    def __init__(self) -> None:
        self.waiting = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def pass_(self) -> None:
        with self._lock:
            self.waiting += 1
        self._open.wait(GRACE)

    def open(self) -> None:
        self._open.set()


class RecordingLock(RunLock):
    """Keeps the groups whose threads acquired it."""

    def __init__(self) -> None:
        super().__init__()
        self.acquired: list[Any] = []

    def acquire(self, group: Any) -> int:
        self.acquired.append(group)
        return super().acquire(group)


@pytest.fixture
def make_pool(aws: Aws, queues: Any, compile_: Any) -> Iterator[Callable[..., ReceiverPool]]:
    """Makes a pool of up to this many receivers of each queue, by default of one; it is stopped after the test."""
    pools: list[ReceiverPool] = []

    def make(
        limit: int,
        config: Mapping[str, str] = {},
        urls: str = "u",
        meter: Callable[[Summary], None] = lambda summary: None,
        tuning: Tuning = DEFAULT_TUNING,
        count: Count = ignore_count,
        clients: Aws = aws,
        run_lock: Callable[[], RunLock] = RunLock,
    ) -> ReceiverPool:
        program = compile_(**config)
        polled = [PolledQueue(program.engine.queues["q"], url, 30, 10) for url in urls]
        tuning = structs.replace(tuning, receivers=limit)
        delivery = DeliveryOptions(meter)
        with patch("router.runtime.run.receiver_pool.RunLock", run_lock):
            pool = ReceiverPool(program, polled, clients, Leases(queues), delivery, count, tuning)
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.stop(GRACE)
        assert pool.join(boottime() + GRACE)


def wait_until(look: Callable[[], Any]) -> None:
    end = boottime() + GRACE
    while not look():
        assert boottime() < end
        time.sleep(0.005)


def threads_of_receivers() -> list[threading.Thread]:
    """Those that run."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("receiver-q-")]


@pytest.mark.parametrize(
    ("program", "taken"),
    [
        ({}, 1),
        ({"more": "@hookimpl\ndef router_batch_done(summary): pass"}, 0),
        ({"queue": "dead_letter: letters, envelope: [s3_pointer], s3_pointer: {buckets: [large]}"}, 0),
    ],
    ids=["plain", "plugin", "pointers"],
)
def test_run_lock(make_pool: Any, queues: Any, program: dict[str, str], taken: int) -> None:
    """Receivers share a run lock, unless they can block on other I/O than SQS and DynamoDB."""
    lock = RecordingLock()
    asked = Gate()
    queues.on_receive = asked.pass_

    make_pool(1, program, run_lock=lambda: lock).start()
    wait_until(lambda: asked.waiting)

    assert len(lock.acquired) == taken
    asked.open()


def test_each_queue_is_a_group(make_pool: Any, queues: Any) -> None:
    """Of the threads that share the run lock, so that the receivers of a busy one delay no other for long."""
    lock = RecordingLock()
    asked = Gate()

    def receive() -> None:
        with blocking:
            asked.pass_()

    queues.on_receive = receive

    make_pool(1, urls="ab", run_lock=lambda: lock).start()
    wait_until(lambda: asked.waiting == 2)

    assert len(set(lock.acquired)) == 2
    asked.open()


def test_meter(make_pool: Any, queues: Any, messages: Any) -> None:
    """Each batch is measured."""
    queues.received.append(messages("a", "b"))
    summaries: list[Summary] = []

    make_pool(1, meter=summaries.append).start()
    wait_until(lambda: summaries)

    assert [(each.queue, dict(each.counts)) for each in summaries] == [("q", {"written": 2})]


def test_starts_with_one(make_pool: Any, queues: Any) -> None:
    """Without messages a queue has one receiver, which does not keep the process alive."""
    asked = Gate()
    queues.on_receive = asked.pass_
    pool = make_pool(8)

    pool.start()
    wait_until(lambda: asked.waiting)

    assert (len(pool.receivers), pool.queues, pool.is_ready(), pool.stopping) == (1, ["q"], True, False)
    assert [each.daemon for each in threads_of_receivers()] == [True]
    asked.open()


def test_a_receiver_that_has_not_begun(make_pool: Any, queues: Any) -> None:
    """While another queue keeps the run lock, a receiver that waits for its first turn is alive."""
    lock = RunLock(lambda turn: turn.acquire())
    pool = make_pool(1, run_lock=lambda: lock)

    with lock.group():
        pool.start()

        assert pool.is_alive(boottime())


def test_grows_with_a_backlog(make_pool: Any, queues: Any, messages: Any) -> None:
    """While receives are full, receivers are added up to the limit; the messages in process are bounded."""
    written, deleted = Gate(), queues.delete
    numbers = iter(range(1_000_000))
    backlog = True

    def receive(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        if backlog:
            return messages(*[str(next(numbers)) for _ in range(count)])
        time.sleep(0.001)
        return []

    def delete(url: str, pairs: Any, timeout: float) -> Any:
        if len(pool.receivers) == 4 and len(pairs) == UNTIMED.batch_messages:
            written.pass_()
        return deleted(url, pairs, timeout)

    queues.receive, queues.delete = receive, delete
    pool = make_pool(4, tuning=UNTIMED)

    pool.start()
    wait_until(lambda: written.waiting == 4)
    in_process = next(numbers) - sum(map(len, queues.deleted))

    assert (len(pool.receivers), in_process) == (4, 4 * UNTIMED.batch_messages)
    backlog = False
    written.open()
    # After the backlog the pool shrinks to one.
    wait_until(lambda: len(pool.receivers) == len(threads_of_receivers()) == 1)
    assert pool.is_alive(boottime())


@pytest.fixture
def frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are frequent, also if this process stood still while one was received."""
    monkeypatch.setattr("router.runtime.run.receiver.FREQUENT", float("inf"))


def record_waits(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The receivers that have begun to wait for their turn, from now on."""
    waits: list[object] = []
    wait = LongPolls.wait

    def wait_for_turn(polls: LongPolls, receiver: object) -> None:
        waits.append(receiver)
        wait(polls, receiver)

    monkeypatch.setattr(LongPolls, "wait", wait_for_turn)
    return waits


@pytest.mark.usefixtures("frequent")
def test_another_one_polls_during_a_write(make_pool: Any, tables: Any, queues: Any, messages: Any) -> None:
    """If messages are frequent: what is sent meanwhile does not wait until the write is over."""
    batches = iter([messages("first"), messages("slow"), messages("sent meanwhile")])
    slow, empty = Gate(), Gate()
    writing = False

    def receive(*given: Any) -> Any:
        batch = next(batches, None)
        if not batch:
            with blocking:
                empty.pass_()
        return batch or []

    write = tables.batch_write

    def batch_write(*given: Any) -> Any:
        nonlocal writing
        if "slow" in repr(given) and not writing:
            writing = True
            with blocking:
                slow.pass_()
        return write(*given)

    queues.receive = receive
    tables.batch_write = batch_write
    pool = make_pool(2)
    pool.start()

    wait_until(lambda: "sent meanwhile" in tables.items)

    assert sorted(tables.items) == ["first", "sent meanwhile"]
    slow.open()
    empty.open()


@pytest.mark.usefixtures("frequent")
def test_one_waits_for_messages(make_pool: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While messages are frequent, one of two receivers polls; the other one ends at once when the pool stops."""
    waits = record_waits(monkeypatch)
    queues.received.extend([messages("a"), messages("b"), messages("c")])
    polling = Gate()

    def on_receive() -> None:
        if not queues.received:
            with blocking:
                polling.pass_()

    queues.on_receive = on_receive
    pool = make_pool(2)
    pool.start()
    wait_until(lambda: polling.waiting and waits)
    pool.stop(GRACE)
    wait_until(lambda: len(threads_of_receivers()) == 1)

    assert polling.waiting == 1
    polling.open()


@pytest.mark.usefixtures("frequent")
def test_no_poll_after_an_outage_began(
    make_pool: Any, queues: Any, tables: Any, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the receiver waited for its turn: the messages would use up a receive for nothing."""
    monkeypatch.setattr("router.runtime.run.long_polls.SHARE", 1e9)
    waits = record_waits(monkeypatch)
    queues.received.extend([messages("a"), messages("b", "c", "d"), messages("e")])
    receives: list[int] = []
    pauses: list[str] = []
    write = tables.batch_write

    def batch_write(*given: Any) -> Any:
        if len(receives) == 1:
            return write(*given)
        with blocking:
            wait_until(lambda: waits)
        return WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400))

    def count(queue: str, name: str, number: float) -> None:
        if name == PAUSES:
            pauses.append(queue)

    queues.on_receive = lambda: receives.append(len(receives))
    tables.batch_write = batch_write
    pool = make_pool(2, tuning=UNTIMED, count=count)
    pool.start()
    wait_until(lambda: pauses)

    assert len(receives) == 2


@pytest.mark.usefixtures("frequent")
def test_deletes_are_settled_before_a_receiver_waits(
    overlapping: Any, make_pool: Any, queues: Any, tables: Any, messages: Any
) -> None:
    """While another one polls: the responses are not left until it polls again itself."""
    batches = iter([messages("first"), messages("last")])
    polling = Gate()

    def receive(*given: Any) -> Any:
        batch = next(batches, None)
        if not batch:
            with blocking:
                polling.pass_()
        return batch or []

    write = tables.batch_write

    def batch_write(*given: Any) -> Any:
        if "last" in repr(given):
            with blocking:
                wait_until(lambda: polling.waiting)
        return write(*given)

    queues.receive = receive
    tables.batch_write = batch_write
    pool = make_pool(2, tuning=UNTIMED, clients=Aws(tables, overlapping))
    pool.start()
    wait_until(lambda: "deleted last" in overlapping.steps)

    assert polling.waiting == 1
    polling.open()


def test_unblock(make_pool: Any, queues: Any, messages: Any) -> None:
    """If the only receiver has been processing for long, another one polls."""
    written, asked = Gate(), Gate()
    queues.received.append(messages("a"))

    def delete(url: str, pairs: Any, timeout: float) -> dict[str, Any]:
        # Later receives block.
        queues.on_receive = asked.pass_
        written.pass_()
        return {}

    queues.delete = delete
    pool = make_pool(2)
    pool.start()
    wait_until(lambda: written.waiting)

    pool.unblock()
    before = len(pool.receivers)
    (receiver,) = pool.receivers
    receiver.busy_since = boottime() - BUSY_SECONDS
    pool.unblock()

    assert (before, len(pool.receivers)) == (1, 2)
    written.open()
    asked.open()


def test_no_further_thread(
    make_pool: Any, queues: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where none can be started for another receiver, those that run continue; that is logged once."""
    asked = Gate()
    queues.on_receive = asked.pass_
    pool = make_pool(8)
    pool.start()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            pool.receivers[0].busy_since = boottime() - BUSY_SECONDS
            pool.unblock()
    running = len(pool.receivers)
    pool.unblock()

    assert (running, len(pool.receivers), caplog.text.count("cannot start another receiver")) == (1, 2, 1)
    asked.open()


def test_most_are_blocked(make_pool: Any, queues: Any) -> None:
    """If further receivers process for long too, no more than four poll: a throttled table is not helped by more."""
    asked = Gate()
    queues.on_receive = asked.pass_
    pool = make_pool(8)
    pool.start()
    for _ in range(5):
        for receiver in pool.receivers:
            receiver.busy_since = boottime() - BUSY_SECONDS
        pool.unblock()

    assert len(pool.receivers) == BUSY_MAX_RECEIVERS
    asked.open()


@pytest.mark.parametrize(("options", "grows"), [({}, False), ({"tuning": UNTIMED}, True)])
def test_growth_while_busy(
    make_pool: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch, options: Any, grows: bool
) -> None:
    """While the process uses a whole core, no receiver is added by default, however full the receives."""
    monkeypatch.setattr("router.runtime.run.receiver_pool.CpuShare", lambda: lambda: 1.0)
    queues.received.extend([messages(*[f"{batch}-{n}" for n in range(10)]) for batch in range(100)])
    end = Gate()
    numbers: list[int] = []

    def on_receive() -> None:
        numbers.append(len(pool.receivers))
        if not queues.received:
            end.pass_()

    queues.on_receive = on_receive
    pool = make_pool(8, **options)

    pool.start()
    wait_until(lambda: end.waiting)

    assert (max(numbers) > 1) == grows
    end.open()


def test_no_growth_while_stopping(make_pool: Any, queues: Any, messages: Any) -> None:
    """A pool that is stopping adds no receivers, however full the receives."""
    pool = make_pool(8, tuning=ONE_CALL)
    queues.on_receive = lambda: pool.stop(GRACE)
    queues.received.append(messages(*map(str, range(10))))

    pool.start()

    assert (
        pool.join(boottime() + GRACE),
        len(pool.receivers),
        pool.stopping,
        pool.is_alive(boottime()),
    ) == (
        True,
        1,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("age", "healthy", "status"),
    [
        (0, True, (True, True)),
        (STUCK_SECONDS + 39, True, (True, True)),
        (STUCK_SECONDS + 41, True, (False, True)),
        (0, False, (True, False)),
    ],
)
def test_status(make_pool: Any, queues: Any, age: float, healthy: bool, status: tuple[bool, bool]) -> None:
    """A pool is alive while each receiver begins rounds, and ready while each last receive succeeded."""
    polling = Gate()
    queues.on_receive = polling.pass_
    pool = make_pool(1)
    pool.start()
    wait_until(lambda: polling.waiting)
    (receiver,) = pool.receivers

    receiver.healthy = healthy
    now = receiver.seen_at + age

    assert (pool.is_alive(now), pool.is_ready()) == status
    polling.open()


def test_status_while_stopping(make_pool: Any, queues: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that is stopping is alive until its receivers have ended, and not ready; later nobody waits for them."""
    waits: list[float | None] = []
    polling = Gate()
    queues.on_receive = polling.pass_
    pool = make_pool(1)
    pool.start()
    wait_until(lambda: polling.waiting)

    pool.stop(GRACE)
    stopping = (pool.is_alive(boottime()), pool.is_ready())
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "join", lambda thread, timeout=None: waits.append(timeout))
        assert pool.join(boottime() - 1) is False
    polling.open()
    pool.join(boottime() + GRACE)

    assert (stopping, pool.is_alive(boottime()), waits) == ((True, False), False, [0.0])


def test_paused(make_pool: Any, tables: Any, queues: Any, messages: Any) -> None:
    """The pool names a queue that is not polled in an outage, also when the receiver that met it has ended."""
    tables.answers.extend([WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400))] * 100)
    asked, empty = Gate(), Gate()
    batches = [messages("a", "b", "c")]

    def receive(*given: Any) -> Any:
        asked.pass_()
        if batches:
            return batches.pop()
        empty.pass_()
        return []

    queues.receive = receive
    pool = make_pool(2)
    pool.start()
    pool.receivers[0].busy_since = boottime() - BUSY_SECONDS
    pool.unblock()
    wait_until(lambda: asked.waiting and len(pool.receivers) == 2)
    before = pool.paused

    asked.open()
    wait_until(lambda: len(pool.receivers) == 1)

    assert (before, pool.paused) == ((), ("q",))
    empty.open()


PLUGIN = """
@hookimpl
def router_start(router):
    print("started", router is not None)

@hookimpl
def router_stop(router):
    print("stopped", router is not None)
"""


def test_plugins_are_stopped_once(make_pool: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A stop of the worker during a reload does not stop them again."""
    pool = make_pool(1, {"acme": PLUGIN})
    pool.start_plugins()

    pool.stop_plugins()
    pool.stop_plugins()

    assert capsys.readouterr().out == "started True\nstopped True\n"


def test_join_waits_for_deletes(aws: Aws, overlapping: Any, queues: Any, compile_: Any, messages: Any) -> None:
    """A pool is joined only when a receiver that was scaled down has settled its deletes."""
    polling, deleting = Gate(), Gate()
    calls = itertools.count()

    def receive(*given: Any) -> Any:
        # A full batch adds a receiver; a message alone removes the one that gets it, if more than two poll.
        match next(calls):
            case 0 | 1 as call:
                return messages(*[f"{call}-{number}" for number in range(10)])
            case 2:
                return messages("last")
        polling.pass_()
        return []

    queues.receive = receive

    def delete(ids: list[str]) -> dict[str, AwsFault]:
        if ids == ["m-last"]:
            deleting.pass_()
        return {}

    overlapping.delete_ = delete
    program = compile_()
    polled = PolledQueue(program.engine.queues["q"], "url", 30, 10)
    aws = Aws(aws.tables, overlapping)
    tuning = structs.replace(ONE_CALL, receivers=3)
    pool = ReceiverPool(program, [polled], aws, Leases(queues), DeliveryOptions(), ignore_count, tuning)
    pool.start()
    wait_until(lambda: deleting.waiting and len(pool.receivers) == 2)
    pool.stop(GRACE)
    polling.open()
    early = pool.join(boottime() + 0.3)
    deleting.open()

    assert (early, pool.join(boottime() + GRACE)) == (False, True)
