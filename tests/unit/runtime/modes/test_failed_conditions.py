"""What a failed condition means, told from what was there."""

from decimal import Decimal
from typing import Any

import pytest

from router.model import Message, Outcome, Table
from router.runtime.modes import MODES
from tests.support.engine import WriteConfig, encode_item

THINGS = Table("things", (("id", "S"),))


def write(item: Any, **config: Any) -> Any:
    """The write of an item by a route `r`."""
    planned = WriteConfig("r", THINGS, **{**config, "mode": MODES[config["mode"]]})
    return planned.mode.plan(planned, item, Message(item, "m"), 0)


def outcome_of(write: Any, stored: Any) -> Any:
    """The outcome of a write whose condition failed."""
    return write.mode.on_condition_failed(write, stored)


def there(**attributes: Any) -> Any:
    """A stored item."""
    return encode_item({"id": "a", **attributes})[0]


DUPLICATE = Outcome("duplicate", "RT820", "table 'things' has the item already", "r")
OTHER = Outcome("duplicate", "RT820", "table 'things' has the item already, with other content", "r", conflict=True)
STALE = Outcome("stale", "RT821", "table 'things' has the item with an equal or greater 'v'", "r")
NOT_NEWER = Outcome("stale", "RT821", "table 'things' refused the write: no item with a lesser 'v' is stored", "r")
"""Also if nothing is stored, or if the answer does not say what is."""
CONFLICT = Outcome(
    "stale", "RT821", "table 'things' has the item with an equal or greater 'v', with other content", "r", conflict=True
)
TYPES = Outcome("rejected", "RT804", "table 'things' has the item with a 'v' of type S, the message's is N", "r")


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        (there(x=1), DUPLICATE),
        (there(x=Decimal("1.0")), DUPLICATE),
        (there(x=2), OTHER),
        (there(x=True), OTHER),
        (there(), OTHER),
        (None, DUPLICATE),
        ({}, DUPLICATE),
    ],
)
def test_an_insert_finds_a_duplicate(stored: Any, outcome: Any) -> None:
    """It counts as a conflict if the stored content differs."""
    assert outcome_of(write({"id": "a", "x": 1}, mode="insert"), stored) == outcome


SAME = [
    ("x", {"S": "x"}),
    (1, {"N": "1.0"}),
    ({1, 2}, {"NS": ["2E0", "1.0"]}),
    ({"a", "b"}, {"SS": ["b", "a"]}),
    ({b"a", b"b"}, {"BS": [b"b", b"a"]}),
    ([1, {"a": None}], {"L": [{"N": "1E0"}, {"M": {"a": {"NULL": True}}}]}),
    ({"a": [b"x", True]}, {"M": {"a": {"L": [{"B": b"x"}, {"BOOL": True}]}}}),
]


@pytest.mark.parametrize(("at", "value"), [(at, value) for at, (value, _) in enumerate(SAME)])
def test_content_is_compared_as_dynamodb_compares_it(at: Any, value: Any) -> None:
    """By type and value, in any form of numbers and sets; each of these equals exactly one."""
    insert = write({"id": "a", "x": value}, mode="insert")

    conflicts = [outcome_of(insert, {"id": {"S": "a"}, "x": stored}).conflict for _, stored in SAME]

    assert conflicts == [number != at for number in range(len(SAME))]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ([1], {"L": []}),
        ([1], {"L": [{"N": "2"}]}),
        ({"a": 1}, {"M": {}}),
        ({"a": 1}, {"M": {"a": {"S": "1"}}}),
        ({1}, {"NS": ["2"]}),
        ({"a"}, {"SS": ["b"]}),
    ],
)
def test_other_content_is_a_conflict(value: Any, stored: Any) -> None:
    """At any depth."""
    assert outcome_of(write({"id": "a", "x": value}, mode="insert"), {"id": {"S": "a"}, "x": stored}).conflict


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        (there(v=5, x=1), DUPLICATE),
        (there(v=5, x=2), CONFLICT),
        (there(v=6, x=1), STALE),
        (there(v="5", x=1), TYPES),
        (None, NOT_NEWER),
    ],
)
def test_a_version_that_is_not_greater_is_stale(stored: Any, outcome: Any) -> None:
    """Or a duplicate if the same item is stored; different types have no order."""
    assert outcome_of(write({"id": "a", "v": 5, "x": 1}, mode="newest", version="v"), stored) == outcome


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        (there(v=5, x="new", n=9, f="first", other=1), DUPLICATE),
        (there(v=5, x="old", n=9), CONFLICT),
        (there(v=5, n=9), CONFLICT),
        (there(v=6, x="new"), STALE),
        (None, NOT_NEWER),
    ],
)
def test_an_update_is_a_duplicate_if_the_item_has_what_it_sets(stored: Any, outcome: Any) -> None:
    """Attributes that it adds to, appends to or keeps do not count."""
    named = {name: frozenset({name[0]}) for name in ("add", "keep_first")}
    update = write({"id": "a", "v": 5, "x": "new", "a": 1, "k": "mine"}, mode="update", version="v", **named)

    assert outcome_of(update, stored) == outcome


@pytest.mark.parametrize(("stored", "outcome"), [(there(v=6), STALE), (there(v=5), CONFLICT), (None, NOT_NEWER)])
def test_a_delete_of_a_newer_item_is_stale(stored: Any, outcome: Any) -> None:
    """A delete has no content to compare."""
    assert outcome_of(write({"id": "a", "v": 5}, mode="delete", version="v"), stored) == outcome


@pytest.mark.parametrize("mode", [mode.name for mode in MODES.values() if mode.batched == "always"])
def test_a_mode_without_conditions_has_none_that_fails(mode: str) -> None:
    """Such an answer is a fault of this program or of the server; no message is acknowledged."""
    with pytest.raises(AssertionError, match=f"a write of mode {mode} has no condition"):
        outcome_of(write({"id": "a"}, mode=mode), None)


@pytest.mark.parametrize("key", [{"S": "z"}, {"S": ""}, {"N": "1"}, None])
def test_a_stored_item_with_another_key_contradicts_the_answer(key: Any) -> None:
    """It is not the item of the write, or no item of the table."""
    stored = {"id": key} if key else {"x": {"S": "a"}}

    with pytest.raises(ValueError, match="key"):
        outcome_of(write({"id": "a"}, mode="insert"), stored)
