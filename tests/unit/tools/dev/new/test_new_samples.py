"""What counts as a sample message: files, records, envelopes, payloads in S3."""

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.dev.new.samples import Body, Fetch, SampleSet, open_samples, read_bodies
from tests.support.config import spec
from tests.support.dev import make_body
from tests.support.engine import Encoding
from tests.support.envelopes import ENVELOPES

MESSAGE = {"id": "a"}
OTHER = {"id": "b"}
DIGITS = "a number of more than 38 digits or out of range{}; send the number as text"
LARGE = "the item has more than 409600 bytes{}; send less, or the payload in S3"
RECORD = {"MessageId": "m", "Body": '{"id": "a"}'}
POINTER = ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "large", "s3Key": "k"}]
DEEP = b'{"a": ' * 65 + b"1" + b"}" * 65
TOO_DEEP = (
    " cannot be a sample: it is nested over 64 deep; the router rejects it: leave it out, and let the sender nest less"
)
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}


def wrapped(*names: str, message: Any = MESSAGE) -> Any:
    """A message in envelopes, the outermost first."""
    body = json.dumps(message)
    for name in reversed(names):
        wrap = ENVELOPES[name].wrap
        assert wrap is not None
        body = wrap(body)
    return json.loads(body)


def encoded(encoding: Encoding, message: Any = MESSAGE) -> str:
    """A message as the body of a queue with this encoding."""
    return make_body(message, spec.Queue(encoding=encoding))


def opened(values: list[Any], fetch: Fetch | None = None) -> SampleSet:
    """The samples of bodies, each of which is on a line of a file."""
    return open_samples([Body(value, f"f:{number}") for number, value in enumerate(values, 1)], fetch)


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
    assert [each.value for each in read_bodies(content.encode(), "file")] == bodies


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff", "file is not UTF-8 text"),
        (b'{"id": 1}\n{"id": ', "file, line 2, cannot be a sample: it is not JSON at column 7: expecting value"),
        (b'{\n"id": 1,\n"n": oops}', "file is not JSON: line 3, column 6: expecting value"),
        (
            b'{"messageId": "m", "body": "x"}',
            "the body of a record cannot be a sample: it is not JSON at column 1: expecting value",
        ),
        (b'{"recording": 1}\n{"outcome": "written"}', "file, line 2, is not a message of a recording"),
        (DEEP, f"file{TOO_DEEP}"),
        (b'{"id": 1}\n' + DEEP, f"file, line 2,{TOO_DEEP}"),
        (b"[{},\n" + DEEP + b"]", f"file{TOO_DEEP}"),
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
    assert opened([wrapped(*names), wrapped(*names, message=OTHER)]) == SampleSet((MESSAGE, OTHER), names)


