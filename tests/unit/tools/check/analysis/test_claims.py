"""Why claims are proved, or not decided: each kind of expression, transform, conversion and setting."""

# ruff: noqa: E501  (reasons are long)

import json
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.run import examine

CONFIG = """\
version: 1
plugins: [own.py]
tables:
  things: {key: {id: KIND}, ttl: gone}
  markers: {key: {id: S}}
queues: {q: {dead_letter: dlq}}
routes:
  route: {queue: q, table: things, schema: SCHEMA, ROUTE}
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", str.upper)
"""
WORD = {"type": "string", "minLength": 1, "maxLength": 9}
LINE = {"type": "object", "required": ["sku"], "properties": {"sku": WORD, "n": {"type": ["integer", "null"]}}}
CLOSED_LINE = {**LINE, "additionalProperties": False}
SCHEMA = {
    "type": "object",
    "required": [
        "id",
        "link",
        "word",
        "time",
        "count",
        "lines",
        "words",
        "closed",
        "numbers",
        "counts",
        "base64",
        "base64s",
        "base64_2",
    ],
    "properties": {
        "id": WORD,
        "word": WORD,
        "long": {"type": "string", "maxLength": 500_000},
        "code": {"enum": ["7", "12", 8]},
        "digits": {"type": "string", "pattern": "^(?:[1-9][0-9]{0,8}|0)$"},
        "thirteen": {"type": "string", "pattern": "^[0-9]{13}$"},
        "both": {
            "allOf": [{"maxLength": 9}, {"anyOf": [{"enum": ["1"]}, {"type": "string", "pattern": "^[0-9]{2}$"}]}]
        },
        "endless": {"type": "string", "pattern": "^[0-9]+$"},
        "letters": {"type": "string", "pattern": "^\\p{L}{2}$"},
        "decimal": {"type": "string", "pattern": "^\\p{Nd}{2}$"},
        "hexadecimal": {"type": "string", "pattern": "^[0-9a-f]{8}$"},
        "far": {"type": "string", "minLength": 1, "format": "date", "maxLength": 2048},
        "huge": {"enum": [[10**40 + 1]]},
        "time": {"type": "string", "format": "date-time"},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "number": {"type": "number"},
        "whole": {"type": "integer"},
        "base64": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})+$", "minLength": 1, "maxLength": 2048},
        "base64s": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})*$", "maxLength": 2048},
        "base64_2": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})+$", "minLength": 1},
        "mail": {"type": "string", "format": "email"},
        "link": {"type": "string", "format": "uri", "maxLength": 50},
        "flag": {"type": "boolean"},
        "lines": {"type": "array", "items": CLOSED_LINE, "maxItems": 5},
        "words": {"type": "array", "items": WORD},
        "three": {"type": "array", "items": WORD, "maxItems": 3},
        "nulls": {"type": "array", "items": {"type": ["string", "null"]}},
        "numbers": {"type": "array", "items": {"type": "number"}, "maxItems": 3},
        "counts": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}},
        "most": {"type": "integer", "minimum": 0, "maximum": 10**38 - 1},
        "part": {"type": "number", "minimum": 0, "maximum": 1},
        "price": {"type": "number", "minimum": 0, "maximum": 99, "multipleOf": 0.01},
        "nothing": {"type": "array", "maxItems": 0},
        "closed": {"type": "object", "properties": {"a": WORD}, "additionalProperties": False},
        "choice": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "boolean"}]},
    },
}


@pytest.fixture
def claims(tmp_path: Path) -> Any:
    """Returns a function from a route to the verdict and reason of its claims."""
    (tmp_path / "own.py").write_text(PLUGIN, encoding="utf-8")

    def run(route: str, kind: str = "S") -> dict[str, str]:
        text = CONFIG.replace("SCHEMA", json.dumps(SCHEMA)).replace("ROUTE", route).replace("KIND", kind)
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        report = examine(tmp_path / "routes.yaml", {})
        return {
            f"{entry.kind} {entry.subject}".rstrip(): " ".join([entry.verdict, *entry.codes, entry.reason]).rstrip()
            for entry in report.ledger.entries
        }

    return run


PROVED = "proved"
OUT_OF_RANGE = "attribute 'x': a number of more than 38 digits or out of range"


def undecided(reason: str) -> str:
    return f"not decided {reason}"


def refuted(reason: str, code: str = "RT244") -> str:
    """By a message alone."""
    return f"refuted {code} {reason}"


