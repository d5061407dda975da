"""The S3 client, on both servers, and on one with invalid responses."""

from typing import Any

import pytest

from router.aws.connect import LazyObjects
from router.aws.protocols import TOO_LARGE, AwsFault, Objects

LARGE = bytes(range(256)) * 3000
"""Several parts, the last one not full."""


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("key", ["k", "2026/a b+c é.json", "a//b", "/k", "100%25", "?x=1#y"])
@pytest.mark.parametrize("content", [b"", b'{"a": 1}', LARGE], ids=["empty", "small", "large"])
def test_fetch(objects: Objects, s3: Any, bucket: str, key: str, content: bytes) -> None:
    """An object is fetched completely, whatever its key; it may have the maximum size."""
    s3.put_object(Bucket=bucket, Key=key, Body=content)

    assert objects.fetch(bucket, key, max(len(content), 1), 60) == content


@pytest.mark.parametrize("content", [b"x" * 11, LARGE], ids=["small", "large"])
def test_too_large(objects: Objects, s3: Any, bucket: str, content: bytes) -> None:
    """An object of one byte more than the maximum is refused."""
    s3.put_object(Bucket=bucket, Key="k", Body=content)

    assert objects.fetch(bucket, "k", len(content) - 1, 60) == TOO_LARGE


def test_no_such_object(objects: Objects, bucket: str) -> None:
    """The message is at fault."""
    assert objects.fetch(bucket, "k", 9, 60) == AwsFault("refused", "NoSuchKey", 404)


def test_no_such_bucket(objects: Objects, name: str) -> None:
    """The config names the buckets: a configuration error."""
    assert objects.fetch(name, "k", 9, 60) == AwsFault("configuration", "NoSuchBucket", 404)


def test_unreachable(unreachable_objects: Objects, name: str) -> None:
    """A call without a response may succeed later."""
    assert unreachable_objects.fetch(name, "k", 9, 60) == AwsFault("retry", "EndpointConnectionError")


ERROR = "<Error><Code>{}</Code><Message>secret</Message></Error>"


@pytest.mark.parametrize(
    ("status", "headers", "body", "found"),
    [
        (403, {}, ERROR.format("AccessDenied"), AwsFault("configuration", "AccessDenied", 403)),
        (403, {}, ERROR.format("InvalidObjectState"), AwsFault("refused", "InvalidObjectState", 403)),
        (503, {}, ERROR.format("SlowDown"), AwsFault("retry", "SlowDown", 503)),
        (500, {}, "no XML", AwsFault("retry", "500", 500)),
        (200, {}, "<html>", AwsFault("retry", "UnreadableAnswer", 200)),
        (200, {"ETag": '"x"'}, "{}", b"{}"),
        (200, {"ETag": '"x"', "Content-Length": "3"}, "{}", AwsFault("retry", "ResponseStreamingError")),
        (200, {"ETag": '"x"', "Content-Length": "9999"}, "{}", TOO_LARGE),
        (200, {"ETag": '"x"', "Content-Length": ""}, "{}" * 50, TOO_LARGE),
        (
            200,
            {"ETag": '"x"', "x-amz-checksum-crc32": "AAAAAA=="},
            "{}",
            AwsFault("retry", "FlexibleChecksumError"),
        ),
    ],
)
def test_answers(odd_s3: Any, status: int, headers: dict[str, str], body: str, found: Any) -> None:
    """Errors by their code; a page, an incomplete object and a damaged one are transient faults."""
    objects = odd_s3(status, headers, body.encode())

    assert objects.fetch("payloads", "k", 60, 60) == found


def test_no_client() -> None:
    """If no client can be made, each fetch returns the configuration error."""
    no_credentials = AwsFault("configuration", "NoCredentialsError")
    objects = LazyObjects(lambda: no_credentials)

    faults = [objects.fetch("payloads", "k", 9, 60) for _ in range(2)]

    assert faults == [no_credentials] * 2
