"""Lambda's runtimes as platforms."""

import platform
import sys

import pytest

from router.tools.deploy.interpreter import find_interpreter
from router.tools.deploy.targets import ARCHES, PYTHONS, Target

TARGETS = [Target(arch, python) for arch in ARCHES for python in PYTHONS]


def test_named() -> None:
    """A target names its runtime, its system and its C library."""
    old, new = Target("x86_64", "3.11"), Target("arm64", "3.14")

    assert [(str(each), each.system, each.glibc, each.interpreter) for each in (old, new)] == [
        ("python3.11 on x86_64", "Amazon Linux 2", 26, "cp311"),
        ("python3.14 on arm64", "Amazon Linux 2023", 34, "cp314"),
    ]


def test_oldest_first() -> None:
    """The tags of wheels go from the newest C library that the system has to the oldest that tags support."""
    platforms = Target("arm64", "3.11").platforms

    assert platforms == (
        *(f"manylinux_2_{minor}_aarch64" for minor in range(26, 16, -1)),
        "manylinux2014_aarch64",
        "linux_aarch64",
    )


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_no_newer_library(target: Target) -> None:
    """No tag asks for a newer C library than the system has, and each is for its processor."""
    minors = [int(tag.split("_")[2]) for tag in target.platforms if tag.startswith("manylinux_2_")]

    assert (max(minors), {tag.endswith(target.machine) for tag in target.platforms}) == (target.glibc, {True})


def test_legacy_names() -> None:
    """On x86_64 the names from before PEP 600 are there too."""
    platforms = Target("x86_64", "3.13").platforms

    assert [tag for tag in platforms if not tag.startswith("manylinux_2_")] == [
        "manylinux2014_x86_64",
        "manylinux2010_x86_64",
        "manylinux1_x86_64",
        "linux_x86_64",
    ]


def test_interpreter() -> None:
    """The Python of the tests is one for its own runtime, and for no other architecture."""
    python = next(each for each in PYTHONS if each == f"{sys.version_info[0]}.{sys.version_info[1]}")
    own, other = sorted((Target(arch, python) for arch in ARCHES), key=lambda each: each.machine != platform.machine())

    assert (find_interpreter(own), find_interpreter(other)) == (sys.executable, None)