@pytest.mark.parametrize("encoding", ["base64", "base64+gzip"])
@pytest.mark.parametrize("envelope", ["", "sns", "eventbridge", "cloudevents"])
def test_encodings(encoding: Encoding, envelope: str) -> None:
    """Encoded messages are decoded, by themselves and inside of an envelope."""

    def body(text: str) -> Any:
        bodies = {
            "": text,
            "sns": {"Type": "Notification", "TopicArn": "arn", "Message": text},
            "eventbridge": {"detail-type": "t", "source": "s", "detail": text},
            "cloudevents": {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": text},
        }
        return bodies[envelope]

    envelopes = (envelope,) if envelope else ()
    # A CloudEvent with base64 has the payload itself as bytes.
    expected = "json" if (envelope, encoding) == ("cloudevents", "base64") else encoding

    found = opened([body(encoded(encoding, message)) for message in (MESSAGE, OTHER)])

    assert found == SampleSet((MESSAGE, OTHER), envelopes, encoding=expected)


def test_a_gzip_payload_in_s3() -> None:
    """An object in S3 may be binary."""
    found = opened([POINTER], lambda bucket, key: gzip.compress(json.dumps(MESSAGE).encode()))

    assert found == SampleSet((MESSAGE,), ("s3_pointer",), ("large",), encoding="base64+gzip")


def test_an_envelope_without_an_object_is_the_message() -> None:
    """An event whose data is text has its attributes in the envelope."""
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": "text"}

    assert opened([event]) == SampleSet((event,))


def test_payloads_in_s3() -> None:
    """A pointer is fetched, and what it leads to is unwrapped."""
    asked = []

    def fetch(bucket: str, key: str) -> bytes:
        asked.append((bucket, key))
        return json.dumps(wrapped("sns")).encode()

    found = opened([POINTER, wrapped("sns", message=OTHER)], fetch)

    assert (found, asked) == (SampleSet((MESSAGE, OTHER), ("s3_pointer", "sns"), ("large",)), [("large", "k")])


def test_what_is_left_out() -> None:
    """Payloads in S3 that cannot be fetched, and test events of Amazon S3."""
    found = opened([TEST_EVENT, POINTER, MESSAGE])

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
        ([MESSAGE, 1], "sample 2 (f:2) is not a JSON object: it has no attributes to store"),
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
        opened(bodies)

    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ('{\n "id": "a"\n}', ["f"]),
        ('{"id": "a"}\n\n{"id": "b"}\n', ["f:1", "f:3"]),
        ('[{"id": "a"}, {"id": "b"}]', ["f, element 1", "f, element 2"]),
        (json.dumps({"Messages": [RECORD, RECORD]}), ["f, record 1", "f, record 2"]),
        (f'{{"queue": "q"}}\n{json.dumps(RECORD)}\n', ["f:2"]),
        ('{"recording": 1}\n{"message": {}, "outcome": "rejected"}\n{"message": {}}', ["f:3"]),
    ],
)
def test_places(content: str, places: list[str]) -> None:
    """Each sample has the file and the line, or the number, that it has there."""
    assert [each.place for each in read_bodies(content.encode(), "f")] == places


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"a": {"b": [1, Decimal("1e400")]}}, f"field 'a.b[1]': {DIGITS}"),
        ({"n": 10**38 + 1}, f"field 'n': {DIGITS}"),
        ({"id": 1, "": 1}, "field '': an attribute has a name that is empty or no text{}; give it a name"),
        (
            json.loads('{"n": ' * 40 + "1" + "}" * 40),
            "field 'n.n.n.n.n.n.n': nested deeper than 32{}; send the inner part as text, such as JSON",
        ),
        (
            {"a" * 70_000: 1},
            f"field '{'a' * 80}…': an attribute has a name of more than 65535 bytes{{}}; give it a name",
        ),
        ({"a": "x" * 300_000, "b": "x" * 200_000}, f"{LARGE}"),
        ({"a": "x" * 500_000}, f"field 'a': {LARGE}"),
    ],
)
def test_what_cannot_be_stored(message: dict[str, Any], fault: str) -> None:
    """It is left out, and named by its sample, its place and its field, with what to do."""
    sentence = fault.format(", which DynamoDB does not store (RT809)")

    assert opened([MESSAGE, message]).notes == (f"sample 2 (f:2) is left out: {sentence}",)
    with pytest.raises(UsageError) as error:
        opened([message])
    assert str(error.value) == f"no sample can be stored\nsample 1 (f:1) is left out: {sentence}"


@pytest.mark.parametrize(
    ("ids", "kept", "notes"),
    [
        ("aab", "ab", ("1 sample is a copy",)),
        ("abab", "ab", ("2 samples are copies",)),
        ("aabab", "aabab", ()),
    ],
)
def test_copies(ids: str, kept: str, notes: tuple[str, ...]) -> None:
    """A message that was delivered again counts once; if most are copies, nothing tells messages apart."""
    found = opened([{"id": each} for each in ids])

    assert found.messages == tuple({"id": each} for each in kept)
    assert found.notes == tuple(
        f"{note} of another one, as a second delivery is: each message counts once" for note in notes
    )
