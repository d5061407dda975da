"""HTTP responses, read as they come: llhttp parses them."""

from collections.abc import Mapping

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from router.runtime.aws.http.opening import NoResponseError

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""No response is longer: 16 MB of items, in JSON."""
MAX_INTERIM = 8
"""The most interim responses, such as 100 (Continue), that may come before a response. AWS sends none."""


class HttpResponse(Struct, frozen=True):
    """Status, headers by lower-case name as they were sent, body."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def request_id(self) -> bytes:
        """AWS's id of the request, which each response has; b"" without it, as from a proxy or a local AWS."""
        headers = self.headers
        return headers.get(b"x-amzn-requestid") or headers.get(b"x-amz-request-id") or b""


class ClosedError(NoResponseError):
    """The server closed the connection before it sent anything."""

    def __init__(self) -> None:
        super().__init__("ConnectionClosedError")


class ResponseReader:
    """Collects a response; llhttp's parser calls the methods that begin with `on_`."""

    __slots__ = (
        "_begun",
        "_headers",
        "_max_bytes",
        "_parser",
        "_parts",
        "keeps",
        "response",
        "size",
        "status",
    )

    def __init__(self, max_bytes: int = MAX_RESPONSE_BYTES) -> None:
        self._begun = 0
        self._headers: dict[bytes, bytes] = {}
        self._max_bytes = max_bytes
        self._parser = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.keeps = False
        """Whether the connection can be used again after the response."""
        self.response: HttpResponse | None = None
        self.size = 0
        """The bytes that have come."""
        self.status = 0
        """The status of the response, once all of its headers have come."""

    def feed(self, data: bytes) -> None:
        """Take bytes, b"" for the end of the connection; with the last ones `response` is there.

        Raises NoResponseError if it is incomplete, too long or not HTTP.
        """
        if not data:
            self._end()
            return
        self.size += len(data)
        if self.size > self._max_bytes:
            raise NoResponseError("HTTPClientError")
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self.response is None:
                raise NoResponseError("HTTPClientError") from error
            # What follows the response is not HTTP.
            self.keeps = False
        if self.response is not None:
            # The parser does not report empty lines after a body whose length was declared.
            if (
                self._parts
                and b"content-length" in self._headers
                and not data.endswith(self._parts[-1])
            ):
                self.keeps = False
            # It refers to this object: without it, both are freed at once.
            del self._parser

    def _end(self) -> None:
        if not self.size:
            raise ClosedError
        # Without a length, the end of the connection ends the body.
        if not self.status or self._headers.keys() & {b"content-length", b"transfer-encoding"}:
            raise NoResponseError("IncompleteReadError")
        self.response = HttpResponse(self.status, self._headers, b"".join(self._parts))
        del self._parser

    def on_message_begin(self) -> None:
        """A response begins."""
        if self.response is not None:
            # No request has this response, so that a later one may have another request's, too.
            self.keeps = False
        self._begun += 1
        if self._begun > MAX_INTERIM + 1:
            raise NoResponseError("HTTPClientError")
        # The one before was an interim response, or is complete.
        self._headers, self._parts = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        status = self._parser.get_status_code()
        if self.response is None and status >= 200:
            self.status = status

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """A response is complete."""
        if self.response is None and self.status:
            self.response = HttpResponse(self.status, self._headers, b"".join(self._parts))
            self.keeps = self._parser.should_keep_alive()
