"""What two routes that write one key lose of each other, in words; tests/soundness/test_pairs.py has what is true."""

from typing import Any

import msgspec
import pytest
import yaml

from router.tools.check.analysis.pair_losses import Loss, losses
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites, writes_of
from router.tools.check.analysis.pair_yaml import group_edit
from tests.support.config import spec

CHOICES: dict[str, Any] = {
    "put": {"sets": {"c"}},
    "insert": {"mode": "insert", "sets": {"c"}},
    "newest": {"mode": "newest", "sets": {"c", "v"}, "version": "v"},
    "update": {"mode": "update", "sets": {"c"}},
    "delete": {"mode": "delete"},
}


def writes(name: str, mode: str = "put", **given: Any) -> RouteWrites:
    """A route."""
    settings: dict[str, Any] = {
        each: frozenset(value) if isinstance(value, set) else value for each, value in given.items()
    }
    return RouteWrites(name=name, mode=mode, **settings)


def placed(mode: str = "newest", **given: Any) -> RouteWrites:
    """A route with an attribute of its own."""
    return writes("placed", mode, **{"sets": {"lines", "at"}, "version": "at", **given})


def paid(mode: str = "newest", **given: Any) -> RouteWrites:
    """Another one, with the same version."""
    return writes("paid", mode, **{"sets": {"amount", "at"}, "version": "at", **given})


def sentences(found: Any) -> list[str]:
    """Each loss in a line."""
    return [f"{each.order}: {each.severity}: {each.sentence}" for each in found]


@pytest.mark.parametrize(
    ("one", "other", "lines"),
    [
        (placed(), paid(), [
            "in order: warning: 'paid' replaces the item, and erases 'lines' of 'placed'",
            "in order: warning: 'placed' is stale after 'paid' with an equal version: its 'lines' are never stored",
            "in order: warning: 'placed' replaces the item, and erases 'amount' of 'paid'",
            "in order: warning: 'paid' is stale after 'placed' with an equal version: its 'amount' are never stored",
            "out of order: warning: a late message of 'placed' is stale after 'paid': its 'lines' are never stored",
            "out of order: warning: a late message of 'paid' is stale after 'placed': its 'amount' are never stored",
        ]),
        (placed("update"), paid("update", sets={"amount", "paid_at"}, version="paid_at"), []),
        (placed("put", version=""), paid("put", version="", sets={"lines", "at"}), []),
        (placed("update", version="", once="keys"), paid("put", version="", sets={"lines"}), [
            (
                "in order: warning: 'paid' replaces the item, and erases 'at' of 'placed', also for its redelivery "
                "('once')"
            ),
            (
                "out of order: warning: a late message of 'paid' replaces the item, and erases 'at' of 'placed', "
                "also for its redelivery ('once')"
            ),
            "out of order: warning: a late message of 'paid' replaces the newer 'lines' of 'placed'",
            "out of order: warning: a late message of 'placed' replaces the newer 'lines' of 'paid'",
        ]),
        (placed("put", sets={OTHERS}, version=""), paid("update", version=""), [
            "in order: warning: 'placed' replaces the item, and erases 'amount' and 'at' of 'paid'",
            (
                "out of order: warning: a late message of 'placed' replaces the item, and erases 'amount' and 'at' "
                "of 'paid'"
            ),
        ]),
        (placed("insert", version=""), paid("update", version=""), [
            (
                "in order: warning: 'placed' finds the item of 'paid' and is a duplicate: its 'at' and 'lines' are "
                "never stored"
            ),
            (
                "out of order: warning: a late message of 'placed' finds the item of 'paid' and is a duplicate: its "
                "'lines' are never stored"
            ),
            "out of order: warning: a late message of 'paid' replaces the newer 'at' of 'placed'",
        ]),
        (writes("count", "update", adds={"n"}), writes("reset", "update", sets={"n"}), [
            "in order: warning: 'reset' replaces what 'count' added to 'n'",
            "out of order: warning: a late message of 'reset' replaces what 'count' added to 'n'",
        ]),
        (writes("count", "update", adds={"n"}), writes("log", "update", appends={"n"}, sets={"x"}), [
            "in order: warning: 'count' is rejected: 'log' stores 'n' of another type",
            "in order: warning: 'log' is rejected: 'count' stores 'n' of another type",
            "out of order: warning: a late message of 'log' is rejected: 'count' stores 'n' of another type",
        ]),
        (writes("count", "update", adds={"n"}), writes("first", "update", keeps={"n"}), [
            "in order: warning: 'count' adds to 'n' before 'first' sets the first value",
        ]),
        (writes("gone", "delete"), placed("put", version=""), [
            (
                "out of order: warning: a late message of 'gone' deletes the newer item of 'placed', and a late "
                "message of 'placed' brings the item back"
            ),
        ]),
        (placed(), writes("gone", "delete", version="at"), [
            "in order: info: the item of 'placed' stays after 'gone' with an equal version",
            "out of order: info: a late message of 'placed' brings the item back after 'gone'",
        ]),
        (placed("update", version=""), writes("gone", "delete", version="at"), [
            "in order: info: the item of 'placed' stays after 'gone' with an equal version",
            "out of order: warning: a late message of 'placed' brings the item back after 'gone'",
        ]),
        (placed(), writes("gone", "delete", version="gone_at"), [
            (
                "out of order: error: 'placed' does not store 'gone_at', so that a late message of 'gone' deletes "
                "the newer item of 'placed'"
            ),
        ]),
        (writes("gone", "delete"), writes("left", "delete", version="at"), []),
        (writes("marked", "insert"), paid("update", version=""), []),
    ],
)  # fmt: skip
def test_sentences(one: RouteWrites, other: RouteWrites, lines: list[str]) -> None:
    """Of each fault; routes of one message group have those in order only."""
    assert sentences(losses(one, other)) == lines
    in_order = [each for each in lines if each.startswith("in order")]
    assert sentences(losses(one, other, ordered=True)) == in_order


