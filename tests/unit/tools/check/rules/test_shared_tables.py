"""Routes that lose data of one item, what their findings say, and how a pair is ignored."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.check import Report, examine

CODES = ("RT218", "RT606", "RT626", "RT629", "RT642")
HEAD = """\
queues: {q: {dead_letter: d}, p: {dead_letter: d}}
tables: {t: {name: things, key: {id: S}}, keys: {key: {k: S}}}
"""


def routes(one: str, other: str, queue: str = "p") -> str:
    """Two routes that write one key."""
    return f"{HEAD}routes:\n  r0: {{queue: q, table: t, {one}}}\n  r1: {{queue: {queue}, table: t, {other}}}\n"


def write(mode: str, names: str = "", more: str = "") -> str:
    """How a route writes some attributes, each from a field of its name."""
    item = "".join(f", {name}: {name}" for name in names.split())
    return f"item: {{id: id{item}}}, write: {{mode: {mode}{more}}}"


V, W, ONCE = ", version: v", ", version: w", ", once: keys"
ADD, APPEND = ", add: [a]", ", append: [a]"


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        (write("put", "a"), write("put", "a"), ""),
        (write("put", "a"), write("put", "b"), "RT626"),
        (write("newest", "a v", V), write("newest", "a v", V), ""),
        (write("newest", "a v", V), write("newest", "b v", V), "RT626"),
        (write("newest", "a v", V), write("newest", "a w", W), "RT626"),
        (write("put", "a"), write("update", "b"), "RT626"),
        (write("insert", "a"), write("insert", "a"), "RT626"),
        (write("insert", "a"), write("update", "b"), "RT626"),
        (write("update", "a"), write("update", "b"), ""),
        (write("update", "a v", V), write("update", "b w", W), ""),
        (write("update", "a v", V), write("update", "b v", V), "RT626"),
        (write("update", "a"), write("update", "a"), "RT626"),
        (write("update", "a", ADD + ONCE), write("update", "a", ADD + ONCE), ""),
        (write("update", "a", ADD + ONCE), write("update", "a"), "RT626"),
        (write("update", "a", ADD + ONCE), write("update", "a", APPEND + ONCE), "RT626"),
        (write("update", "a", ADD + ONCE), write("put", "b"), "RT626"),
        (write("update", "a v", ADD + ONCE), write("update", "a v", V), "RT626"),
        (write("update", "a", ", keep_first: [a]"), write("update", "a", ", keep_first: [a]"), ""),
        (write("delete"), write("put", "a"), "RT626"),
        (write("delete"), write("delete"), ""),
        (write("delete", "v", V), write("newest", "a v", V), "RT627"),
        (write("delete", "v", V), write("update", "a w", W), "RT628"),
    ],
)
def test_pairs_of_modes(find_all: Any, one: str, other: str, code: str) -> None:
    """What a pair is reported as, in either order of the routes."""
    for pair in ((one, other), (other, one)):
        found = [line[:5] for line in find_all(routes(*pair))]
        assert found == ([code] if code else [])


def test_a_finding_has_the_messages_and_the_edit(find_all: Any) -> None:
    """In one line; the edit is YAML that ends the losses."""
    [line] = find_all(routes(write("put", "a"), write("put", "b")))
    sentence, _, advice = line.partition("; write ")
    assert sentence == (
        "RT626 routes 'r0' and 'r1' write one item for {id: a, a: a} and then {id: a, b: b}: "
        "in order, 'r1' replaces the item, and erases 'a' of 'r0'; "
        "out of order, a late message of 'r0' replaces the item, and erases 'b' of 'r1'"
    )
    edit = yaml.safe_load(advice)["routes"]
    assert find_all(routes(*[yaml.safe_dump(edit[name], default_flow_style=True)[1:-2] for name in ("r0", "r1")])) == []


def test_two_inserts_get_a_sort_key(find_all: Any) -> None:
    """The advice says so before the YAML."""
    [line] = find_all(routes(write("insert", "a"), write("insert", "a")))
    assert (
        "; a table whose sort key is the kind of the event, write {tables: {t: {key: {id: S, kind: S}}}, routes:"
        in line
    )


def test_one_message_that_puts_one_item_twice(find_all: Any) -> None:
    """RT218 is for what RT626 does not say."""
    assert [line[:5] for line in find_all(routes(write("put", "a"), write("put", "a"), "q"))] == ["RT218"]
    assert [line[:5] for line in find_all(routes(write("put", "a"), write("put", "b"), "q"))] == ["RT626"]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("id: id, s: {value: 1}, v: v", "id: id, s: {value: 2}, v: v", ["RT218"]),
        ("id: id, s: a, v: v", "id: id, s: b, v: v", ["RT218"]),
        ("id: id, s: a, v: v", "id: id, s: a, v: v", []),
        ("id: id, s: a, v: v", "id: id, s: b, v: w", []),
        ("id: id, s: a, v: v", "id: {template: 'b{id}'}, s: b, v: v", []),
    ],
)
def test_one_message_with_one_version_for_two_routes(find_all: Any, one: str, other: str, found: list[str]) -> None:
    """What both set has the value of the first."""
    for mode in ("newest", "update"):
        first, second = (f"item: {{{item}}}, write: {{mode: {mode}{V}}}" for item in (one, other))
        lines = find_all(routes(first, second, "q"))
        assert [line[:5] for line in lines if line[:5] != "RT626"] == found
        if found:
            sentence = "routes 'r0' and 'r1' set 's' of one item for one message, with one version"
            assert lines == [f"RT218 {sentence}; set 's' in one of them"]
        assert not [line for line in find_all(routes(first, second)) if line.startswith("RT218")]


def test_sums_with_a_version(find_all: Any) -> None:
    """A redelivered message adds nothing, so that there is one finding; neither does a late one."""
    [line] = find_all(routes(write("update", "a v", ADD + V), write("update", "b")))
    advice = "remove 'version', and name a table of idempotency keys with 'once:'"
    assert line == f"RT629 with 'version', a message that is received late does not 'add' anything; {advice}"
    assert [each[:5] for each in find_all(routes(write("update", "a", APPEND), write("update", "b")))] == ["RT606"]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that returns the report on a config without its version."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, **files: str) -> Report:
        for name, content in files.items():
            Path(f"{name}.yaml").write_text(content, encoding="utf-8")
        Path("routes.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")
        return examine(Path("routes.yaml"), {})

    return run


def test_a_pair_can_be_ignored(report: Any) -> None:
    """By both of its routes, in any order; another pair of one of them stays."""
    text = routes(write("put", "a"), write("put", "b")) + f"  r2: {{queue: p, table: t, {write('put', 'c')}}}\n"
    ignore = "ignore: [{code: RT626, at: routes.r1, and: routes.r0, reason: r1 is sent before r0}]\n"
    before = [each for each in report(text).findings if each.code.id == "RT626"]
    after = report(text + ignore)
    assert len(before) == 3
    assert [each for each in after.findings if each.code.id in ("RT626", "RT110")] == before[1:]
    assert [each.finding for each in after.ignored] == before[:1]


def test_an_ignored_pair_that_loses_nothing_is_reported(report: Any) -> None:
    """As any entry that matches no finding."""
    text = routes(write("put", "a"), write("put", "a"))
    ignore = "ignore: [{code: RT626, at: routes.r1, and: routes.r0, reason: none}]\n"
    assert [each.code.id for each in report(text + ignore).findings] == ["RT110"]


def verdicts(report: Report) -> list[tuple[str, str, str]]:
    """The claims about pairs, each with its verdict and reason."""
    pairs = [each for each in report.ledger.entries if each.kind == "pair"]
    return [(f"{each.route} {each.subject}", each.verdict, each.reason or ",".join(each.codes)) for each in pairs]


SCHEMA = (
    ", schema: {{type: object, required: [id], properties: {{id: {{type: string, maxLength: 20, pattern: '{}'}}}}}}"
)


def test_pairs_are_claims(report: Any) -> None:
    """Proved, refuted by a finding, or not decided."""
    text = routes(write("put", "a") + SCHEMA.format("^a"), write("put", "b") + SCHEMA.format("^b"))
    text += f"  r2: {{queue: s, table: t, {write('put', 'c') + SCHEMA.format('^a')}}}\n"
    text += "  r3: {queue: u, table: t, item: {id: {from: id, transform: {truncate: 1}}, d: d}"
    text += SCHEMA.format("^c") + "}\n"
    found = report(text)
    unknown = "no two messages with one key were found, and it is not proved that there are none"
    assert verdicts(found) == [
        ("r1 r0", "proved", ""),
        ("r2 r0", "refuted", "RT626"),
        ("r2 r1", "proved", ""),
        ("r3 r0", "not decided", unknown),
        ("r3 r1", "not decided", unknown),
        ("r3 r2", "not decided", unknown),
    ]
    entry = found.ledger.undecided[-1]
    assert entry.finding.sentence == f"the pair of routes 'r2' and 'r3' is not decided: {unknown}"
    assert entry.finding.code.id == "RT241"
    assert found.ledger.entries[-1].in_words == "not decided"


def test_a_pair_that_is_not_decided_can_be_ignored(report: Any) -> None:
    """By both routes; without a schema of both, it is no claim for `--strict`."""
    text = routes(
        "item: {id: {from: id, transform: {truncate: 1}}, a: a}" + SCHEMA.format("^a"),
        "item: {id: {template: 'bb{id}'}, b: b}",
    )
    ignore = "ignore: [{code: RT242, at: routes.r1, and: routes.r0, reason: 'never meet'}]\n"
    found = report(text + ignore)
    [pair] = [each for each in found.ledger.entries if each.kind == "pair"]
    assert (pair.ignored, pair.has_schema, pair.open) == ("never meet", False, False)


def test_a_config_with_errors_has_no_pairs(report: Any) -> None:
    """Its routes cannot run."""
    found = report(routes(write("put", "a"), write("put", "b")) + "  r2: {queue: p, table: unknown}\n")
    assert "RT626" not in [each.code.id for each in found.findings]


def pasted(config: Any, suggestion: str) -> Any:
    """A config with what a suggestion says to write."""
    sections = yaml.safe_load(suggestion.split("write ", 1)[1])
    for section, entries in sections.items():
        for name, settings in entries.items():
            config[section].setdefault(name, {}).update(settings)
    return config


FIXTURES = Path(__file__).parents[4] / "checks"
COMMON = ", schema: {type: object, required: [id, at, s], properties: {type: {type: string}, id: {type: string, "
COMMON += "minLength: 1, maxLength: 9}, at: {type: integer, maximum: 9}, s: {type: string, maxLength: 9}}}"


def kind(name: str, rest: str) -> str:
    """A route of messages of one type, which has an attribute in common with others."""
    return f"  {name}: {{queue: q, table: t, when: \"type == '{name}'\", {rest}{COMMON}}}\n"


GROUPS = {
    "a common attribute, and versions of their own": "".join(
        kind(name, f"item: {{id: id, s: s, {name}: x, {name}_at: at}}, write: {{mode: update, version: {name}_at}}")
        for name in ("one", "two", "six")
    ),
    "all modes": kind("one", "item: {id: id, s: s, x: x, at: at}, write: {mode: newest, version: at}")
    + kind("two", "item: {id: id, s: s, y: y, at: at}, write: {mode: update, version: at}")
    + kind("six", "item: {id: id, at: at}, write: {mode: delete, version: at}")
    + kind("ten", "item: {id: id, s: s}, write: {mode: insert}"),
    "two inserts": kind("one", "item: {id: id, s: s}, write: {mode: insert}")
    + kind("two", "item: {id: id, s: s}, write: {mode: insert}"),
    "whole messages": kind("one", "write: {mode: put}") + kind("two", "write: {mode: delete}")
    + kind("six", "item: {id: id, s: s}, write: {mode: put}"),
}  # fmt: skip


@pytest.mark.parametrize("case", ["RT626", "RT627", "RT628", *GROUPS])
def test_the_edits_end_the_findings(report: Any, case: str) -> None:
    """Pasted one after the other, or all at once, they leave a config that passes."""
    text = f"{HEAD}routes:\n{GROUPS[case]}" if case in GROUPS else (FIXTURES / case / "bad.yaml").read_text("utf-8")
    config = yaml.safe_load(text)
    before = report(text.removeprefix("version: 1\n"))
    pairs = [each for each in before.findings if each.code.id in ("RT626", "RT627", "RT628")]
    known = {each.code.id for each in before.findings}
    assert pairs
    for each in pairs:
        config = pasted(config, each.suggestion)
        config.pop("version", None)
        after = report(yaml.safe_dump(config, sort_keys=False))
        shown = {found.sentence.partition(" write ")[0] for found in after.findings}
        assert each.sentence.partition(" write ")[0] not in shown
        assert [
            found for found in after.findings if found.code.severity == "error" and found.code.id not in known
        ] == []
    new = {"RT623", "RT621"}
    assert {each.code.id for each in after.findings} <= (known | new) - {each.code.id for each in pairs}


def test_the_advice_about_sums_with_a_version(report: Any) -> None:
    """Without it, and with a table of keys, nothing is found any more."""
    config = yaml.safe_load((FIXTURES / "RT629" / "bad.yaml").read_text("utf-8"))
    del config["version"]
    del config["routes"]["orders"]["write"]["version"]
    config["routes"]["orders"]["write"]["once"] = "effects"
    config["tables"]["effects"] = {"key": {"id": "S"}, "ttl": "gone_at"}
    assert [each.code.id for each in report(yaml.safe_dump(config)).findings if each.code.id.startswith("RT6")] == []


KEYS = "tables: {t: {name: things, key: {id: S}}, keys: {key: {k: S}}, same: {name: things, key: {id: S}}}"
ADDED = "item: {id: id, a: a}, write: {mode: update, add: [a], once: "


@pytest.mark.parametrize(
    ("once", "other", "found"),
    [
        ("keys", "", []),
        ("t", "", ["RT642 the idempotency keys would be items of 't', which the route writes"]),
        ("same", "", ["RT642 the idempotency keys would be items of 'same', which the route writes"]),
        (
            "keys",
            "table: keys, item: {k: k}",
            ["RT643 route 'r1' writes 'keys' too, and can replace idempotency keys"],
        ),
        ("keys", f"table: same, {ADDED}keys}}", []),
    ],
)
def test_tables_of_idempotency_keys(find_all: Any, once: str, other: str, found: list[str]) -> None:
    """They have no items of a route; a table may have two names."""
    text = f"queues: {{q: {{dead_letter: d}}}}\n{KEYS}\nroutes:\n  r0: {{queue: q, table: t, {ADDED}{once}}}}}\n"
    text += f"  r1: {{queue: q, {other}}}\n" * bool(other)
    lines = [each.split(";")[0] for each in find_all(text) if each.startswith("RT64")]
    assert lines == found


def test_an_unknown_table_of_idempotency_keys(find_all: Any) -> None:
    """Loading reports it, and an unknown table of the route."""
    text = f"queues: {{q: {{dead_letter: d}}}}\n{KEYS}\nroutes:\n  r0: {{queue: q, table: TABLE, {ADDED}TABLE}}}}\n"
    assert not [each for each in find_all(text) if each.startswith("RT64")]