@pytest.mark.parametrize(
    ("attribute", "verdict"),
    [
        ("join(', ', words)", PROVED),
        ("join(', ', nulls)", "refuted RT430"),
        ("join(', ', absent || words)", refuted("the expression of attribute 'x' fails on the message")),
        ("words && join(', ', words)", PROVED),
        ("join(', ', flag && words || words)", undecided("join() may be given a value that it does not take")),
        ("length(word)", PROVED),
        ("keys(closed)", PROVED),
        ("keys(word)", "refuted RT429"),
        ("sort_by(lines, &sku)", undecided("sort_by() may fail on a value of the list")),
        ("sum(numbers)", "refuted RT440"),
        ("sum(counts)", PROVED),
        ("sum(lines[].n)", "refuted RT440"),
        ("words && sum(flag && counts || numbers)", refuted(OUT_OF_RANGE)),
        ("avg(numbers)", PROVED),
        ("count > `3`", PROVED),
        ("word > `3`", refuted("the expression of attribute 'x' fails on the message")),
        ("type(choice) == 'boolean' && length(choice) > `0`", refuted("the expression of attribute 'x' fails on the message")),
        ("type(choice) == 'string' && length(choice) > `0`", PROVED),
        ("lines[?n > `3`].sku", undecided("a comparison may be of text with a number")),
        ("lines[].length(sku)", undecided("length() may be given a value that it does not take")),
        ("to_number(word)", refuted("the expression of attribute 'x' fails on the message")),
        ("to_number(hexadecimal)", undecided("to_number() may be given a number that is too long or out of range")),
        ("to_number(count)", PROVED),
        ("to_number(link)", PROVED),
        ("to_number(count && code)", undecided("to_number() may be given a number that is too long or out of range")),
        ("{from: count, transform: {to_iso: s}}", PROVED),
        ("'word || letters'", PROVED),
        ("{from: words, transform: {join: ','}}", PROVED),
        ("{from: numbers, transform: sort}", PROVED),
        ("{from: word, transform: [{split: ','}, sort, {join: '-'}]}", PROVED),
        ("{from: hexadecimal, transform: url_decode}", PROVED),
        ("{from: hexadecimal, transform: [lower, url_decode]}", undecided("transform 'url_decode' does not accept every value")),
        ("{from: count, transform: {scale: 0.01}}", PROVED),
        ("{from: number, transform: {scale: 100}}", "refuted RT440"),
        ("{from: number, transform: {scale: -1}}", PROVED),
        ("{from: number, transform: {scale: 0}}", PROVED),
        ("{from: number, transform: {scale: 0.1}}", "refuted RT440"),
        ("{from: number, transform: {round: 2}}", PROVED),
        ("{from: number, transform: [{round: 2}, {round: 0}]}", PROVED),
        ("{from: number, transform: [{scale: 3}, {round: 0}]}", "refuted RT440"),
        ("{from: number, transform: {round: -89}}", "refuted RT440"),
        ("{from: number, transform: {round: -88}}", PROVED),
        ("{from: whole, transform: {scale: 0.01}}", PROVED),
        ("{from: part, transform: {scale: 100}}", PROVED),
        ("{from: most, transform: {scale: 1.1}}", refuted(OUT_OF_RANGE)),
        ("{from: part, transform: {scale: 1.1}}", "refuted RT440"),
        ("{from: part, transform: [{scale: 1.1}, {round: 2}]}", PROVED),
        ("{from: part, transform: [{round: -2}, {scale: 7}]}", PROVED),
        ("{from: price, transform: {scale: 100}}", PROVED),
        ("{from: endless, transform: to_number}", refuted(OUT_OF_RANGE)),
        ("{from: thirteen, transform: [to_number, {scale: 100}]}", PROVED),
        ("{from: hexadecimal, transform: [lower, to_number]}", refuted("attribute 'x' has a value that transform 'to_number' does not take: it is not a number")),
        ("{from: number, transform: to_number}", PROVED),
        ("{from: time, transform: [to_epoch, {scale: 1000}]}", PROVED),
        ("{template: '{word}-{count}-{flag}'}", PROVED),
        ("{template: '{lines}'}", "refuted RT424"),
        ("{hash: [word, closed]}", PROVED),
        ("{hash: [word, flag]}", "refuted RT431"),
        ("{from: word, missing: error}", PROVED),
        ("{from: flag, missing: error}", "refuted RT431"),
        ("{from: word, transform: shout}", undecided("transform 'shout' is a plugin's")),
        ("{from: word, transform: [{lookup: {map: {a: b}}}]}", PROVED),
        ("{from: word, transform: {truncate: -1}}", "refuted RT426"),
        ("{from: word, transform: {split: ''}}", "refuted RT426"),
        ("{from: lines, transform: [{lookup: {map: {a: b}}}]}", refuted("attribute 'x' has a value that transform 'lookup' does not take: it is not a number")),
        ("{from: word, transform: [base64_decode, to_text]}", "refuted RT414"),
        ("{ttl: {from: time, after: 1d}}", PROVED),
        ("{ttl: {from: count, after: 1d}}", PROVED),
        ("{ttl: {from: number, after: 1d}}", "refuted RT420"),
        ("{ttl: {from: letters, after: 1d}}", refuted("attribute 'x' is no ISO 8601 time")),
        ("{ttl: {from: choice, after: 1d}}", "refuted RT420"),
    ],
)  # fmt: skip
def test_mapping(claims: Any, attribute: str, verdict: str) -> None:
    """Expressions, templates, transforms and times."""
    assert (
        claims(f"item: {{id: id, x: {json.dumps(attribute) if attribute[0] != '{' else attribute}}}")["mapping x"]
        == verdict
    )


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("base64", PROVED),
        ("base64s", "refuted RT612"),
        ("base64_2", undecided("its length may be over 2048 bytes")),
    ],
)
def test_a_key_of_binary(claims: Any, text: str, verdict: str) -> None:
    """It is empty exactly if its Base64 is, and has three bytes for four characters."""
    assert claims(f"item: {{id: {{from: {text}, transform: base64_decode}}}}", "B")["key id"] == verdict


