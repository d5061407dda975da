"""Whether the writes of one message of an `atomic` queue fit in one transaction."""

from collections.abc import Callable
from pathlib import Path

import pytest

from router.tools.check.run import Report, examine

Examine = Callable[..., Report]
CONFIG = """\
version: 1
plugins: [PLUGINS]
tables:
  lines: {key: {id: S}}
  same: {name: lines, key: {id: S}}
  others: {key: {id: S}}
  markers: {key: {id: S}}
queues: {q: {dead_letter: dlq, atomic: true, match: MATCH}}
routes:
"""
ROUTE = "  NAME: {queue: q, table: TABLE, SETTINGS}\n"
SCHEMA = (
    "schema: {type: object, required: [id, k, n, l], properties: {id: &id {type: string, minLength: 1, maxLength: 9}, "
    "k: *id, n: {type: integer}, o: {type: array, maxItems: 2, items: {type: object, required: [l], properties: "
    "{l: {type: array, maxItems: MOST, items: *id}}}}, "
    "l: {type: array, maxItems: MOST, items: ITEMS}, m: {type: array, maxItems: MOST, items: *id}}}"
)
EACH = "for_each: l, item: {id: element}"
FROM_M = "for_each: m, item: {id: element}"
ADDED = "for_each: l, item: {id: element, n: {value: 1}}, write: {mode: update, add: [n], once: markers}"
TOO_MANY = "refuted a message makes more than 100 writes"
TWICE = "refuted two routes write one item for one message"
SAME_ITEM = "not decided it may write the same item as route 'a'"


def many(count: str) -> str:
    """The verdict about writes of which no message was found that has too many."""
    return f"not decided a message may make {count} writes, and a transaction has at most 100"


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Returns a function that returns the verdict about the transaction of each route, with its reason."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "from router import hookimpl\n\n\n@hookimpl\ndef router_register_transforms(register):\n"
        "    register('own', lambda value: value)\n",
        encoding="utf-8",
    )

    def run(
        *routes: str, most: int | str = 100, items: str = "*id", match: str = "all", schema: str = SCHEMA
    ) -> list[str]:
        text = CONFIG.replace("PLUGINS", "own.py" if "own" in "".join(routes) else "").replace("MATCH", match)
        for name, route in zip("abc", routes, strict=False):
            table, settings = route.split(": ", 1)
            settings = f"{settings}, {schema}" if schema and "schema" not in settings else settings
            text += ROUTE.replace("NAME", name).replace("TABLE", table).replace("SETTINGS", settings)
        text = text.replace("MOST", str(most)).replace("ITEMS", items)
        # Anchors are for the first schema only.
        first, *more = text.split("&id {type")
        text = "&id {type".join([first, *more[:1]]) + "".join(f"{{type{each}" for each in more[1:])
        Path("routes.yaml").write_text(text, encoding="utf-8")
        report = examine(Path("routes.yaml"), {})
        assert report.ledger.entries
        return [f"{each.verdict} {each.reason}".strip() for each in report.ledger.entries if each.kind == "transaction"]

    return run


OBJECTS = "{type: object, required: [i], properties: {i: *id, b: {type: boolean}, n: {type: integer, maximum: 999}}}"
OF_OBJECTS = "for_each: l, item: {id: element.i}"
NUMBERS = "{type: integer}"
UNBOUNDED = (
    "for_each: l, item: {id: element}, schema: {required: [l], properties: {l: {type: array, items: {type: string}}}}"
)
OR_NULL = "for_each: z, item: {id: element}"
NULLABLE = "*id}, z: {type: [array, 'null'], maxItems: 60, items: *id"
NEVER = "schema: {type: object, required: [l], properties: {l: {type: array, maxItems: 0}}}"
LISTS = "{type: array, maxItems: 1}"


