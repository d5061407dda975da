"""Verdicts and changes of two versions of a config."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET, structs

from router.tools.change.compare import compare_versions
from router.tools.change.report import ChangeFinding, DiffReport
from tests.support.cli import as_diff_record
from tests.support.config import config_schema, spec
from tests.unit.tools.change.conftest import TABLES, Diff, DiffTexts, Open, config_of

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 40},
        "n": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["a", "b"]},
        "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"},
    },
    "required": ["id"],
}


def schema(required: tuple[str, ...] = ("id",), **properties: Any) -> dict[str, Any]:
    """Return the schema with other properties."""
    return {**SCHEMA, "properties": {**SCHEMA["properties"], **properties}, "required": list(required)}


def of_routes(report: DiffReport) -> list[ChangeFinding]:
    """Return the findings, without those about the stack and about versions side by side."""
    return [each for each in report.findings if each.change.code.id < "RT930"]


def codes(report: DiffReport) -> list[str]:
    return sorted(each.change.code.id for each in of_routes(report))


def of_route(diff: Diff, old: Mapping[str, Any], new: Mapping[str, Any], **sections: Any) -> DiffReport:
    return diff(config_of({"main": old}, **sections), config_of({"main": new}, **sections))


@pytest.mark.parametrize(
    ("new", "verdict", "found"),
    [
        (schema(("id", "n")), "breaking", ["RT901"]),
        (schema(kind={"enum": ["a"]}), "breaking", ["RT901"]),
        (schema(kind={"enum": ["a", "b", "c"]}), "compatible", ["RT903"]),
        (schema(n={"type": "string"}), "breaking", ["RT901", "RT903"]),
        (schema(n={"type": "number"}), "compatible", ["RT903"]),
        (schema(n={"type": "integer", "minimum": 1}), "breaking", ["RT901"]),
        (schema(code={"type": "string", "pattern": "^[A-Z]{3}[0-9]+$"}), "breaking", ["RT901", "RT903"]),
        (schema(code={"type": "string"}), "compatible", ["RT903"]),
        (schema(other={"type": "string"}), "breaking", ["RT901"]),
        ({**schema(), "additionalProperties": False}, "breaking", ["RT901"]),
        ({**schema(), "$schema": "http://json-schema.org/draft-07/schema#"}, "compatible", []),
        ({**schema(), "title": "Another title", "$comment": "and a comment"}, "compatible", []),
        (True, "compatible", ["RT903"]),
    ],
)  # fmt: skip
def test_a_change_of_the_schema(diff: Diff, new: Any, verdict: str, found: list[str]) -> None:
    """What is no longer taken breaks, what is newly taken is risky."""
    report = of_route(diff, {"schema": schema()}, {"schema": new})

    assert ([each.verdict for each in report.routes], codes(report)) == ([verdict], found)


def test_a_counterexample_is_short_and_has_both_results(diff: Diff) -> None:
    """It has what the new schema refuses, and what the old one requires."""
    report = of_route(diff, {"schema": schema()}, {"schema": schema(n={"type": "integer", "minimum": 1})})

    (route,), (found,) = report.routes, report.findings
    example = route.counterexample
    assert {**example, "id": ""} == {"id": "", "n": 0}
    assert (found.change.example, found.change.before, found.change.after) == (
        example,
        "written",
        "rejected (RT806 fails 'minimum' at /properties/n/minimum)",
    )


def test_a_schema_that_refers_to_itself(diff: Diff) -> None:
    """It is compared keyword by keyword, which the library does not."""
    node = {"type": "object", "properties": {"id": {"type": "string"}, "nodes": {"items": {"$ref": "#"}}}}
    more = deepcopy(node) | {"minProperties": 0}
    fewer = deepcopy(node) | {"required": ["id"]}
    old, wider, narrower = ({"schema": {**each, "properties": each["properties"]}} for each in (node, more, fewer))

    verdicts = [of_route(diff, old, new).routes[0].verdict for new in (wider, narrower)]

    assert verdicts == ["compatible", "breaking"]


@pytest.mark.parametrize(
    ("old", "new", "verdict", "found"),
    [
        ("kind == 'a'", "kind == 'a' || kind == 'b'", "compatible", ["RT903"]),
        ("kind == 'a'", "kind == 'b'", "breaking", ["RT901", "RT903"]),
        (None, "n >= `0`", "breaking", ["RT901"]),
        ("n > `3`", None, "compatible", ["RT903"]),
        ("kind == 'a'", "contains(['a', 'x'], kind)", "compatible", []),
    ],
)
def test_a_change_of_when(diff: Diff, old: str | None, new: str | None, verdict: str, found: list[str]) -> None:
    """A condition is compared with what the schema says of messages: no message has the kind x."""
    routes = [{"schema": schema(), **({"when": each} if each else {})} for each in (old, new)]

    report = of_route(diff, *routes)

    assert ([each.verdict for each in report.routes], codes(report)) == ([verdict], found)


def test_an_earlier_route_that_takes_messages(diff: Diff) -> None:
    """By `match: first` a route loses what goes to a route before it."""
    queues = {"things": {"match": "first", "dead_letter": "dead"}}
    main = {"schema": schema()}
    old = config_of({"main": main}, queues=queues)
    new = config_of({"first": {"when": "kind == 'b'"}, "main": main}, queues=queues)

    report = diff(old, new)

    assert [(each.route, each.verdict, each.counterexample["kind"]) for each in report.routes] == [
        ("main", "breaking", "b")
    ]
    assert codes(report) == ["RT901", "RT905"]


def test_another_envelope(diff: Diff) -> None:
    """A message in the old envelope is refused."""
    old, new = (
        config_of({"main": {"schema": schema()}}, queues={"things": each}) for each in ({}, {"envelope": ["sns"]})
    )

    report = diff(old, new)

    assert ([each.verdict for each in report.routes], codes(report)) == (["breaking"], ["RT901", "RT903"])


@pytest.mark.parametrize(
    ("old", "new", "verdict", "found"),
    [
        ({"n": "n"}, {}, "compatible", ["RT911"]),
        ({}, {"n": "n"}, "compatible", ["RT912"]),
        ({"n": "n"}, {"m": "n"}, "compatible", ["RT911"]),
        ({"n": {"from": "n", "type": "N"}}, {"n": {"from": "n", "type": "S"}}, "compatible", ["RT913"]),
        ({"n": "n"}, {"n": "kind"}, "compatible", ["RT913"]),
        ({"n": {"from": "n", "default": 1}}, {"n": {"from": "n", "default": 2}}, "compatible", ["RT914"]),
        ({"n": "n"}, {"n": {"from": "n", "missing": "error"}}, "breaking", ["RT901", "RT914"]),
        ({"n": {"from": "code"}}, {"n": {"from": "code", "type": "N"}}, "breaking", ["RT901", "RT913"]),
        ({"id": "id"}, {"id": "code"}, "breaking", ["RT901", "RT917"]),
        ({"n": "n"}, {"n": {"from": "n"}}, None, []),
    ],
)  # fmt: skip
def test_a_change_of_the_mapping(
    diff: Diff, old: dict[str, Any], new: dict[str, Any], verdict: str | None, found: list[str]
) -> None:
    """Attribute by attribute; a mapping that may reject a message breaks."""
    routes = [{"schema": schema(), "item": {"id": "id", **each}} for each in (old, new)]

    report = of_route(diff, *routes)

    assert ([each.verdict for each in report.routes], codes(report)) == ([verdict] if verdict else [], found)


def test_a_change_of_an_item_shows_a_message(diff: Diff) -> None:
    """The first message whose item differs, here that of a test."""
    tests = [{"message": {"id": "i", "n": 7}}]
    old, new = ({"schema": schema(), "item": {"id": "id", "n": each}, "tests": tests} for each in ("n", {"value": 1}))

    (found,) = of_routes(of_route(diff, old, new))

    assert (found.change.example, found.change.before, found.change.after) == ({"id": "i", "n": 7}, "7", "1")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {"write": {"mode": "insert"}}, ["RT918"]),
        ({"on_invalid": "dead_letter"}, {"on_invalid": "retry"}, ["RT908"]),
        ({"on_invalid": "retry"}, {"on_invalid": "drop"}, ["RT909"]),
        ({}, {"queue": "others"}, ["RT907"]),
        ({}, {"table": "others"}, ["RT916"]),
        ({}, {"table": "keyed"}, ["RT901", "RT916", "RT917"]),
    ],
)
def test_a_change_of_how_items_are_written(
    diff: Diff, old: dict[str, Any], new: dict[str, Any], found: list[str]
) -> None:
    """Each has a code of its own."""
    tables = {**TABLES, "others": {"key": {"id": "S"}}, "keyed": {"key": {"id": "N"}}}
    tests = [{"message": {}, "outcome": "rejected"}]
    configs = [config_of({"main": {"schema": schema(), "tests": tests, **each}}, tables=tables) for each in (old, new)]

    report = diff(*configs)

    assert codes(report) == found


@pytest.mark.parametrize(
    ("section", "old", "new", "found"),
    [
        ("tables", {"key": {"id": "S"}}, {"key": {"id": "S"}, "ttl": "end"}, ["RT919"]),
        ("queues", {}, {"unmatched": "drop"}, ["RT909"]),
        ("queues", {"dead_letter": "dead"}, {}, ["RT908"]),
        ("queues", {}, {"retry": {"base": "5s"}}, ["RT921"]),
        ("queues", {}, {"atomic": True}, ["RT902", "RT918"]),
    ],
)
def test_a_change_of_a_table_or_queue(
    diff: Diff, section: str, old: dict[str, Any], new: dict[str, Any], found: list[str]
) -> None:
    """It is reported once, for the first of its routes."""
    routes = {"main": {"schema": schema()}, "other": {"schema": schema()}}

    report = diff(*(config_of(routes) | {section: {"things": each}} for each in (old, new)))

    assert (len(report.routes), list(dict.fromkeys(codes(report)))) == (2, found)


def test_what_means_the_same_shows_nothing(open_config: Open, diff: Diff, tmp_path: Path) -> None:
    """Layout, anchors, the order of routes by `match: all`, and the name of a schema file."""
    schema_file = tmp_path / "old" / "a.json"
    schema_file.parent.mkdir()
    schema_file.write_text('{"type": "object", "required": ["id"]}')
    other = tmp_path / "new" / "b.json"
    other.parent.mkdir()
    other.write_text('{"required": ["id"], "type": "object"}')
    one, two = {"schema": "a.json", "when": "n"}, {"schema": "a.json", "item": {"id": "id", "n": {"from": "n"}}}
    moved = {"schema": "b.json", "item": {"n": "n", "id": {"from": "id"}}}

    report = diff(config_of({"one": one, "two": two}), config_of({"two": moved, "one": {**one, "schema": "b.json"}}))

    assert (report.routes, report.findings, report.same) == ((), (), 2)


def test_new_names_are_shown_as_that(diff: Diff) -> None:
    """Of a route with the same settings, and of a queue and a table that have the same names in AWS."""
    queues = {"things": {"name": "q"}}, {"stuff": {"name": "q"}}
    tables = {"things": {"name": "ttt", "key": {"id": "S"}}}, {"stuff": {"name": "ttt", "key": {"id": "S"}}}
    old = config_of({"main": {"schema": schema()}}, queues=queues[0]) | {"tables": tables[0]}
    renamed = {"schema": schema(), "queue": "stuff", "table": "stuff"}
    new = config_of({"primary": renamed}, queues=queues[1]) | {"tables": tables[1]}

    report = diff(old, new)

    assert [each.change.sentence for each in of_routes(report)] == [
        "route 'main' is named 'primary'",
        "queue 'things' is named 'stuff'",
        "table 'things' is named 'stuff'",
    ]


def test_routes_that_are_gone_and_new(diff: Diff) -> None:
    """They differ in more than the name."""
    report = diff(config_of({"gone": {"schema": schema()}}), config_of({"new": {"schema": schema(("id", "n"))}}))

    assert [(each.change.code.id, each.risk) for each in of_routes(report)] == [
        ("RT904", "breaking"),
        ("RT905", "info"),
    ]


PLUGIN = """
from router import hookimpl

