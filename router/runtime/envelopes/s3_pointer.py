"""The envelope `s3_pointer`: pointers of the Amazon SQS and SNS Extended Clients to a payload in S3."""

from collections.abc import Mapping
from typing import Any

from router.model import Unwrapped
from router.runtime.envelopes import EnvelopeFormat


def unwrap(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """A payload too large for SQS, put into S3 by an Amazon SQS or SNS Extended Client: the payload is that object.

    It is fetched before the message is decoded; one that was small enough to be sent as it is stays as it is.
    """
    return payload, attributes


def wrap(payload: str) -> str:
    """Return the payload: one that is small enough is sent as it is."""
    return payload


# A pointer is a list, not an object.
ENVELOPE = EnvelopeFormat(
    "s3_pointer", unwrap, wrap, lambda payload, text, replace: text, lambda value: False
)
