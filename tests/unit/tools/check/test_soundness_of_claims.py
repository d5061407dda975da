"""A claim that is proved holds for each message that its schema accepts: random schemas, messages and mappings."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.model import Record
from router.tools.check.ledger import LedgerEntry
from router.tools.check.run import examine
from tests.support.engine import plan
from tests.support.program import load_program

CASES = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = ("id", "a", "b")
TEXTS = ("", "x", "ab", "7", "12.5", "-3", "2026-01-02", "2026-01-02T03:04:05Z", "x" * 600)
SCALARS = st.one_of(
    st.sampled_from(TEXTS), st.integers(-2, 12), st.booleans(), st.none(), st.sampled_from([1.5, 10**12])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)),
    max_leaves=6,
)
DRAFTS = ("http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#", None)
TREE = {"tree": {"type": "object", "properties": {"a": {"$ref": "#/definitions/tree"}, "b": {"type": "string"}}}}


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas of objects, some of them closed."""
    properties = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3)
    required = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=3)
    more = st.fixed_dictionaries(
        {},
        optional={
            "additionalProperties": st.booleans() | inner,
            "patternProperties": st.just({"^b": {"minLength": 1}}),
        },
    )
    return st.builds(
        lambda properties, required, more: {"type": "object", "properties": properties, "required": required, **more},
        properties,
        required,
        more,
    )


LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [
        {},
        {"type": "string"},
        {"type": "string", "minLength": 1},
        {"type": "string", "minLength": 1, "maxLength": 9},
        {"type": "string", "pattern": "^[0-9]+$", "maxLength": 9},
        {"type": "string", "pattern": "^[0-9]*$", "minLength": 1},
        {"type": "string", "pattern": "^-?[0-9]{1,4}(\\.[0-9])?$"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "uuid", "minLength": 3},
        {"enum": ["x", "7", 7, None]},
        {"enum": ["ab", "x"]},
        {"type": ["string", "null"]},
        {"type": ["string", "integer"]},
        {"type": "integer", "minimum": 0, "maximum": 20},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "object"},
        {"not": {"type": "string"}},
        {"not": {"enum": ["", None]}},
        {"$ref": "#/definitions/tree"},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        objects(inner),
        st.builds(
            lambda items, least: {"type": "array", "items": items, "minItems": least, "maxItems": 3},
            inner,
            st.integers(0, 2),
        ),
        st.builds(
            lambda key, parts: {key: parts},
            st.sampled_from(["allOf", "anyOf", "oneOf"]),
            st.lists(inner, min_size=1, max_size=2),
        ),
        st.builds(
            lambda test, then: {"if": test, "then": then, "else": {"type": "object"}}, objects(inner), objects(inner)
        ),
    ),
    max_leaves=7,
)
GOOD = st.sampled_from(
    [
        {"type": "string", "minLength": 1, "maxLength": 9},
        {"type": "string", "pattern": "^[a-z0-9]{1,9}$"},
        {"enum": ["x", "7"]},
    ]
)
ROOTS = st.builds(
    lambda id_, a, b, required, more: {
        "type": "object",
        "properties": {"id": id_, "a": a, "b": b},
        "required": required,
        **more,
    },
    st.one_of(GOOD, GOOD, LEAVES),
    SCHEMAS,
    SCHEMAS,
    st.sampled_from([["id"], ["id", "a"], ["id", "a", "b"], ["a"]]),
    st.sampled_from([{}, {}, {"additionalProperties": False}, {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}]),
)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join)
TRANSFORMS = st.sampled_from(
    ["strip", "lower", "to_number", "to_text", "unique", "first", "sha256", "to_epoch", "sort"]
)
ATTRIBUTES = st.one_of(
    PATHS,
    st.builds(
        lambda path, kind: {"from": path, "type": kind},
        PATHS,
        st.sampled_from(["S", "N", "BOOL", "L", "M", "SS", "NS", "json"]),
    ),
    st.builds(lambda path, name: {"from": path, "transform": name}, PATHS, TRANSFORMS),
    st.builds(lambda path: {"from": path, "default": "x"}, PATHS),
    st.builds(lambda path: {"from": path, "missing": "error"}, PATHS),
    st.builds(lambda one, other: {"template": f"{{{one}}}#{{{other}}}"}, PATHS, PATHS),
    st.builds(lambda path: {"hash": [path]}, PATHS),
    st.builds(lambda path: {"ttl": {"from": path, "after": "1d"}}, PATHS),
    st.builds(
        lambda form, path: form.format(path),
        st.sampled_from(
            ["length({})", "{} || id", "{}[]", "{}[0]", "sum({})", "to_string({})", "keys({})", "{}[?a].b", "a > {}"]
        ),
        PATHS,
    ),
)
WHENS = st.sampled_from(
    [None, None, None, "a", "id == 'x'", "!b", "type(a) == 'string'", "a > `3`", "length(id) > `0`"]
)
WRITES = st.sampled_from([{"mode": "put"}, {"mode": "put"}, {"mode": "newest", "version": "v"}])
_ATTRIBUTE = re.compile(r"attribute '([^']+)'")
OF_THE_VALUE = ("38 digits", "nested deeper", "with the same hash")
"""Reasons that claims are not about."""


