"""The lease of messages while a command works on them."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.tools.dlq.queues import CALL_SECONDS, VISIBILITY_SECONDS, WAIT_SECONDS, DlqLease
from router.tools.dlq.spool import Spool
from tests.support.aws import AwsFault, boottime
from tests.support.disk import full_disk


class LeasedQueues:
    """A queue that returns given rounds of messages, and records the changes of visibility."""

    def __init__(self, *rounds: Sequence[str] | AwsFault) -> None:
        self.rounds = list(rounds)
        self.counts: list[int] = []
        self.body = "{}"
        self.visibility: dict[str, int] = {}
        self.refused: dict[str, AwsFault] = {}

    def receive(self, url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        assert (url, wait_seconds) == ("url", WAIT_SECONDS)
        self.counts.append(count)
        given = self.rounds.pop(0) if self.rounds else []
        if isinstance(given, AwsFault):
            return given
        self.visibility |= dict.fromkeys(given, visibility)
        return [Record(id_, f"handle-{id_}", self.body, {"SentTimestamp": "1767225600000"}) for id_ in given]

    def change_visibility(self, url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        assert (url, timeout) == ("url", CALL_SECONDS)
        self.visibility |= {id_: seconds for id_, _, seconds in messages if id_ not in self.refused}
        return {id_: self.refused[id_] for id_, _, _ in messages if id_ in self.refused}

    def delete(self, url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        assert (url, timeout) == ("url", CALL_SECONDS)
        for id_, _ in messages:
            if id_ not in self.refused:
                del self.visibility[id_]
        return {id_: self.refused[id_] for id_, _ in messages if id_ in self.refused}


def wait_until(look: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = boottime() + 60
    while not look():
        assert boottime() < end
        time.sleep(0.01)


def lease(queues: LeasedQueues, spool: Spool, visibility: int = 0, clock: Callable[[], float] = boottime) -> DlqLease:
    client: Any = queues
    return DlqLease(client, "dead", "url", spool, visibility, clock)


def test_messages_are_released_at_the_end() -> None:
    """All that were received and not deleted, selected or not, also after an error."""
    queues = LeasedQueues(["a", "b"], ["c"])
    with Spool() as spool:
        with suppress(KeyError), lease(queues, spool) as leased:
            assert leased.receive(lambda message: message.id != "b") == 2
            assert queues.visibility == {"a": VISIBILITY_SECONDS, "b": VISIBILITY_SECONDS, "c": VISIBILITY_SECONDS}
            assert leased.delete(["a"]) == {}
            raise KeyError
        assert (queues.visibility, leased.unreleased) == ({"b": 0, "c": 0}, 0)


def test_messages_are_released_if_the_disk_is_full() -> None:
    """Those that are stored."""
    queues = LeasedQueues(["a"], [f"b{number}" for number in range(10)])
    queues.body = "x" * 200_000
    with (
        Spool() as spool,
        full_disk(500_000),
        pytest.raises(UsageError, match="cannot keep messages"),
        lease(queues, spool) as leased,
    ):
        leased.receive(lambda message: True)

    assert (queues.visibility["a"], leased.unreleased) == (0, 0)


def test_a_spool_that_cannot_be_read_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its messages become visible by themselves; what ended the command is the error."""
    queues = LeasedQueues(["a"])

    def fail(now: float) -> Any:
        raise UsageError("cannot keep messages")

    with Spool() as spool:
        monkeypatch.setattr(spool, "receipts", fail)
        with pytest.raises(ZeroDivisionError), lease(queues, spool) as leased:
            leased.receive(lambda message: bool(1 // 0))

    assert (queues.visibility, leased.unreleased) == ({"a": VISIBILITY_SECONDS}, 0)


def test_the_renewal_of_leases_does_not_keep_a_process() -> None:
    """That is killed by an error outside of the lease."""
    with Spool() as spool, lease(LeasedQueues(), spool):
        found = [thread.daemon for thread in threading.enumerate() if thread.name == "dlq-lease"]

    assert found == [True]


def test_limit() -> None:
    """Not more are selected; those that came with them are released at the end."""
    queues = LeasedQueues(["a", "b", "c"], ["d"])
    with Spool() as spool, lease(queues, spool) as leased:
        done: list[int] = []
        assert leased.receive(lambda message: True, 2, done.append) == 2
        assert ([message.id for message in spool.selected()], len(spool), done) == (["a", "b"], 3, [3])


@pytest.mark.parametrize(
    ("expected", "rounds", "counts"),
    [
        (0, [], [10]),
        (4, [4], [10, 10]),
        (25, [20, 5], [30, 30, 10]),
        (30, [20], [30, 30, 10]),
        (30, [0, 20, 0, 10], [30, 30, 30, 10, 20]),
        (0, [10, 20, 3], [10, 20, 30, 10]),
        (0, [9], [10, 10]),
        (1, [], [10, 10]),
        (2000, [100], [100, 100, 100]),
    ],
)
def test_how_many_receives(expected: int, rounds: list[int], counts: list[int]) -> None:
    """As many at a time as messages are expected; one that is empty is the last, or two if more are expected."""
    queues = LeasedQueues(*([f"{round_}-{number}" for number in range(size)] for round_, size in enumerate(rounds)))
    with Spool() as spool, lease(queues, spool) as leased:
        arguments: Any = {"expected": expected} if expected else {}
        assert leased.receive(lambda message: True, **arguments) == sum(rounds)
    assert queues.counts == counts


def test_an_interrupt_during_a_receive_loses_no_message() -> None:
    """What the call brings after Ctrl-C is released too."""
    queues = LeasedQueues(["a"])
    receive = queues.receive
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt

    def receive_when_interrupted(*arguments: Any) -> Any:
        # Again and again: a signal just before the main thread blocks is not seen until the next one.
        while not interrupted.wait(0.05):
            os.kill(os.getpid(), signal.SIGINT)
        return receive(*arguments)

    replaced: Any = queues
    replaced.receive = receive_when_interrupted
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with Spool() as spool, suppress(KeyboardInterrupt), lease(queues, spool) as leased:
            leased.receive(lambda message: True)
            pytest.fail("it was not interrupted")
    finally:
        signal.signal(signal.SIGINT, before)
    assert queues.visibility == {"a": 0}


def test_what_cannot_be_deleted_or_released_is_reported() -> None:
    """It stays on the queue, and becomes visible by itself."""
    queues = LeasedQueues(["a", "b"])
    queues.refused = {"b": AwsFault("retry", "InternalError", 500)}
    with Spool() as spool, lease(queues, spool) as leased:
        leased.receive(lambda message: True)
        assert leased.delete(["a", "b"]) == queues.refused
    assert (leased.unreleased, leased.fault) == (1, queues.refused["b"])


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"])
def test_what_is_not_held_any_more_is_not_reported(code: str) -> None:
    """It is deleted, visible, or in the hands of others: it does not become visible later."""
    queues = LeasedQueues(["a", "b"])
    queues.refused = {"b": AwsFault("refused", code, 400)}
    with Spool() as spool, lease(queues, spool) as leased:
        leased.receive(lambda message: True)
    assert (leased.unreleased, leased.fault) == (0, None)


def test_a_lease_is_extended_while_a_command_works() -> None:
    """Before the visibility timeout is over."""
    queues = LeasedQueues(["a"])
    with Spool() as spool, lease(queues, spool, visibility=1, clock=lambda: 0.0) as leased:
        leased.receive(lambda message: True)
        # An extension may be under way already; each third of the timeout another one follows.
        queues.visibility["a"] = 0
        wait_until(lambda: queues.visibility == {"a": 1})


def test_a_spool_that_cannot_be_read_while_leases_are_extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """They end by themselves, and nothing of them is delivered then."""
    failures: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: failures.append(str(arguments)))

    def fail(now: float) -> Any:
        raise UsageError("cannot keep messages")

    with Spool() as spool:
        monkeypatch.setattr(spool, "receipts", fail)
        with lease(LeasedQueues(), spool, visibility=1):
            wait_until(lambda: "dlq-lease" not in {thread.name for thread in threading.enumerate()})

    assert failures == []


def test_a_lease_is_extended_well_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice in each visibility timeout at least, so that one failed call or a slow one loses no lease."""
    waits: list[float | None] = []
    wait = threading.Event.wait

    def recorded(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "dlq-lease":
            waits.append(timeout)
        return wait(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", recorded)
    with Spool() as spool, lease(LeasedQueues(), spool):
        wait_until(lambda: bool(waits))

    assert 0 < (waits[0] or 0) <= VISIBILITY_SECONDS / 2


def test_all_messages_that_could_not_be_released_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of each part that is released together; the fault is one of them, if a later part has none."""
    monkeypatch.setattr("router.tools.dlq.spool._RECEIPTS_AT_A_TIME", 1)
    queues = LeasedQueues(["a", "b", "c"])
    busy = AwsFault("retry", "InternalError", 500)
    queues.refused = {"a": busy, "b": busy}
    with Spool() as spool, lease(queues, spool) as leased:
        leased.receive(lambda message: True)
    assert (queues.visibility["c"], leased.unreleased, leased.fault) == (0, 2, busy)


def test_the_end_of_a_lease_counts_from_before_the_call() -> None:
    """The visibility timeout may have begun when the request was sent."""
    now = 1000.0
    queues = LeasedQueues(["a", "b"])

    def passes(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            nonlocal now
            now += 5
            return call(*arguments)

        return called

    for name in ("receive", "change_visibility"):
        setattr(queues, name, passes(getattr(queues, name)))
    with Spool() as spool, lease(queues, spool, clock=lambda: now) as leased:
        leased.receive(lambda message: True, 1)
        assert leased.leased_until(["a", "b"]) == {"a": 1120.0, "b": 1120.0}
        queues.refused = {"b": AwsFault("retry", "InternalError", 500)}
        leased.extend()
        assert leased.leased_until(["a", "b", "c"]) == {"a": 1125.0, "b": 1120.0}


def test_a_lease_that_is_over_is_left_alone() -> None:
    """Others may have the message: it is neither extended nor made visible."""
    now = 0.0
    queues = LeasedQueues(["a"], [], [])
    with Spool() as spool, lease(queues, spool, clock=lambda: now) as leased:
        leased.receive(lambda message: True)
        now = 120.0  # the process was suspended
        queues.visibility["a"] = 30  # as another consumer received it
        leased.extend()
        assert queues.visibility == {"a": 30}
        assert leased.leased_until(["a"]) == {"a": 120.0}
    assert (queues.visibility, leased.unreleased) == ({"a": 30}, 0)


OVER_LIMIT = (
    "too many messages of 'dead' are in flight: SQS allows about 120,000; wait for its other consumers, or select "
    "fewer with --limit"
)


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("configuration", "AWS.SimpleQueueService.OverLimit", OVER_LIMIT),
        (
            "configuration",
            "AccessDenied",
            "cannot receive from 'dead': AccessDenied; the command needs sqs:ReceiveMessage",
        ),
        ("retry", "InternalError", "cannot receive from 'dead': InternalError; try again"),
    ],
)
def test_faults_of_a_receive(kind: Any, code: str, sentence: str) -> None:
    """They are sentences."""
    queues = LeasedQueues(["a"], AwsFault(kind, code, 400))
    with Spool() as spool:
        with pytest.raises(UsageError, match=f"^{sentence}$"), lease(queues, spool) as leased:
            leased.receive(lambda message: True)
        assert queues.visibility == {"a": 0}
