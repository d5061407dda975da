"""The canned server answers as SDKs ask, and tells what it was asked; who wrote the wrong thing is found out."""

from collections.abc import Iterator
from typing import Any

import boto3
import handlers
import pytest
import ways
from environment import BenchmarkError
from messages import body, item
from serving import serve
from verifying import expected_digest


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve() as running:
        yield running


def _client(service: Any, server: Any) -> Any:
    client: Any = boto3.client  # its types know services by literal names only
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return client(service, endpoint_url=server.endpoint, region_name="eu-west-1", **keys)


def test_a_queue_gives_each_message_once_and_is_drained_when_all_are_deleted(server: Any) -> None:
    """What boto3 receives are the messages in order; all deleted, the server says so."""
    server.fill("small", 15)
    sqs = _client("sqs", server)
    url = sqs.get_queue_url(QueueName="small")["QueueUrl"]
    received = []
    for _ in range(2):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        received += [message["Body"] for message in messages]
        entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    drained = server.await_drained(5)
    report = server.report()
    assert (received, drained, report["deleted"]) == (
        [body("small", number) for number in range(15)],
        True,
        15,
    )


def test_items_have_one_digest_whoever_writes_them(server: Any) -> None:
    """Items that boto3 puts one by one and in batches, twice, are those that are expected."""
    server.reset()
    table = boto3.resource(
        "dynamodb",
        endpoint_url=server.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    ).Table("medium")
    for number in range(3):
        table.put_item(Item=item("medium", number))
    with table.batch_writer() as batch:
        for number in range(30):
            batch.put_item(Item=item("medium", number))
    report = server.report()
    assert (report["calls"], report["items"], report["digest"]) == (
        {"batchwriteitem": 2, "putitem": 3},
        33,
        expected_digest("medium", 30),
    )


@pytest.mark.parametrize("size", ["small", "medium", "large", "nested"])
@pytest.mark.parametrize("program", ["router", "batch_writer"])
def test_a_program_writes_what_it_is_measured_for(server: Any, program: Any, size: str) -> None:
    """A figure comes only of a program that wrote each item as it is to be."""
    assert handlers.measure_one(server, program, size, 30, expected_digest(size, 30), 0.01) > 0


def test_a_program_that_writes_something_else_has_no_figure(server: Any) -> None:
    """With another digest expected, the run fails and says who it was."""
    with pytest.raises(BenchmarkError, match="router with 30 small messages wrote"):
        handlers.measure_one(server, "router", "small", 30, expected_digest("small", 29), 0.01)


@pytest.mark.parametrize("way", [way for way in ways.EVERY if way not in ways.ROUTES])
def test_a_way_does_its_work(server: Any, way: str) -> None:
    """A figure is of messages that were all written, or are dead letters."""
    assert ways.measure_one(server, way, 0.0) > 0
