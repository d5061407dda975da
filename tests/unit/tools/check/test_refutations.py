"""Claims that a message refutes: it satisfies the schema, and the code of the route rejects it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.run import Report, examine

CONFIG = """\
version: 1
tables: {things: {key: {id: S}TTL}, marks: {key: {id: S}}}
queues: {q: {dead_letter: dlq}}
routes:
  r:
    queue: q
    table: things
    schema: {type: object, required: [id], properties: PROPERTIES}
    item: {id: id, x: ATTRIBUTE}
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", str.upper)
"""
Examine = Callable[..., Report]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Returns a function that examines a config with an attribute, properties, more of the route and of the table."""
    monkeypatch.chdir(tmp_path)

    def run(attribute: str, properties: str = "", more: str = "", ttl: str = "") -> Report:
        declared = f"{{id: {{type: string, minLength: 1, maxLength: 9}}{properties and ', '}{properties}}}"
        text = CONFIG.replace("PROPERTIES", declared).replace("ATTRIBUTE", attribute).replace("TTL", ttl) + more
        Path("routes.yaml").write_text(text, encoding="utf-8")
        return examine(Path("routes.yaml"), {})

    return run


@pytest.mark.parametrize(
    ("attribute", "properties", "claim", "codes", "example"),
    [
        ("{from: t, transform: [lower, to_epoch]}", "t: {type: string}", "mapping", "RT244", '{"id":"a","t":""}'),
        ("sum(l)", "l: {type: array}", "mapping", "RT430", '{"id":"a"}'),
        ("{from: n, type: N}", "", "type", "RT244", '{"id":"a","n":""}'),
        ("{from: a.b, type: N}", "a: {type: object}", "type", "RT244", '{"a":{"b":""},"id":"a"}'),
        ("{from: 'a || b', missing: error}", "a: {type: string}, b: {type: string}", "mapping", "RT431", '{"id":"a"}'),
        ("to_number(n)", "n: {type: string}", "mapping", "RT244", f'{{"id":"a","n":"{"9" * 45}"}}'),
        ("{from: n, transform: url_decode}", "n: {type: string}", "mapping", "RT244", '{"id":"a","n":"%"}'),
        (
            "{from: n, transform: {to_iso: ms}}",
            "n: {type: integer}",
            "mapping",
            "RT244",
            '{"id":"a","n":1000000000000000}',
        ),
        ("{from: n, transform: sort}", "n: {type: array}", "mapping", "RT244", '{"id":"a","n":[{}]}'),
        ("b && length(a || b)", "a: {enum: ['', x]}, b: {enum: ['', 1]}", "mapping", "RT244", '{"id":"a","b":1}'),
        ("{template: '{n}'}", "", "mapping", "RT244", '{"id":"a","n":[]}'),
        ("{from: n, type: BOOL}", "n: {type: [boolean, string]}", "type", "RT416", '{"id":"a","n":""}'),
        (
            "{from: n, type: NS}",
            "n: {type: array, uniqueItems: true, minItems: 8, items: {enum: [a, b, c, d, e, f, g, h]}}",
            "type",
            "RT416",
            '{"id":"a","n":["a","b","c","d","e","f","g","h"]}',
        ),
        (
            "{from: n, type: N}",
            "n: {type: string, format: duration, minLength: 9, pattern: '^[^D]*$'}",
            "type",
            "RT416",
            '{"id":"a","n":"P0000000M"}',
        ),
        (
            "{from: n, type: N}",
            "n: {type: object, required: [o], properties: {o: {oneOf: [{type: boolean}, {const: true}]}}}",
            "type",
            "RT415",
            '{"id":"a","n":{"o":false}}',
        ),
        (
            "{from: n.l, type: SS}",
            "n: {required: [t], properties: {t: {oneOf: [{type: string}, {type: string, minLength: 1}]}}}",
            "type",
            "RT244",
            '{"n":{"t":"","l":""},"id":"a"}',
        ),
        (
            "{from: n, type: B}",
            "n: {type: string, minLength: 3000}",
            "type",
            "RT244",
            f'{{"id":"a","n":"{"a!" * 4096}"}}',
        ),
        ("{from: n, type: N}", "n: {type: string, pattern: '^[0-9]*x$'}", "type", "RT416", '{"id":"a","n":"x"}'),
        (
            "{from: n, type: N}",
            "n: {oneOf: [{type: integer, minimum: 1}, {type: integer, maximum: 9}, {type: boolean}]}",
            "type",
            "RT416",
            '{"id":"a","n":true}',
        ),
    ],
)
def test_a_message_that_is_rejected(
    check: Examine, attribute: str, properties: str, claim: str, codes: str, example: str
) -> None:
    """With the code of the finding, and the message."""
    report = check(attribute, properties)

    refuted = [entry for entry in report.ledger.entries if entry.example]

    assert [(entry.kind, entry.subject, *entry.codes, entry.example) for entry in refuted] == [
        (claim, "x", codes, example)
    ]