@hookimpl
def router_transform_item(item, route):
    return {**item, "more": len(route.options)}
"""


def test_a_plugin_that_changed(diff: Diff, tmp_path: Path) -> None:
    """Its file has other bytes: nothing is proved, and a message shows the difference."""
    for folder, text in (("old", "item"), ("new", "{**item, 'more': 1}")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(
            f"from router import hookimpl\n\n@hookimpl\ndef router_transform_item(item):\n    return {text}\n"
        )
    config = config_of({"main": {"schema": schema()}}, plugins=["./own.py"])

    report = diff(config, config)

    assert (report.routes[0].verdict, report.routes[0].unproved) == ("unknown", ("plugins changed",))
    assert codes(report) == ["RT902", "RT910", "RT920"]
    assert report.routes[0].counterexample is UNSET


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ({"data.txt": "a"}, {"data.txt": "b"}, "file 'plugins/data.txt' changed"),
        ({}, {"sub/data.txt": "a"}, "file 'plugins/sub/data.txt' is new"),
        ({"other.py": ""}, {}, "file 'plugins/other.py' was removed"),
        ({"__pycache__/own.pyc": "a", "tests/own.txt": "a"}, {"__pycache__/own.pyc": "b", ".hidden": "a"}, ""),
    ],
)
def test_a_file_beside_a_plugin_that_changed(
    diff: Diff, tmp_path: Path, old: dict[str, str], new: dict[str, str], sentence: str
) -> None:
    """The plugin may read it, if packages contain it; other files it does not have where it runs."""
    for folder, files in (("old", old), ("new", new)):
        for name, text in {"own.py": PLUGIN, **files}.items():
            file = tmp_path / folder / "plugins" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    config = config_of({"main": {"schema": schema()}}, plugins=["plugins/own.py"])

    report = diff(config, config)

    assert [each.unproved for each in report.routes] == ([("plugins changed",)] if sentence else [])
    found = [each.change.sentence for each in report.findings if each.change.code.id == "RT910"]
    assert found == ([sentence] if sentence else [])


def test_ignored_changes(diff: Diff) -> None:
    """The new config silences a finding at its path, with a reason."""
    ignore = [{"code": "RT911", "at": "routes.main.item.n", "reason": "nobody reads it"}]
    old = config_of({"main": {"schema": schema(), "item": {"id": "id", "n": "n", "kind": "kind"}}})
    new = config_of({"main": {"schema": schema()}}, ignore=ignore)

    report = diff(old, new)

    assert [each.change.sentence for each in of_routes(report)] == ["attribute 'kind' is no longer written"]
    assert [(each.change.path[-1], each.ignored) for each in report.ignored] == [("n", "nobody reads it")]


@pytest.mark.parametrize(
    ("old", "new", "verdicts", "found"),
    [
        ({"merge": "m"}, {"merge": {"from": "m"}}, [], []),
        ({"merge": "m"}, {}, ["compatible"], ["RT915"]),
        ({}, {"merge": "m"}, ["unknown"], ["RT902", "RT915"]),
        ({"merge": {"from": "m", "max": 9}}, {"merge": {"from": "m", "max": 8}}, ["unknown"], ["RT902", "RT915"]),
        ({"merge": "m"}, {"merge": "m", "item": {"id": "id", "n": "n"}}, ["unknown"], ["RT902", "RT912"]),
    ],
)
def test_a_change_of_a_merged_map(diff: Diff, old: Any, new: Any, verdicts: list[str], found: list[str]) -> None:
    """What a map brings, or is no longer allowed to bring, is seen; that no message is refused is not decided."""
    shared = {"schema": schema(), "item": {"id": "id"}}

    report = of_route(diff, {**shared, **old}, {**shared, **new})

    assert ([each.verdict for each in report.routes], codes(report)) == (verdicts, found)


def test_tests_of_several_messages(diff: Diff) -> None:
    """Each message of a test goes through both versions."""
    sent = {"messages": [{"message": {"id": "a"}}, {"message": {"id": "b", "n": 7}}]}
    route = {"schema": True, "item": {"id": "id", "n": "n"}, "tests": [sent]}

    report = of_route(diff, route, {**route, "item": {"id": "id", "n": {"from": "n", "type": "S"}}})

    assert {"id": "b", "n": 7} in [finding.change.example for finding in of_routes(report)]


def test_what_a_report_has(open_config: Open) -> None:
    """The names of both versions, the routes that differ with their findings, and how many do not."""
    routes = {name: {"schema": schema()} for name in ("a", "b", "c")}
    narrower = {"schema": schema(("id", "n"))}
    old = open_config(config_of({**routes, "gone": {"when": "n"}}), "old")
    new = open_config(config_of({**routes, "b": narrower, "c": {**narrower, "item": {"id": "id", "n": "n"}}}), "new")

    report = compare_versions(old, new)

    assert (report.old, report.new, report.same) == (old.label, new.label, 1)
    assert {route.route: [each.change.code.id for each in route.findings] for route in report.routes} == {
        "b": ["RT901"],
        "c": ["RT901", "RT932", "RT932", "RT912"],
    }
    assert codes(report) == ["RT901", "RT901", "RT904", "RT912"]


SAME_IN_ALL = {"id": "id", "at": {"from": "n", "type": "N"}}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FIELDS: Mapping[str, Mapping[str, tuple[Any, Any]]] = {
    "routes": {
        "queue": ({}, {"queue": "others"}),
        "table": ({}, {"table": "others"}),
        "when": ({}, {"when": "n"}),
        "schema": ({}, {"schema": schema(("id", "n"))}),
        "plugins": ({}, {"plugins": []}),
        "options": ({}, {"options": {"own": {"a": 1}}}),
        "for_each": ({}, {"for_each": "[@]", "item": {"id": "element.id"}}),
        "item": ({}, {"item": {"id": "id", "n": "n"}}),
        "merge": ({}, {"merge": {"from": "more"}}),
        "write": ({}, {"write": {"mode": "insert"}}),
        "on_invalid": ({}, {"on_invalid": "retry"}),
    },
    "queues": {
        "name": ({}, {"name": "elsewhere"}),
        "envelope": ({}, {"envelope": ["sns"]}),
        "encoding": ({}, {"encoding": "base64"}),
        "s3_pointer": ({}, {"envelope": ["s3_pointer"], "s3_pointer": {"buckets": ["payloads"]}}),
        "dead_letter": ({}, {"dead_letter": "others-dlq"}),
        "redact": ({"redact": ["secret"]}, {"redact": ["secret", "n"]}),
        "match": ({}, {"match": "first"}),
        "unmatched": ({}, {"unmatched": "drop"}),
        "retry": ({}, {"retry": {"base": "9s"}}),
        "outlast": ({}, {"outlast": "1h"}),
        "atomic": ({}, {"atomic": True}),
        "lambda_": ({}, {"lambda": {"batch_size": 7}}),
        "managed": ({}, {"managed": False}),
        "kms_key": ({}, {"kms_key": KEY}),
        "kms_key_previous": ({}, {"kms_key_previous": KEY}),
        "deletion_policy": ({}, {"deletion_policy": "retain"}),
        "retention": ({}, {"retention": "2d"}),
        "max_receive_count": ({}, {"max_receive_count": 7}),
    },
    "tables": {
        "name": ({}, {"name": "elsewhere"}),
        "key": ({}, {"key": {"id": "S", "at": "N"}}),
        "ttl": ({}, {"ttl": "at"}),
        "write_units": ({}, {"write_units": 5}),
        "share": ({"write_units": 5}, {"write_units": 5, "share": 2}),
        "capacity": ({}, {"capacity": {"write": {"min": 5}, "read": {"min": 1}}}),
        "managed": ({}, {"managed": False}),
        "kms_key": ({}, {"kms_key": KEY}),
        "kms_key_previous": ({}, {"kms_key_previous": KEY}),
    },
}
"""For keys of a route, queue and table a change of each, as settings before and after."""
_WITHOUT_EFFECT = {"tests", "owner", "description", "tags"}
"""What is deployed of these is in the template, which is compared too."""
STRUCTS: Mapping[str, Any] = {"routes": spec.RouteSettings, "queues": spec.Queue, "tables": spec.TableSettings}
KEYS = [
    (section, name)
    for section, struct in STRUCTS.items()
    for name in struct.__struct_fields__
    if name not in _WITHOUT_EFFECT
]


def change_of(section: str, field: str) -> tuple[Any, Any]:
    """Return the change of a key in `FIELDS`, else its addition with the first example of its description."""
    if field in FIELDS[section]:
        return FIELDS[section][field]
    known = config_schema()["$defs"][STRUCTS[section].__name__.removesuffix("Settings")]["properties"]
    examples = known[field].get("examples", ())
    assert examples, f"give '{field}' an example where it is declared, or a change in FIELDS"
    return {}, {field: examples[0]}


@pytest.mark.parametrize(("section", "field"), KEYS)
def test_a_change_of_any_key_is_reported(diff: Diff, tmp_path: Path, section: str, field: str) -> None:
    """Whatever it is: a new key needs a place in the comparison."""
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(PLUGIN)
    configs = []
    for settings in change_of(section, field):
        routes = {
            "first": {"schema": schema(), "when": "n", "item": SAME_IN_ALL},
            "main": {"schema": schema(), "item": SAME_IN_ALL, **(settings if section == "routes" else {})},
        }
        tables = {"things": {"key": {"id": "S"}}, "others": {"key": {"id": "S"}}}
        queues: dict[str, Any] = {"things": {"dead_letter": "dead"}, "others": {"dead_letter": "dead"}}
        chosen = {"tables": tables, "queues": queues}.get(section, {})
        if section != "routes":
            chosen["things"] = {**chosen["things"], **settings}
        configs.append(config_of(routes, tables=tables, queues=queues, plugins=["./own.py"]))

    report = diff(*configs)

    assert report.findings


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ({"from": "a", "default": "x"}, {"from": "a", "default": None}, "default 'x' → null"),
        ({"value": []}, {"value": [1]}, "value [] → [1]"),
        ("a", {"from": "a", "missing": "null"}, "missing not set → 'null'"),
        ({"from": "a", "transform": "strip"}, "a", "transform 'strip' → not set"),
        (
            {"from": "a", "transform": {"truncate": 3}},
            {"from": "a", "transform": ["strip", {"truncate": 3}]},
            'transform {"truncate":3} → ["strip",{"truncate":3}]',
        ),
        ({"ttl": "9d"}, {"ttl": {"from": "a", "after": "9d"}}, 'ttl \'9d\' → {"from":"a","after":"9d"}'),
    ],
)
def test_settings_of_an_attribute_are_shown_as_they_are_written(diff: Diff, old: Any, new: Any, shown: str) -> None:
    """What is not given is left out, but a null is shown where it is a value."""
    report = of_route(diff, {"item": {"id": "id", "b": old}}, {"item": {"id": "id", "b": new}})

    (found,) = [each.change for each in of_routes(report) if "mapped in another way" in each.change.sentence]
    assert found.sentence == f"attribute 'b' is mapped in another way: {shown}"


def test_forms_of_one_mapping_are_equal(diff: Diff) -> None:
    """An attribute, a map that is merged, and a transform have a short form."""
    short = {"item": {"id": "id", "b": {"from": "b", "transform": "strip"}}, "merge": "labels"}
    long = {
        "item": {"id": {"from": "id"}, "b": {"from": "b", "transform": [{"strip": []}]}},
        "merge": {"from": "labels"},
    }

    assert codes(of_route(diff, short, long)) == []


def test_capacity_is_shown_as_it_is_written(diff: Diff) -> None:
    """Keys that are not given are left out."""
    units = {"min": 5}
    old, new = (
        {"things": {**TABLES["things"], "capacity": {"write": {"min": least}, "read": units}}} for least in (5, 6)
    )
    report = diff({**config_of({"main": {}}), "tables": old}, {**config_of({"main": {}}), "tables": new})

    before, after = (f'{{"write":{{"min":{least},"target":70}},"read":{{"min":5,"target":70}}}}' for least in (5, 6))
    assert [each.change.sentence for each in of_routes(report)] == [
        f"'capacity' of table 'things' was {before}, and is {after}"
    ]


def test_a_change_of_the_number_of_items(diff: Diff) -> None:
    """It shows what a change of `for_each` does."""
    route = {"item": {"id": "element"}, "tests": [{"message": {"list": ["a", "b"]}}]}
    old, new = (config_of({"main": {**route, "for_each": path}}) for path in ("list", "list[:1]"))

    changes = [each.change for each in diff(old, new).findings]

    (shown,) = (each for each in changes if each.path == ("routes", "main", "for_each") and each.before)
    assert (shown.before, shown.after) == ("2 items", "1 item")
    assert [each for each in changes if "number of items" in each.sentence] == []


def test_the_place_of_a_route_is_that_of_its_name(diff_texts: DiffTexts) -> None:
    """In the config that has it; in the other one it is that of what would have it."""
    old = "version: 1\ntables:\n  things: {key: {id: S}}\nroutes:\n  main:\n    queue: q\n    table: things\n"
    new = old + "  more:\n    queue: more\n    table: things\n"

    for code, texts in (("RT905", (old, new)), ("RT904", (new, old))):
        (found,) = (each for each in diff_texts(*texts).findings if each.change.code.id == code)
        lines = {each.line for each in (found.place, found.old_place)}
        assert lines == {8, 4}


def test_hidden_values_in_the_message_that_breaks(open_config: Open) -> None:
    """The verdict about a route has it, too, beside the change."""
    taken = [config_of({"main": {"schema": schema(kind={"const": kind})}}) for kind in ("hid-val-1", "other")]
    old, new = (open_config(config, f"{number}") for number, config in enumerate(taken))
    old = structs.replace(old, env={"KIND": "hid-val-1"}).hiding({"KIND"})

    report = compare_versions(old, new)

    assert "hid-val-1" not in str(as_diff_record(report))
    assert [each.counterexample["kind"] for each in report.routes] == ["${KIND}"]
