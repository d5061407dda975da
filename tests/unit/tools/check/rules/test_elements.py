"""Elements of one message that have one key."""

from pathlib import Path
from typing import Any

import pytest

from router.tools.check.run import examine

CODES = ("RT635", "RT641")
ONE = (
    "RT635 the key 'id' is the same for all elements of a message: they write one item; map a key attribute from "
    "'element', or the list to an attribute without 'for_each'"
)
LINES = '{"type": "object", "required": ["lines"], "properties": {"lines": {"type": "array", "maxItems": %d}}}'


@pytest.mark.parametrize(
    ("route", "schema", "found"),
    [
        ("for_each: lines, item: {id: message.id, x: element.x}", "", [ONE]),
        ("for_each: lines, item: {id: {template: '{message.a}-{message.b}'}, x: element.x}", "", [ONE]),
        ("for_each: lines, item: {id: {meta: message_id}, x: element}", "", [ONE]),
        ("for_each: lines, item: {id: message.id, x: element.x}", LINES % 2, [ONE]),
        ("for_each: lines, item: {id: message.element_id, x: element.x}", "", [ONE]),
        ("for_each: lines, item: {id: message.element, x: element.x}", "", [ONE]),
        ("for_each: lines, item: {id: \"join('-', [message.id, element.id])\", x: element.x}", "", []),
        ("for_each: 'lines[?x]', item: {id: message.id, x: element.x}", LINES % 2, [ONE]),
        ("for_each: lines, item: {id: message.id, x: element.x}", LINES % 1, []),
        ("for_each: lines, item: {id: element.id, x: element.x}", "", []),
        ("for_each: lines, item: {id: {template: '{message.a}-{element.b}'}, x: element.x}", "", []),
        ("item: {id: id, x: x}", "", []),
        ("for_each: lines", "", []),
        ("for_each: lines, item: {id: message.id, x: element.x}, write: {mode: delete}", "", []),
        ("for_each: lines, item: {id: message.id, n: element.n}, write: {mode: update, add: [n]}", "", []),
        ("for_each: lines, item: {id: message.id, n: element.n}, write: {mode: update, keep_first: [n]}", "", [ONE]),
        ("for_each: lines, item: {id: message.id, v: message.v}, write: {mode: newest, version: v}", "", []),
    ],
)
def test_keys_of_elements(find: Any, route: str, schema: str, found: list[str]) -> None:
    """Where none is of the element, one of several is left, but for what all add to."""
    assert [line for line in find(route, schema) if line.startswith("RT635")] == found


def test_an_unknown_table(find_all: Any) -> None:
    """Others report it, and a key that is not mapped."""
    text = "queues: {q: {dead_letter: d}}\ntables: {t: {name: things, key: {id: S}}}\nroutes:\n  r: {queue: q, table: "
    for rest in ("u, for_each: x, item: {id: message.id}}", "t, for_each: x, item: {a: element.a}}"):
        assert "RT635" not in "".join(find_all(text + rest + "\n"))


ELEMENTS = '{"type": "object", "required": ["lines"], "properties": {"lines": {"type": "array", "items": %s}}}'
UNIQUE = ELEMENTS.replace("%s", '{"type": "string"}, "uniqueItems": true')


