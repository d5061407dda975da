"""Tables of items, where they fit the terminal and where they do not."""

import pytest

from router.tools.cli.terminal import print_items

NAMES = [f"attribute_{number:02}" for number in range(20)]


def test_names_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    """A row is an item; a long value is cut, and no name is."""
    print_items("table users", ["id", "a_name_of_some_length", "[b]"], [["u1", "", "x" * 500]])

    title, _, head, *_ = capsys.readouterr().out.splitlines()
    assert (title, [cell.strip() for cell in head.split("┃")]) == (
        "table users",
        ["", "id", "a_name_of_some_length", "[b]", ""],
    )


def test_names_wider_than_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Each item has a table of its own, with a line for each attribute that it has."""
    print_items("table [users]", NAMES, [["a" * 500, *[""] * 19], [f"v{number}" for number in range(20)]])

    lines = capsys.readouterr().out.splitlines()
    values = [line.split("│")[1:3] for line in lines if line.startswith("│")]
    assert [line for line in lines if "table" in line] == ["table [users], item 1 of 2", "table [users], item 2 of 2"]
    assert (values[0][0].strip(), values[0][1].strip()[-2:]) == ("attribute_00", "a…")
    assert [value.strip() for _, value in values[1:]] == [f"v{number}" for number in range(20)]


def test_one_item(capsys: pytest.CaptureFixture[str]) -> None:
    """The only one has no number."""
    print_items("table users", NAMES, [[*NAMES]])

    assert capsys.readouterr().out.splitlines()[0] == "table users"
