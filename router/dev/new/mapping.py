"""Maps sample messages to items: as they are, or attribute by attribute where the key is inside of an object.

Event notifications of Amazon S3 have a mapping of their own; each of their records is about one object:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.dev.new.fields import KeyCandidate, Messages, Names, VersionField, snake_case
from router.dev.new.inference import Keywords

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Mapped(Struct, frozen=True):
    """How messages become items: key attributes with their paths and types, and settings of the route.

    An empty `item` stores the whole message. `keywords` are those that the schema needs beside the bounds of the key.
    """

    key: Mapping[str, Names]
    key_types: Mapping[str, str]
    item: Mapping[str, Any] = {}
    version: str = ""
    keywords: Keywords = {}
    for_each: str = ""


def path_expression(path: Sequence[str]) -> str:
    """Return the JMESPath of a path through objects."""
    return ".".join(name if _NAME.fullmatch(name) else json.dumps(name) for name in path)


def map_item(
    messages: Messages, key: Sequence[KeyCandidate], version: VersionField | None, names: Sequence[str] | None
) -> Mapped:
    """Return how messages become items; `names` are the key attributes of a table that exists."""
    tops = list(dict.fromkeys(name for message in messages for name in message))
    attributes: dict[str, Names] = {}
    for index, each in enumerate(key):
        attributes[names[index] if names else _attribute(each.path, tops)] = each.path
    types = dict(zip(attributes, (each.type for each in key), strict=True))
    ordering = ""
    if version:
        ordering = _attribute(version.path, [*tops, *attributes])
    used = {**attributes, **({ordering: version.path} if version else {})}
    keywords: Keywords = {version.path: version.keywords} if version and version.keywords else {}
    if all(path == (name,) for name, path in used.items()):
        return Mapped(attributes, types, {}, ordering, keywords)
    rest = {name: (name,) for name in tops if name and name not in used}
    item = {name: path_expression(path) for name, path in {**used, **rest}.items()}
    return Mapped(attributes, types, item, ordering, keywords)


def _attribute(path: Names, taken: Sequence[str]) -> str:
    """Return the name of the attribute for a path: its own, or for one inside of objects all names together."""
    if len(path) == 1:
        return path[0]
    name = snake_case("_".join(path)) or "key"
    while name in taken:
        name += "_"
    return name


_RECORDS = "Records"
_OBJECT = (_RECORDS, None, "s3", "object")
_MAX_BUCKET = 63
_MAX_NAME = 128
_MAX_KEY = 1024
"""The most bytes of a sort key; the key of an object is URL-encoded in a notification, and so ASCII."""

S3_NOTIFICATIONS = Mapped(
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
)
"""The last state of each object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
says that the greater sequencer is the later event."""


def are_s3_notifications(messages: Messages) -> bool:
    """Return whether all messages are notifications of Amazon S3 about objects."""
    listed = [message.get(_RECORDS) for message in messages]
    return all(isinstance(records, list) and records and all(map(_is_about_object, records)) for records in listed)


def _is_about_object(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
        return False
    s3 = record.get("s3")
    return isinstance(s3, dict) and "key" in s3.get("object", {}) and "sequencer" in s3["object"]
