"""Pairs of routes of one table: their keys are apart, they may meet, or that is not decided."""

from collections.abc import Callable
from pathlib import Path

import pytest

from router.runtime.program.load import load
from router.tools.check.analysis.key_meetings import Meeting
from router.tools.check.rule import Subject

Meet = Callable[..., Meeting]
ID = "id: {type: string, minLength: 1, maxLength: 20}"
KIND = "kind: {type: string, enum: [a, b]}"
N = "n: {type: integer, minimum: 0, maximum: 9}"


def schema(*properties: str) -> str:
    """A schema of objects that have each of some properties."""
    names = [each.partition(":")[0] for each in properties]
    return f", schema: {{type: object, required: [{', '.join(names)}], properties: {{{', '.join(properties)}}}}}"


@pytest.fixture
def meetings(tmp_path: Path) -> Callable[[str], tuple[Meeting, ...]]:
    """Return a function that returns what is known of the pairs of a config without its version."""

    def compare(text: str) -> tuple[Meeting, ...]:
        file = tmp_path / "routes.yaml"
        (tmp_path / "own.py").write_text(
            "from router import hookimpl\n\n\n@hookimpl\ndef router_transform_item(item, message, route): pass\n",
            encoding="utf-8",
        )
        file.write_text(f"version: 1\n{text}", encoding="utf-8")
        loaded = load(file, {})
        assert loaded.config and loaded.plugins and loaded.schemas
        return Subject(loaded.config, loaded.plugins, loaded.schemas, program=loaded.require()).meetings

    return compare


@pytest.fixture
def meet(meetings: Callable[[str], tuple[Meeting, ...]]) -> Meet:
    """Return a function that returns what is known of two routes, which store `x` and `y`."""

    def compare(one: str, other: str, key: str = "id: S", settings: str = "", more: str = "") -> Meeting:
        [meeting] = meetings(
            f"{more}queues: {{q: {{dead_letter: d{settings}}}, p: {{dead_letter: d}}}}\n"
            f"tables: {{things: {{key: {{{key}}}}}}}\nroutes:\n"
            f"  one: {{table: things, {one}}}\n  other: {{table: things, {other}}}\n"
        )
        return meeting

    return compare


def route(item: str, more: str = "", attribute: str = "x", queue: str = "") -> str:
    """A route that puts an item with another attribute; that with `y` reads another queue."""
    queue = queue or {"x": "q", "y": "p"}[attribute]
    return f"queue: {queue}, item: {{{item}, {attribute}: {attribute}}}{more}"


