"""What two routes that write one key lose of each other, in words; tests/soundness/test_pairs.py has what is true."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from router.tools.check.analysis.pair_edits import edit_of
from router.tools.check.analysis.pair_losses import Loss, losses
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites, writes_of
from tests.support.config import spec

NOTHING = "\N{EN DASH}"
PAGE = Path(__file__).parents[5] / "docs" / "writes.md"
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
                    "placed_common: {item: {id: order.id, at: at, status: {value: new}}, write: {mode: update, "
                    "version: at}}"
                ),
                "paid: {item: {amount: amount, paid_at: paid.at}, write: {mode: update, version: paid_at}}",
                "paid_common: {item: {at: paid.at, status: status}, write: {mode: update, version: at}}",
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
        (writes("one", "insert", sets={"a"}), writes("two", "insert", sets={"a"}), [
            "one: {item: {kind: {value: one}}}",
            "two: {item: {kind: {value: two}}}",
        ]),
        (
            writes("count", "update", adds={"n"}, appends={"l"}, once="keys", mapped={"n": "amount"}),
            writes("reset", "put", sets={"n", "l"}),
            [
                (
                    "count: {item: {count_l: l, count_n: amount}, write: {mode: update, add: [count_n], append: "
                    "[count_l], once: keys}}"
                ),
                "reset: {item: {l: l, n: n}, write: {mode: update}}",
            ],
        ),
        (placed(), writes("gone", "delete", version="at", key={"id": "id"}, mapped={"at": "at"}), [
            "placed: {item: {at: at, lines: lines}, write: {mode: update, version: at}}",
            (
                "gone: {item: {id: id, closed: {value: true}, expires_at: {ttl: 30d}, gone_at: at}, write: {mode: "
                "update, version: gone_at}}"
            ),
        ]),
        (writes("gone", "delete"), writes("all", "put", sets={OTHERS}), [
            "gone: {item: {closed: {value: true}, expires_at: {ttl: 30d}}, write: {mode: update}}",
            "all: {write: {mode: update}}",
        ]),
    ],
)  # fmt: skip
def test_edits(one: RouteWrites, other: RouteWrites, lines: list[str]) -> None:
    """They are YAML, and part of each loss."""
    text = edit_of(one, other)
    assert yaml.safe_load(text)["routes"] == yaml.safe_load("\n".join(lines))


def test_a_whole_message_needs_names() -> None:
    """What a route stores beside its `item` cannot be divided for it."""
    assert "    # and item: the attributes that only this route stores" in edit_of(
        writes("all", "put", sets={OTHERS}), placed()
    )


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


def test_the_table_of_the_page() -> None:
    """Where it says that nothing is lost, nothing is said to be lost, and the reverse."""
    lines = PAGE.read_text(encoding="utf-8").partition("| two routes |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = {}
    for line in lines:
        name, in_order, out_of_order, _ = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = (in_order, out_of_order)
    plain = rows.pop("`put` + `put`, same attributes")
    assert plain == (NOTHING, "as with one route: the older item stays")
    assert rows.keys() == PAIRS.keys()
    for name, cells in rows.items():
        orders = {each.order for each in found_for(name)}
        claimed = {
            order
            for order, cell in zip(("in order", "out of order"), cells, strict=True)
            if not cell.startswith(NOTHING)
        }
        if "the same" in cells[1]:
            orders |= {"out of order"}
        assert claimed == orders, name
