"""Records of tests."""

import base64
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.tools.dev.records import MESSAGE_ID, META, make_record, read_record
from tests.support.config import spec

BYTES = base64.b64encode(b"\x00\x01").decode()


@pytest.mark.parametrize(
    ("given", "record"),
    [
        ({"body": "x"}, Record(MESSAGE_ID, "receipt-handle", "x", META, {})),
        ({"Records": [{"body": "x"}]}, Record(MESSAGE_ID, "receipt-handle", "x", META, {})),
        ({"Messages": [{"Body": "x"}]}, Record(MESSAGE_ID, "receipt-handle", "x", META, {})),
        ({"Body": {"a": 1}}, Record(MESSAGE_ID, "receipt-handle", '{"a":1}', META, {})),
        (
            {
                "messageId": "m",
                "receiptHandle": "h",
                "body": "",
                "attributes": {"SentTimestamp": 5},
                "messageAttributes": {
                    "s": {"dataType": "String", "stringValue": "x", "stringListValues": []},
                    "b": {"dataType": "Binary", "binaryValue": BYTES},
                },
                "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:q",
            },
            Record(
                "m",
                "h",
                "",
                {**META, "SentTimestamp": "5"},
                {
                    "s": {"DataType": "String", "StringValue": "x"},
                    "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
                },
            ),
        ),
        (
            {"Body": "x", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": 7}}, "Attributes": None},
            Record(MESSAGE_ID, "receipt-handle", "x", META, {"n": {"DataType": "Number", "StringValue": "7"}}),
        ),
    ],
)
def test_a_record(given: Any, record: Record) -> None:
    """Records of Lambda and of ReceiveMessage are accepted; missing attributes have the fixed values of tests."""
    assert read_record(given) == record


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "the record has no body: it is an object with 'body' (Lambda) or 'Body' (ReceiveMessage)"),
        ({"body": "", "attributes": []}, None),
        (
            {"Records": [{"body": "x"}, {"body": "y"}]},
            "'Records' of the record must be a list of one record: a test is about one message",
        ),
        ({"Records": []}, "'Records' of the record must be a list of one record: a test is about one message"),
        ({"Messages": "x"}, "'Messages' of the record must be a list of one record: a test is about one message"),
        ({"body": "", "attributes": "x"}, "'attributes' of the record must be an object"),
        ({"body": "", "messageAttributes": {"a": 1}}, "the message attribute 'a' of the record has no string value"),
        (
            {"body": "", "messageAttributes": {"a": {"dataType": "Binary", "binaryValue": "-"}}},
            "the message attribute 'a' of the record has no binary value in base64",
        ),
    ],
)
def test_a_faulty_record(given: Any, sentence: str | None) -> None:
    """The error is a sentence about the fault."""
    output = None
    try:
        read_record(given)
    except UsageError as error:
        output = str(error)
    assert output == sentence


def test_a_file(tmp_path: Path) -> None:
    """The text of the file is the message, in the encoding of the queue."""
    (tmp_path / "m.json").write_text('\ufeff{"a": 1.50}\n', encoding="utf-8")

    record = make_record(spec.Test(file="m.json"), spec.Queue(encoding="base64"), folder=tmp_path)

    assert base64.b64decode(record.body) == b'{"a": 1.50}'


@pytest.mark.parametrize("name", ["../secret.json", "{tmp}/secret.json", "linked.json", "folder/secret.json"])
def test_a_file_outside(tmp_path: Path, name: str) -> None:
    """A file outside of the folder of the config is not read, also not by a link."""
    folder, outside = tmp_path / "config", tmp_path / "secret.json"
    folder.mkdir()
    outside.write_text("{}")
    (folder / "linked.json").symlink_to(outside)
    (folder / "folder").symlink_to(tmp_path)
    name = name.format(tmp=tmp_path)

    with pytest.raises(UsageError, match=f"'{name}' is outside of the folder of the config"):
        make_record(spec.Test(file=name), spec.Queue(), folder=folder)


def test_a_file_of_bytes(tmp_path: Path) -> None:
    """SQS accepts text only."""
    (tmp_path / "m.json").write_bytes(b"\xff")

    with pytest.raises(UsageError, match=r"'m\.json' is not UTF-8 text"):
        make_record(spec.Test(file="m.json"), spec.Queue(), folder=tmp_path)
