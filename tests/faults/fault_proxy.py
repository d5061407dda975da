"""A proxy that injects faults into calls by a seeded plan, and records all calls."""

import json
import os
import random
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from tests.faults.receipt_handles import ReceiptHandles, refused

Kind = Literal["dropped", "internal", "unavailable", "throttled", "partial", "late", "dripping", "cut", "lost"]
DESCRIPTIONS: dict[Kind, str] = {
    "dropped": "connection dropped before the call",
    "internal": "answered 500",
    "unavailable": "answered 503",
    "throttled": "throttled",
    "partial": "some items unprocessed, or some entries of a queue's batch failed",
    "late": "done, and answered after the client's timeout",
    "dripping": "done, and the response sent in small pieces, for longer than the visibility timeout",
    "cut": "done, and half of the response sent",
    "lost": "done, and the connection dropped without a response",
}
DONE_UNKNOWN: tuple[Kind, ...] = ("late", "dripping", "cut", "lost")
"""The server made the change, and the client receives no complete response."""
WEIGHTS: dict[Kind, int] = {**dict.fromkeys(DESCRIPTIONS, 4), "late": 1, "dripping": 1, "partial": 16}
"""Timeouts take seconds of a test, so they are rarer; few operations can fail partially."""
LATE_TABLE_SECONDS = 1.3
LATE_QUEUE_SECONDS = 2.3
"""Longer than the client's timeouts, which `hasty.py` sets."""
CLIENT_TIMEOUT_SECONDS = 20
"""For a client that is slow to notice that its time is over."""
CALL_SECONDS = 100
"""The longest time of a call, with its faults, on a busy machine."""
DRIP_SECONDS = 2.6
DRIP_PIECES = 13

