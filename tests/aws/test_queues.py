"""The SQS clients, on both servers."""

from typing import Any

import pytest

from router.runtime.aws.protocols import Aws, AwsFault, OutgoingMessage

ATTRIBUTES: dict[str, dict[str, Any]] = {
    "text": {"DataType": "String", "StringValue": "ü"},
    "number": {"DataType": "Number", "StringValue": "1.5"},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
GONE = AwsFault("configuration", "NonExistentQueue", 400)


@pytest.fixture
def queue(sqs: Any, name: str) -> str:
    return str(sqs.create_queue(QueueName=name)["QueueUrl"])


@pytest.fixture
def fifo(sqs: Any, name: str) -> str:
    return str(sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"])


def received(aws: Aws, url: str) -> list[Any]:
    """All messages of a queue."""
    records: list[Any] = []
    while batch := aws.queues.receive(url, 10, 0, 30):
        assert isinstance(batch, list)
        records += batch
    return records


def test_receive(aws: Aws, sqs: Any, queue: str) -> None:
    """A message is received with its body, the sender's attributes and those of SQS."""
    sent = sqs.send_message(QueueUrl=queue, MessageBody='{"a": 1}', MessageAttributes=ATTRIBUTES)

    (record,) = received(aws, queue)

    assert (
        record.message_id,
        record.body,
        record.message_attributes,
        record.attributes["ApproximateReceiveCount"],
    ) == (
        sent["MessageId"],
        '{"a": 1}',
        ATTRIBUTES,
        "1",
    )
    assert {"SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId"} <= record.attributes.keys()


HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_trace_header(scripted: Any, scripted_aws: Aws) -> None:
    """The trace of a message stays with it; the local servers drop it from batches."""
    messages = [OutgoingMessage("1", "body", trace_header=HEADER), OutgoingMessage("2", "body")]
    scripted_aws.queues.send("http://127.0.0.1/1/q", messages, 60)

    (asked,) = scripted.asked
    assert [entry.get("MessageSystemAttributes") for entry in asked["Entries"]] == [
        {"AWSTraceHeader": {"DataType": "String", "StringValue": HEADER}},
        None,
    ]


def test_receive_nothing(aws: Aws, queue: str) -> None:
    """An empty queue has no messages."""
    assert aws.queues.receive(queue, 10, 0, 30) == []


def test_receive_many(aws: Aws, queue: str) -> None:
    """More than ten messages are received by several calls."""
    bodies = {str(number) for number in range(35)}
    aws.queues.send(queue, [OutgoingMessage(body, body) for body in bodies], 60)

    found = aws.queues.receive(queue, 40, 0, 30)

    # Of several calls one may find nothing, here as with AWS.
    assert not isinstance(found, AwsFault)
    assert (len(found) > 10, {record.body for record in found} <= bodies) == (True, True)


def test_visibility_of_the_request(aws: Aws, sqs: Any, queue: str) -> None:
    """Messages are invisible for as long as the request says, not as the queue does."""
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    aws.queues.send(queue, [OutgoingMessage("1", "body")], 60)

    found = [aws.queues.receive(queue, 10, 0, 30) for _ in range(2)]

    assert [isinstance(each, list) and len(each) for each in found] == [1, 0]


def test_receive_in_part(scripted: Any, scripted_aws: Aws) -> None:
    """If some of several calls fail, the messages of the others are not lost."""
    message = {"MessageId": "m", "ReceiptHandle": "handle", "Body": "body"}
    scripted.first({"Messages": [message] * 10})
    scripted.answers({"__type": "AccessDenied"}, 400)
    url = "http://127.0.0.1/1/q"

    found = [scripted_aws.queues.receive(url, 20, 0, 30) for _ in range(2)]

    assert not isinstance(found[0], AwsFault)
    denied = AwsFault("configuration", "AccessDenied", 400)
    assert ([record.body for record in found[0]], found[1]) == (["body"] * 10, denied)


def test_send_with_attributes(aws: Aws, queue: str) -> None:
    """A message is received with the attributes that were sent, bytes as bytes."""
    failed = aws.queues.send(queue, [OutgoingMessage("1", "body", ATTRIBUTES)], 60)

    (record,) = received(aws, queue)
    assert (failed, record.body, record.message_attributes) == ({}, "body", ATTRIBUTES)


def test_send_fifo(aws: Aws, fifo: str) -> None:
    """Messages for a FIFO queue keep their group, their deduplication id and their order."""
    failed = aws.queues.send(
        fifo, [OutgoingMessage(str(n), f"body {n}", {}, "group", f"dedup-{n}") for n in range(3)], 60
    )

    records = received(aws, fifo)
    assert (
        failed,
        [(r.body, r.attributes["MessageGroupId"], r.attributes["MessageDeduplicationId"]) for r in records],
    ) == ({}, [(f"body {n}", "group", f"dedup-{n}") for n in range(3)])


def test_send_many(aws: Aws, queue: str) -> None:
    """Any number of messages is sent in batches of ten."""
    failed = aws.queues.send(queue, [OutgoingMessage(f"an id/{n}", str(n)) for n in range(23)], 60)

    assert (failed, sorted(int(record.body) for record in received(aws, queue))) == ({}, list(range(23)))


def test_send_too_long(aws: Aws, queue: str) -> None:
    """A message over 1 MiB is refused, and the others are sent."""
    failed = aws.queues.send(
        queue, [OutgoingMessage("a", "x"), OutgoingMessage("b", "x" * 1_048_577), OutgoingMessage("c", "y")], 60
    )

    assert (failed, sorted(record.body for record in received(aws, queue))) == (
        {"b": AwsFault("refused", "BatchRequestTooLong", 400)},
        ["x", "y"],
    )


def test_delete(aws: Aws, sqs: Any, queue: str) -> None:
    """More than ten messages can be deleted."""
    aws.queues.send(queue, [OutgoingMessage(str(n), str(n)) for n in range(12)], 60)
    records = received(aws, queue)

    failed = aws.queues.delete(queue, [(record.message_id, record.receipt_handle) for record in records], 60)

    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (failed, counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == (
        {},
        "0",
        "0",
    )


def test_delete_in_part(aws: Aws, queue: str) -> None:
    """An unknown receipt handle does not affect the others."""
    aws.queues.send(queue, [OutgoingMessage("1", "body")], 60)
    (record,) = received(aws, queue)

    failed = aws.queues.delete(queue, [("bad", "no such handle"), (record.message_id, record.receipt_handle)], 60)

    assert failed == {"bad": AwsFault("refused", "ReceiptHandleIsInvalid", 200)}


def test_release(aws: Aws, queue: str) -> None:
    """A message with a visibility timeout of 0 is visible at once."""
    aws.queues.send(queue, [OutgoingMessage("1", "body")], 60)
    (record,) = received(aws, queue)

    failed = aws.queues.change_visibility(queue, [(record.message_id, record.receipt_handle, 0)], 60)

    again = [(r.message_id, r.attributes["ApproximateReceiveCount"]) for r in aws.queues.receive(queue, 1, 0, 30)]  # type: ignore[union-attr]
    assert (failed, again) == ({}, [(record.message_id, "2")])


def test_url_of_a_name(aws: Aws, queue: str, name: str) -> None:
    """A queue is found by its name."""
    assert aws.queues.url(name, 60) == queue


def test_url_of_an_arn(aws: Aws, sqs: Any, queue: str) -> None:
    """A queue is found by its ARN, in the account that the ARN names."""
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    assert aws.queues.url(arn, 60) == queue


def test_url_of_a_url(aws: Aws, queue: str) -> None:
    """A URL is returned as it is."""
    assert aws.queues.url(queue, 60) == queue


def test_url_is_kept(aws: Aws, sqs: Any, queue: str, name: str) -> None:
    """A queue is looked up once."""
    aws.queues.url(name, 60)
    sqs.delete_queue(QueueUrl=queue)

    assert aws.queues.url(name, 60) == queue


def test_url_of_no_queue(aws: Aws, name: str) -> None:
    """A queue that does not exist is a configuration error."""
    assert aws.queues.url(name, 60) == GONE


def test_no_such_queue(aws: Aws, queue: str) -> None:
    """Each operation on a queue that does not exist is a configuration error."""
    gone = queue + "-gone"

    answers = (
        aws.queues.receive(gone, 1, 0, 30),
        aws.queues.send(gone, [OutgoingMessage("1", "body")], 60),
        aws.queues.delete(gone, [("1", "handle")], 60),
        aws.queues.change_visibility(gone, [("1", "handle", 0)], 60),
    )

    assert answers == (GONE, {"1": GONE}, {"1": GONE}, {"1": GONE})


def test_unconfirmed(scripted: Any, scripted_aws: Aws) -> None:
    """Only entries that SQS confirms are done, not those that failed or are missing in the response."""
    scripted.answers(
        {
            "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "841a2d689ad86bd1611447453c22c6fc"}],
            "Failed": [
                {"Id": "1", "Code": "InternalError", "SenderFault": False},
                {"Id": "2", "Code": "SomethingNew", "SenderFault": True},
                {"Id": "3", "Code": "AccessDenied", "SenderFault": True},
            ],
        }
    )

    failed = scripted_aws.queues.send("http://127.0.0.1/1/q", [OutgoingMessage(id_, "body") for id_ in "abcde"], 60)

    assert failed == {
        "b": AwsFault("retry", "InternalError", 200),
        "c": AwsFault("refused", "SomethingNew", 200),
        "d": AwsFault("configuration", "AccessDenied", 200),
        "e": AwsFault("retry", "Unconfirmed", 200),
    }


def test_outgoing_messages(scripted: Any, scripted_aws: Aws) -> None:
    """A call never has over 1 MiB, attributes included, nor over ten messages."""
    half = OutgoingMessage("half", "x" * 524_276, {"abcd": {"DataType": "String", "StringValue": "é"}})
    rest = OutgoingMessage("rest", "x" * 524_284, {"a": {"DataType": "Binary", "BinaryValue": b"x"}})

    scripted_aws.queues.send("http://127.0.0.1/1/q", [half, half, rest, half, half], 60)
    scripted_aws.queues.send("http://127.0.0.1/1/q", [OutgoingMessage("small", "x")] * 21, 60)

    # In whatever order calls arrive that are made at the same time.
    assert sorted(len(asked["Entries"]) for asked in scripted.asked) == [1, 1, 2, 2, 10, 10]


def test_nothing_to_do(scripted: Any, scripted_aws: Aws) -> None:
    """Without messages no call is made."""
    scripted_aws.queues.send("http://127.0.0.1/1/q", [], 60)
    scripted_aws.queues.delete("http://127.0.0.1/1/q", [], 60)

    assert scripted.asked == []


def test_unreachable(unreachable: Aws) -> None:
    """An endpoint where no server listens is a transient fault."""
    assert unreachable.queues.receive("http://127.0.0.1:9/1/q", 1, 0, 30) == AwsFault(
        "retry", "EndpointConnectionError", 0
    )


def test_unreadable(scripted: Any, scripted_aws: Aws) -> None:
    """A page that is no response of AWS confirms nothing."""
    scripted.answers(b"<html>a proxy's page</html>")

    answers = (
        scripted_aws.queues.url("some-queue", 60),
        scripted_aws.queues.send("http://127.0.0.1/1/q", [OutgoingMessage("1", "x")], 60),
    )

    unreadable = AwsFault("retry", "UnreadableAnswer", 200)
    # boto3 takes the page for an answer that says nothing, ours for none.
    assert answers[0] == unreadable
    assert answers[1] in ({"1": unreadable}, {"1": AwsFault("retry", "Unconfirmed", 200)})
