"""A function is measured as AWS's runtime client runs it, and only if it wrote what it was to write."""

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
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
