"""The server in Rust gives the bytes that the one in Python gives, and its requests are verified in the same way."""

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import drain
import pytest
import rust
from environment import BenchmarkError
from fast_server import SOURCES, serve_fast
from messages import item
from serving import serve
from verifying import expected_digest

COUNT = 25


@pytest.fixture(scope="module")
def slow() -> Iterator[Any]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serve_fast(tmp_path_factory.mktemp("fast") / "server") as running:
        if isinstance(running, str):
            pytest.skip(running)
        yield running


def request_of(target: str, content: object) -> bytes:
    data = json.dumps(content).encode()
    return b"POST / HTTP/1.1\r\nHost: here\r\nX-Amz-Target: %s\r\ncontent-length: %d\r\n\r\n%s" % (
        target.encode(),
        len(data),
        data,
    )


def call(server: Any, *parts: bytes) -> bytes:
    """Send a request in parts, each once the server has had the one before; return all bytes of the answer."""
    port = urlsplit(server.endpoint).port
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
            server.slow_down(0)  # it reads this request after what was sent before
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer) < _length(answer):
            more = connection.recv(1 << 20)
            assert more, "the answer is incomplete"
            answer += more
        answer = re.sub(rb"canned-\d{8}\r", b"canned\r", answer)
        return answer.replace(b":%d/" % port, b":PORT/")


def _length(answer: bytes) -> int:
    head, _, _ = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return len(head) + 4 + int(length)


def _entries(numbers: range) -> list[dict[str, str]]:
    return [{"Id": str(number), "ReceiptHandle": f"handle-{number}"} for number in numbers]


def _put(number: int) -> dict[str, Any]:
    found = item("small", number)
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in found.items()}


BATCH = {"RequestItems": {"small": [{"PutRequest": {"Item": _put(number)}} for number in range(3)]}}
CALLS = (
    request_of("AmazonSQS.GetQueueUrl", {"QueueName": "small"}),
    request_of("AmazonSQS.GetQueueAttributes", {"QueueUrl": "small"}),
    request_of("DynamoDB_20120810.DescribeTable", {"TableName": "small"}),
    *[request_of("AmazonSQS.ReceiveMessage", {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0})] * 4,
    request_of("DynamoDB_20120810.BatchWriteItem", BATCH),
    request_of("DynamoDB_20120810.PutItem", {"TableName": "small", "Item": _put(3)}),
    request_of("DynamoDB_20120810.DeleteItem", {}),
    request_of("AmazonSQS.ChangeMessageVisibilityBatch", {"Entries": _entries(range(3))}),
    request_of("AmazonSQS.DeleteMessageBatch", {"Entries": _entries(range(10))}),
    request_of("AmazonSQS.DeleteMessageBatch", {"Entries": _entries(range(10, COUNT))}),
)


def test_both_servers_give_the_same_bytes(slow: Any, fast: Any) -> None:
    """Answers, checksums and receipt handles of each operation, and the answer of an empty queue."""
    for server in (slow, fast):
        server.slow_down(0)
        server.fill("small", COUNT)

    given, expected = ([call(server, request) for request in CALLS] for server in (fast, slow))

    assert given == expected
    assert [answer.count(b"ReceiptHandle") for answer in given[3:7]] == [10, 10, 5, 0]


def test_both_servers_report_the_same(slow: Any, fast: Any) -> None:
    """The report of the same calls differs only in what was measured."""
    reports = []
    for server in (slow, fast):
        server.slow_down(0)
        server.fill("small", COUNT)
        for request in CALLS:
            call(server, request)
        assert server.await_drained(5)
        reports.append({name: value for name, value in server.report().items() if name not in ("busy", "speed")})

    assert reports[0] == reports[1]
    assert [reports[1][name] for name in ("items", "deleted", "received")] == [4, COUNT, 3]


def test_a_request_may_come_in_parts(slow: Any, fast: Any) -> None:
    """However its head and its content are divided."""
    whole = request_of("AmazonSQS.DeleteMessageBatch", {"Entries": _entries(range(2))})
    middle = whole.index(b"\r\n\r\n")

    answers = {call(server, whole[:end], whole[end:]) for server in (slow, fast) for end in (9, middle + 2, middle + 9)}

    assert len(answers) == 1


def test_no_answer_comes_before_its_time(fast: Any) -> None:
    """A call takes the latency, and a receive of an empty queue waits."""
    fast.fill("small", 0)
    port = urlsplit(fast.endpoint).port
    took = []
    fast.slow_down(30)
    for seconds in (0, 1):
        with closing(socket.create_connection(("127.0.0.1", port), 10)) as connection:
            began = time.monotonic()
            connection.sendall(request_of("AmazonSQS.ReceiveMessage", {"WaitTimeSeconds": seconds}))
            answer = HTTPResponse(connection)
            answer.begin()
            took.append(time.monotonic() - began - seconds)
    fast.slow_down(0)

    assert [seconds >= 0.03 for seconds in took] == [True, True]


def test_an_operation_without_an_answer_is_refused(fast: Any) -> None:
    """A program that calls another one fails, instead of being measured."""
    fast.fill("small", 0)

    assert call(fast, request_of("AmazonSQS.PurgeQueue", {})).startswith(b"HTTP/1.1 501 ")


def test_workers_are_verified(fast: Any) -> None:
    """Two processes write and delete all messages; with another digest expected, they have no figure."""
    count = 4_000
    case = drain.DrainCase("router", 2, 5, count)

    drained = drain.drain(fast, case, expected_digest("small", count))

    assert drained.cpu > 0 < drained.server
    with pytest.raises(BenchmarkError, match=f"router, 2 processes, 5 ms a call: of {count} messages {count} written"):
        drain.drain(fast, case, expected_digest("small", count - 1))


def test_without_cargo_the_reason_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark then uses the server in Python."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with serve_fast(tmp_path / "server") as running:
        assert running == "it needs cargo"


def test_it_is_built_wherever_cargo_builds_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for all that cargo builds, as developers set one, is left alone."""
    if not shutil.which("cargo"):
        pytest.skip("it needs cargo")
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "all"))

    program = rust.build(SOURCES, tmp_path / "server")

    assert isinstance(program, str) or program.is_file()
    assert not (tmp_path / "all").exists()