@pytest.mark.parametrize(
    ("route", "schema", "lost"),
    [
        ("item: {id: element.id, x: element.x}", "", "the later one replaces the earlier one"),
        (
            "item: {id: {template: '{message.a}-{element.b}'}, x: element.x}",
            "",
            "the later one replaces the earlier one",
        ),
        (
            "item: {id: element.id, x: element.x}, write: {mode: insert}",
            "",
            "the later one is a duplicate, and is not stored",
        ),
        (
            "item: {id: element.id, x: element.x}, write: {mode: update}",
            "",
            "the later one sets the attributes of the earlier one again",
        ),
        (
            "item: {id: element.id, x: element.x, v: message.v}, write: {mode: newest, version: v}",
            "",
            "the later one is stale, and is not stored",
        ),
        (
            "item: {id: element.id, x: element.x, v: message.v}, write: {mode: update, version: v}",
            "",
            "the later one is stale, and is not stored",
        ),
        (
            "item: {id: element, x: message.x}",
            ELEMENTS % '{"type": "string"}',
            "the later one replaces the earlier one",
        ),
        (
            "item: {id: {from: element, transform: lower}, x: message.x}",
            UNIQUE,
            "the later one replaces the earlier one",
        ),
        # Each of two elements is an item, or the newer one is meant to stay, or nothing differs.
        ("item: {id: element, x: message.x}", UNIQUE, ""),
        ("item: {id: element.id, x: element.x, v: element.v}, write: {mode: newest, version: v}", "", ""),
        ("item: {id: element.id, n: element.n}, write: {mode: update, add: [n]}", "", ""),
        ("item: {id: element.id}", "", ""),
        ("item: {id: element.id, x: element.x}", LINES % 1, ""),
    ],
)
def test_elements_that_may_have_one_key(find: Any, route: str, schema: str, lost: str) -> None:
    """What becomes of the later one is said, by the mode of the route."""
    found = [line for line in find(f"for_each: lines, {route}", schema) if line.startswith("RT641")]
    sentence = f"RT641 two elements of a message may have the same key 'id': {lost}; "
    assert found == ([f"{sentence}add to the key what no two elements have in common"] if lost else [])


@pytest.mark.parametrize(
    "route",
    [
        "item: {id: element.id, x: element.x}",
        "item: {id: element.id}",
        "item: {id: element.id}, write: {mode: delete}",
        "item: {id: element.id, n: element.n}, write: {mode: update, add: [n]}",
        "item: {id: element.id, v: element.v}, write: {mode: newest, version: v}",
        "write: {mode: put}",
    ],
)
def test_elements_of_a_transaction(find: Any, route: str) -> None:
    """Two writes of one item are none, whatever they write."""
    found = find(f"for_each: lines, {route}", queue="dead_letter: d, atomic: true")
    assert "have the same key 'id': the message is rejected; add to" in "".join(found)


def test_whole_elements(find: Any) -> None:
    """Without `item`, their properties are the key, and the version."""
    schema = ELEMENTS % '{"type": "object", "required": ["id"]}'
    assert "have the same key 'id': the later one replaces" in "".join(find("for_each: lines", schema))
    assert find("for_each: lines, write: {mode: newest, version: v}", schema) == []
    assert find("for_each: lines, write: {mode: delete}", schema) == []


@pytest.mark.parametrize(
    ("item", "schema", "verdict"),
    [
        ("item: {id: element.id, x: element.x}", LINES % 9, "refuted"),
        ("item: {id: message.id, x: element.x}", LINES % 9, "refuted"),
        ("item: {id: element, x: message.x}", UNIQUE, "proved"),
        ("item: {id: element.id, x: element.x}", LINES % 1, "proved"),
        ("item: {id: element.id}", LINES % 9, ""),
    ],
)
def test_claims_about_elements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str, schema: str, verdict: str
) -> None:
    """What is said of them is the verdict of a claim, where anything can be lost."""
    monkeypatch.chdir(tmp_path)
    Path("schema.json").write_text(schema, encoding="utf-8")
    Path("routes.yaml").write_text(
        "version: 1\nqueues: {q: {dead_letter: d}}\ntables: {t: {name: table, key: {id: S}}}\nroutes:\n"
        f"  r: {{queue: q, table: t, schema: schema.json, for_each: lines, {item}}}\n",
        encoding="utf-8",
    )
    entries = examine(Path("routes.yaml"), {}).ledger.entries
    assert [each.verdict for each in entries if each.kind == "elements"] == [verdict] * bool(verdict)