def config_of(*routes: RouteWrites, **settings: Any) -> spec.Config:
    """A config with the routes on one table."""
    given: dict[str, Any] = {}
    for each in routes:
        mapped = {**each.key, **{name: each.mapped.get(name, name) for name in each.attributes}}
        item = {"item": mapped} if OTHERS not in each.sets and mapped else {}
        write = {"mode": each.mode, **({"once": each.once, "once_key": "n"} if each.once else {})}
        given[each.name] = {"queue": "q", "table": "t", **item, "write": write, **settings.get("route", {})}
    return msgspec.convert(
        {
            "version": 1,
            "queues": {"q": settings.get("queue", {})},
            "tables": {"t": {"key": {"id": "S"}, **settings.get("table", {})}},
            "routes": given,
        },
        spec.Config,
    )


def edit_of(*routes: RouteWrites, others: tuple[RouteWrites, ...] = (), **settings: Any) -> Any:
    """The edit of routes, as data; of all routes of a table but some others."""
    edit = group_edit(routes, others, config_of(*routes, *others, **settings))
    text = edit.shown(*(each.name for each in routes))
    return {"comment": edit.comment, **yaml.safe_load(text)} if edit.comment else yaml.safe_load(text)


COMMON = "{queue: q, table: t, "


@pytest.mark.parametrize(
    ("one", "other", "lines"),
    [
        (placed(), paid(), [
            "placed: {item: {at: at, lines: lines}, write: {mode: update, version: at}}",
            "paid: {item: {amount: amount, paid_at: at}, write: {mode: update, version: paid_at}}",
        ]),
        (
            placed(sets={"lines", "status", "at"}, key={"id": "order.id"}, mapped={"status": {"value": "new"}}),
            paid(sets={"amount", "status", "at"}, mapped={"at": "paid.at"}),
            [
                (
                    "placed: {item: {id: order.id, lines: lines, placed_at: at}, write: {mode: update, version: "
                    "placed_at}}"
                ),
                (
                    "placed_common: " + COMMON + "item: {id: order.id, at: at, status: {value: new}}, write: {mode: "
                    "update, version: at}}"
                ),
                "paid: {item: {amount: amount, paid_at: paid.at}, write: {mode: update, version: paid_at}}",
                (
                    "paid_common: " + COMMON + "item: {at: paid.at, status: status}, write: {mode: update, version: "
                    "at}}"
                ),
            ],
        ),
        (writes("one", "put", sets={"a", "b"}), writes("two", "update", sets={"a", "b"}), [
            "one: {item: {a: a, b: b, sent_at: {meta: sent_at}}, write: {mode: update, version: sent_at}}",
            "two: {item: {a: a, b: b, sent_at: {meta: sent_at}}, write: {mode: update, version: sent_at}}",
        ]),
        (writes("one", "insert", sets={"a", "c"}), writes("two", "insert", sets={"b", "c"}), [
            "one: {item: {a: a, c: c}, write: {mode: update, keep_first: [a, c]}}",
            "two: {item: {b: b, c: c}, write: {mode: update, keep_first: [b, c]}}",
        ]),
        (
            writes("count", "update", adds={"n"}, appends={"l"}, once="keys", mapped={"n": "amount"}),
            writes("reset", "put", sets={"n", "l"}),
            [
                (
                    "count: {item: {count_l: l, count_n: amount}, write: {mode: update, add: [count_n], append: "
                    "[count_l], once: keys, once_key: n}}"
                ),
                "reset: {item: {l: l, n: n}, write: {mode: update}}",
            ],
        ),
        (
            writes("own", "update", sets={"s", "a_at"}, version="a_at", mapped={"a_at": "body.at", "s": "s"}),
            writes("its", "update", sets={"s", "x", "b_at"}, version="b_at", mapped={"b_at": "body.at"}),
            [
                "own: {item: {a_at: body.at}, write: {mode: update, version: a_at}}",
                "own: {item: {at: body.at, s: s}, write: {mode: update, version: at}}",
                "its: {item: {b_at: body.at, x: x}, write: {mode: update, version: b_at}}",
                "its_common: " + COMMON + "item: {at: body.at, s: s}, write: {mode: update, version: at}}",
            ],
        ),
        (
            writes("own", "update", sets={"s", "at"}, version="at", mapped={"at": {"from": "at", "type": "N"}}),
            writes("its", "update", sets={"s", "b_at"}, version="b_at", mapped={"b_at": {"from": "at", "type": "N"}}),
            [
                "own: {item: {common_at: {from: at, type: N}, s: s}, write: {mode: update, version: common_at}}",
                "its: {item: {common_at: {from: at, type: N}, s: s}, write: {mode: update, version: common_at}}",
            ],
        ),
        (
            writes("one", "newest", sets={"s", "at"}, version="at", scale="seconds"),
            writes("two", "newest", sets={"s", "at"}, version="at", scale="milliseconds"),
            [
                "one: {item: {s: s, sent_at: {meta: sent_at}}, write: {mode: update, version: sent_at}}",
                "two: {item: {s: s, sent_at: {meta: sent_at}}, write: {mode: update, version: sent_at}}",
            ],
        ),
        (
            writes("one", "update", sets={"s", "kind"}, mapped={"kind": {"value": 1}, "s": {"value": 1}}),
            writes("two", "update", sets={"s", "kind"}, mapped={"kind": {"value": 1}, "s": {"value": 2}}),
            [
                "one: {item: {kind: {value: 1}}, write: {mode: update}}",
                "one_common: " + COMMON + "item: {s: {value: 1}, sent_at: {meta: sent_at}}, write: {mode: update, "
                "version: sent_at}}",
                "two: {item: {kind: {value: 1}}, write: {mode: update}}",
                "two_common: " + COMMON + "item: {s: {value: 2}, sent_at: {meta: sent_at}}, write: {mode: update, "
                "version: sent_at}}",
            ],
        ),
    ],
)  # fmt: skip
def test_edits(one: RouteWrites, other: RouteWrites, lines: list[str]) -> None:
    """They are YAML, with all that a new route needs."""
    assert edit_of(one, other)["routes"] == yaml.safe_load("\n".join(lines))


