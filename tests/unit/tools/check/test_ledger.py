"""The ledger of claims: what is proved, refuted and not decided."""

from collections.abc import Callable
from pathlib import Path

import pytest

from router.model import Code
from router.tools.check.analysis.verdicts import Claim, Undecided
from router.tools.check.ledger import PLUGINS
from router.tools.check.rule import Rule, Subject
from router.tools.check.run import Report, examine

CONFIG = """\
version: 1
tables: {things: {key: {id: S}, ttl: expires}}
queues: {q: {dead_letter: dlq}}
routes:
  r:
    queue: q
    table: things
    schema: SCHEMA
    item: ITEM
"""
SCHEMA = """{type: object, required: [id], properties: {
      id: {type: string, minLength: 1, maxLength: 9}, n: {type: integer}, t: {type: string, maxLength: 9},
      l: {type: array}}}"""
MORE = (
    SCHEMA.replace("required: [id]", "required: [id, t, k]")
    .replace("l: {", "k: {type: array, items: ELEMENT}, l: {")
    .replace("ELEMENT", "{type: object, required: [n], properties: {n: {type: integer, minimum: 0, maximum: 9}}}")
)
Examine = Callable[..., Report]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Returns a function that examines a config with an item and a schema."""
    monkeypatch.chdir(tmp_path)

    def run(item: str = "{id: id}", schema: str = SCHEMA, more: str = "") -> Report:
        text = CONFIG.replace("SCHEMA", schema).replace("ITEM", item) + more
        Path("routes.yaml").write_text(text, encoding="utf-8")
        return examine(Path("routes.yaml"), {})

    return run


def claims(report: Report) -> dict[str, str]:
    """Each claim with its verdict, and the codes or the reason."""
    return {
        f"{entry.kind} {entry.subject}".rstrip(): " ".join([entry.verdict, *entry.codes, entry.reason]).rstrip()
        for entry in report.ledger.entries
    }


def test_a_table_without_time_to_live(check: Examine) -> None:
    """No attribute of the whole message is claimed to be one."""
    config = CONFIG.replace(", ttl: expires", "").replace("    item: ITEM\n", "").replace("SCHEMA", SCHEMA)
    Path("routes.yaml").write_text(config, encoding="utf-8")

    assert claims(examine(Path("routes.yaml"), {})) == {
        "mapping": "proved",
        "key id": "proved",
        "size": "refuted RT623 the message may be so long that the item has more than 409600 bytes",
    }


def test_proved(check: Examine) -> None:
    """Each claim about a plain route."""
    assert claims(check("{id: id, n: {from: n, type: N}, expires: {ttl: 90d}}")) == {
        "mapping id": "proved",
        "mapping n": "proved",
        "type n": "proved",
        "mapping expires": "proved",
        "key id": "proved",
        "ttl expires": "proved",
        "size": "proved",
    }


def test_refuted(check: Examine) -> None:
    """With the codes of the findings."""
    report = check("{id: t, n: {from: n, type: BOOL}, expires: {from: t}}")

    assert {claim: verdict for claim, verdict in claims(report).items() if verdict != "proved"} == {
        "type n": "refuted RT415",
        "key id": "refuted RT610",
        "ttl expires": "refuted RT421",
    }


def test_the_verdict_in_words(check: Examine) -> None:
    """People read what may happen to a message."""
    report = check("{id: t, n: {from: n, type: BOOL}, expires: {from: t}}")

    shown = {f"{each.kind} {each.subject}".rstrip(): each.in_words for each in report.ledger.entries}
    assert shown == {
        "mapping id": "proved",
        "mapping n": "proved",
        "type n": "may be rejected",
        "mapping expires": "proved",
        "key id": "may be rejected",
        "ttl expires": "may never expire",
        "size": "proved",
    }


@pytest.mark.parametrize(
    ("item", "schema", "example"),
    [
        ("{id: id}", SCHEMA.replace("required: [id]", "required: [n]"), '{"n":0}'),
        ("{id: id}", SCHEMA.replace("minLength: 1, ", ""), '{"id":""}'),
        ("{id: n}", SCHEMA.replace("[id]", "[id, n]"), '{"id":"a","n":0}'),
        ("{id: {from: l, transform: first}}", SCHEMA, '{"id":"a"}'),
        ("{id: t}", "{type: object, required: [id], properties: {t: false, id: {}}}", '{"id":{}}'),
    ],
)
def test_an_example(check: Examine, item: str, schema: str, example: str) -> None:
    """A message that refutes a claim about a key."""
    found = next(entry for entry in check(item, schema).ledger.entries if entry.kind == "key")

    assert (found.verdict, found.example) == ("refuted", example)


def test_not_decided(check: Examine) -> None:
    """With the reasons."""
    report = check("{id: id, a: 'map(&n, k)', b: l, c: 'sort_by(k, &n)'}", MORE)

    assert {claim: verdict for claim, verdict in claims(report).items() if verdict != "proved"} == {
        "mapping c": "not decided sort_by() may fail on a value of the list",
        "size": "refuted RT623 'l' may be so long that the item has more than 409600 bytes",
    }


PLUGIN = """\
from router import hookimpl
@hookimpl
def router_transform_message(message, route): return message
@hookimpl
def router_register_transforms(register): register('own', str)
"""


@pytest.mark.parametrize(
    ("item", "schema", "more", "advice"),
    [
        ("{id: id, a: 'sort_by(k, &n)'}", MORE, "", "with 'type' and 'required'"),
        ("{id: id}", "null", "", "give the route a 'schema'"),
        ("{id: id}", SCHEMA, "    plugins: [own]\nplugins: [own.py]\n", "test the plugin"),
        ("{id: id, a: {from: l, transform: own}}", SCHEMA, "plugins: [own.py]\n", "test the plugin"),
    ],
)
def test_what_would_decide(check: Examine, item: str, schema: str, more: str, advice: str) -> None:
    """A claim that is not decided says what to do: in the schema, unless a plugin is the reason."""
    Path("own.py").write_text(PLUGIN)

    report = check(item, schema, more=more)

    first = report.ledger.undecided[0]
    assert (advice in first.way_out, advice in first.finding.suggestion) == (True, True), first
    assert {entry.way_out for entry in report.ledger.entries if entry.verdict != "not decided"} == {""}


def test_a_size_that_is_not_decided(check: Examine) -> None:
    """Fails with --strict, as each claim does."""
    Path("own.py").write_text(PLUGIN)
    ignored = "plugins: [own.py]\nignore: [{code: RT241, at: routes.r.item.a, reason: known}]\n"

    report = check("{id: id, a: {from: l, transform: own}}", SCHEMA, more=ignored)

    verdicts = [(entry.kind, entry.open, entry.fails_strict) for entry in report.ledger.undecided]
    assert verdicts == [("mapping", False, False), ("key", True, True), ("size", True, True)]


def test_a_refuted_claim_that_is_ignored(check: Examine) -> None:
    """Its finding is accepted at its place: others of the code are not."""
    ignored = "ignore: [{code: RT415, at: routes.r.item.a, reason: known}]\n"

    report = check("{id: id, a: {from: t, type: NS}, b: {from: t, type: NS}}", more=ignored)

    refuted = [(entry.subject, entry.ignored) for entry in report.ledger.entries if entry.verdict == "refuted"]
    assert refuted == [("a", "known"), ("b", "")]


def test_ignored(check: Examine) -> None:
    """A claim that is not decided is accepted with a reason, at its place."""
    item = "{id: id, a: 'sort_by(k, &n)', b: 'sort_by(k, &n)'}"

    report = check(item, MORE, more="ignore: [{code: RT241, at: routes.r.item.a, reason: known}]\n")

    assert [(entry.subject, entry.ignored) for entry in report.ledger.undecided[:2]] == [("a", "known"), ("b", "")]


def test_nothing_to_ignore(check: Examine) -> None:
    """An entry of `ignore` for a claim that is proved is reported."""
    report = check(more="ignore: [{code: RT241, reason: known}]\n")

    assert "RT110" in [finding.code.id for finding in report.findings]


def test_without_a_schema(check: Examine) -> None:
    """Nothing is known about the messages; that is said, and does not fail with --strict."""
    report = check("{id: id, m: {meta: sent_at}}", "{}")
    unknown = check("{id: id, m: {meta: sent_at}}", "null\n    options: {}").ledger

    assert (claims(report)["key id"], unknown.complete) == ("refuted RT610", True)


def test_a_config_that_does_not_start(check: Examine) -> None:
    """It has no ledger."""
    assert claims(check("{id: 'id.'}")) == {}


def test_plugins_that_change_items(check: Examine) -> None:
    """Are assumed to leave them valid."""
    Path("own.py").write_text(
        "from router import hookimpl\n@hookimpl\ndef router_transform_item(item, message, route): return item\n"
    )

    report = check(more="plugins: [own.py]\n")

    assert [(entry.kind, entry.assumes) for entry in report.ledger.entries] == [
        ("mapping", ""),
        ("key", PLUGINS),
        ("size", PLUGINS),
    ]


def test_a_schema_without_end_of_paths(check: Examine) -> None:
    """Its items are not measured, and a message is found whose item is too large."""
    node = "{type: object, properties: {x: {$ref: '#/$defs/n'}, y: {$ref: '#/$defs/n'}, z: {$ref: '#/$defs/n'}}}"
    schema = SCHEMA.replace("l: {type: array}}}", f"l: {{$ref: '#/$defs/n'}}}}, $defs: {{n: {node}}}}}")

    report = check("{id: id, l: l}", schema)

    reason = "'l' may be so long that the item has more than 409600 bytes"
    assert claims(report)["size"] == f"refuted RT623 {reason}"


def test_a_rule_that_cannot_decide(tmp_path: Path) -> None:
    """It is not a finding, and what it yields is an entry with its reason."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG.replace("SCHEMA", SCHEMA).replace("ITEM", "{id: id}"), encoding="utf-8")
    doubt = Undecided(Claim("r", "mapping", "id"), "the moon is full")
    rule: Rule[Subject] = Rule((Code("X1", "t", "w"),), lambda subject: [doubt])

    report = examine(path, {}, rules=[rule])

    assert (report.findings, claims(report)["mapping id"]) == ((), "not decided the moon is full")
