"""Routes that no message reaches, queues that nobody reads, and what gets in the way of each other."""

import json
from typing import Any

import pytest

CODES = (
    "RT203",
    "RT402",
    "RT610",
    "RT211",
    "RT212",
    "RT214",
    "RT215",
    "RT216",
    "RT217",
    "RT218",
)

TABLES = "tables: {t: {name: table, key: {id: S}}}\n"
FIRST = "queues: {q: {dead_letter: dlq, match: first}}\n" + TABLES
ALL = "queues: {q: {dead_letter: dlq}, p: {dead_letter: dlq}}\n" + TABLES
KEY = '"id": {"type": "string", "minLength": 1, "maxLength": 9}'
SCHEMA = f'{{"type": "object", "required": ["id", "type"], "properties": {{{KEY}, "type": {{"enum": ["a", "b"]}}}}}}'

TAKES_1 = "the earlier route 'r0' takes all messages of route 'r1'"


def routes(*given: str) -> str:
    """Routes of one queue, each with what else it has."""
    return "routes:\n" + "".join(f"  r{index}: {{queue: q, table: t{each}}}\n" for index, each in enumerate(given))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((", when: \"type == 'a'\"", ", when: \"type == 'b'\""), []),
        ((", when: a", ""), []),
        (("", ", when: a", ""), [TAKES_1, "the earlier route 'r0' takes all messages of route 'r2'"]),
        ((", when: a", ", when: a"), [TAKES_1]),
        ((", when: length(a)", ", when: length(a)"), [TAKES_1]),
        ((", when: length(a)", ", when: length(b)"), []),
        ((", when: length(a)", ", when: length( a )"), [TAKES_1]),
        ((", when: a > `1`", ", when: a > `5`"), [TAKES_1]),
        ((", when: a > `5`", ", when: a > `1`"), []),
        ((", when: a", ", when: a && length(b)"), [TAKES_1]),
        ((", when: a", ", when: '`false`'"), []),
        ((", when: '['", ", when: ']'"), []),
        (
            (", when: \"type == 'a'\"", ", when: \"type == 'b'\"", ", when: c, schema: schema.json"),
            ["earlier routes take all messages that satisfy the schema of route 'r2'"],
        ),
    ],
)  # fmt: skip
def test_shadows(find_all: Any, given: tuple[str, ...], found: list[str]) -> None:
    """With `match: first`, a route gets the messages that earlier routes do not take."""
    lines = find_all(FIRST + routes(*given), schema=SCHEMA)

    assert [line.partition("; ")[0] for line in lines if "RT401" not in line] == [f"RT212 {each}" for each in found]


@pytest.mark.parametrize("when", ["type == 'xINDEX'", "ends_with(type, 'xINDEX')"])
def test_many_earlier_routes(find_all: Any, when: str) -> None:
    """The conditions of more than 16 earlier routes are evaluated on messages: of most, none that cannot hold."""
    conditions = [when.replace("INDEX", str(index)) for index in range(20)]
    cases = [f', when: "{each}", schema: schema.json, item: {{id: i{index}}}' for index, each in enumerate(conditions)]

    found = find_all(FIRST + routes(*cases), schema=SCHEMA.replace('"enum": ["a", "b"]', ""))

    assert [line[:5] for line in found] == ["RT610"] * 20


def test_many_earlier_routes_with_one_that_is_no_expression(find_all: Any) -> None:
    """Which messages it lets through is not known."""
    conditions = ["]", *(f"type == 'x{index}'" for index in range(20))]
    cases = [f', when: "{each}", schema: schema.json, item: {{id: i{index}}}' for index, each in enumerate(conditions)]

    found = find_all(FIRST + routes(*cases), schema=SCHEMA.replace('"enum": ["a", "b"]', ""))

    assert {line[:5] for line in found} == {"RT401", "RT616"}


@pytest.mark.parametrize(
    "when",
    [
        *(
            "type == 'c'",
            "!id",
            "type != 'a' && type != 'b'",
            "`false`",
            "starts_with(type, 'x')",
            "ends_with(id, '') && !id",
        ),
        *("length(id) > `9`", "length(id) == `0`", "type(id) == 'number'", "type > `3`", "contains(type, 'c')"),
    ],
)
def test_contradictions(find_all: Any, when: str) -> None:
    """No valid message fulfils the condition."""
    assert find_all(ALL + routes(f', when: "{when}", schema: schema.json'), schema=SCHEMA) == [
        "RT214 no route reads queue 'p'; add a route, or remove it",
        f"RT211 no message that satisfies the schema satisfies '{when}'; compare it with what the schema allows there",
    ]


def test_a_negation_without_parentheses(find_all: Any) -> None:
    """It applies to the first name only."""
    found = find_all(ALL + routes(', when: "!type.id", schema: schema.json'), schema=SCHEMA)

    advice = "write '!(type.id)': '!' negates only the first name"
    assert found[1:] == [f"RT211 no message that satisfies the schema satisfies '!type.id'; {advice}"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (routes("", ""), ["r1"]),
        (routes(", when: \"type == 'a'\"", ", when: \"type == 'b'\""), []),
        (routes(", when: a", ", when: length(b)"), []),
        (routes(", for_each: a", ", for_each: a"), []),
        (routes("", "").replace("r1: {queue: q", "r1: {queue: p"), []),
        (routes(*[""] * 17), []),
    ],
)
def test_two_puts(find_all: Any, text: str, found: list[str]) -> None:
    """One message that surely puts one key twice."""
    lines = find_all(ALL + text)

    assert [line for line in lines if "RT214" not in line] == [
        f"RT218 routes 'r0' and '{name}' put the same key for one message; map both to one item, or use 'mode: update'"
        for name in found
    ]


