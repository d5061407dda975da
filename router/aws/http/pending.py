"""A call under way, whose request is sent and, for some responses, sent once more."""

from typing import Generic, TypeVar

from router.aws.calls import boottime
from router.aws.faults import translate
from router.aws.http.connections import LATE_SECONDS, Exchange
from router.aws.http.opening import NoResponseError
from router.aws.http.responses import HttpResponse
from router.aws.protocols import AwsFault

T = TypeVar("T")


class PendingRequest(Generic[T]):
    """Goes on with an exchange; a subclass says whether to send another request, and what the final response means."""

    __slots__ = ("_began", "_response", "_sent")

    def __init__(self, sent: Exchange | AwsFault) -> None:
        """`sent` is a fault if nothing could be sent."""
        self._sent = sent
        self._began = sent.began if isinstance(sent, Exchange) else 0.0
        self._response: HttpResponse | AwsFault | None = None

    @property
    def seconds(self) -> float:
        """How many seconds after its beginning it is late."""
        return self._sent.due_at - self._began if isinstance(self._sent, Exchange) else 0.0

    @property
    def events(self) -> int:
        """What to poll for."""
        return self._sent.events if isinstance(self._sent, Exchange) else 0

    @property
    def is_sent(self) -> bool:
        """Whether the server has all of the request, or will never have it."""
        return not isinstance(self._sent, Exchange) or self._sent.is_sent

    def fileno(self) -> int:
        """Return the file descriptor to poll; -1 if there is nothing to wait for."""
        return self._sent.fileno() if isinstance(self._sent, Exchange) else -1

    def arrived(self) -> bool:
        """Do what can be done without waiting; return whether the final response is there, or none will come."""
        while self._response is None:
            sent = self._sent
            if not isinstance(sent, Exchange):
                self._response = sent
                break
            if not sent.arrived():
                return False
            try:
                response = sent.response()
            except NoResponseError as error:
                self._response = translate(str(error))
                break
            again = self._send_again(sent.request, response)
            if again is None:
                self._response = response
            else:
                self._sent = again
        return True

    def finish(self, late: bool = False) -> T:
        """Wait for the response and return what it means; with `late`, do not wait."""
        if self._response is None:
            until = boottime() + LATE_SECONDS if late else float("inf")
            while not self.arrived():
                assert isinstance(self._sent, Exchange)
                self._sent.wait(until)
        assert self._response is not None
        return self._result(self._response)

    def _send_again(self, request: bytes, response: HttpResponse) -> Exchange | AwsFault | None:
        """Send another request if the response asks for it."""
        raise NotImplementedError

    def _result(self, response: HttpResponse | AwsFault) -> T:
        """Return what the final response means."""
        raise NotImplementedError
