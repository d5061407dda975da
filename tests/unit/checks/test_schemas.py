"""Another validator's opinion of a schema."""

import builtins
from decimal import Decimal

import pytest

from router.checks.schemas import second_opinion, second_opinions
from router.compile.schemas import SchemaStore
from router.config.findings import Findings
from router.errors import MissingExtra
from router.model import Place

DRAFT_4 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("document", "opinion"),
    [
        (True, None),
        ({"anyOf": [{"maximum": Decimal("0.1")}], "pattern": "\\p{L}"}, None),
        (
            {"$schema": DRAFT_4, "properties": {"a": {"enum": [1, 1]}}},
            "this schema is refused by another validator: /properties/a/enum fails 'uniqueItems'",
        ),
    ],
)
def test_second_opinion(document, opinion):
    """It says nothing about a schema that both validators take, and where they differ it says why."""
    assert second_opinion(document) == opinion


def test_second_opinions(tmp_path):
    """It is asked for about every schema of a load, and says where each was met."""
    (tmp_path / "a.json").write_text(f'{{"$schema": "{DRAFT_4}", "enum": []}}')
    store = SchemaStore(tmp_path)
    found = Findings(lambda path, key: Place("routes.yaml"))
    store.compile("a.json", found, ("routes", "r", "schema"))
    store.compile(True, found, ("routes", "q", "schema"))

    assert list(second_opinions(store)) == [
        (("routes", "r", "schema"), "schema 'a.json' is refused by another validator: /enum fails 'minItems'")
    ]


def test_without_jsonschema(monkeypatch):
    """Without the extra it says what to install."""
    real = builtins.__import__

    def no_jsonschema(name, *rest, **named):
        if name.startswith("jsonschema"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", no_jsonschema)

    with pytest.raises(MissingExtra) as raised:
        second_opinion(True)

    assert str(raised.value) == "a second opinion on schemas needs more packages: pip install 'message-router[cli]'"
