"""The mappings of event notifications of Amazon S3, by SQS or by EventBridge: each is about one object.

The item is the last state of the object. The greater sequencer is the later event:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from typing import Any

from router.tools.dev.new.fields import Messages, Names, values_at
from router.tools.dev.new.inference import NewKeywords
from router.tools.dev.new.mapping import (
    Mapped,
    TableKey,
    free_name,
    names_in,
    path_expression,
)

_RECORDS = "Records"
_OBJECT = (_RECORDS, None, "s3", "object")
_MAX_BUCKET = 63
_MAX_NAME = 128
_MAX_KEY = 1024
"""The most bytes of a sort key; the key of an object is URL-encoded in a notification, and so
ASCII.
"""

S3_NOTIFICATIONS = Mapped(
    key=TableKey({"bucket": (), "object_key": ()}, {"bucket": "S", "object_key": "S"}),
    mode="newest",
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
S3_NOTE = "the bucket and the key of the object; an event with an older sequencer changes nothing"

S3_WITHOUT_ORDER = (
    "the bucket and the key of the object; the last message received of each stays, as not all have "
    "a sequencer"
)


def are_s3_notifications(messages: Messages) -> bool:
    """Return whether all messages are notifications of Amazon S3 about objects."""
    for message in messages:
        records = message.get(_RECORDS)
        if not isinstance(records, list) or not records or not all(map(_is_about_object, records)):
            return False
    return True


def are_s3_events(messages: Messages) -> bool:
    """Return whether all messages are the details of events of Amazon S3 by EventBridge."""
    return all(map(_is_event, messages))


def _is_event(detail: Any) -> bool:
    match detail:
        case {"bucket": {"name": str()}, "object": {"key": str()}, "request-id": _, "requester": _}:
            return True
    return False


def map_s3_events(messages: Messages) -> Mapped:
    """Return the mapping of details: of whole messages, by bucket and object, the latest of each.

    Some events, as of tags, have no sequencer: then the last one that is received counts.
    """
    key: dict[str, Names] = {"bucket_name": ("bucket", "name"), "object_key": ("object", "key")}
    members = [name for name in names_in(messages) if name]
    item = {name: path_expression(path) for name, path in key.items()}
    item |= {name: path_expression([name]) for name in members}
    keywords: NewKeywords = {
        key["bucket_name"]: {"minLength": 1, "maxLength": _MAX_BUCKET},
        key["object_key"]: {"minLength": 1, "maxLength": _MAX_KEY},
    }
    version = ""
    sequencer = ("object", "sequencer")
    if None not in values_at(messages, sequencer):
        version = free_name("sequencer", members)
        item[version] = path_expression(sequencer)
        keywords[sequencer] = {"minLength": 1, "maxLength": _MAX_NAME, "pattern": "^[0-9A-F]*$"}
    mode = "newest" if version else "put"
    of_table = TableKey(key, {"bucket_name": "S", "object_key": "S"})
    return Mapped(of_table, mode, item, version, keywords)


def _is_about_object(record: Any) -> bool:
    match record:
        case {"eventSource": "aws:s3", "s3": {"object": {"key": _, "sequencer": _}}}:
            return True
    return False