def test_a_new_route_takes_the_same_messages() -> None:
    """By the settings of the one that it is made of."""
    settings = {"when": "x", "schema": {"type": "object"}, "for_each": "lines"}
    found = edit_of(writes("one", sets={"a", "b"}), writes("two", sets={"a"}), route=settings)["routes"]
    assert found["one_common"].items() >= {"queue": "q", "table": "t", **settings}.items()
    assert found["two"].keys() == {"item", "write"}


def test_a_group_has_one_edit() -> None:
    """What other routes have in common is stored with versions of its own; no name is taken."""
    one, two, three = (
        writes("one", "update", sets={"s", "q", "at"}, version="at"),
        writes("two", "newest", sets={"s", "x", "at"}, version="at"),
        writes("three", "update", sets={"q", "at"}, version="at"),
    )
    other = writes("other", "update", sets={"sent_at", "two_at"})
    found = edit_of(one, two, three, others=(other,))["routes"]
    assert {name: sorted(each["item"]) for name, each in found.items()} == {
        "one": ["at", "q"],
        "one_common": ["at_2", "s"],
        "two": ["two_at_2", "x"],
        "two_common": ["at_2", "s"],
        "three": ["at", "q"],
    }


@pytest.mark.parametrize("queue", [{"match": "first"}, {"atomic": True}])
def test_a_message_that_one_route_writes(queue: Any) -> None:
    """What it has in common with others has a name of its own."""
    one, other = writes("one", "put", sets={"a", "b"}), writes("two", "put", sets={"a"})
    assert edit_of(one, other, queue=queue)["routes"] == {
        "one": {"item": {"b": "b", "one_a": "a"}, "write": {"mode": "update"}},
        "two": {"item": {"a": "a"}, "write": {"mode": "update"}},
    }


