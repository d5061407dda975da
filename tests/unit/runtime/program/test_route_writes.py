"""How the items of a route are written, and the key that they need."""

import json
from typing import Any

import pytest

from router.errors import Rejection
from router.model import Table
from tests.support.engine import IdempotencyConfig, Mode, WriteConfig
from tests.support.modes import MODES

ITEM = {"id": "id", "a": "a", "b": "b", "c": "c"}
DECLARED = frozenset(ITEM)
SETTINGS = {"version": "a", "add": ["a"], "append": ["a"], "keep_first": ["a"], "once": "markers", "once_key": "id"}


def of_update(load_text: Any, write: Any, markers: Any = None) -> Any:
    """A config with an update, beside a table of idempotency keys."""
    config = {
        "version": 1,
        "queues": {"q": {"dead_letter": "d"}},
        "tables": {"things": {"key": {"id": "S"}}, "markers": markers or {"key": {"m": "S"}, "ttl": "gone_at"}},
        "routes": {"r": {"queue": "q", "table": "things", "item": ITEM, "write": {"mode": "update", **write}}},
    }
    return load_text(json.dumps(config))


def shape(made: Any) -> WriteConfig:
    found: WriteConfig = made.loaded.program.engine.queues["q"].routes[0].write
    return found


def needed(mode: Mode) -> dict[str, Any]:
    """The settings that a mode requires."""
    return {"mode": mode.name, **{name: SETTINGS[name] for name in mode.required}}


@pytest.mark.parametrize("mode", MODES.values(), ids=str)
def test_modes(flow: Any, mode: Mode) -> None:
    """A delete has the key alone, all others what is mapped."""
    item = {"id": "1"} if mode.stores == "nothing" else {"id": "1", "a": 2}

    assert flow({"item": ITEM, "write": needed(mode)}).send({"id": "1", "a": 2}) == [item]


def test_the_mode_by_default(flow: Any) -> None:
    """A route without a mode puts."""
    assert shape(flow({"item": ITEM, "write": {}})).mode == MODES["put"]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ({"mode": "put"}, ("put", "")),
        ({"mode": "newest", "version": "a"}, ("newest", "a")),
        ({"mode": "delete", "version": "a"}, ("delete", "a")),
    ],
)
def test_shapes(flow: Any, write: Any, expected: Any) -> None:
    """What the engine is reported."""
    mode, version = expected
    assert shape(flow({"item": ITEM, "write": write})) == WriteConfig(
        "r", Table("things", (("id", "S"),)), MODES[mode], version, declared=frozenset(ITEM)
    )


def test_the_shape_of_an_update(load_text: Any) -> None:
    """With attributes that are treated apart, and a table of idempotency keys with its time to live."""
    write = {"version": "a", "add": ["b"], "keep_first": ["c"], "once": "markers"}

    assert shape(of_update(load_text, write)) == WriteConfig(
        "r",
        Table("things", (("id", "S"),)),
        MODES["update"],
        "a",
        frozenset({"b"}),
        frozenset(),
        frozenset({"c"}),
        IdempotencyConfig(Table("markers", (("m", "S"),)), "gone_at"),
        frozenset(ITEM),
    )


def test_once_key(load_text: Any) -> None:
    """An expression over the message; where it fails, the message is rejected."""
    once = shape(of_update(load_text, {"append": ["a"], "once": "markers", "once_key": "to_string(abs(n))"})).once
    assert once is not None
    assert once.key is not None

    with pytest.raises(Rejection) as raised:
        once.key({"n": "secret"})

    assert (once.key({"n": -1}), raised.value.code.id, raised.value.reason) == (
        "1",
        "RT804",
        "the expression of 'once_key' fails on the message",
    )


@pytest.mark.parametrize(
    ("mode", "name"),
    [(mode, name) for mode in MODES.values() for name in SETTINGS if name not in mode.settings],
    ids=str,
)
def test_settings_of_other_modes(flow: Any, mode: Mode, name: str) -> None:
    """Each is found once: whoever wrote it expects an effect."""
    write = {**needed(mode), name: SETTINGS[name]}

    assert flow({"item": ITEM, "write": write}).sentences == [
        f"RT604 '{name}' has no meaning for 'mode: {mode.name}'; remove it, or choose another mode"
    ]


@pytest.mark.parametrize("mode", [mode for mode in MODES.values() if "version" in mode.settings], ids=str)
def test_modes_with_a_version(flow: Any, mode: Mode) -> None:
    """Such a mode takes it, whether or not it requires it."""
    assert flow({"item": ITEM, "write": {**needed(mode), "version": "a"}}).sentences == []


