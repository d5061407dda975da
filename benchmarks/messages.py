"""The reference messages, each by its number.

Small ones have 7 fields in 150 bytes, medium ones 2 KB, large ones 100 KB, nested ones 3 KB in lists of objects.

The same number always makes the same message. `routes.yaml` has a queue and a table for each size.
"""

import json
from decimal import Decimal
from hashlib import md5
from typing import Any

SENT_MS = 1767323045678
"""The time at which each message was sent."""
SENT_AT = "2026-01-02T03:04:05.678Z"
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
    if size == "nested":
        return {
            "booking_id": data["booking_id"],
            "name": data["contact"]["name"],
            "country": data["contact"]["address"]["country"],
            "guest": data["guests"][0]["name"],
            "legs": data["legs"],
            "amount": data["price"]["amount"],
            "currency": data["price"]["currency"],
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


def event(size: str, count: int) -> dict[str, Any]:
    """Return a batch as a Lambda event."""
    return {"Records": [record(size, number) for number in range(count)]}


def change(record: dict[str, Any], fields: dict[str, Any]) -> None:
    """Replace fields of a record's message."""
    record["body"] = json.dumps(json.loads(record["body"]) | fields)
    record["md5OfBody"] = md5(record["body"].encode(), usedforsecurity=False).hexdigest()


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


def _nested(number: int) -> dict[str, Any]:
    """A booking: objects in lists, and members that its schema does not declare."""
    place = {"code": "WAW", "terminal": "A"}
    address = {"street": "12 Harbour Lane", "city": _CITIES[number % 5], "country": "IN", "floor": 3}
    guests = [
        {
            "name": f"Guest {guest} of {number:06d}",
            "born": f"19{60 + guest}-04-0{guest + 1}",
            "address": address,
            "meals": [{"kind": "vegetarian", "note": "no nuts, please"}, {"kind": "child", "note": ""}],
            "loyalty": {"tier": "silver", "points": number % 9000 + guest},
        }
        for guest in range(7)
    ]
    legs = [
        {
            "from": place,
            "to": place | {"code": "CCU", "terminal": "2"},
            "departs": SENT_MS + leg * 3_600_000,
            "fare": {"amount": Decimal(19900 + number % 5000 + leg) / 100, "currency": "EUR"},
        }
        for leg in range(6)
    ]
    return {
        "booking_id": f"booking_{number:06d}",
        "contact": {"name": "A. Traveller", "email": "traveller@example.com", "address": address, "phone": "+48 600"},
        "guests": guests,
        "legs": legs,
        "price": {"amount": Decimal(number % 90000 + 1005) / 100, "currency": "EUR"},
        "channel": {"name": "web", "campaign": None, "tests": ["a", "b"]},
    }


_MESSAGES = {"nested": _nested, "small": _small, "medium": _medium, "large": _large}
