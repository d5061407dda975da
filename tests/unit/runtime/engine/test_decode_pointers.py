"""Which payloads are pointers to S3, and which of them are followed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.codes import BAD_POINTER
from router.errors import Drop, Rejection
from router.model import Record
from router.runtime.engine.decode import CLASSES, Pointer, PointerFinder
from tests.support.envelopes import unwrap_eventbridge as eventbridge
from tests.support.envelopes import unwrap_sns as sns

CLASS = CLASSES[0]
PLACE = {"s3BucketName": "payloads", "s3Key": "2026/a b+c.json"}
FOUND = Pointer("payloads", "2026/a b+c.json")


def find(payload: Any, *outer: Any) -> Any:
    """What is found in a body, which is JSON unless it is text."""
    body = payload if isinstance(payload, str) else json.dumps(payload)
    return PointerFinder(outer, frozenset({"payloads", "other"}), 100).find(Record("m", "r", body))


def notification(message: Any) -> Any:
    """A message as SNS wraps it."""
    return {"Type": "Notification", "Message": message}


@pytest.mark.parametrize(
    ("payload", "outer", "pointer"),
    [
        ([CLASS, PLACE], [], FOUND),
        ([CLASSES[1], PLACE], [], FOUND),
        (f'\n[ "{CLASS}" , {json.dumps(PLACE)} ]', [], FOUND),
        ([CLASS, PLACE | {"s3BucketName": "other", "more": 1}], [], Pointer("other", FOUND.key)),
        ([CLASS, PLACE | {"s3Key": "k"}], [], Pointer("payloads", "k")),
        ([CLASS, PLACE | {"s3Key": "é" * 512}], [], Pointer("payloads", "é" * 512)),
        ([CLASS, PLACE | {"s3Key": "/..a/b./..."}], [], Pointer("payloads", "/..a/b./...")),
        (notification(json.dumps([CLASS, PLACE])), [sns], FOUND),
        ({"source": "s", "detail-type": "d", "detail": [CLASS, PLACE]}, [eventbridge], FOUND),
    ],
)
def test_a_pointer(payload: Any, outer: Any, pointer: Any) -> None:
    """Of either class, in any form of JSON, and inside of envelopes."""
    assert find(payload, *outer) == pointer


@pytest.mark.parametrize(
    ("payload", "outer"),
    [
        ({"id": "user_1"}, []),
        ({"id": CLASS}, []),
        ([], []),
        ([{}, PLACE], []),
        (["software.amazon.Other", PLACE], []),
        (["S3Pointer", PLACE], []),
        (json.dumps(CLASS), []),
        (f'["{CLASS}", ', []),
        ("[" * 65 + "S3Pointer", []),
        ("not JSON", []),
        ("", []),
        (notification("7"), [sns]),
        ([CLASS, PLACE], [sns]),
        (notification(json.dumps([CLASS, PLACE])), []),
        ({"source": "s", "detail-type": "d", "detail": None}, [eventbridge]),
    ],
)
def test_no_pointer(payload: Any, outer: Any) -> None:
    """Small payloads, and malformed ones, whose fault decoding reports."""
    assert find(payload, *outer) is None


@pytest.mark.parametrize("error", [Drop("not for us"), RuntimeError("oh")])
def test_an_envelope_that_raises(error: Any) -> None:
    """Decoding calls it again, and handles what it raises."""

    def broken(payload: Any, attributes: Any) -> None:
        raise error

    assert find([CLASS, PLACE], broken) is None


NO_PLACE = "the pointer to S3 has no s3BucketName and s3Key"
NO_KEY = "the pointer has no valid key, or one with a path segment '.' or '..'"
NO_BUCKET = "the pointer names a bucket that is not one of 'buckets' of 's3_pointer'"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ([CLASS], NO_PLACE),
        ([CLASS, PLACE, 1], NO_PLACE),
        ([CLASS, None], NO_PLACE),
        ([CLASS, {}], NO_PLACE),
        ([CLASS, {"s3BucketName": "payloads"}], NO_PLACE),
        ([CLASS, {"s3BucketName": 7, "s3Key": "k"}], NO_PLACE),
        ([CLASS, {"s3BucketName": "payloads", "s3Key": None}], NO_PLACE),
        ([CLASS, PLACE | {"s3BucketName": "foreign"}], NO_BUCKET),
        ([CLASS, PLACE | {"s3BucketName": ""}], NO_BUCKET),
        ([CLASS, PLACE | {"s3BucketName": "payloads/.."}], NO_BUCKET),
        ([CLASS, PLACE | {"s3Key": ""}], NO_KEY),
        ([CLASS, PLACE | {"s3Key": "é" * 512 + "x"}], NO_KEY),
        ([CLASS, PLACE | {"s3Key": "../foreign/k"}], NO_KEY),
        ([CLASS, PLACE | {"s3Key": "a/./b"}], NO_KEY),
        ([CLASS, PLACE | {"s3Key": "a/.."}], NO_KEY),
    ],
)
def test_a_pointer_that_is_not_followed(payload: Any, reason: Any) -> None:
    """It never can be, and the reason has no value of the message."""
    with pytest.raises(Rejection) as raised:
        find(payload)

    assert (raised.value.code, raised.value.reason) == (BAD_POINTER, reason)


def test_half_a_surrogate_pair_is_no_key() -> None:
    """A plugin's envelope may return one, which UTF-8 cannot encode."""

    def decoded(payload: Any, attributes: Any) -> Any:
        return [CLASS, PLACE | {"s3Key": "\ud800"}], attributes

    with pytest.raises(Rejection, match="no valid key"):
        find("x", decoded)


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.sampled_from([CLASS, *PLACE, "payloads", ".."]),
        lambda inside: (
            st.lists(inside) | st.dictionaries(st.sampled_from(list(PLACE)), inside) | st.tuples(st.just(CLASS), inside)
        ),
    )
    | st.text()
)
def test_any_payload(payload: Any) -> None:
    """A pointer into one of the buckets, or none, or a rejection; no other exception."""
    try:
        found = find(payload)
    except Rejection as rejection:
        found = rejection.code

    assert found in (None, BAD_POINTER) or found.bucket in ("payloads", "other")
