"""Items of one version that an index of the other refuses, while both write: a table has the indexes of both."""

from typing import Any

import pytest

from router.tools.change.compare import compare_versions, side_by_side
from tests.unit.tools.change.conftest import Open, config_of

WORD = {"type": "string", "minLength": 1, "maxLength": 9}
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": WORD, "x": WORD, "y": {"type": "string", "maxLength": 9}, "n": {"type": "integer"}},
    "additionalProperties": False,
}
BY_X: Any = {"by_x": {"key": {"x": "S"}}}
BY_NUMBER: Any = {"by_number": {"key": {"x": "N"}}}
FITS: Any = {"id": "id", "x": "x"}
NULL: Any = {"id": "id", "x": {"from": "x", "missing": "null"}}
EMPTY: Any = {"id": "id", "x": "y"}
NUMBER: Any = {"id": "id", "x": "n"}
SENTENCE = "two versions must not write side by side"


def config(indexes: Any, item: Any, **more: Any) -> dict[str, Any]:
    route = {"item": item, "schema": SCHEMA, **more}
    tables = {"things": {"key": {"id": "S"}, "indexes": indexes}, "others": {"key": {"id": "S"}}}
    return config_of({"main": route}, tables=tables)


NEW_INDEX = "first deploy the new mapping without the index, then the index"
OLD_INDEX = "first deploy the config without the index, then the new mapping"


def of_old(index: str, doubt: str) -> str:
    return f"index '{index}' of the new version may refuse items of the old one: attribute 'x': {doubt}"


def of_new(index: str, doubt: str) -> str:
    return f"index '{index}' of the old version may refuse items of the new one: attribute 'x': {doubt}"


def reason(route: str, why: str) -> str:
    advice = NEW_INDEX if "of the new version" in why else OLD_INDEX
    return f"route '{route}': {SENTENCE}: {why}; {advice}"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        # An index is added.
        (config({}, FITS), config(BY_X, FITS), []),
        (config({}, NULL), config(BY_X, FITS), [of_old("by_x", "it may be null")]),
        (config({}, EMPTY), config(BY_X, FITS), [of_old("by_x", "it may be empty")]),
        (config({}, NUMBER), config(BY_X, FITS), [of_old("by_x", "it may be a number")]),
        (config({}, {"id": "id"}), config(BY_X, FITS), []),
        (config({}, NULL, write={"mode": "delete"}), config(BY_X, FITS, write={"mode": "delete"}), []),
        # An index is removed: the table may still have it.
        (config(BY_X, FITS), config({}, FITS), []),
        (config(BY_X, FITS), config({}, NULL), [of_new("by_x", "it may be null")]),
        # Another index of the same attribute.
        (
            config(BY_X, FITS),
            config(BY_NUMBER, NUMBER),
            [of_old("by_number", "it may be text"), of_new("by_x", "it may be a number")],
        ),
        (config(BY_X, FITS), config({"by_x_too": {"key": {"x": "S"}, "projection": "keys"}}, NULL), []),
        # What both versions refuse alike is refused in any case, as RT901 tells.
        (config({}, EMPTY), config(BY_X, EMPTY), []),
        (config({}, EMPTY), config(BY_X, {"id": "id", "x": {"from": "y", "transform": "upper"}}),
         [of_old("by_x", "it may be empty")]),
        # The same indexes: each version is proved by `router check`.
        (config(BY_X, NULL), config(BY_X, FITS), []),
        (config(BY_X, FITS), config(BY_X, {"id": "id", "x": {"from": "x", "transform": "upper"}}), []),
    ],
)  # fmt: skip
def test_refusals(open_config: Open, old: Any, new: Any, why: list[str]) -> None:
    """Of what the old version writes, and of what the new one writes."""
    before, after = open_config(old, "old"), open_config(new, "new")

    assert side_by_side(before, after) == tuple(reason("main", each) for each in why)
    found = [each.change for each in compare_versions(before, after).findings if each.change.code.id == "RT930"]
    assert [each.sentence for each in found] == [f"{SENTENCE}: {each}" for each in why]


def test_a_route_of_one_version(open_config: Open) -> None:
    """A removed route writes until the old version ends; a new one writes before an old index has gone."""
    old, new = config(BY_X, FITS), config(BY_NUMBER, NUMBER)
    new["routes"]["other"] = new["routes"].pop("main")

    reasons = side_by_side(open_config(old, "old"), open_config(new, "new"))

    assert reasons == (
        reason("main", of_old("by_number", "it may be text")),
        reason("other", of_new("by_x", "it may be a number")),
    )


def test_a_route_with_another_table(open_config: Open) -> None:
    """The old version still writes to the table that another route gives an index."""
    old, new = config({}, NULL), config(BY_X, FITS, table="others")
    new["routes"]["more"] = {**new["routes"]["main"], "table": "things"}

    reasons = side_by_side(open_config(old, "old"), open_config(new, "new"))

    assert reasons == (reason("main", of_old("by_x", "it may be null")),)


def test_a_table_that_others_create(open_config: Open) -> None:
    """A deployment changes nothing of its indexes: what the config says of them was so before."""
    old, new = config({}, NULL), config(BY_X, FITS)
    for each in (old, new):
        each["tables"]["things"]["managed"] = False

    assert side_by_side(open_config(old, "old"), open_config(new, "new")) == ()
