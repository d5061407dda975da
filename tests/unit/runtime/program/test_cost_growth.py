"""Schemas that multiply when their references are followed are refused before a message is validated."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.model import Place
from tests.support.config import Findings
from tests.support.program import SchemaStore

FINDING = (
    "routes.yaml: error RT315 schema 'a.json' applies more than 10,000 subschemas to one value, once its "
    "references are "
    "followed, at {}; let its allOf, anyOf and oneOf refer to a definition once"
)


def refer(name: str, file: str = "") -> dict[str, Any]:
    return {"$ref": f"{file}#/$defs/{name}"}


def chain(levels: int, link: Any) -> dict[str, Any]:
    """A schema of definitions d0, d1 …, each made by `link` of a reference to the next."""
    made = {f"d{level}": link(refer(f"d{level + 1}")) for level in range(levels)}
    return {"$defs": {**made, f"d{levels}": {"type": "object"}}, **refer("d0")}


def doubled(part: Any) -> Any:
    return {"allOf": [part, part]}


def reported(folder: Path, **documents: Any) -> list[str]:
    """The findings of compiling a.json."""
    for name, content in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    found = Findings(lambda path, key: Place("routes.yaml"))
    SchemaStore(folder).compile("a.json", found, ("routes", "r", "schema"))
    return [str(finding) for finding in found]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (chain(40, doubled), "/$defs/d28"),
        (chain(40, lambda part: {"not": part, "dependentSchemas": {"a": part}}), "/$defs/d28"),
        (chain(40, lambda part: {"if": part, "then": part, "else": part}), "/$defs/d32"),
        (chain(20, lambda part: {"anyOf": [part], "unevaluatedProperties": False}), "/$defs/d8"),
        ({"properties": {"a": {"items": refer("d0")}}, "$defs": chain(40, doubled)["$defs"]}, "/$defs/d28"),
        ({"allOf": [{}] * 10_000}, "the root"),
    ],
)
def test_growth(tmp_path: Path, schema: Any, place: str) -> None:
    found = reported(tmp_path, a=schema)

    assert found == [FINDING.format(place)]


def test_growth_in_another_file(tmp_path: Path) -> None:
    found = reported(tmp_path, a={"properties": {"x": refer("d0", "b.json")}}, b=chain(40, doubled))

    assert found == [FINDING.format("/$defs/d28 of schema 'b.json'")]


@pytest.mark.parametrize(
    "schema",
    [
        chain(10, doubled),
        chain(60, lambda part: {"properties": {"a": part, "b": part}, "items": part}),
        chain(60, lambda part: {"allOf": [part, {"required": ["a"]}, True]}),
        {"type": "object", "allOf": [{"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}}]},
        {"$defs": {"d0": doubled(refer("d1")), "d1": doubled(refer("d0"))}, **refer("d0")},
        {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"], "c": {"type": "object"}}},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    ],
)
def test_no_growth(tmp_path: Path, schema: Any) -> None:
    found = reported(tmp_path, a=schema)

    assert found == []