@pytest.mark.parametrize(
    ("attribute", "properties", "more", "claim"),
    [
        (
            "'not_null(n, id)'",
            "n: {type: integer}",
            "    write: {mode: newest, version: x}\n",
            (
                "version",
                "RT244",
                "the version 'x' is of type N, and of type S in another valid message",
                '{"id":"a","n":0}',
            ),
        ),
        (
            "n && id",
            "n: {type: integer}",
            "    write: {mode: newest, version: x}\n",
            ("version", "RT244", "the version 'x' is missing", '{"id":"a"}'),
        ),
        (
            "{value: 1}",
            "b: {type: boolean}",
            "    write: {mode: update, add: [x], once: marks, once_key: b && id}\n",
            ("once_key", "RT244", "'once_key' does not evaluate to text", '{"id":"a"}'),
        ),
    ],
)
def test_settings(check: Examine, attribute: str, properties: str, more: str, claim: Any) -> None:
    """Versions and idempotency keys."""
    entries = check(attribute, properties, more).ledger.entries

    found = next(entry for entry in entries if entry.kind == claim[0])
    assert (found.kind, *found.codes, found.reason, found.example) == claim


@pytest.mark.parametrize(
    ("attribute", "properties", "more", "code", "example"),
    [
        ("n", "n: {type: integer}", "", "RT622", '{"id":"a","n":1000000000000}'),
        ("n", "n: {type: integer, minimum: 3000000000000}", "", "RT421", '{"id":"a","n":3000000000000}'),
        ("n", "n: {type: integer, maximum: 500000000000}", "", "RT622", '{"id":"a","n":500000000000}'),
        ("{from: n, type: N}", "n: {type: string, pattern: '^[0-9]+$'}", "", "RT622", '{"id":"a","n":"1767323045678"}'),
        ("element.n", "l: {type: array, items: {properties: {n: {type: integer}}}}", "    for_each: l\n", "RT622",
         '{"l":[{"n":1000000000000}],"id":"a"}'),
        ("{from: n, transform: [{scale: 2}]}", "n: {type: number}", "", "RT244", '{"id":"a","n":1000000000000}'),
        ("{from: n, transform: [{scale: 2}]}", "n: {type: number, maximum: 9}", "", "", ""),
    ],
)  # fmt: skip
def test_a_time_to_live_in_milliseconds(
    check: Examine, attribute: str, properties: str, more: str, code: str, example: str
) -> None:
    """A message in which it is one, whether a rule found that it may be or not."""
    report = check(attribute, properties, more, ", ttl: x")

    found = next(entry for entry in report.ledger.entries if entry.kind == "ttl")
    assert ("".join(found.codes), found.example) == (code, example)


