"""A function is measured as AWS's runtime client runs it, and only if it wrote what it was to write."""

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import rust
from environment import HERE, BenchmarkError
from figures import FigureBudget, Figures, judge
from function import (
    BOUND,
    CONFIGS,
    LATENCIES,
    ROUTER,
    RUST,
    RUST_SOURCES,
    SIZE,
    THOUSAND,
    FunctionCase,
    Functions,
    make_image,
)
from messages import item
from results import Results
from runtime_api import FunctionError
from serving import serve
from tables import budgets
from verifying import expected_digest

from tests.support.ops import precompile
from tests.support.program import COMPILED_NAME

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the suite needs Linux")
COUNT = 30
DIGEST = expected_digest(SIZE, COUNT)


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def functions(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Functions:
    """The functions of the suite; the router's package is what is installed here."""
    packages = {}
    for config in CONFIGS:
        package = tmp_path_factory.mktemp(config)
        (package / COMPILED_NAME).write_bytes(precompile(HERE / f"{config}.yaml"))
        for entry in [HERE.parent / "router", *Path(sysconfig.get_path("purelib")).iterdir()]:
            (package / entry.name).symlink_to(entry)
        packages[config] = package
    return Functions(server, packages, make_image(tmp_path_factory.mktemp("image")), os.sched_getaffinity(0))


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("program", ["router", "batch_writer", "nothing"])
def test_each_batch_has_its_times(functions: Functions, program: str, secure: bool) -> None:
    """A batch takes no less than a call if it makes one, and processor time; the first answer takes longer."""
    run = functions.run(program, FunctionCase(COUNT, 5, 0, secure=secure), DIGEST, batches=2)

    least = 0.0 if program == "nothing" else 0.005
    assert [wall >= least and 0 < cpu < 1 for wall, cpu in run.batches] == [True, True]
    assert run.first_answer > run.batches[0][0]
    assert run.memory > 10_000_000


@pytest.mark.parametrize(
    "case",
    [
        FunctionCase(COUNT, 5, 0, rejected=1),
        FunctionCase(COUNT, 5, 0, rejected=10),
        FunctionCase(COUNT, 5, 0, points=True),
    ],
    ids=lambda case: case.name,
)
def test_dead_letters_and_payloads_in_s3(functions: Functions, server: Any, case: FunctionCase) -> None:
    """The router sends as many dead letters as expected, and writes the others; it fetches each payload."""
    functions.run("router", case, case.digest(), batches=2)

    report = server.report()
    assert (report["letters"], report["calls"].get("getobject", 0)) == (2 * case.letters, 2 * COUNT * case.points)


def test_a_function_without_the_dead_letters_has_no_figure(functions: Functions) -> None:
    """What becomes no dead letter is no cheaper one."""

    class Wrong(FunctionCase):
        letters = 1

    with pytest.raises(BenchmarkError, match=r"it wrote 0 items, not 29 as expected"):
        functions.run("router", Wrong(COUNT, 0, 0, rejected=1), DIGEST)


def test_a_function_that_writes_something_else_has_no_figure(functions: Functions) -> None:
    """With another digest expected, the run fails and says who it was."""
    with pytest.raises(BenchmarkError, match=r"router, 30 small, 0 ms a call: it wrote 30 items, not 30 as expected"):
        functions.run("router", FunctionCase(COUNT, 0, 0), expected_digest(SIZE, COUNT - 1))


def test_a_function_that_cannot_start_has_no_figure(functions: Functions, server: Any, tmp_path: Path) -> None:
    """What the runtime client reports of the start is the error of the run."""
    empty = Functions(server, dict.fromkeys(CONFIGS, tmp_path), make_image(tmp_path), os.sched_getaffinity(0))

    with pytest.raises(BenchmarkError, match="No module named 'router'") as caught:
        empty.run("router", FunctionCase(COUNT, 0, 0), DIGEST)
    assert isinstance(caught.value.__cause__, FunctionError)


def test_a_function_in_rust_is_left_out_if_it_is_not_there(functions: Functions) -> None:
    """Without its executable, the other programs of a case are measured."""
    assert functions.programs(FunctionCase(10, 5, 0, programs=(ROUTER, RUST))) == [ROUTER]


@pytest.mark.parametrize(
    ("cargo", "made"),
    [
        (None, "it needs cargo"),
        (
            "echo 'error: no matching package named `hmac` found' >&2; exit 101",
            "cargo cannot build it: error: no matching",
        ),
        (
            "exit 3",
            "cargo cannot build it: exit code 3; Debian has its crates: apt-get install librust-http-body-util-dev",
        ),
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

    found = str(rust.build(RUST_SOURCES, tmp_path / "rust")).replace(str(tmp_path / "rust"), "FOLDER")

    assert (found[: len(made)], isinstance(rust.build(RUST_SOURCES, tmp_path / "again"), Path)) == (
        made,
        made.startswith("FOLDER"),
    )


def test_the_server_is_trusted_by_the_bundle(server: Any) -> None:
    """What boto3 writes by TLS, with the trust store of the run, is what the server kept."""
    server.reset()
    client = boto3.resource(
        "dynamodb",
        endpoint_url=server.secure_endpoint,
        verify=str(server.bundle),
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    with client.Table(SIZE).batch_writer() as batch:
        for number in range(COUNT):
            batch.put_item(Item=item(SIZE, number))
    assert server.report()["digest"] == DIGEST


def test_the_table_of_budgets_has_aims() -> None:
    """A budget that is met may have an aim that is not reached yet."""
    figures = Figures("ms", 1e3)
    for program, value in ((ROUTER, 0.06), ("batch_writer", 1.0), (BOUND, 0.05)):
        figures.add("a batch", program, value)
    peer, bound = (
        FigureBudget("function", "a batch", ROUTER, "batch_writer", 1 / 12, aim=1 / 20),
        FigureBudget("function", "a batch", ROUTER, BOUND, 1),
    )
    judged = judge({"function": figures}, (peer, bound))

    assert [row[1:] for row in budgets(Results({}, {}, judged)).rows] == [
        (
            "router to jsonschema, batch_writer",
            "at most 1/12",
            "0.060 (0.060 to 0.060)",
            "yes",
            "at most 1/20",
            "not yet",
        ),
        ("router to its processor time and 1.3 calls", "at most 1", "1.20 (1.20 to 1.20)", "NO", "", ""),
    ]


def test_a_line_of_the_plot_has_one_point_for_each_duration() -> None:
    """Of batches of 1,000 messages; those with dead letters or payloads in S3 belong to no line."""
    points = [(case.secure, case.latency) for case in THOUSAND]

    assert sorted(points) == [(secure, latency) for secure in (False, True) for latency in LATENCIES]
