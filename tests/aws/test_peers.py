"""What a server may send that is not the answer to the request: a second answer, half of one, a byte now and then."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select
from typing import Any

import pytest

from router.model import Record
from router.runtime.aws.calls import PolledCalls, result_of_write
from router.runtime.aws.connect import connect as connect_to_aws
from router.runtime.aws.protocols import AwsFault, OutgoingMessage, WriteResponse
from tests.aws.conftest import in_environment_of
from tests.aws.peers import SECONDS, Peer, Serve, Wire, render
from tests.support.aws import Duration, boottime, boto, connections, tables
from tests.support.deliver import Delivery, FixedDeadline, StartLimit, Writer
from tests.support.dev import LocalAws
from tests.support.program import load_program

DONE = b'{"UnprocessedItems":{}}'
THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}'
REFUSED = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))
UNANSWERED = WriteResponse(fault=AwsFault("retry", "HTTPClientError"))
PUT: Any = [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]


@pytest.fixture(params=["plain", "TLS"])
def context(request: pytest.FixtureRequest, certificate: Callable[[], Path]) -> ssl.SSLContext | None:
    """What a server with and without TLS has."""
    if request.param == "plain":
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate())
    return made


@pytest.fixture
def peer(context: ssl.SSLContext | None) -> Iterator[Callable[[Serve], Peer]]:
    """Starts a server that serves each connection in one way."""
    running: list[Peer] = []

    def start(serve: Serve) -> Peer:
        running.append(Peer(serve, context))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture
def connect(context: ssl.SSLContext | None, tmp_path: Path) -> Callable[[Peer], Any]:
    """Connects the router's own clients to a server."""

    def make(peer: Peer) -> Any:
        scheme = "http" if context is None else "https"
        bundle = {} if context is None else {"AWS_CA_BUNDLE": str(tmp_path / "certificate.pem")}
        with in_environment_of(LocalAws(f"{scheme}://127.0.0.1:{peer.port}"), **bundle):
            return connect_to_aws(4)

    return make


def batch_write(aws: Any) -> WriteResponse:
    response: WriteResponse = aws.tables.batch_write("t", PUT, SECONDS)
    return response


def throttle_for_ever(wire: Wire) -> None:
    while True:
        wire.read()
        wire.send(render(THROTTLED, 400))


def wait_until_readable(aws: Any) -> None:
    """Wait until something has come over the connection that is kept."""
    ((kept),) = aws.tables._service._connections._idle
    connection = kept[0] if isinstance(kept, tuple) else kept.socket
    assert select([connection], [], [], SECONDS)[0]


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.05])
def test_a_copy_of_an_answer_after_the_next_request_is_no_answer_to_it(peer: Any, connect: Any, delay: float) -> None:
    """The call counts as unanswered, and the connection is not used again."""

    def serve(wire: Wire) -> None:
        wire.read()
        answer = render(DONE)
        wire.send(answer)
        if wire.read().number == 2:
            time.sleep(delay)  # what the server does, nothing waits for it
            wire.send(answer)
            wire.send(render(THROTTLED, 400))
        wire.await_end()

    server = peer(serve)
    aws = connect(server)

    found = [batch_write(aws), batch_write(aws), batch_write(aws)]

    assert (found, server.taken) == ([WriteResponse(), UNANSWERED, WriteResponse()], 2)


def test_a_copy_of_an_earlier_answer(peer: Any, connect: Any) -> None:
    """However many answers came between."""

    def serve(wire: Wire) -> None:
        wire.read()
        first = render(DONE)
        wire.send(first)
        for _ in range(200):
            wire.read()
            wire.send(render(DONE))
        wire.read()
        wire.send(first)
        wire.await_end()

    aws = connect(peer(serve))

    assert [batch_write(aws) for _ in range(202)] == [WriteResponse()] * 201 + [UNANSWERED]


