"""Event notifications of Amazon S3: each record of a message is about one object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from router.dev.new.mapping import Mapped
from router.dev.new.shapes import Shape, Shapes

_RECORDS = "Records"
_OBJECT = (_RECORDS, None, "s3", "object")
_MAX_BUCKET = 63
_MAX_NAME = 128
_MAX_KEY = 1024
"""The most bytes of a sort key; the key of an object is URL-encoded in a notification, and so ASCII."""

MAPPED = Mapped(
    key={"bucket": (), "object_key": ()},
    key_types={"bucket": "S", "object_key": "S"},
    item={
        "bucket": "element.s3.bucket.name",
        "object_key": "element.s3.object.key",
        "event": "element.eventName",
        "event_time": "element.eventTime",
        "size": "element.s3.object.size",
        "etag": "element.s3.object.eTag",
        "sequencer": "element.s3.object.sequencer",
    },
    version="sequencer",
    keywords={
        (_RECORDS, None, "eventName"): {"maxLength": _MAX_NAME},
        (_RECORDS, None, "eventTime"): {"maxLength": _MAX_NAME},
        (_RECORDS, None, "s3", "bucket", "name"): {"minLength": 1, "maxLength": _MAX_BUCKET},
        (*_OBJECT, "key"): {"minLength": 1, "maxLength": _MAX_KEY, "pattern": "^[!-~]*$"},
        (*_OBJECT, "eTag"): {"maxLength": _MAX_NAME},
        (*_OBJECT, "sequencer"): {"minLength": 1, "maxLength": _MAX_NAME, "pattern": "^[0-9A-F]*$"},
    },
    for_each=_RECORDS,
    is_bounded=True,
)
"""The last state of each object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
says that the greater sequencer is the later event."""


def are_s3(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all messages are notifications of Amazon S3 about objects."""
    return all(_is_s3(message.get(_RECORDS)) for message in messages)


def _is_s3(records: Any) -> bool:
    return isinstance(records, list) and bool(records) and all(map(_is_about_object, records))


def _is_about_object(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
        return False
    s3 = record.get("s3")
    return isinstance(s3, dict) and "key" in s3.get("object", {}) and "sequencer" in s3["object"]


def shapes_of(messages: Sequence[Mapping[str, Any]]) -> Shapes:
    """Return that all notifications have one shape: their kinds differ by optional members only."""
    return Shapes((Shape(tuple(messages)),))
