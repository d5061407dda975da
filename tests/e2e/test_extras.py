"""Each command with exactly the extra that docs/README.md names for it: what that does not install, is not there."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from router.model import Table
from tests.support.console import running_console
from tests.support.dev import LocalAws, clients, create_queues, create_table, local_aws
from tests.support.extras import blocking, environment_with, missing_with

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIG = """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    table: users
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 99}}}
    item: {id: id, name: {from: name, transform: [strip]}}
    tests: [{message: {id: a, name: " b "}, item: {id: a, name: b}}]
"""
MESSAGE = '{"id": "a", "name": "b"}'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config, a message and a recording, committed."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "message.json").write_text(MESSAGE)
    recorded = {"message": json.loads(MESSAGE), "outcome": "written"}
    head = {"queue": "users", "config": "0"}
    (tmp_path / "recorded.jsonl").write_text(f"{json.dumps(head)}\n{json.dumps(recorded)}\n")
    for git in ("init -q", "add routes.yaml", "-c user.name=n -c user.email=e commit -qm one"):
        subprocess.run(["git", *git.split()], cwd=tmp_path, check=True)
    return tmp_path / "routes.yaml"


@pytest.mark.parametrize(
    "words",
    [
        "build -o dist/lambda.zip",
        "check --strict --format github --no-env",
        "check --unproved --format sarif",
        "compile -o routes.compiled.json",
        "diff",
        "diff git:HEAD --format markdown",
        "explain --queue users --claims --html page.html message.json",
        "explain --queue users --full message.json",
        "graph --format svg",
        "list --owner -",
        "new message.json --queue others --yes",
        "new --plugin labels --yes",
        "schema",
        "template --format json",
        "template --worker",
        "template --format operator-policy",
        "test --junit out.xml",
        "test --recorded recorded.jsonl --against git:HEAD",
    ],
)
def test_cli(router: Run, config: Path, words: str) -> None:
    """For the commands that read files: in continuous integration there is no other."""
    done = router(*words.split(), env=environment_with("cli", config.parent / "only"))

    # A finding is the exit code 1; only what could not run has the exit code 2.
    assert (done.returncode in (0, 1), "Traceback" in done.stderr) == (True, False), done.stderr


WALK = """\
import importlib, pkgutil, router
for each in pkgutil.walk_packages(router.__path__, 'router.'):
    if not any(name in each.name for name in LEFT_OUT):
        importlib.import_module(each.name)
"""


@pytest.mark.parametrize(
    ("extra", "left_out"),
    [
        ("worker", ["__main__", "_handler", "console", "pytest_plugin", "sdk_traces"]),
        ("local", ["__main__", "_handler", "console", "pytest_plugin", "sdk_traces"]),
        ("console", ["__main__", "_handler", "pytest_plugin", "sdk_traces"]),
        ("otel", ["__main__", "_handler", "console", "pytest_plugin"]),
    ],
)
def test_all_modules(tmp_path: Path, extra: str, left_out: list[str]) -> None:
    """No module imports more than its extra, but those of the console, and that of traces."""
    code = blocking(missing_with(extra)) + WALK.replace("LEFT_OUT", repr(left_out))

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """An embedded AWS with a queue, its dead-letter queue and a table."""
    with local_aws() as local:
        dynamodb, sqs = clients(local)
        create_queues(sqs, {"users": "users-dlq"})
        create_table(dynamodb, Table("users", (("id", "S"),)))
        yield local


@pytest.mark.parametrize(
    "words",
    [
        "send users message.json",
        "record users -o kept.jsonl",
        "dlq list",
        "dlq rehearse",
        "dlq redrive --dry-run",
        "dlq export -o dead.jsonl",
        "check --live",
        "new sqs:users --queue more --yes",
        "status --stack none",
        "undeploy --stack none --yes",
        "rollback --stack none --yes",
    ],
)
def test_worker(router: Run, config: Path, aws: LocalAws, words: str) -> None:
    """For the commands that call AWS; what there is not to do is said."""
    environment = environment_with("worker", config.parent / "only")
    _, sqs = clients(aws)
    # Commands receive messages, and one that was stopped may have left those of another test invisible.
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="users")["QueueUrl"], MessageBody=MESSAGE)

    done = router(*words.split(), env={**environment, **aws.environment()})

    failures = ("Traceback", "needs more packages")
    assert [each for each in failures if each in done.stderr] == []
    assert done.returncode in (0, 1) or "none" in words, done.stderr


def test_local(router: Run, config: Path) -> None:
    """The demo has an embedded AWS besides."""
    done = router("demo", env=environment_with("local", config.parent / "only"))

    assert (done.returncode, "1 of 1 messages had the expected outcome" in done.stdout) == (0, True), done.stderr


def test_console(config: Path) -> None:
    """The page is served, and its first call is answered."""
    only = environment_with("console", config.parent / "only")

    with running_console(config.parent, env={name: only[name] for name in ("PYTHONPATH",)}) as console:
        reply = console.call("edit/schema")

    assert reply.status == 200, reply.body


def test_what_is_not_there(tmp_path: Path) -> None:
    """The test itself hides what an extra does not install, and nothing else."""
    command = [sys.executable, "-c", "import click, yaml, router; import boto3"]

    done = subprocess.run(command, env=environment_with("cli", tmp_path / "only"), capture_output=True, text=True)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "ModuleNotFoundError: No module named 'boto3'")
