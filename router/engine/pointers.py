"""Finds the pointers that the Amazon SQS and SNS Extended Clients send in place of a payload that is too large.

A pointer is a JSON list: the name of a Java class, and `{"s3BucketName": …, "s3Key": …}`. Any other payload was small
enough to be sent itself.
"""

from typing import Any

from msgspec import Struct

from router.codes import BAD_POINTER
from router.engine.decode import decode_payload, read_attributes, unwrap
from router.errors import Refusal
from router.model import Envelope, Record

CLASSES = (
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
)
"""The names of the class, in clients from version 1.1 and before."""
MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_MARK = "S3Pointer"


class Pointer(Struct, frozen=True):
    """The object in S3 that holds a payload."""

    bucket: str
    key: str


class PointerFinder(Struct, frozen=True):
    """Finds the pointer of a record inside of the `outer` envelopes; only the `buckets` are allowed.

    `max_bytes` is the size of the largest object that is fetched.
    """

    outer: tuple[Envelope, ...]
    buckets: frozenset[str]
    max_bytes: int

    def find(self, record: Record) -> Pointer | None:
        """Return the pointer, or None if the payload is none; raises Refusal if it is malformed or not allowed."""
        try:
            payload, _ = unwrap(self.outer, record.body, read_attributes(record.message_attributes))
            if isinstance(payload, str) and _MARK not in payload:
                return None
            payload = decode_payload(payload)
        except Exception:  # decoding calls the same envelope, and handles what it raises
            return None
        if not (isinstance(payload, list) and payload and payload[0] in CLASSES):
            return None
        return self._read(payload)

    def _read(self, payload: list[Any]) -> Pointer:
        place = payload[1] if len(payload) == 2 else None
        bucket, key = (place.get("s3BucketName"), place.get("s3Key")) if isinstance(place, dict) else (None, None)
        if not isinstance(bucket, str) or not isinstance(key, str):
            raise Refusal(BAD_POINTER, "the pointer to S3 has no s3BucketName and s3Key")
        if bucket not in self.buckets:
            raise Refusal(BAD_POINTER, "the pointer names a bucket that is not one of 'buckets' of 's3_pointer'")
        if not _is_key(key):
            raise Refusal(BAD_POINTER, "the pointer has no valid key, or one with a path segment '.' or '..'")
        return Pointer(bucket, key)


def _is_key(key: str) -> bool:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return False
    # Software that normalizes paths would take the dots as a step up, perhaps into another bucket.
    return 0 < size <= MAX_KEY_BYTES and not {".", ".."} & set(key.split("/"))