def test_a_delete_becomes_a_closing_update() -> None:
    """With the time to live of the table; what several close stays closed."""
    gone = writes("gone", "delete", version="at", key={"id": "id"}, mapped={"at": "at"})
    changed = placed()
    update = {"item": {"at": "at", "lines": "lines"}, "write": {"mode": "update", "version": "at"}}
    closing = {
        "item": {"id": "id", "closed": {"value": True}, "expires_at": {"ttl": "30d"}, "gone_at": "at"},
        "write": {"mode": "update", "version": "gone_at"},
    }
    ends = {"tables": {"t": {"ttl": "expires_at"}}, "routes": {"placed": update, "gone": closing}}
    assert edit_of(changed, gone) == edit_of(gone, changed) == ends
    found = edit_of(writes("gone", "delete"), writes("one", "put", sets={"closed"}), table={"ttl": "ends"})
    assert found == {
        "routes": {
            "gone": {"item": {"closed_2": {"value": True}, "ends": {"ttl": "30d"}}, "write": {"mode": "update"}},
            "one": {"item": {"closed": "closed"}, "write": {"mode": "update"}},
        }
    }
    twice = edit_of(writes("gone", "delete"), writes("left", "delete"), writes("one", "put", sets={"a"}))["routes"]
    assert (
        twice["gone"]["write"] == twice["left"]["write"] == {"mode": "update", "keep_first": ["closed", "expires_at"]}
    )