@pytest.mark.parametrize(
    ("write", "sentences"),
    [
        ({"version": "a", "add": ["b"], "once": "markers", "once_key": "id"}, []),
        ({"keep_first": ["b"]}, []),
        ({"once_key": "id"}, ["RT604 'once_key' has no meaning without 'once'; add 'once'"]),
        ({"add": ["a"]}, []),
        ({"version": "id"}, ["RT607 'id' is a key attribute; name another attribute"]),
        ({"version": "a", "keep_first": ["a"]}, ["RT607 'a' is named twice; name it in one of them only"]),
        ({"keep_first": ["aa"]}, ["RT607 'item' does not map 'aa'; did you mean 'a'?"]),
        ({"keep_first": ["seen"]}, ["RT607 'item' does not map 'seen'; add 'seen:' to 'item'"]),
        (
            {"add": ["a"], "once": "zzz"},
            ["RT609 unknown table 'zzz'; add it under 'tables', with a key of one text attribute"],
        ),
        ({"add": ["a"], "once": "marker"}, ["RT609 unknown table 'marker'; did you mean 'markers'?"]),
        (
            {"add": ["a"], "once": "markers", "once_key": "sum("},
            ["RT401 'sum(' is not a JMESPath expression: it ends too early"],
        ),
    ],
)
def test_settings_of_an_update(load_text: Any, write: Any, sentences: list[str]) -> None:
    """Each fault is found where it stands."""
    assert of_update(load_text, write).sentences == sentences


@pytest.mark.parametrize("key", [{"m": "N"}, {"m": "S", "n": "S"}])
def test_a_table_that_cannot_hold_idempotency_keys(load_text: Any, key: Any) -> None:
    """An idempotency key is one text."""
    assert of_update(load_text, {"add": ["a"], "once": "markers"}, {"key": key}).sentences == [
        "RT609 the key of table 'markers' is not one text attribute; use a table of its own, with 'key: {id: S}'"
    ]


def test_newest_of_what(flow: Any) -> None:
    """Without a version nothing is newer than anything."""
    assert flow({"item": ITEM, "write": {"mode": "newest"}}).sentences == [
        "RT608 'mode: newest' needs a 'version'; add 'version: ATTRIBUTE'"
    ]


def test_settings_without_item(flow: Any) -> None:
    """Without `item` any attribute may be in the message, but the key is still the key."""
    assert [flow({"write": {"mode": "newest", "version": name}}).sentences for name in ("seen", "id")] == [
        [],
        ["RT607 'id' is a key attribute; name another attribute"],
    ]


@pytest.mark.parametrize(
    ("item", "sentences"),
    [
        ({"id": "id", "at": "at"}, []),
        ({"id": {"from": "id", "type": "S"}, "at": {"from": "at", "type": "N"}}, []),
        ({"id": {"from": "id", "type": "json"}, "at": {"from": "at"}}, []),
        (
            {"a": "a"},
            [
                "RT602 'item' does not map the key attribute 'id' of table 'things'; add 'id:'",
                "RT602 'item' does not map the key attribute 'at' of table 'things'; add 'at:'",
            ],
        ),
        (
            {"id": {"from": "id", "type": "NS"}, "at": {"from": "at", "type": "json"}},
            [
                "RT605 key attribute 'id' has type NS, the key of table 'things' is S; write 'type: S'",
                "RT605 key attribute 'at' has type json, the key of table 'things' is N; write 'type: N'",
            ],
        ),
    ],
)
def test_the_key(flow: Any, item: Any, sentences: list[str]) -> None:
    """Each key attribute is mapped, and not to another type."""
    assert flow({"item": item}, {"id": "S", "at": "N"}).sentences == sentences


def test_the_key_of_a_whole_message(flow: Any) -> None:
    """Without `item` it is in the message, or the message is rejected."""
    assert flow().send({"a": 1}) == ("rejected", "RT808", "table 'things': key attribute 'id' is missing", "")


def test_routes_share_what_plans_equal_writes(load_text: Any) -> None:
    """Routes differ in their names, and in the keys of their tables."""
    tables = {"things": {"key": {"id": "S"}}, "others": {"key": {"id": "S"}}, "pairs": {"key": {"id": "S", "a": "S"}}}
    item = {"id": "id", "a": "a", "at": {"meta": "sent_at"}}
    routes = {
        "one": {"table": "things", "item": item},
        "two": {"table": "others", "item": item},
        "key": {"table": "pairs", "item": item},
        "delete": {"table": "things", "item": item, "write": {"mode": "delete"}},
        "named": {"table": "things", "item": item | {"r": {"meta": "route"}}},
        "also named": {"table": "things", "item": item | {"r": {"meta": "route"}}},
    }
    routes = {name.replace(" ", "-"): {"queue": "q", **route} for name, route in routes.items()}
    config = {"version": 1, "queues": {"q": {"dead_letter": "d"}}, "tables": tables, "routes": routes}

    found = [route.plan_put for route in load_text(json.dumps(config)).loaded.program.engine.queues["q"].routes]

    assert None not in found
    assert found[0] is found[1]
    assert len(set(found)) == len(routes) - 1