@pytest.mark.parametrize(
    ("routes", "settings", "found"),
    [
        # One route.
        (["lines: item: {id: id}"], {}, ["proved"]),
        (["lines: " + EACH], {}, ["proved"]),
        (["lines: " + EACH], {"most": 101}, [TOO_MANY]),
        (["lines: " + EACH], {"most": "101, uniqueItems: true"}, [TOO_MANY]),
        (["lines: " + OF_OBJECTS], {"most": "101, uniqueItems: true", "items": OBJECTS}, [TOO_MANY]),
        (["lines: for_each: l, item: {id: {from: element, type: S}}"], {"most": 101, "items": NUMBERS}, [TOO_MANY]),
        (["lines: for_each: l, item: {id: message.id}"], {"most": 101, "items": LISTS}, [TOO_MANY]),
        (["lines: for_each: l, item: {id: message.id}"], {"most": 101, "items": "{type: boolean}"}, [TOO_MANY]),
        (["lines: when: length(k) == `9`, " + FROM_M, "others: " + EACH], {"most": 60}, ["proved", many("120")]),
        (["lines: " + ADDED], {"most": 50}, ["proved"]),
        (["lines: " + ADDED], {"most": 51}, [TOO_MANY]),
        (["lines: for_each: l, item: {id: element}, write: {mode: delete}"], {"most": 101}, [TOO_MANY]),
        (["lines: for_each: l, item: {id: {from: element, transform: own}}"], {"most": 101}, [TOO_MANY]),
        (["lines: for_each: 'o[*].l[]', item: {id: element}"], {}, [many("any number of")]),
        (["lines: for_each: l, item: {id: element}"], {"schema": ""}, ["not decided the route has no schema"]),
        (["lines: for_each: l, item: {id: element}"], {"most": 0}, ["proved"]),
        # Several routes.
        (["lines: item: {id: id}", "others: " + EACH], {"most": 99}, ["proved", "proved"]),
        (["lines: item: {id: id}", "others: " + EACH], {"most": 100}, ["proved", TOO_MANY]),
        (["lines: " + EACH, "others: item: {id: id}"], {"most": 100}, [TOO_MANY, "proved"]),
        (["lines: " + EACH, "others: " + EACH], {"most": 51}, ["proved", TOO_MANY]),
        (["lines: " + EACH, "others: " + FROM_M], {"most": 51}, ["proved", many("102")]),
        (["lines: when: k == 'a', " + EACH, "others: " + EACH], {"match": "first"}, ["proved", "proved"]),
        (["lines: " + EACH, f"others: {UNBOUNDED}"], {}, ["proved", "refuted"]),
        (["lines: when: k == 'a', " + EACH, "others: " + EACH], {}, ["proved", TOO_MANY]),
        (["lines: when: n < `1`, " + EACH, "others: when: n >= `1`, " + EACH], {}, ["proved", "proved"]),
        (["lines: when: n < `1`, " + EACH, "others: when: n < `2`, " + EACH], {}, ["proved", TOO_MANY]),
        (["lines: " + OR_NULL, "others: " + FROM_M], {"most": 60, "items": NULLABLE}, ["proved", many("120")]),
        (["lines: " + EACH + f", {NEVER}", "others: " + EACH], {}, ["proved", "proved"]),
        (
            ["lines: when: k == 'a', " + EACH, "others: when: k == 'b', " + EACH],
            {"most": 51},
            ["proved", "proved"],
        ),
    ],
)
def test_writes_of_a_message(
    verdicts: Callable[..., list[str]], routes: list[str], settings: dict[str, object], found: list[str]
) -> None:
    """All that may be made for one message count together, with idempotency keys."""
    assert verdicts(*routes, **settings) == found


