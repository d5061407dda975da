"""Jobs in a process apart."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.console.workspace import ConsoleError, JobProcess
from tests.support.program import load_program

ROOT = str(Path(__file__).parents[4])


def echo(given: Any) -> Any:
    """Return what it got, with the process."""
    print("a plugin prints")
    return [given, os.getpid()]


def load(given: Any) -> Any:
    """Load a config, and return a value of its variables."""
    load_program(Path(given), os.environ)
    return {"value": os.environ["X_TOKEN"]}


def load_and_refuse(given: Any) -> None:
    """Load a config, and refuse with a value of its variables."""
    load_program(Path(given), os.environ)
    raise UsageError(f"no {os.environ['X_TOKEN']}")


def refuse(given: Any) -> None:
    """Refuse."""
    raise UsageError("it cannot")


def fail(given: Any) -> None:
    """Fail as a library does that panics."""
    raise BaseException(given)


def crash(given: Any) -> None:
    """End the process."""
    os._exit(3)


def cut(given: Any) -> None:
    """End the process in the middle of a line of its answers."""
    for file in Path("/proc/self/fd").iterdir():
        if int(file.name) > 2:
            with suppress(OSError):
                os.write(int(file.name), b'{"answer": ')
    os._exit(3)


def hang(given: Any) -> None:
    """Take too long."""
    time.sleep(60)


def spin(given: Any) -> None:
    """Say in a file who it is, and never end."""
    Path(given).write_text(str(os.getpid()), encoding="utf-8")
    while True:
        pass


@pytest.fixture
def jobs() -> Iterator[JobProcess]:
    """A process for the jobs of this module."""
    with closing(JobProcess({**os.environ, "PYTHONPATH": ROOT}, seconds=30)) as process:
        yield process


def test_secrets(tmp_path: Path) -> None:
    """Neither an answer nor a refusal has the value of a secret of the config that the job loads."""
    config = "tables: {abc: {key: {id: S}}}\nroutes: {a: {queue: q, table: abc, when: \"id != '${X_TOKEN}'\"}}\n"
    (tmp_path / "routes.yaml").write_text(f"version: 1\nqueues: {{q: {{dead_letter: r}}}}\n{config}", encoding="utf-8")
    given = str(tmp_path / "routes.yaml")
    environment = {**os.environ, "PYTHONPATH": ROOT, "X_TOKEN": "topsecret"}

    with closing(JobProcess(environment, seconds=30)) as process:
        answer = process.run(load, given)
        with pytest.raises(ConsoleError) as caught:
            process.run(load_and_refuse, given)

    assert (json.loads(answer), str(caught.value)) == ({"value": "${X_TOKEN}"}, "no ${X_TOKEN}")


def refusal(jobs: JobProcess, function: Any) -> tuple[str, str, int]:
    with pytest.raises(ConsoleError) as caught:
        jobs.run(function, "x")
    return caught.value.code, str(caught.value), caught.value.status


def test_jobs(jobs: JobProcess) -> None:
    """They run in one process, whose output is not an answer."""
    answers = [jobs.run(echo, {"a": number}).decode() for number in (1, 2)]

    one, two = (answer.replace("]", ",").split(",")[1] for answer in answers)
    assert ([answer.split(",")[0] for answer in answers], one == two, one == str(os.getpid())) == (
        ['[{"a":1}', '[{"a":2}'],
        True,
        False,
    )


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (refuse, ("usage", "it cannot", 400)),
        (fail, ("internal", "fail failed with BaseException", 500)),
        (crash, ("crashed", "the process that checks ended by itself; the next try starts a new one", 500)),
    ],
)
def test_refusals(jobs: JobProcess, function: Any, expected: Any) -> None:
    """What goes wrong is an answer, and the next job runs."""
    found = refusal(jobs, function)

    assert (found, jobs.run(echo, 1)[:3]) == (expected, b"[1,")


def test_a_process_that_is_killed(jobs: JobProcess) -> None:
    """Another one is started if it ended between two jobs, or while it answered."""
    (_, process) = json.loads(jobs.run(echo, 1))
    os.kill(process, signal.SIGKILL)
    while is_running(process):
        time.sleep(0.01)

    found = json.loads(jobs.run(echo, 2))[0]

    assert found == 2


def test_an_answer_that_is_cut(jobs: JobProcess) -> None:
    """What a process has written of an answer when it ends is no answer."""
    found = refusal(jobs, cut)

    assert (found[0], jobs.run(echo, 1)[:3]) == ("crashed", b"[1,")


@pytest.mark.slow
def test_a_job_without_end() -> None:
    """It is ended after a while, and the next one runs."""
    with closing(JobProcess({**os.environ, "PYTHONPATH": ROOT}, seconds=8)) as jobs:
        found = refusal(jobs, hang)
        answer = b""
        while not answer:
            # The start of a process counts, and can take longer on a busy machine.
            with suppress(ConsoleError):
                answer = jobs.run(echo, 1)[:3]

    sentence = (
        "this took longer than 8 seconds, and was ended: does a plugin wait for something, or is a schema very large?"
    )
    assert (found, answer) == (("timeout", sentence, 504), b"[1,")


def is_running(process: int) -> bool:
    """Whether a process runs: not if it has ended, and nobody has asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_console_that_is_killed(tmp_path: Path) -> None:
    """A job that hangs ends with it."""
    file = tmp_path / "process"
    code = (
        "import os; from router.tools.console.workspace import JobProcess\n"
        "from tests.unit.tools.console.test_jobs import spin\n"
        f"JobProcess(os.environ, 60).run(spin, {str(file)!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ROOT}) as console:
        end = time.monotonic() + 60
        while not (file.exists() and file.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        console.kill()
    process = int(file.read_text())

    while is_running(process) and time.monotonic() < end:
        time.sleep(0.05)

    assert not is_running(process)
