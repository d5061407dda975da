"""Pairs of routes of one table: their keys are apart, they may meet, or that is not decided."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.prover.text_patterns import exclude_each_other
from router.tools.check.analysis import key_separation
from router.tools.check.analysis.key_meetings import Meeting
from router.tools.check.rule import Subject
from tests.support.program import load

Meet = Callable[..., Meeting]
ID = "id: {type: string, minLength: 1, maxLength: 20}"
KIND = "kind: {type: string, enum: [a, b]}"
MANY = [f"{name}: {{enum: [{', '.join(map(str, range(10, 22)))}]}}" for name in "nm"]
N = "n: {type: integer, minimum: 0, maximum: 9}"


PLUGIN = "from router import hookimpl\n\n\n@hookimpl\ndef router_{}: {}\n"


PLUGINS = (
    ("own", "register_transforms(register)", "register('own', str)"),
    ("changing", "transform_item(item, message, route)", "pass"),
    ("messages", "transform_message(message, route)", "pass"),
)


def schema(*properties: str) -> str:
    """A schema of objects that have each of some properties."""
    names = [each.partition(":")[0] for each in properties]
    return f", schema: {{type: object, required: [{', '.join(names)}], properties: {{{', '.join(properties)}}}}}"


@pytest.fixture
def meetings(tmp_path: Path) -> Callable[[str], tuple[Meeting, ...]]:
    """Return a function that returns what is known of the pairs of a config without its version."""

    def compare(text: str) -> tuple[Meeting, ...]:
        file = tmp_path / "routes.yaml"
        for name, hook, does in PLUGINS:
            (tmp_path / f"{name}.py").write_text(PLUGIN.format(hook, does), encoding="utf-8")
        file.write_text(f"version: 1\n{text}", encoding="utf-8")
        loaded = load(file, {})
        assert loaded.config
        assert loaded.plugins
        assert loaded.schemas
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
    "upper case": (
        route("id: {from: id, transform: upper}"),
        route("id: id", schema("id: {type: string, pattern: '^[a-z]+$'}"), "y"),
    ),
    "texts of numbers": (
        route("id: {from: n, type: S}", schema("n: {type: integer, maximum: 4}")),
        route("id: {from: n, type: S}", schema("n: {type: integer, minimum: 5}"), "y"),
    ),
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
    "a text in another case": (
        route("id: {from: id, transform: lower}", ", when: \"id != 'k'\""),
        route("id: id", ", when: \"id == 'k'\"", "y"),
    ),
    "a template in another case": (
        route("id: {template: 'A#{id}', transform: lower}"),
        route("id: {template: 'a#{id}'}", "", "y"),
    ),
    "a number and its text": (
        route("id: {from: n, type: S}", schema("n: {type: integer, minimum: 5, maximum: 9}")),
        route("id: id", schema("id: {type: string, maxLength: 4}"), "y"),
    ),
    "an object": (
        "queue: q, item: {id: id, x: x}, write: {mode: update}",
        "queue: p, item: {id: id, x: x}, write: {mode: update}" + schema(ID, "x: {type: object}"),
    ),
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
    "elements": ("queue: q, for_each: lines, item: {id: element.id, x: element.x}", route("id: id", "", "y")),
    "an element and its message": (
        "queue: q, for_each: lines, item: {id: {template: '{element}-{message.id}'}, x: message.x}",
        route("id: {value: q-r}", "", "y"),
    ),
    "templates of other forms": (route("id: {template: 'x{id}'}"), route("id: {template: '{id}-{n}'}", "", "y")),
    "what is lost is in the key": (route("id: id"), route("id: id, z: id", "", "y")),
    "a message group": (route("id: {meta: group_id}"), route("id: {value: z}", "", "y")),
    "a path that no message has": (
        route("id: id, z: n", schema(ID, N).replace("type: object", "type: object, additionalProperties: false")),
        route("id: id", "", "y"),
    ),
    "a text of another source": (route("id: {ttl: 1d, type: S}"), route("id: id", "", "y")),
    "times": (route("id: {meta: sent_at}"), route("id: id", "", "y")),
    "a hash and a path": (route("id: {hash: [id]}"), route("id: id", "", "y")),
    "binary keys": (route("id: {from: id, type: B}"), route("id: {from: id, type: B}", "", "y")),
    "many values": (
        route("id: {template: '{n}{m}'}", schema(*MANY)),
        route("id: {template: '{n}{m}'}", schema(*MANY), "y"),
    ),
    "a default that is a number": (
        route("id: {from: id, default: 1, type: S}", schema(ID).replace("[id]", "[]")),
        route("id: id", schema("id: {type: string, pattern: '^[0-9]$'}"), "y"),
    ),
    "a default of other texts": (
        route("id: {from: id, default: 7}", schema("id: {type: string, pattern: '^a'}").replace("[id]", "[]")),
        route("id: id", schema("id: {type: string, pattern: '^a'}"), "y"),
    ),
    "who sends": (route("id: {meta: sender_id}"), route("id: id", "", "y")),
    "a transform of a plugin": (route("id: {from: kind, transform: own}", schema(KIND)), route("id: id", "", "y")),
    "no path": (route("id: '`1` && id'"), route("id: id", "", "y")),
    "a constant in a template": (route("id: {template: '{`7`}{id}'}"), route("id: id", "", "y")),
    "the version is the key": (
        route("id: id, v: id", ", write: {mode: newest, version: v}"),
        route("id: id, v: id", ", write: {mode: newest, version: v}", "y"),
    ),
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
    found = meet(*MEET[case], key.replace("S", "B") if case == "binary keys" else key, more="plugins: [own.py]\n")
    assert found.verdict == "may meet"
    assert found.example is not None
    assert {loss.severity for loss in found.example.losses} == {"warning"}


def test_the_messages_are_shown_in_the_order_in_which_they_lose(meet: Meet) -> None:
    """Only with what matters of them, cut where it is long; the edit is YAML."""
    long = "k" * 150
    found = meet(
        route("id: id, at: at", ", when: \"kind == 'a'\", write: {mode: newest, version: at}"),
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


@pytest.mark.parametrize("plugin", ["changing", "messages"])
def test_code_of_plugins_does_not_run(meet: Meet, plugin: str) -> None:
    """Where it changes messages or items, nothing is known of the keys."""
    more = f"plugins: [{plugin}.py]\n"
    one, other = route("id: id", ", plugins: []"), route("id: id", f", plugins: [{plugin}]", "y")
    found = meet(one, other, more=more)
    assert (found.verdict, found.reason) == ("not decided", "a plugin changes messages or items of their queues")


def test_a_transform_without_an_inverse(meet: Meet) -> None:
    """No message is found for the key of another one, and nothing is proved of what a transform makes."""
    found = meet(
        route("id: {from: id, transform: {truncate: 1}}", schema("id: {type: string, pattern: '^a'}")),
        route("id: id", schema("id: {type: string, pattern: '^[^a]'}"), "y"),
    )
    assert (found.verdict, found.reason) == (
        "not decided",
        "no two messages with one key were found, and it is not proved that there are none",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("id: {template: 'A#{id}', transform: lower}", "id: {template: 'A#{id}'}"),
        ("id: {template: '{id}#b', transform: upper}", "id: {template: '{id}#b'}"),
        ("id: {template: 'ab\u00df{id}', transform: upper}", "id: {template: 'aB{id}'}"),
    ],
)
def test_literals_in_another_case(meetings: Callable[[str], tuple[Meeting, ...]], one: str, other: str) -> None:
    """They are apart at once."""
    head = "queues: {q: {dead_letter: d}, p: {dead_letter: d}}\ntables: {t: {name: things, key: {id: S}}}\nroutes:\n"
    assert meetings(f"{head}  a: {{table: t, {route(one)}}}\n  b: {{table: t, {route(other, '', 'y')}}}\n") == ()


@pytest.mark.parametrize("name", ["message_id", "sequence_number"])
def test_an_id_that_sqs_makes(meet: Meet, name: str) -> None:
    """A field may repeat it, but no message shows that it does; two messages have two."""
    found = meet(
        route(f"id: {{meta: {name}}}"),
        route("id: id", "", "y"),
        settings=", name: q.fifo",
    )
    reason = "the key of one is an id that SQS makes: only a message that repeats it has the same key"
    assert (found.verdict, found.reason) == ("not decided", reason)


def test_a_pair_whose_loss_is_not_seen(meet: Meet) -> None:
    """The keys meet, and the attributes that could be lost have one value in all messages."""
    one, other = (
        f"queue: {queue}, item: {{id: id, x: x}}, write: {{mode: update}}{schema(ID, 'x: {const: 1}')}"
        for queue in "qp"
    )
    found = meet(one, other)
    assert (found.verdict, found.reason) == ("not decided", "the keys meet, and two messages did not show what is lost")


def test_one_constant(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """Nothing is lost of an attribute that both always set to one value; another constant replaces it."""
    head = "queues: {q: {dead_letter: d}}\ntables: {t: {name: things, key: {id: S}}}\nroutes:\n"

    def verdicts(*values: str) -> list[str]:
        routes = "".join(
            f"  r{number}: {{queue: q, table: t, when: \"kind == '{number}'\", item: {{id: id, x: {value}}}, "
            "write: {mode: update}}\n"
            for number, value in enumerate(values)
        )
        return [each.verdict for each in meetings(head + routes)]

    assert verdicts("{value: 1}", "{value: 1}") == []
    assert verdicts("{value: 1}", "{value: 2}") == ["may meet"]
    assert verdicts("{value: 1, type: S}", "{value: 1}") == ["may meet"]
    assert verdicts("{value: 1}", "{value: 1}", "{value: 2}") == ["may meet", "may meet"]


def test_whole_messages_have_what_their_schemas_name(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """Two whole items of one version lose each other's properties, if these differ."""
    head = "queues: {q: {dead_letter: d}}\ntables: {t: {name: things, key: {id: S}}}\nroutes:\n"
    write = "queue: q, table: t, write: {mode: newest, version: at}"

    def found(one: str, other: str) -> list[tuple[str, list[tuple[str, ...]]]]:
        routes = (
            f"  {name}: {{{write}, when: \"kind == '{name}'\"{text}}}\n" for name, text in (("a", one), ("b", other))
        )
        known = meetings(head + "".join(routes))
        return [
            (each.verdict, [loss.attributes for loss in each.example.losses] if each.example else []) for each in known
        ]

    at = "at: {type: integer, maximum: 9}"
    assert found(schema(ID, at), schema(ID, at)) == []
    [(verdict, lost)] = found(schema(ID, at, "'a b': {type: string}"), schema(ID, at, "y: {type: string}"))
    assert verdict == "may meet"
    assert {("a b",), ("y",)} <= set(lost)
    closed = schema(ID, at, KIND, "x: {type: string}")[:-1] + ", additionalProperties: false}"
    [(verdict, lost)] = found(closed, schema(ID, at, KIND))
    assert verdict == "may meet"
    assert ("x",) in lost


