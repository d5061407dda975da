"""The coverage of schemas by tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.tools.dev.run_tests import Suite
from router.tools.dev.schema_coverage import SchemaCoverage

Write = Callable[[str], Path]


def unreached(write: Write, schema: Any, *messages: Any) -> list[tuple[str, str]]:
    """Return the locations of an inline schema that no message reaches."""
    tests = [{"message": {"id": "1", **message}, "items": []} for message in messages]
    file = write(f"    schema: {json.dumps(schema)}\n    tests: {json.dumps(tests)}\n")
    suite, reach = Suite(file, {}), SchemaCoverage()
    for route, _, index in suite.names():
        suite.run_one(route, index, reach)
    return [(each.pointer, each.what) for each in reach.unreached(suite.loaded)]


BRANCH = "no message takes the branch"


@pytest.mark.parametrize(
    ("schema", "messages", "found"),
    [
        (True, [{}], []),
        ({"properties": {"a": {}, "b": True}}, [{"a": 1}], [("/properties/b", "no message has the property 'b'")]),
        ({"properties": {"a": {}, "b": True, "c": False}}, [{"a": 1}, {"b": 1}], []),
        (
            {"properties": {"a": {"properties": {"x": {}, "y": {}}}, "b": {"properties": {"z": {}}}}},
            [{"a": {"x": 1}}],
            [
                ("/properties/a/properties/y", "no message has the property 'y'"),
                ("/properties/b", "no message has the property 'b'"),
            ],
        ),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}, False]}, [{"a": 1}], [("/anyOf/1", BRANCH)]),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, [{"a": 1}, {"b": 1}], []),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["id"]}, "else": {"required": ["b"]}},
            [{"a": 1}],
            [("/else", BRANCH)],
        ),
        ({"if": {"required": ["a"]}, "then": True, "else": True}, [{"b": 1}], [("/then", BRANCH)]),
        (
            {
                "properties": {"a": {"$ref": "#/$defs/x"}},
                "$defs": {"x": {"properties": {"y": {}}}, "z": {"anyOf": [{}]}},
            },
            [{"a": {}}],
            [("/$defs/x/properties/y", "no message has the property 'y'")],
        ),
        (
            {"$id": "https://acme.test/s", "properties": {"a": {"$id": "t", "properties": {"b": {}, "c": {}}}}},
            [{"a": {"b": 1}}],
            [("/properties/a/properties/c", "no message has the property 'c'")],
        ),
        ({"properties": {"then": {}, "anyOf": {}}}, [{"then": 1, "anyOf": 1}], []),
        ({"allOf": [{"$ref": "#x"}], "$defs": {"d": {"$anchor": "x", "properties": {"a": {}}}}}, [{"a": 1}], []),
    ],
)
def test_unreached(write: Write, schema: Any, messages: list[Any], found: Any) -> None:
    """It lists properties that no message has, and branches that none takes, without their parts."""
    assert unreached(write, schema, *messages) == found


def test_a_schema_that_two_routes_share(tmp_path: Path) -> None:
    """As by an anchor: a message of either route reaches its places, and what none reaches is named once."""
    config = """
    version: 1
    x-schema: &schema
      type: object
      required: [id]
      properties: {id: {type: string, minLength: 1, maxLength: 9}, a: {}, b: {}, c: {}}
    queues: {q: {dead_letter: d}}
    tables: {things: {key: {id: S}}}
    routes:
      one: {queue: q, table: things, when: a, schema: *schema, tests: [{message: {id: x, a: y}}]}
      two: {queue: q, table: things, when: b, schema: *schema, tests: [{message: {id: x, b: y}}]}
    """
    (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
    suite, reach = Suite(tmp_path / "routes.yaml", {}), SchemaCoverage()

    for route, _, index in suite.names():
        suite.run_one(route, index, reach)

    assert [str(each) for each in reach.unreached(suite.loaded)] == [
        "the inline schema: no message has the property 'c' at /properties/c"
    ]
