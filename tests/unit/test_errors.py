"""Exceptions, and what raises them."""

from pathlib import Path

import pytest

from router.errors import UsageError, refusing_file


@pytest.mark.parametrize(
    ("action", "name", "reason"),
    [
        ("read", "gone/file", "no such file or directory"),
        ("write", "gone/file", "there is no folder {folder}/gone; create it"),
        ("write", "", "is a directory"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, action: str, name: str, reason: str) -> None:
    """The reason is that of the system, or says what to do."""
    file = tmp_path / name

    with pytest.raises(UsageError) as error, refusing_file(f"{action} {file}"):
        file.open(action[0])

    assert str(error.value) == f"cannot {action} {file}: {reason.format(folder=tmp_path)}"