def test_two_inserts_of_the_same_attributes() -> None:
    """They get keys that differ; a table of their own where a sort key does not do."""
    one, other = (writes(name, "insert", sets={"a"}, key={"id": "id"}) for name in ("one", "two"))
    assert edit_of(one, other) == {
        "comment": "a table whose sort key is the kind of the event",
        "tables": {"t": {"key": {"id": "S", "kind": "S"}}},
        "routes": {name: {"item": {"id": "id", "kind": {"value": name}, "a": "a"}} for name in ("one", "two")},
    }
    kinds = [writes(name, "insert", sets={"kind"}, key={"id": "id"}) for name in ("one", "two")]
    assert edit_of(*kinds)["tables"] == {"t": {"key": {"id": "S", "kind_of_event": "S"}}}
    own = {
        "comment": "a table for each kind of event",
        "tables": {"t-two": {"key": {"id": "S", "s": "N"}}},
        "routes": {"two": {"table": "t-two"}},
    }
    assert edit_of(one, other, table={"key": {"id": "S", "s": "N"}}) == own
    own["tables"] = {"t-two": {"key": {"id": "S"}}}
    assert edit_of(one, other, others=(writes("more", "update", sets={"b"}),)) == own


def test_a_whole_message_needs_names() -> None:
    """Its schema has them; what no schema names cannot be divided for it."""
    found = edit_of(writes("all", "put", sets={OTHERS}), placed())
    assert found["comment"] == "as 'item' of 'all' the attributes that only it stores"
    assert found["routes"]["all"] == {"write": {"mode": "update"}}
    named = edit_of(writes("all", "put", sets={OTHERS, "x"}, key={"id": "id"}, mapped={"x": "x"}), placed())
    assert named["comment"] == "'item' has what the schema names, and nothing else"
    assert named["routes"]["all"] == {"item": {"id": "id", "x": "x"}, "write": {"mode": "update"}}


def test_writes_of_a_route() -> None:
    """Keys are no attributes; a delete has none; a whole message has some without a name."""
    item = {
        "id": spec.Attribute(from_="id"),
        "n": spec.Attribute(from_="amount", type="N"),
        "l": msgspec.convert({"value": [1]}, spec.Attribute),
        "first": msgspec.convert({"meta": "sent_at"}, spec.Attribute),
        "gone": spec.Attribute(from_="x", missing="remove"),
    }
    write = spec.WriteSettings(
        mode="update", version="gone", add=("n",), append=("l",), keep_first=("first",), once="keys"
    )
    route = spec.RouteSettings(queue="q", table="t", item=item, write=write)
    assert writes_of("r", route, ("id",)) == RouteWrites(
        name="r",
        mode="update",
        version="gone",
        sets=frozenset({"gone"}),
        adds=frozenset({"n"}),
        appends=frozenset({"l"}),
        keeps=frozenset({"first"}),
        once="keys",
        key={"id": "id"},
        mapped={
            "n": {"from": "amount", "type": "N"},
            "l": {"value": [1]},
            "first": {"meta": "sent_at"},
            "gone": {"from": "x", "missing": "remove"},
        },
    )
    whole = spec.RouteSettings(queue="q", table="t")
    assert writes_of("r", whole, ("id",)).sets == {OTHERS}
    merged = spec.RouteSettings(queue="q", table="t", item=item, merge=spec.MergeSettings(from_="more"))
    assert writes_of("r", merged, ("id",)).sets == {OTHERS, "n", "l", "first", "gone"}
    delete = spec.RouteSettings(queue="q", table="t", item=item, write=spec.WriteSettings(mode="delete", version="n"))
    assert (writes_of("r", delete, ("id",)).sets, writes_of("r", delete, ("id",)).version) == (frozenset(), "n")


def found_for(row: str) -> list[Loss]:
    """What is lost by the pair of a row of the page."""
    one, other = PAIRS[row]
    return [*losses(writes("one", **one), writes("other", **other))]


def pair(mode: str, *own: Any, **more: Any) -> tuple[Any, Any]:
    """Two routes of one mode, with attributes of their own, and settings for both."""
    return tuple({"mode": mode, **more, "sets": more.get("sets", set()) | each} for each in own)  # type: ignore[return-value]


