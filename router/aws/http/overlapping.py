"""Calls that are sent together, and awaited by the last of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from router.aws.calls import CallTimeout
from router.aws.http.service import FailedCall, JsonService, PendingCall
from router.aws.protocols import OUT_OF_TIME

CONCURRENT_CALLS = 20
NOT_BEGUN = FailedCall(OUT_OF_TIME)
"""Of a call whose time was up before it began."""

T = TypeVar("T")
R = TypeVar("R")


class OverlappingCalls(Generic[R, T]):
    """Calls of an operation in one thread, up to CONCURRENT_CALLS at a time, which have the time of one together."""

    def __init__(
        self,
        service: JsonService,
        clock: Callable[[], float],
        operation: str,
        bodies: Sequence[bytes],
        timeout: CallTimeout,
        decode: Callable[[bytes], R],
        read: Callable[[list[R | FailedCall]], T],
    ) -> None:
        """Send the first of the calls; `decode` gets the body of each response, `read` all responses."""
        self._service = service
        self._clock = clock
        self._operation = operation
        self._bodies = bodies
        self._timeout = timeout
        self._decode = decode
        self._read = read
        self.until = float("inf")
        self._begun = self._begin(0)

    def _begin(self, start: int) -> list[PendingCall[R | FailedCall] | FailedCall]:
        begun = [
            NOT_BEGUN
            if self._clock() >= self._timeout.until
            else self._service.begin(self._operation, body, self._timeout, self._decode)
            for body in self._bodies[start : start + CONCURRENT_CALLS]
        ]
        # Nobody polls all of them; their connections are opened together.
        for call in begun:
            if not isinstance(call, FailedCall):
                call.wait_until_sent()
        self.until = self._clock() + self._timeout.seconds
        return begun

    def fileno(self) -> int:
        """Return the file descriptor of the last call: the others most likely have their responses before it."""
        last = self._begun[-1]
        return -1 if isinstance(last, FailedCall) else last.fileno()

    def arrived(self) -> bool:
        """Whether what can be read from it is a response, or the end of the connection. Does not wait."""
        last = self._begun[-1]
        return isinstance(last, FailedCall) or last.arrived()

    def finish(self) -> T:
        """Read all responses, and return what they mean; from `until` on, wait for none."""
        responses: list[R | FailedCall] = []
        while self._begun:
            # The last one first: once its response is there the others most likely are too, and need no wait.
            ended = [
                call if isinstance(call, FailedCall) else call.finish(late=self._clock() >= self.until)
                for call in reversed(self._begun)
            ]
            responses += reversed(ended)
            self._begun = self._begin(len(responses))
        return self._read(responses)
