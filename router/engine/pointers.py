"""Finds the pointers that the Amazon SQS and SNS Extended Clients send in place of a payload that is too large.

A pointer is a JSON list: the name of a Java class, and `{"s3BucketName": …, "s3Key": …}`. Whatever else comes is a
payload that was small enough.
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
"""Names of the class: of clients from version 1.1, and of those before."""
MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_MARK = "S3Pointer"


class Pointer(Struct, frozen=True):
    """Where a payload is in S3."""

    bucket: str
    key: str


class PointerFinder(Struct, frozen=True):
    """Finds the pointer of a record inside of the `outer` envelopes; it may name one of the `buckets` only.

    `max_bytes` is the size of the largest object to fetch.
    """

    outer: tuple[Envelope, ...]
    buckets: frozenset[str]
    max_bytes: int

    def find(self, record: Record) -> Pointer | None:
        """The pointer; None if the payload is none. Raises Refusal for one that must not or cannot be followed."""
        try:
            payload, _ = unwrap(self.outer, record.body, read_attributes(record.message_attributes))
            if isinstance(payload, str) and _MARK not in payload:
                return None
            payload = decode_payload(payload)
        except Exception:  # whatever an envelope raises, decoding meets it again, and says what it means
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
            raise Refusal(BAD_POINTER, "the pointer names no proper key, or one with a path segment '.' or '..'")
        return Pointer(bucket, key)


def _is_key(key: str) -> bool:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return False
    # To whoever normalizes paths, dots are a step up, and so perhaps into another bucket.
    return 0 < size <= MAX_KEY_BYTES and not {".", ".."} & set(key.split("/"))
