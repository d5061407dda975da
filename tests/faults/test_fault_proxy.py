"""The proxy records what the server did, however the client ends its connection."""

import socket
import struct
import threading
from typing import Any
from urllib.parse import urlsplit

from tests.faults.fault_proxy import FaultPlan, FaultProxy, Kind, fault_proxy
from tests.support.dev import LocalAws

BODY = b'{"Limit": 1}'
REQUEST = (
    b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


class Late(FaultPlan):
    """Answers each call late, and notes when one has come."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0)
        self.come = threading.Event()

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault."""
        self.come.set()
        return "late"


def connect(proxy: FaultProxy) -> socket.socket:
    """Open a connection to the proxy."""
    address = urlsplit(proxy.endpoint)
    return socket.create_connection((str(address.hostname), int(address.port or 80)))


def test_reset_by_the_client(ministack: LocalAws) -> None:
    """A client that closes its connection with unread data resets it, and the call was made all the same.

    Its record is waited for: the server has made the call before the fault is over.
    """
    plan = Late()
    with fault_proxy(ministack.endpoint, plan) as proxy:
        with connect(proxy) as client:
            client.sendall(REQUEST)
            assert plan.come.wait(60)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        calls = proxy.journal.calls()

    assert [(call.fault, call.status) for call in calls] == [("late", 200)]


def test_client_that_gave_up(ministack: LocalAws) -> None:
    """A call whose client is gone before the proxy reads it is not made: the client may have made it again."""
    with fault_proxy(ministack.endpoint, FaultPlan(seed=0, rate=0)) as proxy:
        with connect(proxy) as client:
            # The request and the end of the connection come together.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            client.sendall(REQUEST)
        with connect(proxy) as second:
            second.settimeout(60)
            second.sendall(REQUEST)
            # By then, the call of the first client would have been made.
            assert second.recv(1)
        calls = proxy.journal.calls()

    assert len(calls) == 1
