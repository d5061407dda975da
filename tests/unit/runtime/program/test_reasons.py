"""Where a message fails its schema: the branch that fits best, within a bound of time and memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for

from router.model import Place
from router.runtime.program.schemas.compile import Invalid, SchemaStore
from router.runtime.program.schemas.reasons import first_error, named_steps
from tests.support.config import Findings

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
CAT = {"required": ["kind", "lives"], "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}}
DOG = {"properties": {"kind": {"enum": ["dog", "puppy"]}, "owner": {"required": ["name"]}}, "required": ["owner"]}
ANIMALS = {"oneOf": [CAT, DOG]}


@pytest.fixture
def verdict(tmp_path: Path) -> Any:
    """Checks data against a schema, which must have no findings."""

    def verdict(schema: dict[str, Any], data: Any) -> Invalid | None:
        findings = Findings(lambda path, key: Place("routes.yaml", 1, len(path)))
        check = SchemaStore(tmp_path).compile(schema, findings, ("routes", "r", "schema"))
        assert list(findings) == []
        assert check is not None
        invalid: Invalid | None = check(data)
        assert check(data) == invalid
        return invalid

    return verdict


@pytest.mark.parametrize(
    ("schema", "data", "invalid"),
    [
        # A branch whose discriminator fits is followed, whatever the others say.
        (ANIMALS, {"kind": "cat"}, Invalid("fails 'required' at /oneOf/0/required: 'lives' is missing", "")),
        (
            ANIMALS,
            {"kind": "puppy", "owner": {}},
            Invalid("fails 'required' at /oneOf/1/properties/owner/required: 'name' is missing", "/owner"),
        ),
        (ANIMALS, {"kind": "cow"}, Invalid("fails 'oneOf' at /oneOf", "")),
        (
            {"$defs": {"cat": CAT, "dog": {"$ref": "#/$defs/puppy"}, "puppy": DOG}}
            | {"items": {"anyOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}]}},
            [{"kind": "dog", "owner": {}}],
            Invalid("fails 'required' at /$defs/puppy/properties/owner/required: 'name' is missing", "/0/owner"),
        ),
        # The branch for a value of this type.
        (
            {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["b"]}]}}},
            {"a": {}},
            Invalid("fails 'required' at /properties/a/anyOf/1/required: 'b' is missing", "/a"),
        ),
        # The branch that the message fits furthest down.
        (
            {"anyOf": [{"properties": {"a": {"properties": {"b": {"type": "null"}}}}}, {"required": ["c"]}]},
            {"a": {"b": 1}},
            Invalid("fails 'type' at /anyOf/0/properties/a/properties/b/type", "/a/b"),
        ),
        # A choice within a choice.
        (
            {"anyOf": [{"type": "null"}, {"properties": {"x": {"oneOf": [{"type": "null"}, {"minimum": 3}]}}}]},
            {"x": 1},
            Invalid("fails 'minimum' at /anyOf/1/properties/x/oneOf/1/minimum", "/x"),
        ),
        # No branch fits better than another, or several fit.
        ({"anyOf": [{"minimum": 3}, {"minimum": 4}]}, 1, Invalid("fails 'anyOf' at /anyOf", "")),
        ({"oneOf": [{"minimum": 3}, {"minimum": 4}]}, 5, Invalid("fails 'oneOf' at /oneOf", "")),
        ({"anyOf": [{"minimum": 3}] * 65}, 1, Invalid("fails 'anyOf' at /anyOf", "")),
        (
            {"propertyNames": {"anyOf": [{"maxLength": 1}]}},
            {"kk": 1},
            Invalid("fails 'propertyNames' at /propertyNames/anyOf", ""),
        ),
        ({"anyOf": [False]}, 1, Invalid("fails 'false' at /anyOf/0", "")),
        # References into branches.
        (
            {
                "anyOf": [{"type": "null"}, {"$defs": {"n": {"minimum": 1}}}],
                "properties": {"a": {"$ref": "#/anyOf/1/$defs/n"}},
            },
            {"a": 0},
            Invalid("fails 'minimum' at /anyOf/1/$defs/n/minimum", "/a"),
        ),
        (
            {"$schema": DRAFT_4, "definitions": {"a~b": {"enum": [1]}}, "oneOf": [{"$ref": "#/definitions/a~0b"}]},
            2,
            Invalid("fails 'enum' at /definitions/a~0b/enum", ""),
        ),
        (
            {"$id": "https://example.com/a.json", "anyOf": [{"type": "null"}, {"required": ["a"]}]},
            {},
            Invalid("fails 'required' at /anyOf/1/required: 'a' is missing", ""),
        ),
        # References that cannot be led on into a guarded branch: the reason is short.
        (
            {"anyOf": [{"type": "null"}, {"maximum": 1}], "properties": {"a": {"$ref": "#/%61nyOf/1"}}},
            {"a": 2},
            Invalid("fails its schema", ""),
        ),
        (
            {"$defs": {"b": {"$id": "https://example.com/b", "anyOf": [{"minimum": 1}]}}, "$ref": "#/$defs/b"},
            0,
            Invalid("fails 'anyOf' at /$defs/b/anyOf", ""),
        ),
        # More references than are followed to a discriminator.
        (
            {"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(9)} | {"d9": CAT}}
            | {"anyOf": [{"$ref": "#/$defs/d0"}, DOG]},
            {"kind": "dog"},
            Invalid("fails 'anyOf' at /anyOf", ""),
        ),
        # A reference that goes in circles.
        (
            {"$defs": {"a": {"$ref": "#/$defs/a"}, "b": {"type": "null"}}, "items": {"anyOf": [{"$ref": "#/$defs/b"}]}},
            [1],
            Invalid("fails 'type' at /$defs/b/type", "/0"),
        ),
        (
            {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"properties": {"x": {"$ref": "#/$defs/a"}}}}}
            | {"$ref": "#/$defs/a", "maxProperties": 0},
            {"x": {}},
            Invalid("fails 'maxProperties' at /maxProperties", ""),
        ),
        # What depends on the properties that branches have evaluated.
        (
            {"anyOf": [{"properties": {"a": True}}], "unevaluatedProperties": False},
            {"b": 1},
            Invalid("fails 'unevaluatedProperties' at /unevaluatedProperties", ""),
        ),
        (
            {"anyOf": [{"unevaluatedProperties": False}], "unevaluatedProperties": False},
            {"b": 1},
            Invalid("fails 'unevaluatedProperties'", ""),
        ),
        (
            {"anyOf": [{"unevaluatedItems": False}], "unevaluatedProperties": False},
            {"b": 1},
            Invalid("fails its schema", ""),
        ),
    ],
)
def test_the_reason(verdict: Any, schema: dict[str, Any], data: Any, invalid: Invalid) -> None:
    """The reason leads to the branch that fits best, if one does."""
    assert verdict(schema, data) == invalid


HOSTILE = {
    "property names": ({"propertyNames": {"pattern": "^[a-z]+$"}}, "{f'A{i}': 1 for i in range(4000)}"),
    "items": ({"items": {"type": "string"}}, "[1] * 500_000"),
    "items with branches": ({"items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "[1] * 500_000"),
    "branches": ({"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "null"}}]}, "[1] * 500_000"),
    "names in branches": ({"oneOf": [{"propertyNames": {"pattern": "^[a-z]+$"}}]}, "{f'A{i}': 1 for i in range(4000)}"),
    "nested branches": (
        {"anyOf": [{"anyOf": [{"anyOf": [{"items": {"type": "null"}}] * 8}] * 8}] * 8},
        "[1] * 100_000",
    ),
}
CHILD = """
import json, resource, sys
from router.runtime.config.findings import Findings
from router.model import Place
from router.runtime.program.schemas.compile import SchemaStore
from pathlib import Path
findings = Findings(lambda path, key: Place("", 1, 1))
check = SchemaStore(Path.cwd()).compile(json.loads(sys.argv[1]), findings, ("x",))
data = eval(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF)
assert check(data) is not None
after = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"mb": (after.ru_maxrss - before.ru_maxrss) // 1024, "cpu": after.ru_utime - before.ru_utime}))
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages(name: str) -> None:
    """A message that fails its schema takes no more memory than some copies of it, and seconds at most."""
    schema, data = HOSTILE[name]

    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(schema), data], capture_output=True, text=True, check=True, timeout=200
    )

    used = json.loads(done.stdout)
    assert used["mb"] < 200
    assert used["cpu"] < 10


