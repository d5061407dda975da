"""The kind of a write, and the key it needs."""

from typing import Any

import pytest

ITEM = {"id": "id", "a": "a"}


@pytest.mark.parametrize(
    ("write", "item"),
    [({}, {"id": "1", "a": 2}), ({"mode": "put"}, {"id": "1", "a": 2}), ({"mode": "delete"}, {"id": "1"})],
)
def test_modes(flow: Any, write: Any, item: Any) -> None:
    """A put has the whole item, a delete the key alone."""
    assert flow({"item": ITEM, "write": write}).send({"id": "1", "a": 2}) == [item]


@pytest.mark.parametrize(
    "setting",
    [{"version": "a"}, {"add": ["a"]}, {"append": ["a"]}, {"keep_first": ["a"]}, {"once": "t"}, {"once_key": "id"}],
)
def test_settings_that_a_put_does_not_have(flow: Any, setting: Any) -> None:
    """Each is found once: whoever wrote it expects an effect."""
    [name] = setting

    assert flow({"item": ITEM, "write": setting}).sentences == [
        f"RT604 '{name}' has no meaning for 'mode: put'; remove it, or choose another mode"
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
                "RT602 'item' does not map the key attribute 'at' of table 'things'; add 'at:'",
                "RT602 'item' does not map the key attribute 'id' of table 'things'; add 'id:'",
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
    assert sorted(flow({"item": item}, {"id": "S", "at": "N"}).sentences) == sorted(sentences)


def test_the_key_of_a_whole_message(flow: Any) -> None:
    """Without `item` it is in the message, or the message is rejected."""
    assert flow().send({"a": 1}) == ("rejected", "RT808", "key attribute 'id' is missing", "")
