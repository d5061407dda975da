"""HTTP responses, read by llhttp as their bytes come."""

from collections.abc import Callable, Mapping

from httptools import HttpResponseParser
from msgspec import Struct


class HttpResponse(Struct, frozen=True):
    """Status, headers by lower-case name as they were sent, body."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class NoResponseError(Exception):
    """No complete response was received: `args[0]` is botocore's name for the failure."""


class ClosedError(NoResponseError):
    """The server closed the connection before it sent anything."""

    def __init__(self) -> None:
        super().__init__("ConnectionClosedError")


class ResponseReader:
    """Collects a response; llhttp's parser calls the methods that begin with `on_`."""

    __slots__ = ("_complete", "_headers", "_max_bytes", "_parser", "_parts", "_size", "begun", "keeps", "response")

    def __init__(self, max_bytes: int) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._max_bytes = max_bytes
        self._parser = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._size = 0
        self._complete = False
        self.begun = False
        self.keeps = False
        """Whether the connection can be used again after the response."""
        self.response: HttpResponse | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes, b"" for the end of the connection; with the last ones `response` is there.

        Raises HttpParserError, or NoResponseError if it is incomplete or too long.
        """
        if not data:
            if not self._headers or self._headers.keys() & {b"content-length", b"transfer-encoding"}:
                raise NoResponseError("IncompleteReadError") if self.begun else ClosedError
            # The end of the connection ends the body.
            self._end()
            return
        self.begun = True
        self._size += len(data)
        if self._size > self._max_bytes:
            raise NoResponseError("HTTPClientError")
        self._parser.feed_data(data)
        if self._complete and self._parser.get_status_code() >= 200:
            self._end()

    def _end(self) -> None:
        parser = self._parser
        closes = self._headers.get(b"connection", b"").lower() == b"close" or parser.get_http_version() == "1.0"
        self.keeps = self._complete and not closes
        self.response = HttpResponse(parser.get_status_code(), self._headers, b"".join(self._parts))
        # It refers to this object: without it, both are freed at once.
        del self._parser

    def on_message_begin(self) -> None:
        """A response begins."""
        # The one before was an interim response, such as 100 (Continue).
        self._headers, self._parts, self._complete = {}, [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.lower()] = value

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The response is complete."""
        self._complete = True


class ObjectReader(ResponseReader):
    """Collects an object of S3; `admit` is asked before so many bytes of it are kept.

    If it returns False the rest is not read, and the failure is `NotAdmitted`.
    """

    __slots__ = ("_admit", "_admitted", "_has_head", "_kept")

    def __init__(self, max_bytes: int, admit: Callable[[int], bool]) -> None:
        super().__init__(max_bytes)
        self._admit = admit
        self._admitted = 0
        self._kept = 0
        self._has_head = False

    def feed(self, data: bytes) -> None:
        """Take bytes as a ResponseReader does; a head that breaks off is not the head of an empty object."""
        if self.begun and not (data or self._has_head):
            raise NoResponseError("IncompleteReadError")
        parser = self._parser
        super().feed(data)
        if self._has_head and parser.get_status_code() == 200:
            declared = self._headers.get(b"content-length", b"")
            size = max(self._kept, int(declared) if declared.isdigit() else 0)
            if size > self._admitted and not self._admit(size - self._admitted):
                raise NoResponseError("NotAdmitted")
            self._admitted = max(size, self._admitted)

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        self._has_head = True

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        super().on_body(part)
        self._kept += len(part)
