"""Compares the cost of a call between HTTP libraries: `python benchmarks/http_layers.py`.

It sends one BatchWriteItem of 25 items at a time over one persistent connection to the server of canned answers, and
prints microseconds of processor time, the least of several alternating rounds. Libraries that are not installed are
skipped; `pip install urllib3 httpx pycurl` adds them. docs/decisions/2026-11-25-own-aws-client.md rests on its figures.
"""

import io
import socket
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table
from serving import serve

from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.http.connections import Connections
from router.runtime.aws.http.endpoints import Endpoint

ROUNDS = 15
CALLS = 100
ITEM = '{"PutRequest":{"Item":{"user_id":{"S":"user_%06d"},"device":{"S":"iPhone 15 Pro"},"location":{"S":"Kolkata"}}}}'
BODY = ('{"RequestItems":{"small":[' + ",".join(ITEM % number for number in range(25)) + "]}}").encode()
HEADERS = {
    "Host": "127.0.0.1",
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20260102T030405Z",
    "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    "Authorization": "AWS4-HMAC-SHA256 " + "x" * 200,
    "User-Agent": "message-router",
}
Call = Callable[[], Any]


def floor(port: int) -> Call:
    """Send and receive without parsing: the lower bound."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"POST / HTTP/1.1\r\n{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY

    def call() -> None:
        connection.sendall(request)
        connection.recv(65536)

    return call


def ours(port: int) -> Call:
    """The router's: sockets, and llhttp for the response."""
    connections = Connections(Endpoint("127.0.0.1", port, secure=False), {})
    lines = "\r\n".join(f"{name}: {value}" for name, value in HEADERS.items()).encode()
    return lambda: connections.receive(connections.send(lines, BODY, CallTimeout(10))).body


def http_client(port: int) -> Call:
    """The standard library's client."""
    connection = HTTPConnection("127.0.0.1", port)

    def call() -> bytes:
        connection.request("POST", "/", BODY, HEADERS)
        return connection.getresponse().read()

    return call


def urllib3(port: int) -> Call:
    """The library under botocore."""
    pool = import_module("urllib3").HTTPConnectionPool("127.0.0.1", port, maxsize=1)
    return lambda: pool.urlopen("POST", "/", body=BODY, headers=HEADERS, retries=False).data


def httpx(port: int) -> Call:
    """httpx, without HTTP/2, which neither service supports."""
    client = import_module("httpx").Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    return lambda: client.post("/", content=BODY, headers=HEADERS).content


def pycurl(port: int) -> Call:
    """The binding to libcurl."""
    library = import_module("pycurl")
    curl = library.Curl()
    curl.setopt(library.URL, f"http://127.0.0.1:{port}/")
    curl.setopt(library.HTTPHEADER, [*(f"{name}: {value}" for name, value in HEADERS.items()), "Expect:"])

    def call() -> bytes:
        answer = io.BytesIO()
        curl.setopt(library.POSTFIELDS, BODY)
        curl.setopt(library.WRITEDATA, answer)
        curl.perform()
        return answer.getvalue()

    return call


def spend(call: Call) -> float:
    """Return the processor seconds of a call."""
    began = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - began) / CALLS


def main() -> None:
    """Measure the libraries in turn, and print the table."""
    made: dict[str, Call] = {}
    least: dict[str, float] = {}
    with serve() as server:
        port = int(server.endpoint.rpartition(":")[2])
        for layer in (floor, ours, http_client, urllib3, httpx, pycurl):
            try:
                made[layer.__name__] = layer(port)
            except ModuleNotFoundError as error:
                print(f"not measured: {error.name} is not installed", file=sys.stderr)
        for _ in range(ROUNDS):
            for name, call in made.items():
                least[name] = min(least.get(name, 1.0), spend(call))
    table = Table(
        "layer", "µs a call", "to the floor", title="a BatchWriteItem of 25 small items", title_justify="left"
    )
    for name, seconds in least.items():
        table.add_row(name, f"{seconds * 1e6:.0f}", f"{seconds / least['floor']:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
