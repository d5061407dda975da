"""The reference messages: small (150 bytes, 7 fields), medium (2 KB, nested) and large (100 KB), each by its number.

The same number always makes the same message. `routes.yaml` has a queue and a table for each size.
"""

import json
from decimal import Decimal
from hashlib import md5
from typing import Any

SIZES = ("small", "medium", "large")
SENT_MS = 1767323045678
"""The time at which each message was sent."""
SENT_AT = "2026-01-02T03:04:05.678Z"
EVENT_BYTES = 6 * 1024 * 1024
"""The largest event of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

BUCKET = "payloads"
POINTER_CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer"
_CITIES = ("Kolkata", "Łódź", "Nairobi", "São Paulo", "Osaka")
_PROSE = "The parcel was left with the neighbour of number 12; nobody had answered the bell. "


def message(size: str, number: int) -> dict[str, Any]:
    """Return the message of a size, in Python's own types."""
    return _MESSAGES[size](number)


def body(size: str, number: int) -> str:
    """Return the message as JSON text."""
    return json.dumps(message(size, number), ensure_ascii=False, separators=(",", ":"), default=float)


def item(size: str, number: int) -> dict[str, Any]:
    """Return the item that each program has to write for a message, in Python's own types."""
    return map_message(size, message(size, number), SENT_AT)


def map_message(size: str, data: dict[str, Any], sent_at: str) -> dict[str, Any]:
    """The mapping of `routes.yaml`, as people write it in Python."""
    if size == "small":
        return {**data, "sent_at": sent_at}
    if size == "medium":
        customer = data["customer"]
        return {
            "order_id": data["order_id"],
            "customer_id": customer["id"],
            "email": customer["email"],
            "city": customer["address"]["city"],
            "total": data["total"],
            "paid": data["paid"],
            "lines": data["lines"],
            "note": data["note"],
            "sent_at": sent_at,
        }
    return {
        "document_id": data["document_id"],
        "kind": data["kind"],
        "text": data["text"],
        "readings": data["readings"],
        "sent_at": sent_at,
    }


def record(size: str, number: int) -> dict[str, Any]:
    """Return a message as in a Lambda event: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    text = body(size, number)
    return {
        "messageId": f"00000000-0000-4000-8000-{number:012d}",
        "receiptHandle": f"{number:012d}" + "AQEBzbVv0" * 20,
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(SENT_MS),
            "SenderId": "AIDACKCEVSQ6C2EXAMPLE",
            "ApproximateFirstReceiveTimestamp": str(SENT_MS + 1),
        },
        "messageAttributes": {},
        "md5OfBody": md5(text.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{size}",
        "awsRegion": "eu-west-1",
    }


def event(size: str, count: int, first: int = 0) -> dict[str, Any]:
    """Return a batch as a Lambda event."""
    return {"Records": [record(size, number) for number in range(first, first + count)]}


def reject(event: dict[str, Any], every: int) -> dict[str, Any]:
    """Let every so many-th message of a batch break the schema of its size."""
    return {"Records": [_rejected(each) if n % every == 0 else each for n, each in enumerate(event["Records"])]}


def _rejected(given: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(json.loads(given["body"]) | {"position": -1})
    return given | {"body": text, "md5OfBody": md5(text.encode(), usedforsecurity=False).hexdigest()}


def point(event: dict[str, Any]) -> dict[str, Any]:
    """Let the messages of a batch be pointers to their bodies in S3, as the Extended Client sends them."""
    return {"Records": [_pointer(each) for each in event["Records"]]}


def _pointer(given: dict[str, Any]) -> dict[str, Any]:
    size, number = given["eventSourceARN"].rpartition(":")[2], int(given["messageId"].rpartition("-")[2])
    text = json.dumps([POINTER_CLASS, {"s3BucketName": BUCKET, "s3Key": f"{size}/{number}"}])
    length = {"stringValue": str(len(given["body"].encode())), "dataType": "Number"}
    return given | {
        "body": text,
        "md5OfBody": md5(text.encode(), usedforsecurity=False).hexdigest(),
        "messageAttributes": {"ExtendedPayloadSize": length},
    }


def most(size: str) -> int:
    """Return how many messages of a size fit into one event of Lambda, 10,000 at most."""
    return min(10_000, EVENT_BYTES // (len(json.dumps(record(size, 1))) + 2))


def _small(number: int) -> dict[str, Any]:
    return {
        "user_id": f"user_{number:06d}",
        "device": "iPhone 15 Pro",
        "location": _CITIES[number % 5],
        "action": "play",
        "position": number % 3600,
        "rate": Decimal("1.25"),
        "session": f"{number * 2654435761 % 2**32:08x}-7f3a-4b1c-9d0e",
    }


def _medium(number: int) -> dict[str, Any]:
    lines = [
        {
            "sku": f"SKU-{number % 1000:04d}-{line}",
            "title": "Reading lamp, brass, with a linen shade",
            "quantity": line + 1,
            "price": Decimal(1990 + 5 * line) / 100,
            "tags": ["home", "light"],
            "discount": {"code": "AUTUMN", "percent": 10} if line % 2 else None,
        }
        for line in range(8)
    ]
    return {
        "order_id": f"order_{number:06d}",
        "customer": {
            "id": f"customer_{number % 977:05d}",
            "email": f"customer{number % 977}@example.com",
            "address": {"street": "12 Harbour Lane", "city": _CITIES[number % 5], "zip": "70001", "country": "IN"},
        },
        "total": Decimal(number % 90000 + 1005) / 100,
        "paid": number % 2 == 0,
        "lines": lines,
        "note": _PROSE * 7,
    }


def _large(number: int) -> dict[str, Any]:
    readings = [
        {
            "sensor": f"s-{place:03d}",
            "at": SENT_MS + place * 1000,
            "value": Decimal(place * 37 % 4999 + 1) / 100,
            "ok": True,
        }
        for place in range(800)
    ]
    return {"document_id": f"document_{number:06d}", "kind": "report", "text": _PROSE * 600, "readings": readings}


_MESSAGES = {"small": _small, "medium": _medium, "large": _large}
