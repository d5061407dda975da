"""A function is measured as AWS's runtime client runs it, and only if it wrote what it was to write."""

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rust
from environment import HERE, BenchmarkError
from function import Case, Functions, make_image
from runtime_api import FunctionError
from serving import serve

from tests.support.ops import precompile
from tests.support.program import COMPILED_NAME

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the suite needs Linux")
COUNT = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def functions(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Functions:
    """The functions of the suite; the router's package is what is installed here."""
    package = tmp_path_factory.mktemp("package")
    (package / COMPILED_NAME).write_bytes(precompile(HERE / "routes.yaml"))
    for entry in [HERE.parent / "router", *Path(sysconfig.get_path("purelib")).iterdir()]:
        (package / entry.name).symlink_to(entry)
    return Functions(server, package, make_image(tmp_path_factory.mktemp("image")), os.sched_getaffinity(0))


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("program", ["router", "batch_writer", "nothing"])
def test_each_batch_has_its_times(functions: Functions, program: str, secure: bool) -> None:
    """A batch takes no less than a call if it makes one, and processor time; the first answer takes longer."""
    run = functions.run(program, Case(COUNT, 5, secure=secure), batches=2)

    least = 0.0 if program == "nothing" else 0.005
    assert [wall >= least and 0 < cpu < 1 for wall, cpu in run.batches] == [True, True]
    assert run.first_answer > run.batches[0][0]


def test_a_function_that_writes_something_else_has_no_figure(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another digest expected, the run fails and says who it was."""
    monkeypatch.setattr("function.expected_digest", lambda *_: "another")

    with pytest.raises(BenchmarkError, match=r"router, .*: it wrote 30 items, not 30 as expected"):
        functions.run("router", Case(COUNT, 0))


def test_a_function_that_cannot_start_has_no_figure(server: Any, tmp_path: Path) -> None:
    """What the runtime client reports of the start is the error of the run."""
    empty = Functions(server, tmp_path, make_image(tmp_path), os.sched_getaffinity(0))

    with pytest.raises(BenchmarkError, match="No module named 'router'") as caught:
        empty.run("router", Case(COUNT, 0))
    assert isinstance(caught.value.__cause__, FunctionError)


@pytest.mark.parametrize(
    ("cargo", "made"),
    [
        (None, "it needs cargo"),
        (
            "echo 'error: no matching package named `hmac` found' >&2; exit 101",
            "cargo cannot build it (error: no matching",
        ),
        ("exit 3", "cargo cannot build it (exit code 3); Debian has its crates"),
        ("mkdir -p target/release; : > target/release/benchmark-function", "FOLDER/target/release/benchmark-function"),
    ],
)
def test_the_function_in_rust_is_built(
    cargo: str | None, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cargo builds is there; if it is missing or fails, the reason is reported."""
    programs = tmp_path / "programs"
    programs.mkdir()
    if cargo is not None:
        (programs / "cargo").write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{cargo}\n")
        (programs / "cargo").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))

    found = str(rust.build(tmp_path / "rust")).replace(str(tmp_path / "rust"), "FOLDER")

    assert (found[: len(made)], isinstance(rust.build(tmp_path / "again"), Path)) == (
        made,
        made.startswith("FOLDER"),
    )