@pytest.mark.parametrize(
    ("path", "kind", "verdict"),
    [
        ("count", "N", PROVED),
        ("code", "N", PROVED),
        ("both", "N", PROVED),
        ("decimal", "N", undecided("its value may be text that does not convert to N")),
        ("digits", "N", PROVED),
        ("endless", "N", refuted("attribute 'x': a number of more than 38 digits or out of range")),
        ("letters", "N", "refuted RT416"),
        ("hexadecimal", "N", "refuted RT416"),
        ("word", "B", "refuted RT416"),
        ("words", "SS", PROVED),
        ("nulls", "SS", "refuted RT416"),
        ("numbers", "NS", PROVED),
        ("words", "BS", "refuted RT416"),
        ("words", "L", PROVED),
        ("absent", "SS", refuted("attribute 'x' is no list")),
        ("lines", "SS", "refuted RT415"),
        ("'absent[]'", "SS", refuted("attribute 'x' has an element that is no text")),
        ("'lines[*].n'", "NS", PROVED),
    ],
)
def test_type(claims: Any, path: str, kind: str, verdict: str) -> None:
    """Text that is a number, and elements of sets."""
    assert claims(f"item: {{id: id, x: {{from: {path}, type: {kind}}}}}")["type x"] == verdict


@pytest.mark.parametrize(
    ("attribute", "verdict"),
    [
        ("word", PROVED),
        ("number", PROVED),
        ("lines", PROVED),
        ("'lines[*].sku'", PROVED),
        ("closed", PROVED),
        ("nothing", PROVED),
        ("code", PROVED),
        ("choice", PROVED),
        ("{from: three, type: SS}", PROVED),
        ("{value: [a, {b: 1}]}", PROVED),
        ("{from: word, default: none}", PROVED),
        ("{from: number, type: S}", PROVED),
        ("{from: closed, type: json}", PROVED),
        ("{from: three, type: BS}", PROVED),
        ("{from: numbers, type: SS}", PROVED),
        ("mail", PROVED),
        ("words", refuted("'words' may be so long that the item has more than 409600 bytes", "RT623")),
        ("huge", undecided("'x' is not bounded")),
        ("time", refuted("'time' may be so long that the item has more than 409600 bytes", "RT623")),
        ("long", "refuted RT615"),
    ],
)
def test_size(claims: Any, attribute: str, verdict: str) -> None:
    """Each part has a bound, which the schema gives."""
    assert claims(f"item: {{id: id, x: {attribute}}}")["size"] == verdict


def test_a_size_over_the_limit(claims: Any) -> None:
    """A bound over 400 KB proves nothing; text of so many characters of four bytes may not exist."""
    route = "item: {id: id, x: {from: long, transform: [lower, {truncate: 200000}]}}"

    assert claims(route)["size"] == "not decided it may have 800039 bytes, over the limit of 409600"


