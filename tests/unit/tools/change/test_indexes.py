"""What a change of the indexes of a table breaks."""

from typing import Any

import pytest

from tests.unit.tools.change.conftest import Diff, config_of

WORD = {"type": "string", "minLength": 1, "maxLength": 9}
ITEM = {"id": "id", "x": "x", "y": "y"}


def config(indexes: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {"id": WORD, "x": WORD, "y": {"type": "string", "maxLength": 9}}
    schema = {"type": "object", "required": ["id"], "properties": properties, "additionalProperties": False}
    route = {"item": ITEM, "schema": schema, **more}
    tables = {"things": {"key": {"id": "S"}, "indexes": indexes}}
    return config_of({"main": route}, tables=tables, queues={"things": {"dead_letter": "dead"}})


BY_X, BY_Y = {"key": {"x": "S"}}, {"key": {"y": "S"}}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"by_x": BY_X}, {"by_x": BY_X}, {}),
        ({}, {"by_x": BY_X}, {"RT924": "index 'by_x' of table 'things' is new: its key is (x), with 'all'"}),
        ({"by_x": BY_X}, {}, {"RT923": "index 'by_x' of table 'things' is removed: its key was (x), with 'all'"}),
        (
            {"by_x": BY_X},
            {"by_x": {"key": {"x": "S", "id": "S"}, "projection": "keys"}},
            {
                "RT923": "index 'by_x' of table 'things' was (x), with 'all', and is (x; id), with 'keys'; "
                "give the new one a name of its own"
            },
        ),
    ],
)
def test_indexes(diff: Diff, old: dict[str, Any], new: dict[str, Any], found: dict[str, str]) -> None:
    """New and removed ones, and another key or projection, which is another index."""
    report = diff(config(old), config(new))

    sentences = {each.change.code.id: each.change.sentence for each in report.findings if each.change.code.id < "RT94"}
    assert sentences == found


def test_messages_that_an_index_refuses(diff: Diff) -> None:
    """With an example that was run through both."""
    report = diff(config({}), config({"by_y": BY_Y}))

    (broken,) = [each for each in report.findings if each.change.code.id == "RT901"]
    assert "'y' is empty" in broken.change.sentence


def test_an_attribute_that_is_mapped_otherwise(diff: Diff) -> None:
    """It may no longer fit the index that there is."""
    old, new = config({"by_x": BY_X}), config({"by_x": BY_X}, item={**ITEM, "x": "y"})

    assert "RT901" in [each.change.code.id for each in diff(old, new).findings]


def test_whole_messages(diff: Diff) -> None:
    """Each property may be in the key of an index."""
    old = config({"by_y": BY_Y}, item=None)
    old["routes"]["main"].pop("item")

    assert "RT901" in [each.change.code.id for each in diff(config({"by_x": BY_X}), old).findings]


def test_updates_of_the_stack(diff: Diff) -> None:
    """The table stays, whatever attributes its indexes have; each index needs an update of its own."""
    report = diff(
        config({"by_x": BY_X}), config({"by_x2": {"key": {"x": "S", "id": "S"}}, "by_id": {"key": {"id": "S"}}})
    )

    (sentence,) = [each.change.sentence for each in report.findings if each.change.code.id in ("RT941", "RT942")]
    assert sentence.startswith("CloudFormation modifies table 'things': GlobalSecondaryIndexes.by_x")
    assert sentence.endswith("; one index in each of 3 updates of the stack")


def test_another_type_of_the_key_replaces_the_table(diff: Diff) -> None:
    """It is a part of the definitions of attributes."""
    old, new = config({}), config({})
    new["tables"]["things"]["key"] = {"id": "N"}

    assert "RT941" in [each.change.code.id for each in diff(old, new).findings]