_TABLES = "DynamoDB_20120810"
_ID = re.compile(r'"id": {"S": "([^"]*)"}')
_PARTS = {
    "DeleteMessageBatch": "Entries",
    "SendMessageBatch": "Entries",
    "ChangeMessageVisibilityBatch": "Entries",
    "BatchWriteItem": "RequestItems",
}
_ERRORS: dict[tuple[bool, Kind], tuple[int, str]] = {
    (True, "internal"): (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
    (True, "unavailable"): (503, "com.amazonaws.dynamodb.v20120810#ServiceUnavailable"),
    (True, "throttled"): (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    (False, "internal"): (500, "com.amazonaws.sqs#InternalFailure"),
    (False, "unavailable"): (503, "com.amazonaws.sqs#ServiceUnavailable"),
    (False, "throttled"): (400, "com.amazonaws.sqs#RequestThrottled"),
}


class FaultPlan:
    """Decides the fault of each call: a share of `rate` of them fails; `seed` decides which, and how."""

    def __init__(self, seed: int, rate: float, kinds: Sequence[Kind] = tuple(DESCRIPTIONS)) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self._kinds = kinds
        self._lock = threading.Lock()

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault of the next call, or None."""
        with self._lock:
            if self._random.random() >= self._rate:
                return None
            kinds = [kind for kind in self._kinds if kind != "partial" or operation in _PARTS]
            return self._random.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]

    def split(self, parts: list[Any]) -> tuple[list[Any], list[Any]]:
        """Split a batch into the parts that are forwarded and those, at least one, that are not."""
        with self._lock:
            withheld = set(self._random.sample(range(len(parts)), self._random.randint(1, len(parts))))
        passed = [part for number, part in enumerate(parts) if number not in withheld]
        return passed, [parts[number] for number in sorted(withheld)]


class Once(FaultPlan):
    """Injects one fault into the first call of an operation."""

    def __init__(self, kind: Kind, operation: str) -> None:
        super().__init__(seed=0, rate=0)
        self._left: dict[str, Kind] = {operation: kind}

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault if the call is the first of its operation."""
        with self._lock:
            return self._left.pop(operation, None)


class FirstUnprocessed(FaultPlan):
    """Withholds the first part of each batch of an operation."""

    def __init__(self, operation: str) -> None:
        super().__init__(seed=0, rate=0)
        self._operation = operation

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return a partial fault if the call is of that operation."""
        return "partial" if operation == self._operation else None

    def split(self, parts: list[Any]) -> tuple[list[Any], list[Any]]:
        """Forward all parts but the first."""
        return parts[1:], parts[:1]


class HotKeys(FaultPlan):
    """Throttles each write of an item whose `id` matches a pattern as a whole, while it is `hot`."""

    def __init__(self, pattern: str) -> None:
        super().__init__(seed=0, rate=0)
        self.hot = True
        self._pattern = re.compile(pattern)

    def matches(self, id_: str) -> bool:
        """Return whether the items of an `id` are hot."""
        return self._pattern.fullmatch(id_) is not None

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault of a call that writes a hot item."""
        if not self.hot or not self._is_hot(request):
            return None
        return "partial" if operation == "BatchWriteItem" else "throttled"

    def split(self, parts: list[Any]) -> tuple[list[Any], list[Any]]:
        """Forward all but the hot items."""
        return [part for part in parts if not self._is_hot(part)], [part for part in parts if self._is_hot(part)]

    def _is_hot(self, part: Any) -> bool:
        return any(map(self.matches, _ID.findall(json.dumps(part))))


class Call(NamedTuple):
    """A recorded call; `answer` is the server's response, or None if it received no request. Times are monotonic.

    The server answered at `answered`. `read` is whether the client received the complete response.
    """

    operation: str
    request: dict[str, Any]
    status: int
    answer: dict[str, Any] | None
    fault: Kind | None
    began: float
    answered: float
    ended: float
    read: bool

    @property
    def confirmed(self) -> bool:
        """Whether the client received a complete response that confirms the call."""
        return self.status == 200 and self.answer is not None and self.read


class Journal:
    """All calls in the order of their ends, and the number of injected faults by kind."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = count()
        self._under_way: set[int] = set()
        self._calls: list[Call] = []
        self.faults: Counter[str] = Counter()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """State that a call is under way while the context lasts, within which it is added."""
        with self._changed:
            number = next(self._numbers)
            self._under_way.add(number)
        try:
            yield
        finally:
            with self._changed:
                self._under_way.remove(number)
                self._changed.notify_all()

    def add(self, call: Call) -> None:
        """Record a call."""
        with self._changed:
            self._calls.append(call)
            if call.fault:
                self.faults[call.fault] += 1

    def calls(self) -> list[Call]:
        """Return the calls so far; those under way are waited for, but for receives, which may be long polls.

        The server may have made a call long before its fault is over, and the call is recorded.
        """
        with self._changed:
            begun = set(self._under_way)
            ended = self._changed.wait_for(lambda: begun.isdisjoint(self._under_way), CALL_SECONDS)
            assert ended, "a call does not end"
            return list(self._calls)


class FaultProxy:
    """A running proxy: its endpoint, its journal, and its plan, which may be replaced at any time."""

    def __init__(self, server: str, plan: FaultPlan) -> None:
        self.plan = plan
        self.journal = Journal()
        self.handles = ReceiptHandles()
        address = urlsplit(server)
        self.upstream = (str(address.hostname), int(address.port or 80))
        self.endpoint = ""


@contextmanager
def fault_proxy(server: str, plan: FaultPlan, certificate: Path | None = None) -> Iterator[FaultProxy]:
    """Run a proxy to `server` while the context lasts; it is called by TLS if it has a certificate."""
    proxy = FaultProxy(server, plan)
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy})) as http:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        proxy.endpoint = f"http{'s' if certificate else ''}://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield proxy
        http.shutdown()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Ignore it: clients that are killed break their connections."""


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def setup(self) -> None:
        super().setup()
        self._upstream = HTTPConnection(*self.proxy.upstream, timeout=60)

    def finish(self) -> None:
        self._upstream.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, such as a connection that was idle for too long."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        service, _, operation = self.headers["X-Amz-Target"].partition(".")
        if self._is_alone():
            # This process was stopped for so long that the client gave up: a call that came now would be out of order.
            self.close_connection = True
            return
        began = time.monotonic()
        # A receive is recorded before the client can have its messages.
        with nullcontext() if operation == "ReceiveMessage" else self.proxy.journal.under_way():
            self._call(service, operation, body, began)

    def _call(self, service: str, operation: str, body: bytes, began: float) -> None:
        request = json.loads(body)
        fault = self.proxy.plan.next(operation, request)
        self._answered: float | None = None
        if fault == "dropped":
            self._note(operation, request, 0, None, fault, began)
            self._reset()
        elif error := _ERRORS.get((service == _TABLES, fault)) if fault else None:
            self._note(operation, request, error[0], None, fault, began)
            self._answer(error[0], [], json.dumps({"__type": error[1], "message": "injected"}).encode())
        elif fault == "partial":
            self._pass_some(operation, request, began)
        else:
            self._pass(operation, request, body, fault, began)

    def _pass(self, operation: str, request: Any, body: bytes, fault: Kind | None, began: float) -> None:
        status, headers, answer = self._forward(operation, request, body)
        if fault == "late":
            time.sleep(LATE_TABLE_SECONDS if self.headers["X-Amz-Target"].startswith(_TABLES) else LATE_QUEUE_SECONDS)
            # If the client still waits, as in a long poll, it receives the response, and the call has no fault.
            gone = self._is_alone() if operation == "ReceiveMessage" else self._will_be_alone()
            fault = "late" if gone else None
        elif fault == "dripping":
            waits = self._drip(status, headers, answer)
            self._note(operation, request, status, answer, fault, began, read=waits)
            self._send(answer[-1:])
            return
        self._note(operation, request, status, answer, fault, began)
        if fault == "lost":
            self._reset()
        else:
            self._answer(status, headers, answer, cut=fault == "cut")

    def _pass_some(self, operation: str, request: Any, began: float) -> None:
        """Withhold some parts of a batch, and report them as the service would."""
        member = _PARTS[operation]
        table = next(iter(request[member])) if member == "RequestItems" else ""
        passed, withheld = self.proxy.plan.split(request[member][table] if table else request[member])
        status, headers, raw = 200, [("Content-Type", "application/x-amz-json-1.0")], b"{}"
        if passed:
            some = {**request, member: {table: passed} if table else passed}
            status, headers, raw = self._forward(operation, some, json.dumps(some).encode())
        answer = json.loads(raw)
        if status == 200 and table:
            left = answer.get("UnprocessedItems", {}).get(table, [])
            answer["UnprocessedItems"] = {table: left + withheld}
        elif status == 200:
            failed = [{"Id": each["Id"], "Code": "InternalError", "SenderFault": False} for each in withheld]
            answer = {"Successful": [], **answer, "Failed": answer.get("Failed", []) + failed}
        raw = json.dumps(answer).encode()
        self._note(operation, request, status, raw, "partial", began)
        self._answer(status, headers, raw)

    def _forward(self, operation: str, request: Any, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the server's response, with the failures of receipt handles that AWS would refuse."""
        handles = self.proxy.handles
        passed, over = handles.split(operation, request, time.monotonic())
        if not over:
            status, headers, answer = self._ask(body)
        elif passed:
            status, headers, answer = self._ask(json.dumps({**request, "Entries": passed}).encode())
        else:
            status, headers, answer = 200, [("Content-Type", "application/x-amz-json-1.0")], b"{}"
        if status == 200 and operation in handles.OPERATIONS:
            content = json.loads(answer)
            handles.note(operation, request, content, time.monotonic())
            if over:
                failed = content.get("Failed", []) + refused(over)
                answer = json.dumps({"Successful": [], **content, "Failed": failed}).encode()
        return status, headers, answer

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the server's response, with the headers that are valid for a changed body too."""
        ours = ("connection", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ours}
        try:
            self._upstream.request("POST", self.path, body, headers)
            response = self._upstream.getresponse()
        except ConnectionError:
            # The server had closed the connection, which was idle for too long.
            self._upstream.close()
            self._upstream.request("POST", self.path, body, headers)
            response = self._upstream.getresponse()
        answer = response.read()
        self._answered = time.monotonic()
        theirs = ("x-amzn-requestid", "content-type", "x-amzn-query-error")
        return response.status, [each for each in response.getheaders() if each[0].lower() in theirs], answer

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False) -> None:
        self._send_head(status, headers, len(body))
        self._send(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def _send_head(self, status: int, headers: list[tuple[str, str]], length: int) -> None:
        # The client may have timed out or been killed.
        with suppress(OSError):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()

    def _send(self, data: bytes) -> None:
        with suppress(OSError):
            self.wfile.write(data)
            self.wfile.flush()

    def _drip(self, status: int, headers: list[tuple[str, str]], body: bytes) -> bool:
        """Send all but the last byte of a response, slowly; return whether the client still waits."""
        self._send_head(status, headers, len(body))
        size = max(1, len(body) // DRIP_PIECES)
        for start in range(0, len(body) - 1, size):
            self._send(body[start : min(start + size, len(body) - 1)])
            time.sleep(DRIP_SECONDS * size / len(body))
        return not self._is_alone()

    def _will_be_alone(self) -> bool:
        """Whether the client closes its connection in time, which takes longer on a busy machine."""
        end = time.monotonic() + CLIENT_TIMEOUT_SECONDS
        while not self._is_alone() and time.monotonic() < end:
            time.sleep(0.01)
        return self._is_alone()

    def _is_alone(self) -> bool:
        """Whether the client has closed its connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        # With TLS the connection itself cannot be looked into.
        with socket.socket(fileno=os.dup(self.connection.fileno())) as plain:
            try:
                return bool(readable) and not plain.recv(1, socket.MSG_PEEK)
            except ConnectionResetError:
                # It closed its connection before it had read all that was sent.
                return True

    def _reset(self) -> None:
        """Reset the connection, as a broken network would."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _note(
        self,
        operation: str,
        request: Any,
        status: int,
        answer: bytes | None,
        fault: Kind | None,
        began: float,
        read: bool | None = None,
    ) -> None:
        response = json.loads(answer) if answer else None
        complete = fault in (None, "partial") if read is None else read
        ended = time.monotonic()
        answered = self._answered or ended
        self.proxy.journal.add(Call(operation, request, status, response, fault, began, answered, ended, complete))
