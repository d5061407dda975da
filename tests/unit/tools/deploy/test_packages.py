"""Which packages a target needs, with wheels that pip finds in a folder."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from router.errors import UsageError
from router.tools.deploy.packages import ResolvedPackages, Wheel, download, requirements_of, resolve
from router.tools.deploy.requirements import read_requirements
from router.tools.deploy.targets import Target

TARGET = Target("arm64", "3.14")
Resolve = Callable[..., ResolvedPackages]


@pytest.fixture
def resolved(tmp_path: Path) -> Resolve:
    """Resolves the text of a requirements file, beside wheels of the router's own."""

    def resolve_text(text: str, *own: Wheel, target: Target = TARGET) -> ResolvedPackages:
        file = tmp_path / "requirements.txt"
        file.write_text(text)
        work = tmp_path / "work"
        work.mkdir()
        return resolve(read_requirements([file], target), own, target, work)

    return resolve_text


def named(closure: ResolvedPackages) -> list[str]:
    """Names and versions of wheels."""
    return [f"{wheel.name} {wheel.version}" for wheel in closure.wheels]


def test_dependencies(make_wheel: Callable[..., Path], resolved: Resolve) -> None:
    """What is requested comes with all that it requires; what nothing fixes is known."""
    make_wheel("alpha", "1.0", "beta>=1")
    make_wheel("beta", "1.5", "gamma")
    make_wheel("gamma", "3")

    closure = resolved("alpha==1.0\ngamma==3\n")

    assert (named(closure), [wheel.name for wheel in closure.floating]) == (
        ["alpha 1.0", "beta 1.5", "gamma 3"],
        ["beta"],
    )


def test_markers_of_the_target(make_wheel: Callable[..., Path], resolved: Resolve) -> None:
    """A requirement for the target alone is there, with its own; one for this machine alone is not."""
    make_wheel("alpha", "1", "new; python_version >= '3.14'", "old; python_version < '3.14'")
    make_wheel("new", "1", "deep; platform_machine == 'aarch64'")
    make_wheel("old", "1")
    make_wheel("deep", "1")

    assert named(resolved("alpha\n")) == ["alpha 1", "deep 1", "new 1"]


def test_extras(make_wheel: Callable[..., Path], resolved: Resolve) -> None:
    """An extra that is requested, here or by another package, brings what it requires; others do not."""
    make_wheel("alpha", "1", "fast; extra == 'speed'", "odd; extra == 'other'", "beta[nice]")
    make_wheel("beta", "1", "soft; extra == 'nice'")
    for name in ("fast", "odd", "soft"):
        make_wheel(name, "1")

    assert named(resolved("alpha[speed]\n")) == ["alpha 1", "beta 1", "fast 1", "soft 1"]


def test_what_lambda_has(make_wheel: Callable[..., Path], resolved: Resolve) -> None:
    """What Lambda has is left out wherever it is required, with what only it requires, and is reported."""
    make_wheel("alpha", "1", "boto3>=1")
    make_wheel("boto3", "1", "dateparts")
    make_wheel("dateparts", "1")

    closure = resolved("alpha\n")

    assert (named(closure), closure.provided) == (["alpha 1"], ("boto3",))


def test_the_routers_own(make_wheel: Callable[..., Path], resolved: Resolve, tmp_path: Path) -> None:
    """What the router has already is taken from there, in its version, though there is a newer one."""
    make_wheel("shared", "1.0")
    own = download(["shared==1.0"], TARGET, tmp_path / "own", dependencies=False)
    make_wheel("shared", "2.0")
    make_wheel("alpha", "1", "shared")

    assert named(resolved("alpha\n", *own)) == ["alpha 1"]


