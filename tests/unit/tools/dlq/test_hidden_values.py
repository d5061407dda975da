"""What people see of dead letters without `--values`: types and lengths, and no name that may be a value."""

from decimal import Decimal
from typing import Any

import pytest

from router.tools.dlq.hidden_values import shown, shown_failure, shown_names

NAMES = frozenset(("id", "lines", "sku"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("alice", "(text, 5 characters)"),
        ("", "(text, 0 characters)"),
        (True, "(boolean)"),
        (0, "(number)"),
        (-1.5, "(number)"),
        (Decimal("4111"), "(number)"),
        (b"alice", "(binary, 5 bytes)"),
        ({"alice", "bob"}, "(set of 2)"),
        (frozenset((1, 2, 3)), "(set of 3)"),
        (None, None),
        ([], []),
        ({}, {}),
        (
            {"id": "alice", "lines": [{"sku": 1, "alice.smith": "x"}, ["bob"], None]},
            {
                "id": "(text, 5 characters)",
                "lines": [
                    {"sku": "(number)", "(name 2, 11 characters)": "(text, 1 characters)"},
                    ["(text, 3 characters)"],
                    None,
                ],
            },
        ),
    ],
)
def test_a_value_is_shown_by_its_type(value: Any, expected: Any) -> None:
    """Unless all values are to be shown."""
    assert shown(value, NAMES) == expected
    assert shown(value, None) is value


def test_a_name_that_may_be_a_value_is_shown_by_its_number() -> None:
    """Two names with the same length differ by it."""
    names = ("alice", "id", "bobby", "sku")

    assert shown_names(names, NAMES) == {
        "alice": "(name 1, 5 characters)",
        "id": "id",
        "bobby": "(name 3, 5 characters)",
        "sku": "sku",
    }
    assert shown_names(names, None) == dict(zip(names, names, strict=True))


def test_what_the_sender_chose_is_not_shown_of_a_failure() -> None:
    """The rest says what failed, without a value; what the sender did not choose is not there at all."""
    failure = {"code": "RT806", "message_id": "m", "group_id": "alice", "deduplication_id": "bob", "sender_id": "AIDA"}

    hidden = {"group_id": "(text, 5 characters)", "deduplication_id": "(text, 3 characters)"}
    assert shown_failure(failure, NAMES) == {**failure, **hidden, "sender_id": "(text, 4 characters)"}
    assert shown_failure(failure, None) == failure
    assert shown_failure({"code": "RT806", "group_id": ""}, NAMES) == {"code": "RT806", "group_id": ""}
