"""The package as a file: the same bytes each time, and Lambda's limits."""

import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import UsageError
from router.tools.deploy.archive import (
    MAX_UNZIPPED,
    MAX_ZIPPED,
    Archive,
    Entry,
    PackagePart,
    move_archive,
    write_archive,
)


def entry(name: str, content: bytes = b"", part: str = "p") -> Entry:
    """A file of the package."""
    return Entry(part, name, lambda: content)


CONTENTS = st.dictionaries(st.from_regex(r"[a-zé]{1,9}(/[a-z]{1,9}){0,2}", fullmatch=True), st.binary(max_size=99))


@settings(max_examples=30)
@given(CONTENTS, st.randoms())
def test_any_order(tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], order: random.Random) -> None:
    """The same files in any order make the same bytes, and are all in it."""
    folder = tmp_path_factory.mktemp("archive")
    entries = [entry(name, content) for name, content in contents.items()]

    first = write_archive(entries, folder).path.read_bytes()
    order.shuffle(entries)
    second = write_archive(entries, folder)

    with zipfile.ZipFile(second.path) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert (second.path.read_bytes() == first, inside) == (True, contents)


def test_parts(tmp_path: Path) -> None:
    """Files are counted with their part: how many, their bytes in the package and outside."""
    archive = write_archive([entry("b", b"x" * 1000, "two"), entry("a", b"", "one"), entry("c", b"y", "two")], tmp_path)

    assert (archive.unzipped, [(part.name, part.files, part.unzipped) for part in archive.parts]) == (
        1001,
        [("one", 1, 0), ("two", 2, 1001)],
    )
    assert archive.parts[1].zipped < 100
    assert archive.size == archive.path.stat().st_size


def test_same_file_twice(tmp_path: Path) -> None:
    """Packages that share a namespace may have the same file; it is packed once."""
    archive = write_archive([entry("a", b"1", "one"), entry("a", b"1", "two")], tmp_path)

    assert [(part.name, part.files) for part in archive.parts] == [("one", 1)]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    """Two files that want one name are a fault that names both parts."""
    with pytest.raises(UsageError) as raised:
        write_archive([entry("a", b"1", "one"), entry("a", b"2", "two")], tmp_path)

    assert str(raised.value) == "one and two both have a file a; rename or remove one"


@pytest.mark.parametrize(
    ("size", "unzipped", "over"),
    [
        (MAX_ZIPPED, MAX_UNZIPPED, ""),
        (
            MAX_ZIPPED + 6000,
            1,
            "50.01 MB zipped exceeds Lambda's limit of 50.00 MB: https://docs.aws.amazon.com/lambda/",
        ),
        (
            1,
            MAX_UNZIPPED + 6000,
            "250.01 MB unzipped exceeds Lambda's limit of 250.00 MB: https://docs.aws.amazon.com/",
        ),
    ],
)
def test_limits(tmp_path: Path, size: int, unzipped: int, over: str) -> None:
    """A package over a limit of Lambda's says by how much, and names the page."""
    archive = Archive(tmp_path, (PackagePart("p", 1, 1, unzipped),), size, "")

    assert archive.over.startswith(over)
    assert bool(archive.over) is bool(over)


def test_place(tmp_path: Path) -> None:
    """The package is put where it is wanted, folders included, in place of an older one."""
    archive = write_archive([entry("a")], tmp_path)
    output = tmp_path / "dist" / "deep" / "lambda.zip"
    output.parent.mkdir(parents=True)
    output.write_bytes(b"old")

    placed = move_archive(archive, output)

    assert (placed.path, output.read_bytes(), list(output.parent.iterdir()), output.stat().st_mode & 0o777) == (
        output,
        archive.path.read_bytes(),
        [output],
        0o644,
    )


def test_cannot_write(tmp_path: Path) -> None:
    """Where it cannot be put, that is reported."""
    archive = write_archive([entry("a")], tmp_path)
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError) as raised:
        move_archive(archive, tmp_path / "file" / "lambda.zip")

    assert str(raised.value).startswith(f"cannot write {tmp_path / 'file' / 'lambda.zip'}: ")
