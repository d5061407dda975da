"""The most bytes of an item: no message exceeds them, and a message that is said to exceed the limit does."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import Rejection
from router.model import REMOVE, Message, Place, Table
from router.testing import deliver, record
from router.tools.check.analysis.item_sizes import most_bytes
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.size_counterexamples import find_oversized, measured_parts
from router.tools.check.rule import Subject
from router.tools.check.run import examine
from tests.support.config import Findings, spec
from tests.support.engine import MAX_ITEM_BYTES, UNLIMITED, encode_item
from tests.support.program import (
    CompileContext,
    Loaded,
    SchemaStore,
    compile_mapping,
    load_plugins,
    load_program,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "t": {"type": "string", "maxLength": 6},
        "n": {"type": "number"},
        "e": {"enum": ["a,b", ",", "", Decimal("1E+125"), None, [1, "x"]]},
        "l": {"type": "array", "maxItems": 4, "items": {"type": ["string", "number", "null"], "maxLength": 3}},
        "u": {"type": "array", "uniqueItems": True, "items": {"enum": ["a", "b", 1, None]}},
        "o": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"a": {"type": ["string", "boolean"], "maxLength": 4}, "ü": {"type": "number"}},
        },
        "ll": {
            "type": "array",
            "maxItems": 2,
            "items": {"type": "array", "maxItems": 2, "items": {"$ref": "#/properties/o"}},
        },
    },
}
TEXTS = ["", "a", ",,,", "\x01\x01", '"\\', "ŉΐ", "\U0001f600", "%41%C3%A9+", "[1,2]", "1e9", "QUJD", "  ", "true"]
NUMBERS = [0, -1, 10, 10**38 - 1, Decimal("1E+125"), Decimal("-1E-130"), Decimal("0.1"), -(10**37)]
TEXT = st.sampled_from(TEXTS)
NUMBER = st.sampled_from(NUMBERS)
INNER = st.fixed_dictionaries(
    {}, optional={"a": st.one_of(TEXT.map(lambda text: text[:4]), st.booleans()), "ü": NUMBER}
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "t": TEXT.map(lambda text: text[:6]),
        "n": NUMBER,
        "e": st.sampled_from(["a,b", ",", "", Decimal("1E+125"), None, [1, "x"]]),
        "l": st.lists(st.one_of(TEXT.map(lambda text: text[:3]), NUMBER, st.none()), max_size=4),
        "u": st.lists(st.sampled_from(["a", "b", 1, None]), unique=True),
        "o": INNER,
        "ll": st.lists(st.lists(INNER, max_size=2), max_size=2),
    },
)
EXPRESSIONS = [
    *("t", "n", "e", "l", "u", "o", "ll", "o.a", 'o."ü"', "ll[].a", "ll[]", "ll[0][0].a", "l[1:]", "l[?@ == 'x']"),
    *("to_string(t)", "to_string(n)", "to_string(o)", "to_string(ll)", "to_string(e)", "keys(o)", "values(o)", "o.*"),
    *("t || n", "t && o", "not_null(t, o)", "[t, o]", '{a: t, "ü": ll}', "to_array(o)", "reverse(l)", "`[1, \"x\"]`"),
    *("join(t, l)", "join('--', u)", "max(l)", "sort(u)", "type(o)", "sum(l)"),
    *("map(&to_string(@), l)", "join(',', map(&to_string(@), l))", "join('ü', map(&to_string(@), ll))"),
    *("map(&[@, @], l)", "map(&{x: @, y: `1`}, u)", "ll[].[a, @]", "ll[*].[@, to_string(@)]", "o.*.[@]"),
    *("ll[?@ == `1`] | [0]", "l[?a == 'x']", "ll[][?a == `true`] | [0]", "u[?@ == 'a'].b", "sort_by(ll[], &a)"),
    "l[*].{x: @}[]",
    *("max_by(l, &a).a", "max_by(ll[], &a).a", "sort_by(l, &a)", "reverse(t) | to_string(@)", "ll | [0] | [0].a"),
    *("[max(u), t]", "[sum(o), t]", "keys(t) && ll", "not_null(max(l), t)", "to_array(l)[-1]", "e && l"),
    *("values(o)[0]", "o.[a, a] | [0]", "length(ll[?a]) || ll", "to_number(t)", "merge(o, {x: t})"),
    *("ll[].a | join('', @)", "[l, l, l] | [].a"),
]  # fmt: skip
TRANSFORMS: list[Any] = [
    *("strip", "upper", "lower", "to_text", "first", "last", "unique", "sort", "base64_decode", "base64_encode"),
    *("url_decode", "parse_json", "to_number", "sha256", {"split": ","}, {"join": "ü"}, {"truncate": 2}),
    *({"prefix": "p#"}, {"suffix": "ü"}, {"replace": [",", "long"]}, {"replace": ["", "-"]}, {"replace": ["a", ""]}),
    {"lookup": {"map": {"a": "long"}}},
]
ATTRIBUTES = st.one_of(
    st.builds(
        lambda source, transform, more: spec.Attribute(transform=tuple(transform), **source, **more),
        st.fixed_dictionaries({"from_": st.sampled_from(EXPRESSIONS)}),
        st.lists(st.sampled_from(TRANSFORMS), max_size=2),
        st.fixed_dictionaries(
            {}, optional={"type": st.sampled_from(["S", "N", "B", "SS", "NS", "BS", "L", "M", "json"])}
        ),
    ),
    st.builds(
        lambda source: spec.Attribute(**source),
        st.fixed_dictionaries(
            {"template": st.sampled_from(["{t}#{n}", "ü{e}", "{o.a}{t}", "{to_string(ll)}", "{n}{n}{join('', u)}"])}
        ),
    ),
)
PLACE = ("routes", "r", "schema")


def analyzed(attribute: spec.Attribute, schema: Any) -> tuple[AnalyzedRoute, Callable[[Any], Any]]:
    """A route with an attribute, and what maps messages."""
    findings = Findings(lambda path, key: Place("routes.yaml"))
    store = SchemaStore(Path("/nowhere"))
    store.compile(schema, findings, PLACE)
    plugins = load_plugins((), Path(), findings)
    write = spec.WriteSettings(mode="update")
    route = spec.RouteSettings(queue="q", table="t", schema=schema, item={"k": attribute}, write=write)
    config = spec.Config(version=1, tables={"t": spec.TableSettings(key={"id": "S"})}, routes={"r": route})
    mapping = compile_mapping(
        "r", route, Table("t", ()), CompileContext({}, {}, plugins, store, findings, {}), ("routes", "r")
    )
    assert mapping
    return Subject(config, plugins, store).routes[0], lambda data: mapping.items(Message(data), UNLIMITED)


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(ATTRIBUTES, st.lists(MESSAGES, min_size=8, max_size=20))
def test_no_item_exceeds_the_bound(attribute: spec.Attribute, messages: list[Any]) -> None:
    """Whatever the expression, the transforms and the type."""
    route, map_items = analyzed(attribute, SCHEMA)
    bound = most_bytes(route, "k", route.facts(attribute))

    for data in messages:
        try:
            [item] = map_items(data)
            size = 0 if item.get("k") in (None, REMOVE) else encode_item({"k": item["k"]})[1] - 1
        except Rejection:
            continue
        assert size <= bound, (data, item)


LONG = [
    *(",", "ŉ", "ΐ", "\U0001f600", "\x01", '"', "%C3%A9", "QUJD", "7", " "),
    *("a,", "ŉ,"),
]
GROWING = [
    *([each] for each in TRANSFORMS),
    *([{"split": ","}, each] for each in ("unique", {"join": ","}, {"join": "--ü"}, "first")),
    *(["upper", {"split": ","}, {"join": "--"}], ["base64_encode", "base64_encode", "base64_decode"]),
]


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize("transform", GROWING, ids=str)
def test_long_texts_do_not_exceed_the_bound(text: str, transform: list[Any]) -> None:
    """Of one text of 12,000 characters the bound is close."""
    whole = text * (12_000 // len(text))
    for more in ({}, {"type": "json"}, {"type": "SS"}, {"type": "B"}):
        source: dict[str, Any] = {"from_": "t", **more}
        attribute = spec.Attribute(transform=tuple(transform), **source)
        route, map_items = analyzed(attribute, {"type": "object", "properties": {"t": {"const": whole}}})
        try:
            [item] = map_items({"t": whole})
            size = encode_item(item)[1] - 1
        except Rejection:
            continue
        assert size <= most_bytes(route, "k", route.facts(attribute))


BOUNDED = [
    ("to_string(t)", "t: {type: string, maxLength: 9}"),
    ("to_string(t)", "t: {type: number}"),
    ("to_string(t)", "t: {type: array, maxItems: 9, items: {type: boolean}}"),
    ("{from: t, transform: [{split: ','}]}", "t: {type: string, maxLength: 9}"),
    ("{from: t, transform: [{split: ','}, {join: '--'}]}", "t: {enum: ['a,b']}"),
    ("{from: t, transform: [upper]}", "t: {type: string, maxLength: 5000}"),
    ("{from: t, transform: [{join: ','}]}", "t: {type: array, maxItems: 9, items: {type: integer}}"),
    ("{from: t, transform: base64_decode}", "t: {type: string, pattern: '^a:'}"),
    ("{from: t, type: B}", "t: {type: string, format: time}"),
    ("{from: t, type: M}", "t: {anyOf: [{type: array}, {type: object, additionalProperties: false}]}"),
    ("{from: t, type: S}", "t: {type: [object, string], maxLength: 9}"),
    ("{template: '{t}#{id}'}", "t: {type: [object, string], maxLength: 9}"),
    ("t", "t: {anyOf: [{enum: [a, b]}, {type: 'null'}]}"),
    ("t", "t: {type: array, uniqueItems: true, items: {enum: [a, b]}}"),
    ("t", "t: {type: array, uniqueItems: true, items: {type: [boolean, 'null']}}"),
    ("t", "t: {type: array, items: {type: string, format: time, pattern: '^ORD-'}}"),
    ("t", "t: {anyOf: [{type: string, maxLength: 9}, {type: string, format: json-pointer, pattern: '^a'}]}"),
    ("'t[].a'", "t: {type: array, items: {type: array, items: {type: string}}}"),
    ("max(t)", "t: {type: array, items: {type: object}}"),
    ("sort(t)", "t: {type: array, items: {type: [boolean, array]}}"),
    ("'not_null(t, `[1]`)'", "t: {type: array, maxItems: 3, items: {type: boolean}}"),
]
UNBOUNDED = [
    ("{from: t, type: NS}", "t: {type: array, items: {type: integer, minimum: 1600000000}}", "'t'"),
    ("{from: t, type: NS}", "t: {type: array, minItems: 2, items: {type: string, minLength: 36}}", "'t'"),
    ("{from: t, type: SS}", "t: {type: array, items: {type: [integer, 'null'], maximum: 0}}", "'t'"),
    ("{from: t, type: BS}", "t: {type: array, items: {type: string}}", "'t'"),
    ("{from: t, type: B}", "t: {type: string, format: json-pointer}", "'t'"),
    ("{from: t, transform: parse_json}", "t: {type: string, minLength: 3000}", "'t'"),
    ("not_null(t)", "t: {type: string}", "'t'"),
    ("t", "t: {type: array, items: {type: boolean}}", "'t'"),
    ("t", "t: {type: array, items: {type: array, maxItems: 0}}", "'t'"),
    ("t", "t: {type: string, format: idn-hostname}", "'t'"),
    ("t", "t: {type: string, format: time, minLength: 3000}", "'t'"),
    ("t", "t: {type: array, items: {type: string, maxLength: 1024}}", "'t'"),
    ("t", "t: {type: array, minItems: 2, maxItems: 2, items: {anyOf: [{enum: [a]}, {type: object}]}}", "'t'"),
    ("t", "t: {type: object, additionalProperties: {type: object, properties: {a: {type: boolean}}}}", "'t'"),
    ("'t[].a'", "t: {type: array, items: {type: object, properties: {b: {enum: [a]}}}}", "'t'"),
    ("'t[0:2].a'", "t: {type: array, items: {type: object, properties: {b: {enum: [a]}}}}", "'t[].a'"),
    ("t", "t: {type: array, items: {type: object, properties: {a: {type: string, maxLength: 60}}}}", "'t'"),
    # What the expression needs besides: elements that a filter finds, or that a function compares.
    ("\"t[?k == 'x'] | [0]\"", "t: {type: array, items: {type: object}}", "'t[]'"),
    ('"t[?k > `5`].a"', "t: {type: array, items: {type: object}}", "'t[].a'"),
    ("'max_by(t, &k).a'", "t: {type: array, items: {type: object}}", "'t[].a'"),
    ("'t && u'", "t: {type: string}, u: {type: string}", "'u'"),
    # Of an empty list there is no greatest value, and the other one is stored.
    ("'[max(t), u]'", "t: {type: array, items: {type: boolean}}, u: {type: string}", "'u'"),
]
CONFIG = """\
version: 1
tables: {things: {key: {id: S}}}
queues: {q: {dead_letter: dlq}}
routes:
  r:
    queue: q
    table: things
    schema: {type: object, required: [id], properties: PROPERTIES}
    item: {id: id, x: ATTRIBUTE}