UPDATE = {"mode": "update", "sets": {"b"}}
PAIRS: dict[str, tuple[Any, Any]] = {
    "`put` + `put`, other attributes": pair("put", {"a"}, {"b"}),
    "`newest` + `newest`, one version, same attributes": pair("newest", {"c"}, {"c"}, sets={"v"}, version="v"),
    "…, other attributes": pair("newest", {"a"}, {"b"}, sets={"v"}, version="v"),
    "…, each its own version": (
        {"mode": "newest", "sets": {"a", "v"}, "version": "v"},
        {"mode": "newest", "sets": {"a", "w"}, "version": "w"},
    ),
    "`put` + `newest`": (CHOICES["put"], CHOICES["newest"]),
    "`put` or `newest` + `update`": (CHOICES["put"], UPDATE),
    "`insert` + `insert`": (CHOICES["insert"], CHOICES["insert"]),
    "`insert` + `put`, `newest` or `update`": (CHOICES["insert"], UPDATE),
    "`update` + `update`, other attributes, no version or each its own": pair("update", {"a"}, {"b"}),
    "…, one version": pair("update", {"a"}, {"b"}, sets={"v"}, version="v"),
    "…, common attributes, no version or each its own": pair("update", {"c"}, {"c"}),
    "…, common attributes in `keep_first` of one or both": pair("update", set(), set(), keeps={"c"}),
    "`add` + `add`, `append` + `append`": pair("update", set(), set(), adds={"c"}, appends={"d"}),
    "`add` or `append` + an attribute that is set, removed or put": ({"mode": "update", "adds": {"b"}}, UPDATE),
    "`add` or `append` + `keep_first`": ({"mode": "update", "adds": {"b"}}, {"mode": "update", "keeps": {"b"}}),
    "`add` + `append`": ({"mode": "update", "adds": {"b"}, "sets": {"a"}}, {"mode": "update", "appends": {"b"}}),
    "`delete` + any other, no version": (CHOICES["delete"], UPDATE),
    "`delete` + any other, one version": ({"mode": "delete", "version": "v"}, CHOICES["newest"]),
    "`delete` + any other, a version that the other does not store": ({"mode": "delete", "version": "v"}, UPDATE),
}


ORDERS = ("in order", "out of order")
LOST: dict[str, tuple[str, ...]] = {
    "`put` + `put`, other attributes": ORDERS,
    "`newest` + `newest`, one version, same attributes": (),
    "…, other attributes": ORDERS,
    "…, each its own version": ORDERS,
    "`put` + `newest`": ORDERS,
    "`put` or `newest` + `update`": ORDERS,
    "`insert` + `insert`": ORDERS,
    "`insert` + `put`, `newest` or `update`": ORDERS,
    "`update` + `update`, other attributes, no version or each its own": (),
    "…, one version": ORDERS,
    "…, common attributes, no version or each its own": ("out of order",),
    "…, common attributes in `keep_first` of one or both": (),
    "`add` + `add`, `append` + `append`": (),
    "`add` or `append` + an attribute that is set, removed or put": ORDERS,
    "`add` or `append` + `keep_first`": ORDERS,
    "`add` + `append`": ORDERS,
    "`delete` + any other, no version": ("out of order",),
    "`delete` + any other, one version": ORDERS,
    "`delete` + any other, a version that the other does not store": ("out of order",),
}
"""In which order two routes of a kind lose something of each other; docs/writes.md has most of them."""
SAME = (
    "…, each its own version",
    "`put` or `newest` + `update`",
    "`insert` + `insert`",
    "`add` or `append` + an attribute that is set, removed or put",
    "`add` or `append` + `keep_first`",
    "`add` + `append`",
)
"""Of these, what one order loses the other does, too: one of the two is said."""


@pytest.mark.parametrize("kind", PAIRS)
def test_what_two_routes_lose(kind: str) -> None:
    """Where nothing is lost, nothing is said to be lost, and the reverse."""
    orders = {each.order for each in found_for(kind)}
    assert orders | ({"out of order"} if kind in SAME else set()) == set(LOST[kind])
