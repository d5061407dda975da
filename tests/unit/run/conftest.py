"""Queues whose receives and deletes overlap."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.aws import AwsFault, boottime

TICKET = b"t"
"""What can be read, but is no response."""


class Pending:
    """Calls whose responses are there at once, unless they are to come later; `finish` is a step."""

    def __init__(self, step: Callable[[], Any], *, sent: bool = True, responds: bool = True) -> None:
        self.until = boottime() + 10
        self._step = step
        self._sent = sent
        self._here, self._there = socket.socketpair()
        if responds:
            self.respond()

    def respond(self, what: bytes = b"x") -> None:
        self._there.send(what)

    def fileno(self) -> int:
        return self._here.fileno() if self._sent else -1

    def arrived(self) -> bool:
        return self._here.recv(9) != TICKET

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
        ids = ",".join([id_.removeprefix("m-") for id_, _ in messages])

        def finish() -> Any:
            self.steps.append(f"deleted {ids}")
            return self.delete_([id_ for id_, _ in messages])

        return self._begin(f"delete {ids}", finish)

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
    """Queues whose receives and deletes overlap."""
    found = Overlapping(queues)
    yield found
    assert not found.left, "a call was not finished"
