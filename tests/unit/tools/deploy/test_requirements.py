"""What requirements files ask for on a target, and the router's own requirements."""

from importlib.metadata import version
from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.packages import own_requirements
from router.tools.deploy.requirements import Requirements, read_requirements, requirements_files
from router.tools.deploy.targets import Target
from tests.support.disk import NOT_REGULAR, make_irregular

TARGET = Target("arm64", "3.13")
NO_REQUIREMENT = "is not a requirement that can be packed; use NAME==VERSION or the path of a wheel"
HASH = "--hash=sha256:" + "0" * 64


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A requirements file."""
    return tmp_path / "requirements.txt"


def read(file: Path, text: str) -> Requirements:
    """What a file with this text asks for."""
    file.write_text(text)
    return read_requirements([file], TARGET)


def test_own() -> None:
    """The router's own requirements are those that it runs with here, in these versions, and none of an extra."""
    names = ["httptools", "jmespath", "jsonschema-rs", "msgspec", "pluggy", "pyyaml"]

    assert own_requirements(TARGET) == [f"{name}=={version(name)}" for name in names]


def test_lines(file: Path) -> None:
    """Comments go, continued lines are joined, options are left to pip, and what is exact is known."""
    asked = read(
        file, f"# first\nalpha==1.0 \\\n    {HASH}\n\n--extra-index-url https://x.example/#a\nBeta_Two>=2  # why\n"
    )

    assert (asked.lines, [str(root) for root in asked.roots], asked.pinned, asked.hashed) == (
        (f"alpha==1.0 {HASH}", "--extra-index-url https://x.example/#a", "Beta_Two>=2"),
        ["alpha==1.0", "Beta_Two>=2"],
        frozenset(["alpha"]),
        True,
    )


def test_markers(file: Path) -> None:
    """Markers are decided by the target, whatever this machine is, and pip sees none."""
    asked = read(
        file,
        "here==1; sys_platform == 'linux' and platform_machine == 'aarch64'\n"
        "windows==1; sys_platform == 'win32'\n"
        "new==1; python_version >= '3.13'\n"
        "old==1; python_version < '3.13'\n",
    )

    assert asked.lines == ("here==1", "new==1")


def test_what_lambda_has(file: Path) -> None:
    """What Lambda has is not asked for, nor the router, which is packed from where it is."""
    asked = read(file, "boto3\nbotocore>=1\nmessage-router==0.1.0\nalpha==1\n")

    assert (asked.lines, asked.provided) == (("alpha==1",), ("boto3", "botocore"))


def test_other_files(file: Path) -> None:
    """A file may name others, relative to itself; a circle ends; constraints fix versions too."""
    (file.parent / "more.txt").write_text("-r requirements.txt\nbeta\n")
    (file.parent / "limits.txt").write_text("beta==2\n")

    asked = read(file, "-r more.txt\n-c limits.txt\nalpha==1.*\n")

    assert (asked.lines, asked.pinned) == (
        ("beta", f"-c {file.parent / 'limits.txt'}", "alpha==1.*"),
        frozenset(["beta"]),
    )


def test_wheel_by_path(file: Path) -> None:
    """A wheel may be named by its path, relative to the file."""
    asked = read(file, "wheels/alpha-1.0-py3-none-any.whl\n")

    path = file.parent / "wheels" / "alpha-1.0-py3-none-any.whl"
    assert (asked.lines, [str(root) for root in asked.roots]) == ((str(path),), ["alpha==1.0"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("alpha==1\n-e .\n", ":2: an editable package cannot be packed; build a wheel and name its path"),
        (
            "./alpha\n",
            ":1: './alpha' is not a requirement that can be packed; use NAME==VERSION or the path of a wheel",
        ),
        ("al pha\n", ":1: 'al pha' is not a requirement that can be packed; use NAME==VERSION or the path of a wheel"),
        ("x.whl\n", ":1: 'x.whl' is not a requirement that can be packed; use NAME==VERSION or the path of a wheel"),
    ],
)
def test_refused(file: Path, text: str, sentence: str) -> None:
    """What cannot be packed is reported with its place and what to do."""
    with pytest.raises(UsageError) as raised:
        read(file, text)

    assert str(raised.value) == f"{file}{sentence}"


def test_unreadable(file: Path) -> None:
    """A file that is not there is reported with the one that names it."""
    with pytest.raises(UsageError) as raised:
        read(file, "-r absent.txt\n")

    assert (
        str(raised.value) == f"cannot read {file.parent / 'absent.txt'}, which {file} names: No such file or directory"
    )


def test_not_text(file: Path) -> None:
    """A file that is no text is reported."""
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(UsageError) as raised:
        read_requirements([file], TARGET)

    assert str(raised.value) == f"cannot read {file}: not UTF-8 text"


def test_a_list_that_is_no_regular_file(tmp_path: Path) -> None:
    """It is an error, not a package without what it lists; nothing is waited for, nested lists included."""
    (tmp_path / "plugins").mkdir()
    nested = tmp_path / "requirements.txt"
    nested.write_text("-r more.txt\n")
    for path in (tmp_path / "plugins" / "requirements.txt", tmp_path / "more.txt"):
        make_irregular("FIFO", path)

    found = list(requirements_files([], tmp_path))

    with pytest.raises(UsageError, match=f"cannot read .*plugins/requirements.txt: {NOT_REGULAR}"):
        read_requirements(found, TARGET)
    wheels = tmp_path / "wheels.txt"
    wheels.write_text("alpha-1.0-py3-none-any.whl\n")
    make_irregular("FIFO", tmp_path / "alpha-1.0-py3-none-any.whl")
    with pytest.raises(UsageError, match=f"wheels.txt:1: cannot read .*alpha-1.0-py3-none-any.whl: {NOT_REGULAR}"):
        read_requirements([wheels], TARGET)
    with pytest.raises(UsageError, match=f"cannot read .*more.txt, which .*requirements.txt names: {NOT_REGULAR}"):
        read_requirements([nested], TARGET)
