"""A server that takes every write of DynamoDB and says so, in a process of its own: what is measured is the client.

`python benchmarks/canned.py` prints its port and serves until its standard input ends.
"""

import os
import socket
import sys
import threading

ANSWERS = {
    b"DynamoDB_20120810.BatchWriteItem": b'{"UnprocessedItems":{}}',
    b"DynamoDB_20120810.PutItem": b"{}",
    b"DynamoDB_20120810.DescribeTable": b'{"Table":{}}',
}


def answer(target: bytes) -> bytes:
    """The whole answer to a call of an operation."""
    body = ANSWERS.get(target, b"{}")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


def talk(connection: socket.socket) -> None:
    """Answer the requests of one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb", buffering=1 << 20) as stream:
        while True:
            length, target = 0, b""
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif name.lower() == b"x-amz-target":
                    target = value.strip()
                elif name.lower() == b"expect":
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if not line:
                return
            stream.read(length)
            connection.sendall(answer(target))


def main() -> None:
    """Serve until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
