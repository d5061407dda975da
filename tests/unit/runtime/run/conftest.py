"""Queues whose receives and acknowledgements overlap, and a receiver of them."""

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.runtime.run.leases import Leases
from router.runtime.run.polling import PolledQueue, ReceiverContext, StopEvent
from router.runtime.run.receiver import QueueState, Receiver
from router.runtime.run.timing import Timing
from tests.support.aws import OUT_OF_TIME, Aws, AwsFault, boottime
from tests.support.deliver import Delivery, Writer

TICKET = b"t"
"""What can be read, but is no response."""


class Pending:
    """Calls whose responses are there at once, unless they are to come later; `finish` is a step."""

    def __init__(self, step: Callable[[], Any], *, sent: bool = True, responds: bool = True) -> None:
        self.until = boottime() + 10
        self._step = step
        self._sent = sent
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        if responds:
            self.respond()

    def respond(self, what: bytes = b"x") -> None:
        self._there.send(what)

    def fileno(self) -> int:
        return self._here.fileno() if self._sent else -1

    def arrived(self) -> bool:
        try:
            return self._here.recv(9) != TICKET
        except BlockingIOError:
            return False

    def finish(self) -> Any:
        self._here.close()
        self._there.close()
        return self._step()


class Overlapping:
    """Queues that respond as the in-memory ones do, but later; `steps` has what happened, in order."""

    def __init__(self, queues: Any) -> None:
        self._queues = queues
        self.steps: list[str] = []
        self.delete_: Callable[[list[str]], dict[str, AwsFault]] = lambda ids: {}
        self.on_begin: Callable[[str], object] = lambda call: None
        self.silent: set[str] = set()
        """Calls whose responses do not come by themselves."""
        self.unsent: set[str] = set()
        self.given: list[tuple[str, str, float]] = []
        """The operation, the URL and the time-out of each call for messages."""
        self.begun: dict[str, Pending] = {}
        """The last call of each name."""
        self.left = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def begin_receive(self, *given: Any) -> Pending:
        def finish() -> Any:
            found = self._queues.receive(*given)
            self.steps.append(f"received {len(found)}")
            return found

        return self._begin("receive", finish)

    def begin_delete(self, url: str, messages: Any, timeout: float) -> Pending:
        self.given.append(("delete", url, timeout))
        return self._begin_batch("delete", "deleted", messages, self.delete_)

    def begin_change_visibility(self, url: str, messages: Any, timeout: float) -> Pending:
        self.given.append(("change", url, timeout))

        def change(ids: list[str]) -> Any:
            changed = self._queues.change_visibility(url, messages, timeout)
            return changed if timeout > 0 else dict.fromkeys(ids, OUT_OF_TIME)

        return self._begin_batch("change", "changed", messages, change)

    def _begin_batch(self, begun: str, ended: str, messages: Any, call: Callable[[list[str]], Any]) -> Pending:
        names = ",".join([each[0].removeprefix("m-") for each in messages])

        def finish() -> Any:
            self.steps.append(f"{ended} {names}")
            return call([each[0] for each in messages])

        return self._begin(f"{begun} {names}", finish)

    def _begin(self, call: str, finish: Callable[[], Any]) -> Pending:
        def end() -> Any:
            self.left -= 1
            return finish()

        self.steps.append(call)
        self.left += 1
        self.begun[call] = Pending(end, sent=call not in self.unsent, responds=call not in self.silent)
        self.on_begin(call)
        return self.begun[call]


@pytest.fixture
def overlapping(queues: Any) -> Iterator[Overlapping]:
    """Queues whose receives and acknowledgements overlap."""
    found = Overlapping(queues)
    yield found
    assert not found.left, "a call was not finished"


@pytest.fixture
def receive(
    aws: Aws, overlapping: Any, queues: Any, tables: Any, compile_: Any, caplog: pytest.LogCaptureFixture
) -> Callable[..., list[str]]:
    """Runs a receiver until it has received all batches and then an empty one; returns the steps."""
    write = tables.batch_write

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> Any:
        response = write(table, requests, timeout)
        overlapping.steps.append(f"written {','.join(tables.calls[-1])}")
        return response

    tables.batch_write = batch_write

    def run(
        *received: Any,
        queue: str = "dead_letter: letters",
        rounds: int = 100,
        writer: Writer | None = None,
        clock: Any = boottime,
        **options: Any,
    ) -> list[str]:
        program = compile_(queue=queue)
        stop = StopEvent()
        queues.received.extend(received)
        queues.on_receive = lambda: None if queues.received else stop.stop(10)
        left = iter(range(rounds - 1))
        leases = options.pop("leases", None) or Leases(queues, clock)
        with caplog.at_level(logging.ERROR, "router"):
            delivery = Delivery(program, aws, clock, writer=writer)
            timing = Timing(**{"jitter": lambda low, high: 0.0, "clock": clock, **options})
            polled = PolledQueue(program.engine.queues["q"], "url", 30, 0)
            Receiver(
                polled,
                ReceiverContext(overlapping, delivery, leases, stop, timing=timing),
                lambda receiver, finished: next(left, None) is not None,
                QueueState(polled.queue, clock),
            ).run()
        assert leases.size == 0, "a lease was not released"
        steps: list[str] = overlapping.steps
        return steps

    return run