APART = {
    "patterns": (
        route("id: id", schema("id: {type: string, pattern: '^u-[0-9]+$'}")),
        route("id: id", schema("id: {type: string, pattern: '^o-'}"), "y"),
    ),
    "a pattern and an enumeration": (
        route("id: id", schema("id: {type: string, pattern: '^u-[0-9]+$'}")),
        route("id: id", schema("id: {enum: [u-x, o-1]}"), "y"),
    ),
    "a pattern in a template": (
        route("id: {template: 'x{id}'}", schema("id: {type: string, pattern: '^[0-9]+$'}")),
        route("id: {template: 'x{id}'}", schema("id: {type: string, pattern: '^[a-z]+$'}"), "y"),
    ),
    "two expressions in a template": (
        route("id: {template: '{kind}-{id}'}", schema(ID, "kind: {type: boolean}")),
        route("id: {template: '{id}-{kind}'}", schema("id: {type: string, pattern: '^[0-9]{2,}$'}", KIND), "y"),
    ),
    "a number in a template": (
        route("id: {template: 'x{n}'}", schema(N)),
        route("id: {template: 'x{id}'}", schema("id: {type: string, pattern: '^[a-z]+$'}"), "y"),
    ),
    "conditions on the key": (
        route("id: kind", f"{schema(KIND, ID)}, when: \"kind == 'a' || id == 'z'\""),
        route("id: kind", ", when: \"starts_with(kind, 'c')\"", "y"),
    ),
    "a condition that excludes a constant": (
        route("id: kind", ", when: \"kind != 'a'\""),
        route("id: kind", ", when: \"kind == 'a' && x\"", "y"),
    ),
    "metadata": (
        route("id: {meta: sent_at}"),
        route("id: id", schema("id: {type: string, pattern: '^[a-z]+$'}"), "y"),
    ),
    "a hash and a short text": (
        route("id: {hash: [id]}"),
        route("id: id", schema(ID), "y"),
    ),
    "hashes of more or fewer values": (
        route("id: {hash: [id]}"),
        route("id: {hash: [id, x]}", "", "y"),
    ),
    "ids of messages": (
        route("id: {meta: message_id}"),
        route("id: {meta: message_id}", "", "y", "p"),
    ),
    "a default": (
        route("id: {from: id, default: none}", schema("id: {type: string, pattern: '^[0-9]+$'}")),
        route("id: id", schema("id: {type: string, pattern: '^[A-Z]+$'}"), "y"),
    ),
    "an unreadable pattern beside another": (
        route("id: id", schema("id: {type: string, allOf: [{pattern: '^\\p{L}'}, {pattern: '^a'}]}")),
        route("id: id", schema("id: {type: string, pattern: '^b'}"), "y"),
    ),
}  # fmt: skip
NUMBERS = {
    "bounds": (schema(N), schema("n: {type: integer, minimum: 10}")),
    "exclusive bounds": (schema("n: {type: number, exclusiveMaximum: 5}"), schema("n: {type: number, minimum: 5}")),
    "a condition": (f"{schema(N)}, when: 'n < `5`'", ", when: 'n >= `5`'"),
    "an enumeration and bounds": (schema("n: {const: 12}"), schema(N)),
}


@pytest.mark.parametrize("case", APART)
def test_texts_that_are_apart(meet: Meet, case: str) -> None:
    """No two messages of the routes have a key in common."""
    assert meet(*APART[case]).verdict == "apart"


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_that_are_apart(meet: Meet, case: str) -> None:
    """Numbers of a key are compared by value."""
    one, other = NUMBERS[case]
    assert meet(route("n: n", one), route("n: n", other, "y"), "n: N").verdict == "apart"


def test_the_sort_key_is_a_part_of_the_key(meet: Meet) -> None:
    """One attribute that differs is enough, and is named."""
    pattern = schema("at: {type: string, pattern: '^a'}")
    found = meet(
        route("id: id, at: at", pattern), route("id: id, at: at", pattern.replace("^a", "^b"), "y"), "id: S, at: S"
    )
    assert (found.verdict, found.reason) == ("apart", "at")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (route("id: {template: 'a#{id}'}"), route("id: {template: 'b#{id}'}", "", "y")),
        (route("id: {template: '{id}#a'}"), route("id: {template: '{id}#b'}", "", "y")),
        (route("id: {value: a}"), route("id: {value: b}", "", "y")),
        (route("id: {meta: route}"), route("id: {meta: route}", "", "y")),
        (route("id: {meta: queue}"), route("id: {meta: queue}", "", "y", "p")),
        (route("id: kind", schema(KIND)), route("id: kind", schema("kind: {const: c}"), "y")),
        (
            route("id: {from: kind, transform: upper}", schema(KIND)),
            route("id: {template: '{kind}'}", schema(KIND), "y"),
        ),
        (route("id: {template: 'x{kind}{`1`}'}", schema(KIND)), route("id: {value: xc1}", "", "y")),
        (route("id: {from: n, type: S}", schema("n: {enum: [1, 2.0]}")), route("id: {value: '20'}", "", "y")),
        (route("id: id", f'{schema(ID)}, when: "!id"'), route("id: id", "", "y")),
    ],
)
def test_keys_that_are_plainly_apart_are_left_out(
    meetings: Callable[[str], tuple[Meeting, ...]], one: str, other: str
) -> None:
    """Their literal texts or their few values differ."""
    found = meetings(
        "queues: {q: {dead_letter: d}, p: {dead_letter: d}}\ntables: {things: {key: {id: S}}}\nroutes:\n"
        f"  one: {{table: things, {one}}}\n  other: {{table: things, {other}}}\n"
    )
    assert found == ()