@pytest.mark.parametrize(
    "more",
    [
        render(DONE),
        render(b"", 408, more=["Connection: close"]),
        b"junk",
        b"\r\n",
        b"H",
        render(THROTTLED, 400) * 3,
    ],
    ids=["answer", "408", "too long", "line", "begins", "answers"],
)
@pytest.mark.parametrize("when", ["with it", "later"])
def test_what_comes_after_an_answer_ends_the_connection(peer: Any, connect: Any, more: bytes, when: str) -> None:
    """The answer is taken; the next request goes over another connection."""
    go = threading.Event()

    def serve(wire: Wire) -> None:
        if server.taken > 1:
            throttle_for_ever(wire)
        wire.read()
        if when == "with it":
            wire.send(render(DONE) + more)
        else:
            wire.send(render(DONE))
            go.wait(SECONDS)
            wire.send(more)
        wire.await_end()

    server = peer(serve)
    aws = connect(server)

    first = batch_write(aws)
    if when == "later":
        go.set()
        wait_until_readable(aws)

    assert (first, batch_write(aws), server.taken) == (WriteResponse(), REFUSED, 2)


@pytest.mark.parametrize("context", ["plain"], indirect=True)
def test_a_copy_of_an_answer_is_no_answer_for_boto3_either(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what the server then sends over that connection the answer to a later request."""
    monkeypatch.setattr(boto, "ANSWERED_REQUESTS", 2)

    def serve(wire: Wire) -> None:
        if server.taken == 1:
            wire.read()
            answer = render(DONE)
            wire.send(answer)
            wire.read()
            wire.send(answer)
            wire.await_end()
        while True:
            wire.read()
            wire.send(render(DONE))

    server = peer(serve)
    with in_environment_of(LocalAws(f"http://127.0.0.1:{server.port}"), ROUTER_TRANSPORT="boto3"):
        aws = connect_to_aws(1)

        found = [batch_write(aws) for _ in range(5)]

    assert (found, server.taken) == ([WriteResponse(), UNANSWERED, *[WriteResponse()] * 3], 2)


def test_a_server_without_request_ids(peer: Any, connect: Any) -> None:
    """Its connections are used again: stand-ins of AWS may send none."""

    def serve(wire: Wire) -> None:
        while True:
            wire.read()
            wire.send(render(DONE, id_=None))

    server = peer(serve)
    aws = connect(server)

    assert ([batch_write(aws) for _ in range(3)], server.taken) == ([WriteResponse()] * 3, 1)


def test_calls_of_a_connection_are_bounded(peer: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are the request ids that are kept."""
    monkeypatch.setattr("router.runtime.aws.http.connections.CALLS_OF_A_CONNECTION", 3)

    def serve(wire: Wire) -> None:
        while True:
            wire.read()
            wire.send(render(DONE))

    server = peer(serve)
    aws = connect(server)

    assert ([batch_write(aws) for _ in range(7)], server.taken) == ([WriteResponse()] * 7, 3)


def test_an_answer_without_a_request(peer: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server sends before it has a request answers none."""

    def serve(wire: Wire) -> None:
        wire.send(render(DONE))
        wire.await_end()

    read_early = connections.OpenConnection.read_early

    def read_once_it_is_there(connection: Any) -> bytes | None:
        found = None
        while found is None:
            assert select([connection.socket], [], [], SECONDS)[0]
            found = read_early(connection)
        return found

    monkeypatch.setattr(connections.OpenConnection, "read_early", read_once_it_is_there)

    assert batch_write(connect(peer(serve))) == UNANSWERED


@pytest.mark.parametrize(("interim", "response"), [(3, WriteResponse()), (100, UNANSWERED)])
def test_interim_answers(peer: Any, connect: Any, interim: int, response: WriteResponse) -> None:
    """Some may come before the answer, but not any number."""

    def serve(wire: Wire) -> None:
        wire.read()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * interim + render(DONE))
        wire.await_end()

    assert batch_write(connect(peer(serve))) == response


def test_a_dead_letter_is_not_confirmed_by_the_answer_of_another(peer: Any, connect: Any) -> None:
    """SQS says the same for each batch: its answers differ in nothing but their request ids."""
    confirmed = json.dumps({"Successful": [{"Id": "0", "MessageId": "m"}]}).encode()

    def serve(wire: Wire) -> None:
        answer = render(confirmed)
        while True:
            wire.read()
            wire.send(answer)
            wire.read()
            wire.send(answer + render(b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}', 400))

    aws = connect(peer(serve))
    url = "https://sqs.eu-west-1.amazonaws.com/1/q"

    def send(text: str) -> Any:
        return aws.queues._call_in_batches("SendMessageBatch", url, [[("m", {"MessageBody": text})]], SECONDS)

    assert send("a") == {}
    aws.queues._budget.left = 0  # so that it is not sent again
    assert send("b") == {"m": AwsFault("retry", "HTTPClientError")}
    aws.queues._budget.left = 500
    assert aws.queues.send(url, [OutgoingMessage("n", "c")], SECONDS) == {}


def test_an_object_is_not_another(peer: Any, connect: Any) -> None:
    """Payloads of S3, by its header of request ids."""

    def serve(wire: Wire) -> None:
        wire.read()
        answer = render(b"first", header="x-amz-request-id", more=['ETag: "e"'])
        wire.send(answer)
        wire.read()
        wire.send(answer)
        wire.await_end()

    aws = connect(peer(serve))

    found = [aws.objects.fetch("b", f"k{number}", 99, SECONDS) for number in range(2)]

    assert found == [b"first", AwsFault("retry", "HTTPClientError")]


CONFIG = """\
version: 1
queues: {q: {dead_letter: letters}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things}}
"""


@pytest.fixture
def program(tmp_path: Path) -> Any:
    """A program that puts each message of a queue into a table."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    return load_program(tmp_path / "routes.yaml", {})


class Table:
    """A table whose answer to the batch with the first message is bad, in a way, until all others are written."""

    def __init__(self, bad: Callable[["Table", Wire, bytes], None], others: int) -> None:
        self.items: set[str] = set()
        self.all_written = threading.Event()
        """Set once all messages are written but those of the bad answer."""
        self.given_up = threading.Event()
        self._bad = bad
        self._others = others
        self._lock = threading.Lock()
        self._is_bad = True

    def serve(self, wire: Wire) -> None:
        while True:
            request = wire.read()
            ids = {each["PutRequest"]["Item"]["id"]["S"] for each in request.content["RequestItems"]["things"]}
            with self._lock:
                is_bad = self._is_bad and "m0" in ids
                self._is_bad = self._is_bad and not is_bad
                self.items |= ids
                if len(self.items) >= self._others:
                    self.all_written.set()
            if is_bad:
                self._bad(self, wire, render(DONE + b" " * 5_000))
                return
            wire.send(render(DONE))


def drip(table: Table, wire: Wire, answer: bytes) -> None:
    """A byte now and then, until the others are written."""
    for at in range(len(answer) - 1):
        wire.send(answer[at : at + 1])
        if table.all_written.wait(0.05):
            return


def stop_half_way(table: Table, wire: Wire, answer: bytes) -> None:
    wire.send(answer[: len(answer) // 2])
    table.all_written.wait(2 * SECONDS)


def stay_silent(table: Table, wire: Wire, answer: bytes) -> None:
    table.all_written.wait(2 * SECONDS)


@pytest.mark.parametrize("bad", [drip, stop_half_way, stay_silent])
def test_one_bad_answer_holds_up_no_other(peer: Any, connect: Any, program: Any, bad: Any) -> None:
    """All other messages of a large batch are written while it is waited for; then its own are."""
    table = Table(bad, 2_000)
    aws = connect(peer(table.serve))
    delivery = Delivery(program, aws, writer=Writer(aws.tables, most_calls=160))
    records = [Record(f"m{number}", "h", json.dumps({"id": f"m{number}"})) for number in range(2_000)]

    delivered = delivery.deliver(program.engine.queues["q"], records, FixedDeadline(boottime() + SECONDS))

    assert (table.all_written.is_set(), len(table.items)) == (True, 2_000)
    assert [each.record.message_id for each in delivered if not each.acknowledged] == []


class Begun:
    """Waits until all calls but the first have ended."""

    def __init__(self, calls: int) -> None:
        self.others_answered = threading.Event()
        self._left = calls - 1
        self._lock = threading.Lock()

    def answer(self, wire: Wire) -> None:
        wire.send(render(DONE))
        with self._lock:
            self._left -= 1
            if not self._left:
                self.others_answered.set()


def make_calls(aws: Any, count: int, size: int = 1) -> list[WriteResponse | None]:
    """Begin so many calls, of which the first sends an item of a size, and read all responses."""

    def begin(number: int, timeout: float) -> Any:
        text = "x" * size if number == 0 else "y"
        return aws.tables.begin_batch_write("t", [{"PutRequest": {"Item": {"id": {"S": text}}}}], timeout)

    until = FixedDeadline(boottime() + SECONDS)
    return PolledCalls(begin, result_of_write, most=40).make(range(count), StartLimit(until, boottime(), [Duration()]))


def test_a_server_that_does_not_read_holds_up_no_other(peer: Any, connect: Any) -> None:
    """A request that is more than it takes is sent when it reads again; the other calls are made meanwhile."""
    begun = Begun(60)
    first = threading.Lock()

    def serve(wire: Wire) -> None:
        if first.acquire(blocking=False):
            begun.others_answered.wait(SECONDS)
        while True:
            wire.read()
            begun.answer(wire)

    aws = connect(peer(serve))

    assert (make_calls(aws, 60, 16 * 1024 * 1024), begun.others_answered.is_set()) == ([WriteResponse()] * 60, True)


def test_a_request_that_is_sent_again_holds_up_no_other(peer: Any, connect: Any) -> None:
    """A connection that was kept is closed by the server; the next one is slow, and the other calls are made."""
    begun = Begun(60)

    def serve(wire: Wire) -> None:
        while True:
            request = wire.read()
            if b'"warm"' in request.body:
                wire.send(render(DONE))
            elif b'"x"' in request.body and request.number > 1:
                return
            else:
                if b'"x"' in request.body:
                    begun.others_answered.wait(SECONDS)
                begun.answer(wire)

    aws = connect(peer(serve))
    assert aws.tables.batch_write("t", [{"PutRequest": {"Item": {"id": {"S": "warm"}}}}], SECONDS) == WriteResponse()

    assert (make_calls(aws, 60), begun.others_answered.is_set()) == ([WriteResponse()] * 60, True)


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_one_receive_holds_up_no_other(peer: Any, connect: Any, silent: int) -> None:
    """Responses that are more than the system keeps for a connection are read while another one is waited for."""
    message = {"MessageId": "m", "ReceiptHandle": "h", "Body": "x" * 2_000_000}
    others_sent = threading.Barrier(3, timeout=SECONDS)
    numbers = iter(range(3))

    def serve(wire: Wire) -> None:
        wire.read()
        number = next(numbers)
        if number == silent:
            others_sent.wait()
            wire.send(render(b"{}"))
        else:
            wire.send(render(json.dumps({"Messages": [message | {"MessageId": f"{number}"}] * 10}).encode()))
            others_sent.wait()
        wire.await_end()

    aws = connect(peer(serve))

    found = aws.queues.receive("https://sqs.eu-west-1.amazonaws.com/1/q", 30, 0, 60)

    assert (len(found), others_sent.broken) == (20, False)


def drip_for_ever(wire: Wire) -> None:
    answer = render(DONE + b" " * 9_000)
    for at in range(len(answer)):
        wire.send(answer[at : at + 1])
        time.sleep(0.01)  # as slow as that; nothing waits for it


def stop_after_much(wire: Wire) -> None:
    wire.send(render(DONE + b" " * 200_000)[:-1])
    wire.await_end()


@pytest.mark.parametrize("send", [drip_for_ever, stop_after_much])
def test_time_of_a_response(
    peer: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, send: Callable[[Wire], None]
) -> None:
    """The time of a response is that of the whole, and one that is large has no more once nothing comes."""
    given_up = threading.Event()

    def serve(wire: Wire) -> None:
        wire.read()
        wire.send(render(DONE))
        wire.read()
        try:
            send(wire)
        finally:
            given_up.set()

    aws = connect(peer(serve))
    # So that the time is not over before there is a connection.
    batch_write(aws)
    monkeypatch.setattr(tables, "SECONDS", 0.3)
    began = boottime()

    late = WriteResponse(fault=AwsFault("retry", "ReadTimeoutError"))
    assert (batch_write(aws), given_up.wait(SECONDS)) == (late, True)
    assert boottime() - began < SECONDS / 2


def test_time_of_an_object(peer: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that drips is given up too: the payloads of a batch are fetched before its other messages are."""

    def serve(wire: Wire) -> None:
        wire.read()
        wire.send(render(b"first", header="x-amz-request-id", more=['ETag: "e"']))
        wire.read()
        drip_for_ever(wire)

    aws = connect(peer(serve))
    # So that the time is not over before there is a connection.
    aws.objects.fetch("b", "k", 99, SECONDS)
    monkeypatch.setattr("router.runtime.aws.http.objects.RESPONSE_SECONDS", 0.3)
    began = boottime()

    assert aws.objects.fetch("b", "k", 99_999, SECONDS) == AwsFault("retry", "ReadTimeoutError")
    assert boottime() - began < SECONDS / 2