def config(schema: Any, key: Any, attribute: Any, when: str | None, kind: str, write: Any) -> dict[str, Any]:
    """A config with one route, whose claims cover all that can fail."""
    route = {"queue": "q", "table": "things", "schema": schema, "item": {"id": key, "x": attribute, "v": "a"}}
    if when:
        route["when"] = when
    return {
        "version": 1,
        "queues": {"q": {"dead_letter": "d"}},
        "tables": {"things": {"key": {"id": kind}}},
        "routes": {"r": {**route, "write": write}},
    }


def messages(schema: Any) -> st.SearchStrategy[Any]:
    """Values of which many satisfy a schema."""
    from_schema = from_(schema, 4)
    return st.one_of(from_schema, from_schema, from_schema, VALUES)


def from_(schema: Any, depth: int) -> st.SearchStrategy[Any]:
    """Values that satisfy most of a schema."""
    if schema is False or not depth or not isinstance(schema, dict):
        return VALUES
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "$ref" in schema:
        return from_(TREE["tree"], depth - 1)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return st.one_of([from_(part, depth) for part in schema[key]])
    if "allOf" in schema:
        return from_(schema["allOf"][0], depth)
    if "if" in schema:
        return st.one_of(from_(schema["then"], depth), VALUES)
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            required = {name: from_(known.get(name), depth - 1) for name in schema.get("required", ())}
            optional = {name: from_(known.get(name), depth - 1) for name in NAMES if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "array":
            return st.lists(from_(schema.get("items"), depth - 1), min_size=schema.get("minItems", 0), max_size=3)
        case "string":
            return st.sampled_from((*TEXTS, "6f2c1d7e-1b3a-4c5d-8e9f-0a1b2c3d4e5f"))
        case "boolean":
            return st.booleans()
        case _:
            return SCALARS


def is_covered(entries: tuple[LedgerEntry, ...], code: str, reason: str) -> bool:
    """Whether a claim about the reason of a rejection is not proved."""
    named = _ATTRIBUTE.search(reason)
    kinds: dict[str, tuple[str, ...]] = {
        "RT804": ("version",),
        "RT807": ("mapping", "type", "for_each", "key"),
        "RT808": ("key",),
        "RT809": ("size",),
        "RT813": ("mapping",),
    }
    concerned = [
        entry
        for entry in entries
        if entry.kind in kinds[code] and (named is None or entry.subject in (named[1], "") or code == "RT804")
    ]
    return any(entry.verdict != "proved" for entry in concerned)


@CASES
@given(st.data())
def test_no_message_contradicts_a_proof(data: st.DataObject) -> None:
    """Each message that is rejected past its schema is rejected for something that is not proved."""
    drawn = data.draw(ROOTS)
    draft = data.draw(st.sampled_from(DRAFTS))
    schema = {**drawn, "definitions": TREE} | ({"$schema": draft} if draft else {})
    route: list[Any] = [
        data.draw(part) for part in (st.just("id") | ATTRIBUTES, ATTRIBUTES, WHENS, st.sampled_from("SSN"), WRITES)
    ]
    given_ = config(schema, *route)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "routes.yaml"
        path.write_text(json.dumps(given_), encoding="utf-8")
        report = examine(path, {})
        if (
            any(finding.code.severity == "error" and finding.code.id < "RT410" for finding in report.findings)
            or not report.ledger.entries
        ):
            return
        program = load_program(path, {})

    for _ in range(12):
        message = data.draw(messages(schema))
        body = msgspec.json.encode(message).decode()
        planned = plan(program.engine.queues["q"], Record("m", "r", body, {}))

        outcome = planned.outcome
        if outcome is None or outcome.kind == "dropped" or outcome.code in ("RT805", "RT806"):
            continue
        if any(part in outcome.reason for part in OF_THE_VALUE):
            continue
        assert is_covered(report.ledger.entries, outcome.code, outcome.reason), (outcome, message, given_)