MEET = {
    "one path": (route("id: id"), route("id: id", "", "y")),
    "schemas": (route("id: id", schema(ID)), route("id: id", schema("id: {type: string, pattern: '^[0-9]{3}$'}"), "y")),
    "a template and a path": (route("id: {template: 'x{id}-{n}'}"), route("id: id", "", "y")),
    "two templates": (
        route("id: {template: '{id}-{n}'}", schema(ID, N)),
        route("id: {template: '{flag}-{id}'}", schema("flag: {type: boolean}", "id: {type: string}"), "y"),
    ),
    "a condition": (
        route("id: id", ", when: \"kind == 'a'\""),
        route("id: id", ", when: \"kind == 'b' && starts_with(id, 'z')\"", "y"),
    ),
    "hashes": (route("id: {hash: [id, n]}"), route("id: {hash: [n, id]}", "", "y")),
    "metadata": (route("id: {meta: group_id}"), route("id: {meta: attribute.who}", "", "y")),
    "an expression": (route("id: \"join('-', [id, 'x'])\""), route("id: id", "", "y")),
    "a transform": (route("id: {from: id, transform: lower}"), route("id: id", "", "y")),
    "a text of a number": (route("id: {from: n, type: S}", schema(N)), route("id: id", "", "y")),
    "enumerations": (route("id: kind", schema(KIND)), route("id: kind", schema("kind: {enum: [b, c]}"), "y")),
    "elements": (route("id: element.id", ", for_each: lines").replace("x: x", "x: element.x"), route("id: id", "", "y")),
    "a default": (route("id: {from: id, default: none}"), route("id: {value: none}", "", "y")),
    "a number as default": (route("id: {from: id, default: 1, type: S}"), route("id: {value: '1'}", "", "y")),
    "whole messages": ("queue: q", route("id: id", "", "y")),
    "whole elements": ("queue: q, for_each: lines", route("id: id", "", "y")),
    "a name in quotes": (route("'a\"b\\c': id"), "queue: p"),
    "an enumeration of what is lost": (
        route("id: id", schema(ID, "x: {enum: [1, 2]}")),
        route("id: id", schema(ID, "y: {type: array, items: {type: string}, minItems: 1}"), "y"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MEET)
def test_keys_that_meet(meet: Meet, case: str) -> None:
    """Two messages show what is lost."""
    key = "'a\"b\\c': S" if case == "a name in quotes" else "id: S"
    found = meet(*MEET[case], key)
    assert found.verdict == "may meet"
    assert found.example is not None
    assert {loss.severity for loss in found.example.losses} == {"warning"}


def test_the_messages_are_shown_in_the_order_in_which_they_lose(meet: Meet) -> None:
    """Only with what matters of them, cut where it is long; the edit is YAML."""
    long = "k" * 150
    found = meet(
        route("id: id, at: at", f", when: \"kind == 'a'\", write: {{mode: newest, version: at}}"),
        route("id: id, at: at", f", when: \"kind == '{long}'\", write: {{mode: newest, version: at}}", "y"),
    )
    assert found.example
    assert found.example.first == "{kind: a, id: a, at: 1, x: a}"
    assert found.example.second == f"{{kind: {'k' * 112}…"
    assert found.example.edit.startswith("routes:\n  one:\n")


@pytest.mark.parametrize(
    ("one", "other", "key", "orders"),
    [
        ("q", "q", "id: S", ["in order"]),
        ("q", "p", "id: S", ["in order", "out of order"]),
    ],
)
def test_a_fifo_queue_keeps_the_order(meet: Meet, one: str, other: str, key: str, orders: list[str]) -> None:
    """What messages of one group lose is lost in order."""
    write = ", write: {mode: newest, version: at}"
    found = meet(
        route("id: id, at: {meta: sent_at}", write, "x", one),
        route("id: id, at: {meta: sent_at}", write, "y", other),
        settings=", name: q.fifo",
    )
    assert found.example
    assert sorted({loss.order for loss in found.example.losses}) == orders