def test_conflict(make_wheel: Callable[..., Path], resolved: Resolve, tmp_path: Path) -> None:
    """A requirement that the router's own version does not meet is reported in pip's words."""
    make_wheel("shared", "1.0")
    own = download(["shared==1.0"], TARGET, tmp_path / "own", dependencies=False)
    make_wheel("shared", "2.0")
    make_wheel("alpha", "1", "shared>=2")

    with pytest.raises(UsageError) as raised:
        resolved("alpha\n", *own)

    assert str(raised.value).splitlines() == [
        "no versions satisfy all requirements on python3.14 on arm64; those of the router are the installed ones",
        "  pip: alpha 1 depends on shared>=2",
        "  pip: The user requested (constraint) shared==1.0",
    ]


def test_two_versions(make_wheel: Callable[..., Path], resolved: Resolve, tmp_path: Path) -> None:
    """With hashes pip is not told the router's versions, so another version is found out here."""
    make_wheel("shared", "1.0")
    own = download(["shared==1.0"], TARGET, tmp_path / "own", dependencies=False)
    other = make_wheel("shared", "2.0")

    with pytest.raises(UsageError) as raised:
        resolved(f"shared==2.0 --hash=sha256:{hashlib.sha256(other.read_bytes()).hexdigest()}\n", *own)

    assert str(raised.value) == (
        "the plugins' requirements need shared 2.0, and the router here runs with 1.0; a package can have only one: "
        "install shared==2.0 here, run the tests, and build again"
    )


def test_wrong_hash(make_wheel: Callable[..., Path], resolved: Resolve) -> None:
    """A wheel that does not have the hash that was written down is refused, in pip's words."""
    make_wheel("alpha", "1.0")

    with pytest.raises(UsageError) as raised:
        resolved("alpha==1.0 --hash=sha256:" + "0" * 64 + "\n")

    assert "pip cannot download the packages for python3.14 on arm64" in str(raised.value)
    assert "DO NOT MATCH THE HASHES" in str(raised.value)


def test_no_wheel(make_wheel: Callable[..., Path], resolved: Resolve) -> None:
    """A package that has wheels for other platforms only is named, with the runtime."""
    make_wheel("alpha", "1.0", tag="cp314-cp314-manylinux_2_39_aarch64")

    with pytest.raises(UsageError) as raised:
        resolved("alpha\n")

    first, *output = str(raised.value).splitlines()
    assert first == (
        "there is no wheel of alpha for python3.14 on arm64 (Amazon Linux 2023, glibc 2.34); use a version that has "
        "one, or remove the package"
    )
    assert output[-1] == "  pip: ERROR: No matching distribution found for alpha"


def test_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without pip, as some tools make them, is reported how to get it."""
    monkeypatch.setitem(sys.modules, "pip", None)

    with pytest.raises(UsageError) as raised:
        download(["alpha"], TARGET, tmp_path / "work", dependencies=False)

    assert str(raised.value) == (
        "router build needs pip to download packages, and this Python does not have it; install it with: "
        f"{sys.executable} -m ensurepip"
    )


def test_odd_metadata(make_wheel: Callable[..., Path]) -> None:
    """A wheel with metadata that older versions of pip take is named."""
    file = make_wheel("alpha", "1", "beta ~ 1")

    with pytest.raises(UsageError) as raised:
        requirements_of(Wheel(canonicalize_name("alpha"), "1", file, "").metadata)

    assert str(raised.value).startswith("the metadata of alpha 1 is invalid: ")
    assert str(raised.value).endswith("; use another version")


def test_two_contents(make_wheel: Callable[..., Path], resolved: Resolve, tmp_path: Path) -> None:
    """One version of a package with two contents is no chance, and no package is made of it."""
    make_wheel("shared", "1.0")
    own = download(["shared==1.0"], TARGET, tmp_path / "own", dependencies=False)
    make_wheel("shared", "1.0", files={"shared/more.py": b""})

    with pytest.raises(UsageError) as raised:
        resolved("shared==1.0\n", *own)

    assert str(raised.value) == (
        "two indexes have different contents of shared-1.0-py3-none-any.whl; check the indexes that pip uses"
    )