@pytest.mark.parametrize(
    ("attribute", "properties", "part"),
    [
        ("n", "n: {type: string}", "'n'"),
        ("n", "n: {type: string, format: uri}", "'n'"),
        ("n", "n: {type: string, format: duration}", "'n'"),
        ("n", "n: {type: array, items: {type: integer}}", "'n'"),
        ("n", "n: {type: object, properties: {a: {type: array, items: {type: string}}}}", "'n'"),
        ("{template: '{id}-{n.a}'}", "n: {type: object, properties: {a: {type: string}}}", "'n.a'"),
        ("{from: n, type: B}", "n: {type: string}", "'n'"),
        ("{from: n, type: json}", "", "'n'"),
        ("'n[*].a'", "n: {type: array}", "'n[].a'"),
    ],
)
def test_a_long_value(check: Examine, attribute: str, properties: str, part: str) -> None:
    """The item of a valid message with it is too large; it is no finding, and `--strict` takes it."""
    report = check(attribute, properties)

    found = next(entry for entry in report.ledger.entries if entry.kind == "size")
    reason = f"{part} may be so long that the item has more than 409600 bytes"
    shown = [finding for finding in report.findings if finding.code.id == "RT623"]
    assert (found.codes, found.reason, report.ledger.complete, shown) == (("RT623",), reason, True, [])


@pytest.mark.parametrize(
    ("attribute", "properties"),
    [
        ("n", "n: {type: string, maxLength: 9}"),
        ("{from: n, transform: [{truncate: 9}]}", "n: {type: string}"),
        ("{from: n, type: NS}", "n: {type: array, items: {enum: [1, 2]}}"),
        ("{from: n, type: N}", "n: {type: string, pattern: '^[0-9]+$'}"),
    ],
)
def test_values_that_are_never_long(check: Examine, attribute: str, properties: str) -> None:
    """No message refutes the size."""
    found = next(entry for entry in check(attribute, properties).ledger.entries if entry.kind == "size")

    assert found.codes == ()


def test_the_list_of_for_each(check: Examine) -> None:
    """A message in which it is none; the attributes are those of messages that have it."""
    report = check("{from: element.n, type: N}", "l: {}", "    for_each: l\n")

    assert [(entry.kind, entry.verdict, entry.example) for entry in report.ledger.entries if entry.example] == [
        ("for_each", "refuted", '{"id":"a"}'),
        ("type", "refuted", '{"l":[{"n":""}],"id":"a"}'),
        ("key", "refuted", '{"id":"a","l":[{}]}'),
    ]


@pytest.mark.parametrize(
    ("when", "example"),
    [
        ("abs(n) > `0`", '{"id":"a","n":1,"m":""}'),
        ("to_string(n) == '7'", '{"id":"a","n":7,"m":""}'),
        ("!m.n", ""),
    ],
)
def test_messages_that_reach_the_route(check: Examine, when: str, example: str) -> None:
    """They satisfy `when`, too; if none does, no message refutes a claim."""
    report = check("{from: m, type: N}", "n: {type: integer}", f"    when: {json.dumps(when)}\n")

    assert [entry.example for entry in report.ledger.entries if entry.kind == "type"] == [example]


def test_no_plugin_is_run(check: Examine) -> None:
    """A transform of a plugin may have effects."""
    Path("own.py").write_text(PLUGIN, encoding="utf-8")

    report = check("{from: m, transform: shout}", more="plugins: [own.py]\n")

    assert [entry.verdict for entry in report.ledger.entries if entry.subject == "x"] == ["not decided"]


def test_a_condition_that_fails(check: Examine) -> None:
    """It is false then."""
    report = check("id", "n: {type: [string, integer]}", "    when: n > `1`\n")

    entry = report.ledger.entries[0]
    assert (entry.kind, entry.verdict, *entry.codes, entry.reason, entry.example) == (
        *("when", "refuted", "RT244", "'n > `1`' failed: values of different types are compared"),
        '{"id":"a","n":""}',
    )


def test_no_finding(check: Examine) -> None:
    """The ledger has what a message refutes."""
    report = check("{from: n, type: N}")

    [entry] = report.ledger.unreported
    sentence = "the type of 'x' of route 'r' does not hold for each message: attribute 'x' is no number"
    assert (entry.finding in report.findings, report.ledger.complete, str(entry.finding)) == (
        False,
        False,
        f"routes.yaml:9:39: info RT244 {sentence}",
    )


