"""A server of HTTP, plain or by TLS, that breaks some of its answers as a case says."""

import asyncio
import re
import socket
import ssl
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from tests.faults.peers.cases import AFTER, Case, Channel
from tests.faults.peers.services import WRITES, Answer, Services

DRIP_BYTES = 2
DRIP_SECONDS = 0.05
PADDING = 100_000
"""Bytes before the body of an answer that drips, so that it never ends."""
DRIP_BEGIN = 20
"""Bytes that come at once, in the head or after it."""
STRAY = b"stray"
TIMEOUT_408 = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REFUSAL_SECONDS = 0.01
QUIET_SECONDS = 30
_VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
_TARGET = re.compile(rb"x-amz-target: *\S+\.(\S+)", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_THROTTLED = b'{"__type":"com.amazonaws#ThrottlingException","message":"slow down"}'
_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"

T = TypeVar("T")


class _Connection:
    """What is known of a connection: the answers that it was sent, and whether one was followed by something."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.sent: list[tuple[bytes, bool]] = []
        """The last two answers, and whether they have request ids."""
        self.followed = False
        """Whether something follows an answer, or will: its next request is refused."""
        self.following: asyncio.Task[None] | None = None
        self.is_known = False
        """Whether what followed must have been there before the next request was sent."""

    def answer(self, data: bytes, *, has_id: bool) -> None:
        """Take note of an answer that is sent."""
        self.sent = [*self.sent[-1:], (data, has_id)]

    def older(self, *, has_id: bool) -> bytes:
        """Return the answer before the last one, or the last one if that has a request id and the other has none."""
        return next(data for data, had_id in self.sent if had_id == has_id)

    def send(self, data: bytes) -> None:
        """Send bytes, unless the client has gone."""
        if not self.writer.is_closing():
            self.writer.write(data)

    @property
    def is_gone(self) -> bool:
        """Whether the client has closed it."""
        return self.writer.is_closing() or self.reader.at_eof()


class PeerServer:
    """The server, in a thread of its own; `services` has what was really done.

    `faulty` are the ids of the messages of calls that it broke or refused, `reused` the operations of requests on
    connections on which something had followed an answer before, `held` the seconds until the longest of the answers
    that stopped or dripped was given up.
    """

    def __init__(self, channel: Channel, certificate: Path | None) -> None:
        self.services = Services()
        self.endpoint = ""
        self.faulty: set[str] = set()
        self.reused: list[str] = []
        self.held = 0.0
        self.broken = 0
        """How many calls were broken."""
        self.calls: Counter[str] = Counter()
        self._case: Case | None = None
        self._numbers: frozenset[int] = frozenset()
        self._others: set[str] = set()
        self._release = asyncio.Event()
        self._request_ids = count()
        self._following: set[asyncio.Task[None]] = set()
        self._connections: set[_Connection] = set()
        self._arrived = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._context = _tls(channel, certificate) if certificate else None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._run(self._listen())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._context, limit=1 << 24, backlog=512
        )
        port = self._server.sockets[0].getsockname()[1]
        self.endpoint = f"http{'s' if self._context else ''}://127.0.0.1:{port}"

    def stop(self) -> None:
        """Close all connections."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        assert self._server
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run(self, function: Callable[[], T]) -> T:
        """Call a function in the thread of the server, between two requests."""

        async def call() -> T:
            return function()

        return self._run(call())

    def _run(self, steps: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(steps, self._loop).result(QUIET_SECONDS * 4)

    def begin(self, case: Case, numbers: frozenset[int], services: Services) -> None:
        """Begin a case, in which the calls of its operation with these numbers are broken."""

        def change() -> None:
            services.endpoint = self.endpoint
            services.on_done = self._note_done
            self.services = services
            self._case, self._numbers = case, numbers
            self.faulty, self.reused, self.held, self.broken, self.calls = set(), [], 0.0, 0, Counter()
            # A new one for each case: what hangs from the case before is released by its own.
            self._release.set()
            self._release = asyncio.Event()
            self._others = {
                message.id for message in services.expected.values() if case.operation != "GetObject" or message.payload
            }

        self.run(change)

    def settle(self) -> None:
        """Wait until all that follows answers is sent; from then on it is known to the program."""
        self._run(self._settle())

    async def _settle(self) -> None:
        while self._following:
            await asyncio.wait([*self._following], timeout=QUIET_SECONDS)
        if self._case is not None and self._case.kind != "into next":
            for connection in self._connections:
                connection.is_known = connection.followed

    def end(self) -> None:
        """Break no further call, and release what hangs."""

        def change() -> None:
            if self._case is not None and self._case.kind == "into next":
                # Nothing has followed where no next request came.
                for connection in self._connections:
                    connection.followed = False
            self._case = None
            self._release.set()

        self.run(change)

    def arrive(self) -> None:
        """Tell long polls that there are messages."""
        self.run(self._arrived.set)

    def _note_done(self, operation: str, ids: frozenset[str]) -> None:
        """Note that calls for messages are made: those of the operation of the case say when others are done."""
        case = self._case
        if case is None:
            return
        # Objects are fetched before the first write.
        counted = ("GetObject",) if case.operation == "GetObject" else (*WRITES, "SendMessageBatch")
        if operation in counted:
            self._others -= ids
            self._release_if_done()

    def _release_if_done(self) -> None:
        case = self._case
        if case is not None and case.ending == "others" and self._others <= self.faulty:
            self._release.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer)
        self._connections.add(connection)
        try:
            while not connection.is_gone and await self._serve_request(connection):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._connections.discard(connection)
            with suppress(Exception):
                writer.close()

    async def _serve_request(self, connection: _Connection) -> bool:
        """Read a request and answer it; return whether the connection can have another one."""
        head = await connection.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await connection.reader.readexactly(int(length[1])) if length else b""
        target = _TARGET.search(head)
        if target:
            operation, request = target[1].decode(), msgspec.json.decode(body)
        else:
            operation, request = "GetObject", {"Key": unquote(_key(head))}
        if connection.followed:
            return await self._refuse(connection, operation, request)
        if operation == "ReceiveMessage":
            await self._wait_for_messages(request)
        self.calls[operation] += 1
        case = self._case
        if case is None or case.operation != operation or self.calls[operation] not in self._numbers:
            self._send(connection, operation, self.services.call(operation, request))
            return True
        self.broken += 1
        if case.kind in AFTER:
            self._answer_and_follow(connection, case, operation, request)
            return True
        return await self._stop_answer(connection, case, operation, request)

    async def _wait_for_messages(self, request: dict[str, Any]) -> None:
        queue = self.services.queues[request["QueueUrl"].rpartition("/")[2]]
        if not queue.visible and request.get("WaitTimeSeconds"):
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), request["WaitTimeSeconds"])

    async def _refuse(self, connection: _Connection, operation: str, request: dict[str, Any]) -> bool:
        """Refuse the request after an answer that was followed by something."""
        case = self._case
        self.faulty |= self.services.ids_of(operation, request)
        if connection.is_known:
            self.reused.append(operation)
        if connection.following:
            await asyncio.wait([connection.following])
            connection.following = None
        elif case is not None and case.kind == "into next" and connection.sent:
            await asyncio.sleep(case.delay / 1000)
            connection.send(connection.sent[-1][0])
        # The answer to the request itself comes later than what was not asked for.
        await asyncio.sleep(REFUSAL_SECONDS)
        body = _SLOW_DOWN if operation == "GetObject" else _THROTTLED
        self._send(connection, operation, Answer(503 if operation == "GetObject" else 400, body))
        return True

    def _send(self, connection: _Connection, operation: str, answer: Answer) -> None:
        data = self._response(operation, answer)
        connection.answer(data, has_id=self._has_ids)
        connection.send(data)

    def _answer_and_follow(self, connection: _Connection, case: Case, operation: str, request: dict[str, Any]) -> None:
        """Answer a call, and send something after the answer."""
        answer = self.services.call(operation, request)
        data = self._response(operation, answer)
        connection.answer(data, has_id=self._has_ids)
        connection.followed = True
        # Whether the call succeeded is not clear if its answer does not end where it should.
        self.faulty |= answer.ids
        if case.kind == "into next":
            connection.send(data)
            return
        more = {
            "copy": data,
            "older": connection.older(has_id=self._has_ids),
            "bytes": STRAY,
            "408": TIMEOUT_408,
            "long": b"  {}",
        }
        if case.delay == 0:
            # In one piece: whoever reads the answer can have the rest too.
            connection.is_known = True
            connection.send(data + more[case.kind])
            return
        connection.send(data)
        task = asyncio.ensure_future(self._follow(connection, more[case.kind], case.delay / 1000))
        connection.following = task
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _follow(self, connection: _Connection, data: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        connection.send(data)

    async def _stop_answer(self, connection: _Connection, case: Case, operation: str, request: dict[str, Any]) -> bool:
        """Send a part of an answer, or drops of one, until the connection is closed."""
        services = self.services
        answer = services.call(operation, request) if case.made else Answer(200, b"")
        if not case.made:
            body = services.expected[request["Key"]].payload if operation == "GetObject" else b""
            answer = Answer(200, body or services.confirm(operation, request))
        self.faulty |= answer.ids or services.ids_of(operation, request)
        self._release_if_done()
        data = self._response(operation, answer, padding=PADDING if case.kind == "drip" else 0)
        sent = _part_of(data, case)
        connection.send(data[:sent])
        began = self._loop.time()
        if case.kind == "drip":
            await self._drip(connection, data[sent:])
        elif case.kind == "half":
            await self._hang(connection)
        if self._case is case:
            self.held = max(self.held, self._loop.time() - began)
        if operation == "ReceiveMessage":
            self._return_messages(answer)
        if case.kind == "cut" and case.calls == "some":
            _reset(connection.writer)
        connection.writer.close()
        return False

    async def _drip(self, connection: _Connection, data: bytes) -> None:
        release = self._release
        for start in range(0, len(data) - 1, DRIP_BYTES):
            if connection.is_gone or release.is_set():
                return
            connection.send(data[start : start + DRIP_BYTES])
            with suppress(TimeoutError):
                await asyncio.wait_for(release.wait(), DRIP_SECONDS)

    async def _hang(self, connection: _Connection) -> None:
        """Wait until the case is over or the client has gone."""
        waits = [asyncio.ensure_future(self._release.wait()), asyncio.ensure_future(connection.reader.read(1))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _return_messages(self, answer: Answer) -> None:
        """Let messages be received again that were received by nobody."""
        handles = re.findall(rb'"ReceiptHandle": "([^"]+)"', answer.body)
        for queue in self.services.queues.values():
            queue.expire(handle.decode() for handle in handles)
        self._arrived.set()

    @property
    def _has_ids(self) -> bool:
        return self._case is None or self._case.ids

    def _response(self, operation: str, answer: Answer, padding: int = 0) -> bytes:
        number = next(self._request_ids)
        body = b" " * padding + answer.body
        lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(body)}"]
        if operation == "GetObject":
            ids = [f"x-amz-request-id: R{number}", f"x-amz-id-2: I{number}"]
            lines += ['ETag: "e"', *(ids if self._has_ids else [])]
        else:
            lines += ["Content-Type: application/x-amz-json-1.0", f"x-amz-crc32: {zlib.crc32(body)}"]
            lines += [f"x-amzn-RequestId: R{number}"] if self._has_ids else []
        return "\r\n".join([*lines, "", ""]).encode() + body


def _key(head: bytes) -> str:
    # GET /bucket/KEY HTTP/1.1
    return head.split(b" ", 2)[1].decode().removeprefix("/bucket/")


def _part_of(data: bytes, case: Case) -> int:
    """Return how many bytes come of an answer."""
    head = data.index(b"\r\n\r\n") + 4
    if case.kind == "drip":
        return DRIP_BEGIN if case.point == "head" else head + DRIP_BEGIN
    return {"head": head // 2, "body": (head + len(data)) // 2, "last byte": len(data) - 1}[case.point]


def _reset(writer: asyncio.StreamWriter) -> None:
    plain = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _tls(channel: Channel, certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = _VERSIONS[channel]
    context.load_cert_chain(certificate)
    return context


@contextmanager
def peer_server(channel: Channel, certificate: Path | None) -> Iterator[PeerServer]:
    """Run a server while the context lasts."""
    server = PeerServer(channel, certificate)
    server.start()
    try:
        yield server
    finally:
        server.stop()