@pytest.mark.parametrize(
    ("schema", "more"),
    [
        ({"oneOf": [CAT, DOG]}, {"0": {"kind": "cow"}}),
        ({"type": "object"}, {"4915155512345": "x"}),
        ({"required": ["id"]}, {"4915155512345": {}}),
    ],
)
def test_a_property_whose_name_is_a_number(verdict: Any, schema: dict[str, Any], more: dict[str, Any]) -> None:
    """The library reports it as an index; the schema does not declare the name, which is not shown."""
    inner = {"type": "object", "additionalProperties": schema}
    outer = {"properties": {"list": {"items": {"properties": {"more": inner}}}}}

    invalid = verdict(outer, {"list": [{"more": more}]})

    assert invalid is not None
    assert invalid.pointer == "/list/0/more/*"


def test_two_properties_whose_names_are_one_number(verdict: Any) -> None:
    """The place may be that of the other; it is in the message all the same."""
    schema = {"additionalProperties": {"type": "object", "additionalProperties": {"type": "integer"}}}

    invalid = verdict(schema, {"007": {"id": "x"}, "7": {}})

    assert invalid is not None
    assert invalid.pointer == "/*"


@pytest.mark.parametrize(
    ("data", "path", "steps"),
    [
        pytest.param({"7": {"a": 1}}, (7, "a"), ("7", "a"), id="a name that is a number"),
        pytest.param({"x": 0, "007": {"a": 1}}, (7, "a"), ("007", "a"), id="a number with zeros"),
        pytest.param({"x": [{"a": 1}]}, ("x", 0, "a"), ("x", 0, "a"), id="an index"),
        pytest.param({"x": 0}, ("x", "y"), ("x",), id="a path that ends early"),
    ],
)
def test_names_that_are_numbers(data: Any, path: Any, steps: Any) -> None:
    """A step that the library reports as an index is the name of a property of an object."""
    assert named_steps(data, path) == steps


@pytest.mark.parametrize(
    ("inner", "value", "reason"),
    [
        ({"items": {"maximum": 100}}, [101], "maximum"),
        ({"anyOf": [{"type": "integer", "maximum": 3}, {"type": "string"}]}, 4, "anyOf"),
        ({"items": {"anyOf": [{"maximum": 3}, {"type": "string"}]}}, [4], "anyOf"),
        ({"properties": {"a": {"oneOf": [{"maximum": 3}, {"type": "string"}]}}}, {"a": 4}, "oneOf"),
    ],
)
def test_a_property_with_an_empty_name(verdict: Any, inner: Any, value: Any, reason: str) -> None:
    """The library leaves it out of the path, which ends there: it may be another one."""
    invalid = verdict({"properties": {"": inner, "a": {}}}, {"": value, "a": {"a": 1}})

    assert invalid is not None
    assert (invalid.reason.split("'")[1], invalid.pointer) == (reason, "")


def test_an_error_keeps_no_frames() -> None:
    """It would be in a cycle with that of its caller: each rejected message would wait for the garbage collector."""
    error = first_error(validator_for({"minimum": 0}), -1)

    assert error is not None
    assert error.__traceback__ is None