def test_a_text_in_a_template_that_is_an_expression(meet: Meet) -> None:
    """It is not told from what the message has."""
    assert meet(route("id: {template: '{`7`}{id}'}"), route("id: {value: 7z}", "", "y")).verdict == "not decided"


def test_a_time_that_no_message_is_sent_at(meet: Meet) -> None:
    """When a message was sent is not chosen."""
    time = "'2020-01-02T03:04:05.678Z'"
    assert meet(route("id: {meta: sent_at}"), route(f"id: {{value: {time}}}", "", "y")).verdict == "not decided"


def many(item: str, count: int, more: str = "") -> str:
    """A config of so many routes of one table."""
    lines = [
        f"  r{number}: {{queue: q, table: things, when: k{number}, item: {{{item}, a{number}: x}}{more}}}\n"
        for number in range(count)
    ]
    return f"queues: {{q: {{dead_letter: d}}}}\ntables: {{things: {{key: {{id: S}}}}}}\nroutes:\n{''.join(lines)}"


def test_of_many_pairs_a_few_are_shown(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """Each route is reported with two others; that it was compared with no more is a claim of its own."""
    found = meetings(many("id: id", 6))
    assert [(each.one and each.one.name, each.other.name) for each in found if each.other.name == "r5"] == [
        ("r0", "r5"),
        ("r1", "r5"),
        (None, "r5"),
    ]
    assert found[-1].claim.subject == ""


def test_work_is_bounded_by_the_number_of_routes(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """Keys that are proved apart one by one: some pairs of 40 routes are not compared."""
    found = meetings(many("id: {from: id, transform: {truncate: 5}}", 40, ", write: {mode: insert}"))
    assert {each.verdict for each in found} == {"may meet", "not decided"}
    assert len(found) < 200


@pytest.mark.parametrize(
    "item", ["id: id", "id: {template: '{id}#{kind}'}", "id: {from: id, transform: {truncate: 5}}", "id: id, own: x"]
)
def test_twice_the_routes_are_at_most_thrice_the_work(
    meetings: Callable[[str], tuple[Meeting, ...]], item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether their keys meet, are proved to be apart, or are not decided."""
    work: list[int] = []
    for count in (60, 120):
        calls = 0

        def counted(first: Any, second: Any, patterns: Any = exclude_each_other) -> bool:
            nonlocal calls
            calls += 1
            return bool(patterns(first, second))

        monkeypatch.setattr(key_separation, "exclude_each_other", counted)
        found = meetings(many(item, count))
        work.append(calls + len(found))
    assert work[0] < work[1] <= 3 * work[0]


def test_updates_of_other_attributes_are_not_compared(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """However many there are; a route that replaces the item is compared with each."""
    text = many("id: id", 12, ", write: {mode: update}")
    assert meetings(text) == ()
    found = meetings(text + "  whole: {queue: q, table: things, when: k, item: {id: id}}\n")
    assert [each.one and each.one.name for each in found] == ["r0", "r1", None]
    assert meetings(text + "  same: {queue: q, table: things, item: {id: id, a3: y}, write: {mode: update}}\n")


def test_puts_of_the_same_attributes_are_not_compared(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """They are as one route, beside others that lose something, too."""
    same = f"  one: {{table: things, {route('id: id')}}}\n  two: {{table: things, {route('id: id', '', 'x', 'p')}}}\n"
    head = "queues: {q: {dead_letter: d}, p: {dead_letter: d}}\ntables: {things: {key: {id: S}}}\nroutes:\n"
    assert meetings(head + same) == ()
    found = meetings(f"{head}{same}  other: {{table: things, {route('id: id', '', 'y')}}}\n")
    assert [each.one and each.one.name for each in found] == ["one", "two"]


def test_one_table_under_two_names(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """Its routes share their items."""
    [found] = meetings(
        "queues: {q: {dead_letter: d}, p: {dead_letter: d}}\n"
        "tables: {one: {name: things, key: {id: S}}, other: {name: things, key: {id: S}}, third: {key: {id: S}}}\n"
        f"routes:\n  alone: {{table: third, {route('id: id')}}}\n"
        f"  one: {{table: one, {route('id: id')}}}\n  other: {{table: other, {route('id: id', '', 'y')}}}\n"
    )
    assert found.verdict == "may meet"


def test_a_route_without_elements_writes_nothing(meetings: Callable[[str], tuple[Meeting, ...]]) -> None:
    """No message of it has the list."""
    lines = "queue: q, for_each: lines, item: {id: element.id, x: x}"
    found = meetings(
        "queues: {q: {dead_letter: d}, p: {dead_letter: d}}\ntables: {things: {key: {id: S}}}\nroutes:\n"
        f"  one: {{table: things, {lines}{schema('lines: {maxItems: 0, type: array}')}}}\n"
        f"  other: {{table: things, {route('id: id', '', 'y')}}}\n"
    )
    assert found == ()
