"""Recursive schemas that validate a part of a message several times at each level are refused."""

import json
from cProfile import Profile
from pathlib import Path
from typing import Any

import pytest

from router.model import Place
from tests.support.config import Findings
from tests.support.program import SchemaStore

ROOT: dict[str, Any] = {"$ref": "#"}
NODE: dict[str, Any] = {"$ref": "#/$defs/node"}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
X: dict[str, Any] = {"definitions": {"x": {}}}
FINDING = (
    "routes.yaml: error RT316 schema 'a.json' applies to {} of each level several times, at {}; declare "
    "it in one part of "
    "allOf"
)


def reported(folder: Path, **documents: Any) -> list[str]:
    """The findings of compiling a.json."""
    for name, content in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    found = Findings(lambda path, key: Place("routes.yaml"))
    SchemaStore(folder).compile("a.json", found, ("routes", "r", "schema"))
    return [str(finding) for finding in found]


def both(one: Any, other: Any) -> dict[str, Any]:
    return {"allOf": [one, other]}


def at(name: str, content: Any) -> dict[str, Any]:
    return {"properties": {name: content}}


@pytest.mark.parametrize(
    ("schema", "part", "place"),
    [
        (both(at("a", ROOT), at("a", ROOT)), "'a'", "the root"),
        ({"properties": {"a": ROOT}, "allOf": [at("a", ROOT)]}, "'a'", "the root"),
        (both({"items": ROOT}, {"items": ROOT}), "its elements", "the root"),
        (both(at("a", at("b", ROOT)), at("a", at("b", ROOT))), "'a'", "the root"),
        ({**NODE, "$defs": {"node": both(at("a", NODE), at("a", NODE))}}, "'a'", "/$defs/node"),
        ({"properties": {"x": NODE}, "$defs": {"node": both(at("a", NODE), at("a", NODE))}}, "'a'", "/$defs/node"),
        (both(NODE, NODE) | {"$defs": {"node": at("a", ROOT)}}, "'a'", "the root"),
        ({"allOf": [ROOT, at("a", ROOT), at("a", ROOT)]}, "'a'", "the root"),
    ],
)
def test_a_part_that_is_validated_twice(tmp_path: Path, schema: Any, part: str, place: str) -> None:
    assert reported(tmp_path, a=schema) == [FINDING.format(part, place)]


def test_in_another_file(tmp_path: Path) -> None:
    node = {"$ref": "b.json"}

    found = reported(tmp_path, a=node, b=both(at("a", node), at("a", node)))

    assert found == [FINDING.format("'a'", "the root of schema 'b.json'")]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": ROOT, "b": ROOT}, "items": ROOT},
        both(at("a", ROOT), at("b", ROOT)),
        both(at("a", ROOT), at("a", {"type": "object"})),
        both(at("a", {"type": "object"}), at("a", ROOT)),
        both(at("a", at("b", ROOT)), at("a", at("c", ROOT))),
        both(at("a", NODE), at("a", NODE)) | {"$defs": {"node": at("b", {"type": "string"})}},
        {"$schema": DRAFT_7, "allOf": [at("a", ROOT), {"$ref": "#/definitions/x", **at("a", ROOT)}], **X},
        {"$schema": DRAFT_7, "allOf": [{"$ref": "#/definitions/x", **both(at("a", ROOT), at("a", ROOT))}], **X},
        {"$schema": "https://json-schema.org/draft/2019-09/schema", "properties": {"a": {"$recursiveRef": "#"}}},
        {"allOf": [ROOT, at("a", ROOT)]},
        both(at("a", {**ROOT, **at("b", True)}), at("a", True)),
        {**at("a", {"$ref": "#/$defs/x"}), "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}},
        both(both(at("a", NODE), at("a", NODE)), at("a", NODE)) | {"$defs": {"node": {}}},
        {"items": [ROOT], "$schema": DRAFT_7, "properties": {"a": True}},
    ],
)
def test_a_part_that_is_validated_once(tmp_path: Path, schema: Any) -> None:
    assert reported(tmp_path, a=schema) == []


def test_a_large_schema(tmp_path: Path) -> None:
    """The work grows as the schema does, which is four times as large with twice as many names; there is no finding."""

    def calls(count: int) -> int:
        names = [f"p{number}" for number in range(count)]
        node = {"properties": dict.fromkeys(names, NODE)}
        parts = {f"d{number}": both(node, {"properties": {name: {} for name in names}}) for number in range(count)}
        references = [{"$ref": f"#/$defs/{name}"} for name in parts]
        profile = Profile()
        found = profile.runcall(reported, tmp_path, a={"allOf": references, "$defs": {**parts, "node": {}}})
        assert found == []
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(100) <= 4.2 * calls(50)
