"""Messages of public shapes, made from the examples and schemas that their owners publish; the same in each run."""

import json
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

Path_ = tuple[str, ...]


def github(folder: Path, event: str, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Messages of an event of GitHub: published examples, in which values of the others at their places are put."""
    examples = []
    for file in sorted(folder.glob("*/index.json")):
        entries = json.loads(file.read_text(encoding="utf-8"))
        examples += [example for entry in entries if entry["name"] == event for example in entry["examples"]]
    values: dict[tuple[Path_, type], list[Any]] = {}
    for example in examples:
        for path, value in _leaves(example, ()):
            values.setdefault((path, type(value)), []).append(value)
    random = Random(seed)
    return [_vary(random.choice(examples), values, random, ()) for _ in range(count)]


def _leaves(value: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*path, name))
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, (*path, "*"))
    else:
        yield path, value


def _vary(value: Any, values: Mapping[tuple[Path_, type], Sequence[Any]], random: Random, path: Path_) -> Any:
    if isinstance(value, dict):
        return {name: _vary(part, values, random, (*path, name)) for name, part in value.items()}
    if isinstance(value, list):
        return [_vary(part, values, random, (*path, "*")) for part in value]
    if path == ("action",):  # decides which others there are
        return value
    if path[-1] == "id" and isinstance(value, int):
        return random.randrange(10**6, 10**10)
    return random.choice(values[path, type(value)])


def _word(random: Random, length: int = 8) -> str:
    return "".join(random.choices(string.ascii_lowercase, k=length))


def _time(random: Random) -> str:
    return f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}T{random.randint(0, 23):02}:00:00.000Z"


def s3(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Notifications of Amazon S3, as its User Guide describes them (version 2.1 of their structure)."""
    random = Random(seed)
    return [{"Records": [_s3_record(random) for _ in range(random.choice([1, 1, 1, 2]))]} for _ in range(count)]


def _s3_record(random: Random) -> dict[str, Any]:
    created = random.random() < 0.7
    stored: dict[str, Any] = {"key": f"{_word(random)}/{_word(random)}.json"}
    if created:
        stored |= {"size": random.randrange(10**6), "eTag": f"{random.getrandbits(128):032x}"}
    if random.random() < 0.3:
        stored["versionId"] = _word(random, 32)
    stored["sequencer"] = f"00{random.getrandbits(64):016X}"
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": _time(random),
        "eventName": random.choice(["ObjectCreated:Put", "ObjectCreated:CompleteMultipartUpload"])
        if created
        else "ObjectRemoved:Delete",
        "userIdentity": {"principalId": f"AWS:{_word(random).upper()}"},
        "requestParameters": {"sourceIPAddress": ".".join(str(random.randint(1, 254)) for _ in range(4))},
        "responseElements": {"x-amz-request-id": _word(random).upper(), "x-amz-id-2": _word(random, 40)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "orders",
            "bucket": {"name": "orders", "ownerIdentity": {"principalId": "A1"}, "arn": "arn:aws:s3:::orders"},
            "object": stored,
        },
    }


def cloudevents(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Events as the examples of CloudEvents 1.0 in structured JSON, two types of data in them."""
    random = Random(seed)
    events = []
    for _ in range(count):
        placed = random.random() < 0.6
        data: dict[str, Any] = {"orderId": f"o-{random.getrandbits(48)}", "kind": "placed" if placed else "cancelled"}
        data |= {"total": random.randrange(10**4) / 100, "lines": random.randint(1, 9)} if placed else {}
        data |= {} if placed else {"reason": random.choice(["customer", "stock", "fraud"])}
        event = {
            "specversion": "1.0",
            "type": f"com.example.order.{data['kind']}",
            "source": "/shops/1",
            "id": f"{random.getrandbits(64)}",
            "time": _time(random),
            "datacontenttype": "application/json",
            "data": data,
        }
        if random.random() < 0.5:
            event["subject"] = data["orderId"]
        events.append(event)
    return events


def stripe(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Events of Stripe as its API reference describes them: charges that succeed or fail, and refunds."""
    random = Random(seed)
    return [_stripe_event(random) for _ in range(count)]


def _stripe_event(random: Random) -> dict[str, Any]:
    type_ = random.choice(["charge.succeeded", "charge.succeeded", "charge.failed", "refund.created"])
    stored: dict[str, Any] = {
        "id": f"{'re' if type_ == 'refund.created' else 'ch'}_{_word(random, 24)}",
        "object": type_.partition(".")[0],
        "amount": random.randrange(50, 10**6),
        "currency": random.choice(["usd", "eur", "gbp"]),
        "created": random.randrange(1_700_000_000, 1_800_000_000),
        "metadata": {_word(random): _word(random) for _ in range(random.choice([0, 0, 1, 3]))},
    }
    if type_ == "refund.created":
        stored |= {"charge": f"ch_{_word(random, 24)}", "reason": random.choice([None, "requested_by_customer"])}
    else:
        failed = type_ == "charge.failed"
        stored |= {
            "customer": random.choice([None, f"cus_{_word(random, 14)}"]),
            "failure_code": random.choice(["card_declined", "expired_card"]) if failed else None,
            "billing_details": {"email": random.choice([None, f"{_word(random)}@example.com"]), "phone": None},
            "paid": not failed,
        }
    return {
        "id": f"evt_{_word(random, 24)}",
        "object": "event",
        "api_version": "2026-01-28",
        "created": stored["created"],
        "data": {"object": stored},
        "livemode": random.random() < 0.5,
        "pending_webhooks": random.randrange(3),
        "request": {"id": random.choice([None, f"req_{_word(random, 14)}"]), "idempotency_key": None},
        "type": type_,
    }
