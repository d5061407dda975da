"""Where the stacks of a folder were deployed to."""

from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.deployed_places import (
    FILE_NAME,
    AccountRegion,
    describe_places,
    moved_from,
    read_places,
    remember_place,
)

HERE, THERE = AccountRegion("123456789012", "eu-west-1"), AccountRegion("210987654321", "eu-west-1")


def test_each_stack_has_its_own_place(tmp_path: Path) -> None:
    """Stages in several accounts do not disturb each other."""
    assert read_places(tmp_path) == {}

    remember_place(tmp_path, "flows-dev", HERE)
    remember_place(tmp_path, "flows-prod", THERE)
    remember_place(tmp_path, "flows-dev", HERE)

    places = read_places(tmp_path)
    assert places == {"flows-dev": HERE, "flows-prod": THERE}
    assert describe_places(places) == "'flows-dev' in 123456789012/eu-west-1, 'flows-prod' in 210987654321/eu-west-1"


def test_the_file_changes_only_with_a_place(tmp_path: Path) -> None:
    """A second deployment of a stack makes no change that somebody would have to commit."""
    remember_place(tmp_path, "flows", HERE)
    before = (tmp_path / FILE_NAME).stat().st_ino

    remember_place(tmp_path, "flows", HERE)

    assert (tmp_path / FILE_NAME).stat().st_ino == before


def test_another_place() -> None:
    """Of a stack that was never deployed from the folder nothing is known."""
    places = {"flows": HERE}

    assert moved_from(places, "flows", HERE) is None
    assert moved_from(places, "flows", THERE) == HERE
    assert moved_from(places, "others", THERE) is None


@pytest.mark.parametrize("content", ["[]", "{", '{"flows": {"account": 1}}'])
def test_a_file_of_something_else(tmp_path: Path, content: str) -> None:
    """Nothing is guessed: the account may be the wrong one."""
    (tmp_path / FILE_NAME).write_text(content)

    with pytest.raises(UsageError, match=r"cannot read .*; if you know where, delete it"):
        read_places(tmp_path)


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    """The cause is reported."""
    with pytest.raises(UsageError, match=f"cannot write .*{FILE_NAME}: there is no folder"):
        remember_place(tmp_path / "none", "flows", HERE)
