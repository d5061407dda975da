"""The proxy records what the server did, however the client ends its connection."""

import json
import socket
import struct
from urllib.parse import urlsplit

from tests.faults.fault_proxy import Once, fault_proxy
from tests.faults.fault_rig import wait_until
from tests.support.dev import LocalAws


def test_reset_by_the_client(ministack: LocalAws) -> None:
    """A client that closes its connection with unread data resets it, and the call was made all the same."""
    body = json.dumps({"TableNames": []}).encode()
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: {len(body)}\r\n\r\n"
    with fault_proxy(ministack.endpoint, Once("late", "ListTables")) as proxy:
        address = urlsplit(proxy.endpoint)
        with socket.create_connection((str(address.hostname), int(address.port or 80))) as client:
            client.sendall(head.encode() + body)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(proxy.journal.calls, 20, "the end of the call")

    assert [call.fault for call in proxy.journal.calls()] == ["late"]
