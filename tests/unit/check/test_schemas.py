"""Another validator's opinion of a schema."""

import builtins
from decimal import Decimal
from typing import Any

import pytest

from router.check.schemas import second_opinion
from router.errors import MissingExtra

DRAFT_4 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("document", "opinion"),
    [
        (True, None),
        ({"anyOf": [{"maximum": Decimal("0.1")}], "pattern": "\\p{L}"}, None),
        (
            {"$schema": DRAFT_4, "properties": {"a": {"enum": [1, 1]}}},
            "another validator refuses it: /properties/a/enum fails 'uniqueItems'",
        ),
    ],
)
def test_second_opinion(document: Any, opinion: Any) -> None:
    """It says nothing about a schema that both validators take, and where they differ it says why."""
    assert second_opinion(document) == opinion


EVERY_PLACE = {
    "$anchor": "a",
    "properties": {"a": True, "b": {"type": "string", "$anchor": "b"}},
    "patternProperties": {"^x": {"type": "string"}, "^y": True},
    "additionalProperties": {"not": {"const": 1}},
    "prefixItems": [{"minimum": 1}, False],
    "items": {"$anchor": "c", "if": {"enum": [1]}, "then": {}, "const": {"a": 1}},
}


def test_parts() -> None:
    """Each part that is not plain is asked about by itself, and equal ones once, in whatever schema they are."""
    asked: dict[str, Any] = {}

    documents = (EVERY_PLACE, {"items": {"type": "string", "$anchor": "b"}})
    opinions = [second_opinion(document, asked) for document in documents]

    root = {
        "$anchor": "a",
        "properties": {"a": True},
        "patternProperties": {"^x": {}, "^y": True},
        "additionalProperties": {},
        "prefixItems": [{}, False],
        "items": {},
    }
    items = {"$anchor": "c", "if": {}, "then": {}, "const": {"a": 1}}
    parts = [root, {"type": "string", "$anchor": "b"}, items, {"enum": [1]}]
    assert (opinions, list(asked)) == ([None, None], [f"2020 {part}" for part in parts])


def test_without_jsonschema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra it says what to install."""
    real = builtins.__import__

    def no_jsonschema(name: Any, *rest: Any, **named: Any) -> Any:
        if name.startswith("jsonschema"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", no_jsonschema)

    with pytest.raises(MissingExtra) as raised:
        second_opinion({"$anchor": "a"})

    assert str(raised.value) == "a second opinion on schemas needs more packages: pip install 'message-router[cli]'"
