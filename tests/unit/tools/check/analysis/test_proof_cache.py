"""Routes share what is found of equal attributes only where it is true of each of them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from router.model import Place
from router.prover.budget import ProofBudget
from router.prover.example_search import FoundValue
from router.prover.expressions import properties_in
from router.prover.predicates import there
from router.prover.schema_prover import Answer, SchemaProver
from router.prover.splitting import split_by_property
from router.tools.check.analysis.proof_cache import SharedAttributes, approximate_prover_of
from router.tools.check.run import examine
from tests.support.config import Attribute, Findings
from tests.support.program import SchemaStore

LONG = {"type": "string", "minLength": 3000}
"""Texts of which the library does not decide much: that there are any is found by a search for a message."""
SCHEMAS: list[Any] = [
    True,
    {"type": "string", "minLength": 1, "maxLength": 9},
    {"type": ["string", "null"]},
    {"type": "string", "pattern": "^[0-9]+$"},
    {"type": "number", "minimum": 0},
    {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
    {"enum": ["a", "b"]},
]
ATTRIBUTES: list[Any] = [
    *("a", "b", "a.a", "a || b", "length(a)", "to_string(@)", "a[*]", "[a, b]", "*", "keys(@)", "a[?@ == 'x'] | [0]"),
    *("b.aa", "not_null(a, b)", "max_by(a, &b)", "missing", "'x'"),
    *({"from": "a", "transform": "strip"}, {"from": "a", "type": "N"}, {"from": "b", "type": "SS", "default": ["x"]}),
    *({"template": "U#{a}"}, {"template": "{a}#{b}"}, {"hash": ["a", "b"]}, {"meta": "sent_at"}, {"value": 1}),
    *({"from": "b", "missing": "error"}, {"ttl": {"from": "a", "after": "1d"}}, {"from": "a", "transform": "lower"}),
]
SETTINGS: list[Any] = [
    *({}, {}, {"when": "a == 'x'"}, {"when": "b == 'y'"}, {"when": "kind == 'z'"}, {"when": "length(a) > `1`"}),
    *({"for_each": "b"}, {"write": {"mode": "update", "add": ["x"]}}, {"write": {"mode": "newest", "version": "y"}}),
]
KEYS: list[Any] = [
    each for each in ATTRIBUTES if not (isinstance(each, dict) and {"type", "value", "ttl"} & each.keys())
]


def make_route(chance: Random) -> dict[str, Any]:
    """One of many routes, which differ from others in some parts."""
    schema: dict[str, Any] = {"type": "object", "properties": {name: chance.choice(SCHEMAS) for name in ("a", "b")}}
    if chance.random() < 0.6:
        schema["required"] = chance.choice([["a"], ["b"], ["a", "b"]])
    if chance.random() < 0.3:
        schema |= chance.choice([{"additionalProperties": False}, {"minProperties": 1}])
    item = {"id": chance.choice(KEYS), **{name: chance.choice(ATTRIBUTES) for name in ("x", "y")}}
    return {"schema": schema, "item": item, **chance.choice(SETTINGS)}


def reports(folder: Path, routes: dict[str, Any], keys: Mapping[str, str] = {}) -> dict[str, Any]:
    """What is said of each route; `keys` are the key attributes of their tables that are not `id`."""
    names = {name: f"{name}-t" for name in routes}
    config = {
        "version": 1,
        "queues": {name: {"dead_letter": "dlq"} for name in routes},
        "tables": {table: {"key": {keys.get(name, "id"): "S"}} for name, table in names.items()},
        "routes": {name: {"queue": name, "table": names[name], **route} for name, route in routes.items()},
    }
    file = folder / "routes.yaml"
    file.write_text(json.dumps(config, indent=1), encoding="utf-8")
    report = examine(file, {})
    lines = file.read_text(encoding="utf-8").splitlines()
    starts = {name: lines.index(f'  "{name}": {{', lines.index(' "routes": {')) + 1 for name in routes}
    found: dict[str, Any] = {name: [] for name in routes}
    for finding in report.findings:
        near = [name for name, start in starts.items() if start <= finding.place.line]
        if near:
            line = finding.place.line - starts[near[-1]]
            found[near[-1]].append((finding.code.id, finding.sentence, finding.suggestion, line))
    for entry in report.ledger.entries:
        found[entry.route].append((entry.kind, entry.subject, entry.verdict, entry.reason, entry.codes, entry.example))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_a_route_has_the_report_that_it_has_alone(tmp_path: Path, seed: int) -> None:
    """Whatever routes there are before it, of which some differ in one part."""
    chance = Random(seed)
    routes = [make_route(chance) for _ in range(6)]
    routes += [{**route, "when": f"kind == '{number}'"} for number, route in enumerate(routes)]
    routes += [{**route, "item": chance.choice(routes)["item"]} for route in routes]
    named = {f"r{number}": route for number, route in enumerate(routes)}

    together = reports(tmp_path, named)

    assert [name for name in named if together[name] != reports(tmp_path, {name: named[name]})[name]] == []
    assert all(together.values())


@pytest.mark.parametrize(
    "other",
    [
        {"type": "string", "pattern": "^\\p{Lu}{4}$"},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
        {"type": "array", "contains": {"const": 7}, "minItems": 3, "items": {"type": "integer"}},
    ],
)
def test_an_error_is_found_after_a_schema_of_which_no_message_is_found(tmp_path: Path, other: Any) -> None:
    """What the first leaves open of an equal part, the second decides."""
    item = {"id": {"meta": "message_id"}, "x": {"from": "a", "type": "BOOL"}}
    hard = {"type": "object", "properties": {"a": LONG, "b": other}, "required": ["b"]}
    easy = {"type": "object", "properties": {"a": LONG}}
    routes = {"hard": {"schema": hard, "item": item}, "easy": {"schema": easy, "item": item}}

    found = reports(tmp_path, routes)["easy"]

    assert found == reports(tmp_path, {"easy": routes["easy"]})["easy"]
    assert [each[0] for each in found].count("RT415") == 1


def test_an_expression_may_depend_on_all_of_a_message() -> None:
    """Not on the properties that it names alone."""
    one = [properties_in([text]) for text in ("a.b[0].c", "a[?b == `1`].c", "length(a) > b", "{x: a, y: [b, 'c']}")]
    whole = [properties_in([text]) for text in ("@", "*", "keys(@)", "[0]", "sort_by(a, &b)", "a || @", "a |")]

    assert one == [frozenset(names) for names in ("a", "a", "ab", "ab")]
    assert whole == [None] * 7


def messages_of(properties: Any) -> SchemaProver:
    store = SchemaStore(Path("/nowhere"))
    store.compile({"type": "object", "properties": properties}, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked({}, ("schema",))
    assert linked
    return approximate_prover_of(linked, ProofBudget(), split_by_property(linked, lambda part: None))


def ask_nothing(messages: SchemaProver) -> None:
    """Leave the messages as they are."""


def suggest_of_b(messages: SchemaProver) -> None:
    """Suggest a value of another property."""
    assert messages.can_be(("b",), [7]) is Answer.YES


def suggest(messages: SchemaProver) -> None:
    """Suggest a value, as another attribute does, so that it is known before."""
    assert messages.can_be(("a",), ["x" * 4096]) is Answer.YES


def suggest_in_narrower_ones(messages: SchemaProver) -> None:
    """Suggest a value of the messages of the right side of `b && a`."""
    suggest(messages.narrow(there(("b",), {}), holds=lambda message: "b" in message))


def suggest_in_another_route(messages: SchemaProver) -> None:
    """Suggest a value in a route of the same schema."""
    suggest(messages.again())


def ask_without_time(messages: SchemaProver) -> None:
    """Ask in a route of the same schema, which has no time left for what only a search finds, and keeps the answer."""
    other = messages.again()
    other._search.seconds = 0.0
    assert other.types(("a",))["string"] is messages.types(("a",))["string"] is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("ask", "known"),
    [
        (ask_nothing, ["one", "one"]),
        (suggest_of_b, ["one", "one"]),
        (suggest, ["one", "other"]),
        (suggest_in_narrower_ones, ["one", "other"]),
        (suggest_in_another_route, ["one", "other"]),
        (ask_without_time, ["one", "other"]),
    ],
)
def test_what_depends_on_a_search_is_not_shared(ask: Callable[[SchemaProver], None], known: list[str]) -> None:
    """Another route finds it by itself, whatever attribute made the search of the first one differ."""
    one, other = messages_of({"a": LONG, "b": {"type": "integer"}}), messages_of({"a": LONG})
    ask(one)
    shared = SharedAttributes()

    first, second = (shared.facts(Attribute(from_="a"), messages, ()) for messages in (one, other))

    assert [first.once("name", lambda: "one"), second.once("name", lambda: "other")] == known


@pytest.mark.parametrize("first", [{}, {"schema": {"type": "object", "allOf": [{"type": "string"}]}}])
def test_an_error_is_found_after_a_route_without_messages(tmp_path: Path, first: dict[str, Any]) -> None:
    """An attribute that reads none is not looked at there, which says nothing of an equal one."""
    item = {"id": {"meta": "message_id"}, "x": "length(`5`)"}
    routes = {"first": {**first, "item": item}, "second": {"schema": {"type": "object"}, "item": item}}

    found = reports(tmp_path, routes)["second"]

    assert found == reports(tmp_path, {"second": routes["second"]})["second"]
    assert [each[0] for each in found].count("RT429") == 1


def test_a_route_without_messages_shares_nothing_with_one_that_has_some() -> None:
    """Although an attribute that reads nothing of them reads equal parts of both."""
    shared = SharedAttributes()
    attribute = Attribute(from_="`5`")

    without, known = (shared.facts(attribute, messages, ()) for messages in (None, messages_of({"a": LONG})))

    assert without.unless_nothing("name", lambda: ()) == ()
    assert known.unless_nothing("name", lambda: ["an error"]) == ("an error",)


def test_a_large_item_is_found_of_each_schema_that_leaves_room(tmp_path: Path) -> None:
    """What is found of one is true of an equal attribute of another only if a message has room for it."""
    item = {"id": {"meta": "message_id"}, "x": "a"}
    small = {"type": "object", "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}
    full = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "minLength": 700_000}},
        "required": ["b"],
    }
    routes = {name: {"schema": schema, "item": item} for name, schema in (("a", small), ("b", other), ("c", full))}

    found = reports(tmp_path, routes)

    assert found == {name: reports(tmp_path, {name: route})[name] for name, route in routes.items()}
    sizes = {name: [entry[2] for entry in entries if entry[0] == "size"] for name, entries in found.items()}
    assert sizes == {"a": ["refuted"], "b": ["refuted"], "c": ["not decided"]}


def test_a_large_item_is_not_found_of_an_equal_attribute_that_is_a_key(tmp_path: Path) -> None:
    """A key that is so long is rejected before."""
    few = {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string", "maxLength": 9}}
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "minLength": 1}, "m": few},
        "required": ["a"],
    }
    # A part of a schema is proved apart, so that all about it is shared, from the fourth route on.
    plain = {f"r{number}": {"schema": schema, "item": {"id": {"meta": "message_id"}, "k": "a"}} for number in range(6)}
    key = {"schema": schema, "item": {"k": "a"}, "merge": {"from": "m", "max": 2}}

    found = reports(tmp_path, {**plain, "key": key}, keys={"key": "k"})["key"]

    assert found == reports(tmp_path, {"key": key}, keys={"key": "k"})["key"]
    assert [entry[2] for entry in found if entry[0] == "size"] == ["not decided"]


@pytest.mark.parametrize(("known", "kept"), [(FoundValue(("a",), 5), 5), (FoundValue(("a",), 7), 5), (FoundValue(), 5)])
def test_a_known_value_is_tried_first(known: FoundValue, kept: int) -> None:
    """Where it is none here, another one is sought, and becomes the known one."""
    messages = messages_of({"a": {"enum": [5, 7, 9]}})

    found = messages.find([("a",)], lambda message: message.get("a") == 5, (), (), known)

    assert (found, known.path, known.value) == ({"a": kept}, ("a",), 5)


def test_a_value_that_is_found_may_not_be_kept() -> None:
    """As one of several values, or of another message than the first."""
    known, paths = FoundValue(), [("a",), ("b",)]

    found = messages_of({"a": {}, "b": {}}).find(paths, lambda each: each == {"a": 0, "b": 0}, (), (), known)

    assert (found, known.path) == ({"a": 0, "b": 0}, ())