def test_accepted(check: Examine) -> None:
    """With a reason in the config."""
    report = check("{from: n, type: N}", more="ignore: [{code: RT244, at: routes.r.item.x, reason: known}]\n")

    assert (report.ledger.complete, [entry.ignored for entry in report.ledger.unreported]) == (True, ["known"])


@pytest.mark.parametrize(
    ("attribute", "properties", "for_each"),
    [
        ("{from: element.n, missing: error}", "l: {type: array, maxItems: 0}", "l"),
        (
            "{from: message.l.b, missing: error}",
            "l: {type: object, required: [b], properties: {b: {type: string}}}",
            "l.a",
        ),
    ],
)
def test_messages_that_have_an_element(check: Examine, attribute: str, properties: str, for_each: str) -> None:
    """Claims about items are about no others: there is none, or what is around the list is there, too."""
    entries = check(attribute, properties, f"    for_each: {for_each}\n").ledger.entries

    assert [entry.verdict for entry in entries if (entry.kind, entry.subject) == ("mapping", "x")] == ["proved"]


def test_a_condition_that_no_message_satisfies(check: Examine) -> None:
    """It contradicts a schema of which the library decides little."""
    node = "n: {properties: {m: {$ref: '#/properties/o'}}}, "
    node += "o: {properties: {a: {type: integer}, b: {items: {$ref: '#/properties/o'}}}}"

    report = check("id", node, "    when: type(n.m.a) == 'string'\n")

    assert [finding.code.id for finding in report.findings if finding.code.id == "RT211"] == ["RT211"]


def test_a_value_that_a_rule_found(tmp_path: Path) -> None:
    """It is tried: a text after whose last separator there is none."""
    text = CONFIG.replace("TTL", "").replace("id: id, x: ATTRIBUTE", "id: {from: n, transform: [{split: '#'}, last]}")
    text = text.replace("[id]", "[n]").replace("PROPERTIES", "{n: {type: string, pattern: '^arn:'}}")
    (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")

    entries = examine(tmp_path / "routes.yaml", {}).ledger.entries

    assert [(entry.codes, entry.example) for entry in entries if entry.kind == "key"] == [(("RT612",), '{"n":"arn:#"}')]


REMOVED = "{from: 'not_null(a, b)', missing: remove, transform: strip}"
LONG = "a: {type: string}, b: {type: [integer, 'null']}, c: {type: string}"


@pytest.mark.parametrize(
    ("attribute", "entry"),
    [
        (REMOVED, ("mapping", "RT244", '{"id":"Ab1Ab1Ab1","b":10000000}')),
        ("{from: b, 'null': remove, missing: remove, transform: to_text}", None),
        ("{from: c, missing: remove, type: N}", ("type", "RT416", '{"id":"a","c":"x"}')),
        ("{from: c, missing: remove, transform: to_epoch}", ("mapping", "RT414", '{"id":"a","c":"x"}')),
        ("{from: b, missing: remove, transform: strip}", ("mapping", "RT413", '{"id":"a","b":0}')),
    ],
)
def test_a_value_that_is_removed_is_no_fault(check: Examine, attribute: str, entry: Any) -> None:
    """The mode `update` removes an attribute: an example is a message that is rejected."""
    report = check(attribute, LONG, "    write: {mode: update}\n")

    examples = [each for each in report.ledger.entries if each.example]
    assert [(each.kind, *each.codes, each.example) for each in examples] == ([entry] if entry else [])


def test_a_long_value_beside_one_that_is_removed(check: Examine) -> None:
    """Makes the item too large, as beside one that is missing."""
    report = check("{from: c, missing: remove}", LONG, "    write: {mode: update}\n")

    assert [each.codes for each in report.ledger.entries if each.kind == "size"] == [("RT623",)]