KEYED = "item: {id: {template: 'PREFIX{id}'}}"


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        (["lines: item: {id: id}", "lines: item: {id: id}"], ["proved", TWICE]),
        (["lines: item: {id: id}", "same: item: {id: id}"], ["proved", TWICE]),
        (["lines: item: {id: id}", "others: item: {id: id}"], ["proved", "proved"]),
        (["lines: item: {id: id}", "lines: item: {id: k}"], ["proved", TWICE]),
        (["lines: item: {id: id}", "lines: " + EACH], ["proved", TWICE]),
        (["lines: item: {id: {meta: message_id}}", "lines: item: {id: {meta: message_id}}"], ["proved", TWICE]),
        (["lines: item: {id: id}", "lines: item: {id: {from: id, transform: own}}"], ["proved", SAME_ITEM]),
        (["lines: item: {id: {from: n, transform: parse_json}}", "lines: item: {id: id}"], ["proved", SAME_ITEM]),
        (
            [f"lines: {KEYED.replace('PREFIX', each)}" for each in ("A#", "B#")],
            ["proved", "proved"],
        ),
        (
            [f"lines: item: {{id: {each}}}, {schema}" for each, schema in (("a", "A"), ("b", "B"))],
            ["proved", "proved"],
        ),
        (
            ["lines: when: k == 'a', item: {id: id}", "lines: when: k == 'b', item: {id: id}"],
            ["proved", "proved"],
        ),
    ],
)
def test_items_of_several_routes(verdicts: Callable[..., list[str]], routes: list[str], found: list[str]) -> None:
    """No transaction writes one item twice, for one message."""
    pattern = "schema: {{type: object, required: [{0}], properties: {{{0}: {{type: string, pattern: '^{0}[0-9]$'}}}}}}"
    routes = [
        each.replace(", A", f", {pattern.format('a')}").replace(", B", f", {pattern.format('b')}") for each in routes
    ]
    assert verdicts(*routes, most=9) == found


SIZED = (
    "schema: {type: object, required: [id, l], properties: {id: &id {type: string, minLength: 1, maxLength: 9}, "
    "t: {type: string, maxLength: 12000}, u: {type: string}, l: {type: array, maxItems: MOST, items: *id}}}"
)


@pytest.mark.parametrize(
    ("item", "most", "found"),
    [
        ("item: {id: element, t: message.t}", 80, "proved"),
        (
            "item: {id: element, t: message.t}",
            100,
            "not decided its items may have 4803900 bytes, over the limit of 4194304",
        ),
        ("item: {id: element, t: message.t}, write: {mode: delete}", 100, "proved"),
        ("item: {id: element, t: message.u}", 100, "proved"),
    ],
)
def test_bytes_of_a_message(verdicts: Callable[..., list[str]], item: str, most: int, found: str) -> None:
    """Of sizes that are not bounded, the claim about the size of an item says it."""
    assert verdicts(f"lines: for_each: l, {item}", most=most, schema=SIZED) == [found]


TEXTS = "{type: array, items: {type: string, minLength: 1, maxLength: 9}}"
LONG = f"schema: {{type: object, required: [l, m], properties: {{l: {TEXTS}, m: {TEXTS}}}}}"


@pytest.mark.parametrize(
    ("routes", "most"),
    [
        ((EACH,), [100]),
        ((EACH, "item: {id: 'l[0]'}"), [99]),
        ((EACH, FROM_M), [50, 50]),
        ((EACH + ", when: k == 'a'", FROM_M + ", when: k == 'b'"), [100, 100]),
        ((ADDED,), [50]),
    ],
)
def test_the_advice_for_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, routes: tuple[str, ...], most: list[int]
) -> None:
    """It is a length with which the queue can write the message."""
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace("PLUGINS", "").replace("MATCH", "all")
    for name, table, route in zip("ab", ("lines", "others"), routes, strict=False):
        text += f"  {name}: {{queue: q, table: {table}, {route}, {LONG}}}\n"
    Path("routes.yaml").write_text(text, encoding="utf-8")
    report = examine(Path("routes.yaml"), {})
    advices = [each.suggestion for each in report.findings if each.code.id == "RT634"]
    assert [each.split("'")[1] for each in advices] == [f"maxItems: {each}" for each in most]
    codes = [each.codes for each in report.ledger.entries if each.kind == "transaction"]
    assert ("RT634",) in codes