@pytest.mark.parametrize(
    ("queues", "found"),
    [
        ("q: {dead_letter: p}, p: {}", []),
        ("q: {dead_letter: real}, p: {name: real}", []),
        ("q: {dead_letter: 'arn:aws:sqs:eu-west-1:123456789012:d.fifo', name: q.fifo}", []),
        ("q: {dead_letter: p}, p: {name: p.fifo}", ["RT215 queue 'q' is standard, and its dead-letter"]),
        ("q: {dead_letter: p, unmatched: drop}, p: {unmatched: drop}", ["RT216 messages of 'q' that no route takes"]),
        ("q: {dead_letter: d}, p: {envelope: [sns]}", ["RT214 no route reads queue 'p'"]),
    ],
)  # fmt: skip
def test_queues(find_all: Any, queues: str, found: list[str]) -> None:
    """Read, of one kind with their dead-letter queue, and losing nothing unsaid."""
    lines = find_all(f"queues: {{{queues}}}\n{TABLES}{routes('')}")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_messages_that_fail_their_schema(find: Any) -> None:
    """Are named if they are dropped; without a schema there are none."""
    assert (find("on_invalid: drop", SCHEMA), find("on_invalid: drop")) == (
        ["RT216 messages of route 'r' that fail its schema are dropped; "],
        [],
    )


def test_what_was_not_understood(find_all: Any) -> None:
    """A queue may be read by a route that could not be."""
    assert [line[:5] for line in find_all(ALL + routes("") + "  x: {queue: p}\n")] == ["RT102"]


def test_tables(find_all: Any) -> None:
    """Each is there once."""
    tables = TABLES.replace("}\n", ", table: {key: {id: S}}, other: {name: table, key: {id: S}}}\n")

    assert find_all(FIRST.replace(TABLES, tables) + routes("")) == [
        "RT217 'table' is the same table as 't'; use 't'",
        "RT217 'other' is the same table as 't'; use 't'",
    ]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('type == "device"', ["device"]),
        ('a != "x" || b == "y"', ["x", "y"]),
        ('list[?k == "v"]', ["v"]),
        ('"v" == k', ["v"]),
        ("\"odd-name\" == 'x'", []),
        ("a == b && '\"'", []),
        ('a > "b"', []),
        ('a == "', []),
        ("a[1:2]", []),
    ],
)
def test_comparisons_with_fields(find_all: Any, text: str, fields: list[str]) -> None:
    """Names in double quotes that are compared are reported, but not where the other side is a literal."""
    route = json.dumps({"queue": "q", "table": "t", "when": text})
    found = find_all(f"queues: {{q: {{dead_letter: dlq}}}}\n{TABLES}routes: {{r: {route}}}\n")

    assert [line for line in found if line.startswith("RT402")] == [
        f"RT402 '{text}' compares with the field \"{field}\", not with text; "
        f"write '{field}' in single quotes if it is text"
        for field in fields
    ]


@pytest.mark.parametrize(
    ("queues", "names"),
    [
        ("{q: {dead_letter: dlq}}", []),
        ("{q: {}}", ["q"]),
        ("{}", ["q"]),
        ("{p: {}, q: {dead_letter: p}}", []),
    ],
)
def test_queues_without_dead_letter_queue(find_all: Any, queues: str, names: list[str]) -> None:
    """Only those that a route reads are reported, at their entry or where the first route names them."""
    found = find_all(f"queues: {queues}\n{TABLES}{routes('', '')}")

    assert [line for line in found if line.startswith("RT203")] == [
        f"RT203 queue '{name}' has no dead-letter queue: a rejected message stays on it; "
        f"add 'dead_letter:' to the queue '{name}' under 'queues'"
        for name in names
    ]


@pytest.mark.parametrize(("name", "near"), [("ordres", "orders"), ("invoices", "")])
def test_a_queue_that_is_not_declared(find_all: Any, name: str, near: str) -> None:
    """A name like that of a declared queue is taken for a typo."""
    routes = f"routes: {{r: {{queue: {name}, table: t, item: {{id: id}}}}}}\n"

    found = find_all(f"queues: {{orders: {{dead_letter: dlq}}}}\n{TABLES}{routes}")

    (line,) = [line for line in found if line.startswith("RT203")]
    advice = f"did you mean '{near}'?" if near else f"add 'dead_letter:' to the queue '{name}' under 'queues'"
    assert line.endswith(f"; {advice}")


def test_routes_of_an_unknown_table(find_all: Any) -> None:
    """Nothing is said of the keys of a table that is not declared."""
    routes = "a: {queue: q, table: u, item: {id: id}}, b: {queue: q, table: u, item: {id: id}}"

    found = find_all(f"{ALL}routes: {{{routes}}}\n")

    assert {line[:5] for line in found if "queue" not in line} == {"RT201"}


def test_routes_that_do_not_map_the_key(find_all: Any) -> None:
    """Nothing is said of what they put under one key."""
    routes = "a: {queue: q, table: t, item: {b: id}}, b: {queue: q, table: t, item: {b: id}}"

    found = find_all(f"{ALL}routes: {{{routes}}}\n")

    assert [line[:5] for line in found if "RT602" in line or "RT218" in line] == ["RT602", "RT602"]
