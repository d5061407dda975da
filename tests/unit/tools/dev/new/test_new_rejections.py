"""What a message would have to have to be rejected by a schema from samples."""

from typing import Any

from router.tools.dev.new.inference import MANY, Keywords, infer_schema
from router.tools.dev.new.rejections import rejections


def test_nothing_is_rejected() -> None:
    """A schema that demands nothing rejects nothing."""
    assert rejections(infer_schema([{"a": None}])) == []


def test_of_few_samples() -> None:
    """Types, and what the route needs."""
    message: dict[str, Any] = {
        "id": "a",
        "at": "2026-01-02T03:04:05Z",
        "total": 1,
        "lines": [{"n": 1}],
        "type": "a",
        "paid": True,
        "a": "",
        "b": "",
    }
    more: Keywords = {
        ("id",): {"minLength": 1, "maxLength": 512},
        ("at",): {"format": "date-time"},
        ("type",): {"const": "a"},
    }

    assert rejections(infer_schema([message | {"c": "", "d": ""}], more)) == [
        "id or at is missing",
        "id or at is not text",
        "id is empty",
        "id has more than 512 characters",
        "at is text that is no date-time",
        "total or lines[].n is neither a number nor null",
        "lines is neither a list nor null",
        "lines[] is neither an object nor null",
        "paid is neither true, false nor null",
        "a, b, c or d is neither text nor null",
    ]


def test_of_many_samples() -> None:
    """Values of a set, patterns, names of a map, and more fields than are named."""
    messages = [
        {"status": "open" if number % 2 else "closed", "tags": {f"t{number}": 1}, "code": "a1"}
        | dict.fromkeys("abcdef", True)
        for number in range(MANY)
    ]
    more: Keywords = {("code",): {"pattern": "^[a-z][0-9]$"}}

    assert rejections(infer_schema(messages, more)) == [
        "status, tags, code, a or one of 5 more is missing",
        "status is none of closed, open",
        "tags is not an object",
        "tags.* is not a whole number",
        "code is not text",
        "code does not match ^[a-z][0-9]$",
        "a, b, c, d or one of 2 more is not true or false",
    ]
