"""The words of findings."""

from typing import Any

import pytest

from router.config.findings import any_of, closest, describe, quote


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), "the config"),
        (("plugins",), "'plugins'"),
        (("plugins", 0), "entry 1 of 'plugins'"),
        (("queues", "q"), "queue 'q'"),
        (("tables", "t", "key"), "'key' of table 't'"),
        (("routes", "r"), "route 'r'"),
        (("routes", "r", "item"), "'item' of route 'r'"),
        (("routes", "r", "item", "a"), "attribute 'a' of route 'r'"),
        (("routes", "r", "item", "a", "hash", 1), "entry 2 of 'hash' of attribute 'a' of route 'r'"),
        (("routes", "r", "tests", 1, "item", "a"), "'a' of 'item' of test 2 of route 'r'"),
        (("routes", "r", "tests", "x"), "'x' of 'tests' of route 'r'"),
    ],
)
def test_paths_are_named(path: Any, name: Any) -> None:
    """Things that have a name of their own are called by it."""
    assert describe(path) == name


def test_values_are_quoted() -> None:
    """Text in quotes, the rest as it is, and long ones shortened."""
    assert [quote("a"), quote(5), quote("x" * 80)] == ["'a'", "5", f"'{'x' * 57}…'"]


def test_alternatives_stand_in_a_row() -> None:
    """With commas and an or."""
    assert [any_of(["a"]), any_of(["a", "b"]), any_of(["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


def test_near_candidates_are_found() -> None:
    """Whatever the case, and only if one is near."""
    assert [closest(word, ["table", "SS"]) for word in ("tabel", "ss", "queue")] == ["table", "SS", None]