@pytest.mark.parametrize(
    ("route", "kind", "claim", "verdict"),
    [
        ("item: {id: {from: word, type: B}}", "B", "key id", "refuted RT611"),
        ("item: {id: {from: digits, type: N, default: 1}}", "N", "key id", PROVED),
        ("item: {id: far}", "S", "key id", "refuted RT610"),
        ("item: {id: {from: link, transform: strip}}", "S", "key id", PROVED),
        ("item: {id: {from: link, transform: [{split: '-'}, first]}}", "S", "key id", PROVED),
        ("item: {id: {from: link, transform: [{split: '#'}, last]}}", "S", "key id", "refuted RT612"),
        ("item: {id: {from: link, transform: [{split: '-'}, unique, last]}}", "S", "key id", refuted("key attribute 'id' is empty")),
        ("item: {id: {from: link, transform: [{split: '-'}, sort, first]}}", "S", "key id", refuted("key attribute 'id' is empty")),
        ("item: {id: id, v: count}, write: {mode: newest, version: v}", "S", "version v", PROVED),
        ("item: {id: id, v: flag}, write: {mode: newest, version: v}", "S", "version v", "refuted RT417"),
        ("item: {id: id, v: {from: word, transform: shout}}, write: {mode: newest, version: v}", "S", "version v",
         "not decided a value may be missing; it may be true or false, a list, an object or a set, which has no order; it may be text, a number or binary, which are not ordered among each other"),
        ("item: {id: id, gone: count}", "S", "ttl gone", PROVED),
        ("item: {id: id, gone: number}", "S", "ttl gone", "refuted RT622"),
        ("item: {id: id, gone: {from: time, transform: to_epoch}}", "S", "ttl gone", PROVED),
        ("item: {id: id, gone: {from: digits, type: N}}", "S", "ttl gone", PROVED),
        ("item: {id: id, gone: {from: thirteen, type: N}}", "S", "ttl gone", "refuted RT622"),
        ("item: {id: id, gone: {from: endless, type: N}}", "S", "ttl gone", "refuted RT622"),
        ("item: {id: id, gone: {from: count, default: 1767323045678}}", "S", "ttl gone", "refuted RT622"),
        ("item: {id: id, gone: {value: 1767323045}}", "S", "ttl gone", PROVED),
        ("item: {id: id, gone: 'not_null(number, word)'}", "S", "ttl gone", refuted("the time to live 'gone' is of type S, and is never read")),
        ("item: {id: id, gone: {from: number, transform: [{scale: 2}]}}", "S", "ttl gone", refuted("the time to live 'gone' is in milliseconds")),
        ("item: {id: id, gone: {meta: sent_at, type: N}}", "S", "ttl gone", "refuted RT421"),
        ("item: {id: id, gone: {from: word, transform: shout}}", "S", "ttl gone", undecided("it may be text, true or false, a list, an object, binary or a set")),
        ("when: \"code > `3`\", item: {id: id}", "S", "when", refuted("'code > `3`' failed: values of different types are compared")),
        ("for_each: lines, item: {id: element.sku}", "S", "for_each", PROVED),
        ("for_each: lines, item: {id: element.sku}", "S", "size", PROVED),
        ("for_each: three, item: {id: element}", "S", "for_each", "refuted RT422"),
        ("for_each: 'lines[?n]', item: {id: message.id}", "S", "for_each", PROVED),
        ("for_each: 'absent || lines', item: {id: message.id}", "S", "for_each", "refuted RT422"),
        ("for_each: lines", "S", "mapping", PROVED),
        ("write: {mode: put}", "S", "mapping", PROVED),
        ("write: {mode: put}", "S", "size", "refuted RT615"),
        ("for_each: lines", "S", "size", PROVED),
        ("for_each: words", "S", "mapping", refuted("the element is no JSON object, and the route has no 'item' to map it")),
    ],
)  # fmt: skip
def test_other_claims(claims: Any, route: str, kind: str, claim: str, verdict: str) -> None:
    """Keys, versions, times to live, conditions, lists, whole messages."""
    assert claims(route, kind)[claim] == verdict


ONCE = "item: {{id: id, c: count}}, write: {{mode: update, add: [c], once: markers, once_key: {}}}"


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("word", PROVED),
        ("far", "refuted RT619"),
        ("flag", "refuted RT619"),
        ("time", "refuted RT613"),
        ("link", PROVED),
        ("long", "refuted RT619"),
    ],
)
def test_once_key(claims: Any, path: str, verdict: str) -> None:
    """It is text that can be a key with the name of the route."""
    assert claims(ONCE.format(path))["once_key"] == verdict