"""


@pytest.fixture(autouse=True)
def _enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage makes searches many times slower, and what is found in their time is not what is tested here."""
    monkeypatch.setattr("router.prover.schema_prover.MAX_SEARCH_SECONDS", 60.0)


def written(attribute: str, properties: str, more: str = "") -> Path:
    """A config with an attribute, properties, and more lines of the route."""
    declared = f"{{id: {{type: string, minLength: 1, maxLength: 9}}, {properties}}}"
    text = CONFIG.replace("PROPERTIES", declared).replace("ATTRIBUTE", attribute) + more
    Path("routes.yaml").write_text(text, encoding="utf-8")
    return Path("routes.yaml")


def size_of(path: Path) -> str:
    """The verdict about the size, and the reason."""
    entries = examine(path, {}).ledger.entries
    return next(f"{each.verdict} {each.reason}".rstrip() for each in entries if each.kind == "size")


@pytest.mark.parametrize(("attribute", "properties"), BOUNDED)
def test_bounded(attribute: str, properties: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema bounds what is stored, or nothing is."""
    monkeypatch.chdir(tmp_path)

    assert size_of(written(attribute, properties)) == "proved"


@pytest.mark.parametrize(("attribute", "properties", "part"), UNBOUNDED)
def test_unbounded(attribute: str, properties: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of at most 1 MiB is found that the engine rejects for its size."""
    monkeypatch.chdir(tmp_path)
    path, kept = written(attribute, properties), list[Loaded]()
    examine(path, {}, kept.append)
    (loaded,) = kept
    assert loaded.config
    assert loaded.plugins
    assert loaded.schemas

    route = Subject(loaded.config, loaded.plugins, loaded.schemas).routes[0]
    tried = (find_oversized(route, name, attribute) for name, attribute in measured_parts(route))

    found = next(filter(None, tried), None)

    assert found
    body = msgspec.json.Encoder(decimal_format="number").encode(found[1]).decode()
    [outcome] = deliver(load_program(path, {}), "q", [record(body=body)]).outcomes
    reason = f"attribute 'x': the item has more than {MAX_ITEM_BYTES} bytes"
    assert (size_of(path).partition(" may be")[0], len(body.encode()) <= 1024 * 1024) == (f"refuted {part}", True)
    assert (outcome.kind, outcome.reason.endswith((reason, reason.removeprefix("attribute 'x': ")))) == (
        "rejected",
        True,
    )


@pytest.mark.parametrize(
    ("attribute", "verdict"),
    [
        ("{from: message.t, type: NS}", "proved"),
        ("{from: message.t, type: L}", "refuted 't' may be so long that the item has more than 409600 bytes"),
    ],
)
def test_elements_of_for_each(attribute: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of which `for_each` takes 10,000 elements has no more."""
    monkeypatch.chdir(tmp_path)

    assert (
        size_of(written(attribute, "t: {type: array, items: {type: string}}", "    for_each: t\n").resolve()) == verdict
    )


def test_the_whole_message_for_each_element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no bound, whatever one element has."""
    monkeypatch.chdir(tmp_path)
    path = written("message", "t: {type: array, items: {type: string, maxLength: 9}}", "    for_each: t\n")

    assert size_of(path) == "refuted the message may be so long that the item has more than 409600 bytes"


@pytest.mark.parametrize(
    ("declared", "merge", "verdict"),
    [
        ("{type: object}", "t", "refuted 't' may be so long that the item has more than 409600 bytes"),
        ("{type: object, additionalProperties: false, properties: {a: {type: number}}}", "t", "proved"),
        (
            "{type: object, additionalProperties: false, properties: {a: {type: number}}}",
            "{from: t, prefix: abc, max: 10000}",
            "proved",
        ),
        ("{type: string}", "t", "proved"),
        (
            "{type: object, maxProperties: 2, additionalProperties: {type: string, maxLength: 9}}",
            "{from: t, max: 2}",
            "not decided the size of what 'merge' finds is not bounded",
        ),
    ],
)
def test_merge(declared: str, merge: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map that is merged is a part of the item; what is no map is refused."""
    monkeypatch.chdir(tmp_path)

    assert size_of(written("id", f"t: {declared}", f"    merge: {merge}\n")) == verdict


def test_a_value_that_is_not_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `when`, it is empty, false or missing."""
    monkeypatch.chdir(tmp_path)

    assert size_of(written("t", "t: {}", "    when: '!t'\n")) == "proved"


def test_const_of_draft_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no keyword there."""
    monkeypatch.chdir(tmp_path)
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"t": {"const": "a"}}}
    Path("schema.json").write_text(json.dumps(schema), encoding="utf-8")
    text = CONFIG.partition("{type: object")[0] + "schema.json\n    item: {id: id, x: t}\n"
    Path("routes.yaml").write_text(text, encoding="utf-8")

    assert size_of(Path("routes.yaml")).startswith("refuted 't'")


def claims_of(attribute: str, properties: str) -> dict[str, str]:
    """The verdicts about the attribute and the size."""
    entries = examine(written(attribute, properties), {}).ledger.entries
    return {each.kind: each.verdict for each in entries if each.subject == "x" or each.kind == "size"}


EMPTY_TEXTS = f"t: {{const: {json.dumps([''] * 210_000)}}}"
NUMBERS_OF_126_DIGITS = f"t: {{const: [{', '.join(['1.0E+125'] * 3300)}]}}"


MAP_OF_NUMBERS = "t: {type: object, additionalProperties: {type: number}}"
BOOLEANS_AND_TEXT = "t: {type: array, items: {type: boolean}}, u: {type: string}"


@pytest.mark.parametrize(
    ("claim", "attribute", "properties"),
    [
        # The empty list that `join()` takes makes a small text, which stands beside another.
        ("size", "{template: \"{join(',', t)}#{u}\"}", BOOLEANS_AND_TEXT),
        ("size", '{template: "{sum(t)}#{u}"}', BOOLEANS_AND_TEXT),
        ("size", "to_string(t)", NUMBERS_OF_126_DIGITS),
        ("size", "'map(&to_string(@), t)'", NUMBERS_OF_126_DIGITS),
        ("size", "'t[*].to_string(@)'", NUMBERS_OF_126_DIGITS),
        # `map()` keeps a null for each element, also for one that takes no byte.
        ("size", "'map(&a, t)'", EMPTY_TEXTS),
        # Nothing is known of what a call on each element is given, also where the message is an object.
        ("mapping", "'map(&keys(@), values(t))'", MAP_OF_NUMBERS),
        ("mapping", "'map(&length(@), to_array(t))'", "t: {type: number}"),
        ("mapping", "'t.*.keys(@)'", MAP_OF_NUMBERS),
        ("mapping", "'to_array(t)[0] | keys(@)'", "t: {type: number}"),
    ],
    ids=range(10),
)
def test_a_claim_that_does_not_hold(
    claim: str, attribute: str, properties: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is not proved."""
    monkeypatch.chdir(tmp_path)

    assert claims_of(attribute, properties)[claim] != "proved"


@pytest.mark.parametrize(
    "text",
    [
        *("t[?tags == `[]`].name", "t[?a == `[]`].[b]", "t[?k == `[[]]`].a", "t[?k == `[]` && a > `5`].b"),
        *("t[?tags[*].k == `[]`].name", "t[?max(a) == `[]`].b", "t[?sort_by(a, &b) == `[]`].b", "t[?a[] == `[]`].b"),
        f"t[?{' && '.join(f'(a{n} || b{n})' for n in range(14))}].join(@, @)",
        f"t[*].[{'b[*].[' * 20}a{']' * 20}]",
    ],
)
def test_work_is_bounded(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty lists in conditions, and forms whose ways would multiply."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("router.prover.schema_prover.MAX_SEARCH_SECONDS", 1.0)

    found = claims_of(json.dumps(text), "t: {type: array, items: {type: object}}")

    assert found["size"] in ("not decided", "refuted")


def test_projections_in_projections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of each takes twice the work of the one in it; of so many there is none."""
    monkeypatch.chdir(tmp_path)
    listed = "{type: array, maxItems: 2, items: {type: number}}"
    element = f"{{type: object, additionalProperties: false, properties: {{a: {{type: number}}, b: {listed}}}}}"
    declared = f"t: {{type: array, maxItems: 3, items: {element}}}"

    deep = f"t[*].[{'b[*].[' * 18}a{']' * 18}]"
    found = [claims_of(json.dumps(text), declared) for text in ("t[*].[b[*].[a]]", deep, "t[*].[b[*].merge(@, @)]")]

    assert [each["size"] for each in found] == ["proved", "not decided", "not decided"]
