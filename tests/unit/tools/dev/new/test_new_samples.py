"""What counts as a sample message: files, records, envelopes, payloads in S3."""

import gzip
import json
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.dev.new.samples import SampleSet, open_samples, read_bodies
from tests.support.config import spec
from tests.support.dev import make_body
from tests.support.engine import Encoding
from tests.support.envelopes import ENVELOPES

MESSAGE = {"id": "a"}
RECORD = {"MessageId": "m", "Body": '{"id": "a"}'}
POINTER = ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "large", "s3Key": "k"}]
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}


def wrapped(*names: str) -> Any:
    """A message in envelopes, the outermost first."""
    body = json.dumps(MESSAGE)
    for name in reversed(names):
        wrap = ENVELOPES[name].wrap
        assert wrap is not None
        body = wrap(body)
    return json.loads(body)


def encoded(encoding: Encoding) -> str:
    """A message as the body of a queue with this encoding."""
    return make_body(MESSAGE, spec.Queue(encoding=encoding))


@pytest.mark.parametrize(
    ("content", "bodies"),
    [
        ('{\n "id": "a"\n}', [MESSAGE]),
        ('\ufeff{"id": "a"}\n\n{"id": "b"}\n', [MESSAGE, {"id": "b"}]),
        ('[{"id": "a"}, 1]', [MESSAGE, 1]),
        (json.dumps(POINTER), [POINTER]),
        (json.dumps(RECORD), [MESSAGE]),
        (json.dumps({"Records": [{"messageId": "m", "body": '{"id": "a"}'}] * 2}), [MESSAGE, MESSAGE]),
        (json.dumps({"Messages": [RECORD]}), [MESSAGE]),
        (
            '{"recording": 1}\n{"message": {"id": "a"}, "outcome": "written"}\n{"message": 1, "outcome": "rejected"}',
            [MESSAGE],
        ),
        (f'{{"queue": "q"}}\n{json.dumps(RECORD)}\n{json.dumps(RECORD)}', [MESSAGE, MESSAGE]),
        (f"{encoded('base64')}\n{encoded('base64+gzip')}\n", [encoded("base64"), encoded("base64+gzip")]),
        (json.dumps({"messageId": "m", "body": encoded("base64")}), [encoded("base64")]),
    ],
)
def test_content(content: str, bodies: list[Any]) -> None:
    """JSON, JSON lines, a list, and records of SQS with or without a header."""
    assert read_bodies(content.encode(), "file") == bodies


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff", "file is not UTF-8 text"),
        (b'{"id": 1}\n{"id": ', "file, line 2, cannot be a sample: it is not JSON"),
        (b'{"messageId": "m", "body": "x"}', "the body of a record cannot be a sample: it is not JSON"),
        (b'{"recording": 1}\n{"outcome": "written"}', "file, line 2, is not a message of a recording"),
        (b'{"messageId": "m", "body": "1"}\n{"id": 1}', "file: line 2 is not a record of SQS, but other lines are"),
    ],
)
def test_content_that_is_none(content: bytes, sentence: str) -> None:
    """What cannot be read is named with its place, without its values."""
    with pytest.raises(UsageError) as error:
        read_bodies(content, "file")

    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "names", [(), ("sns",), ("eventbridge",), ("cloudevents",), ("sns", "eventbridge"), ("sns", "cloudevents")]
)
def test_envelopes(names: tuple[str, ...]) -> None:
    """Envelopes are recognised, and unwrapped in order."""
    assert open_samples([wrapped(*names)] * 2) == SampleSet((MESSAGE, MESSAGE), names)


@pytest.mark.parametrize("encoding", ["base64", "base64+gzip"])
@pytest.mark.parametrize("envelope", ["", "sns", "eventbridge", "cloudevents"])
def test_encodings(encoding: Encoding, envelope: str) -> None:
    """Encoded messages are decoded, by themselves and inside of an envelope."""
    text = encoded(encoding)
    body: Any = {
        "": text,
        "sns": {"Type": "Notification", "TopicArn": "arn", "Message": text},
        "eventbridge": {"detail-type": "t", "source": "s", "detail": text},
        "cloudevents": {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": text},
    }[envelope]
    envelopes = (envelope,) if envelope else ()
    # A CloudEvent with base64 has the payload itself as bytes.
    expected = "json" if (envelope, encoding) == ("cloudevents", "base64") else encoding

    assert open_samples([body] * 2) == SampleSet((MESSAGE, MESSAGE), envelopes, encoding=expected)


def test_a_gzip_payload_in_s3() -> None:
    """An object in S3 may be binary."""
    found = open_samples([POINTER], lambda bucket, key: gzip.compress(json.dumps(MESSAGE).encode()))

    assert found == SampleSet((MESSAGE,), ("s3_pointer",), ("large",), encoding="base64+gzip")


def test_an_envelope_without_an_object_is_the_message() -> None:
    """An event whose data is text has its attributes in the envelope."""
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": "text"}

    assert open_samples([event]) == SampleSet((event,))


def test_payloads_in_s3() -> None:
    """A pointer is fetched, and what it leads to is unwrapped."""
    asked = []

    def fetch(bucket: str, key: str) -> bytes:
        asked.append((bucket, key))
        return json.dumps(wrapped("sns")).encode()

    found = open_samples([POINTER, wrapped("sns")], fetch)

    assert (found, asked) == (SampleSet((MESSAGE, MESSAGE), ("s3_pointer", "sns"), ("large",)), [("large", "k")])


def test_what_is_left_out() -> None:
    """Payloads in S3 that cannot be fetched, and test events of Amazon S3."""
    found = open_samples([TEST_EVENT, POINTER, MESSAGE])

    assert found == SampleSet(
        (MESSAGE,),
        ("s3_pointer",),
        ("large",),
        ("test events of Amazon S3 that are left out: 1", "payloads in S3 that are left out: 1"),
    )


@pytest.mark.parametrize(
    ("bodies", "sentence"),
    [
        ([], "there is no sample message; give at least one"),
        ([TEST_EVENT], "there is no sample message; give at least one"),
        ([MESSAGE, 1], "sample 2 is not a JSON object: it has no attributes to store"),
        (
            [MESSAGE, MESSAGE, wrapped("sns")],
            "the samples have different envelopes: 2 without an envelope, 1 sns; give those of one queue only",
        ),
        (
            [MESSAGE, MESSAGE, encoded("base64")],
            "the samples have different encodings: 2 json, 1 base64; give those of one queue only",
        ),
    ],
)
def test_samples_that_are_none(bodies: list[Any], sentence: str) -> None:
    """What is no message of one queue is an error of the user."""
    with pytest.raises(UsageError) as error:
        open_samples(bodies)

    assert str(error.value) == sentence
