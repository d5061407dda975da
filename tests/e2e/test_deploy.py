"""`router deploy` and `undeploy` as a user starts them: with a real package, and on a terminal."""

import os
import platform
import pty
import select
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import boto3
import pytest

from tests.support.dev import REGION, LocalAws, local_aws
from tests.support.ops import precompile
from tests.support.program import COMPILED_NAME

CONFIG = """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}, ttl: expires_at}}
routes:
  users:
    queue: users
    table: users
    schema:
      type: object
      required: [id]
      properties: {id: {type: string, minLength: 1, maxLength: 40}}
      additionalProperties: false
    item: {id: id, expires_at: {ttl: 90d}}
"""
ARCHITECTURE = "arm64" if platform.machine() == "aarch64" else "x86_64"
PYTHON = "{}.{}".format(*sys.version_info)
"""Those of this machine, on which the functions of the embedded AWS run."""
SECONDS = 200
"""For a command, on a machine that has much else to do."""

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """An AWS of this module's own."""
    with local_aws() as local:
        yield local


@pytest.fixture
def run(aws: LocalAws, tmp_path: Path) -> Callable[..., Done]:
    """Runs a command in a folder with the config, as CI does: not on a terminal."""
    (tmp_path / "routes.yaml").write_text(CONFIG)

    def run(*words: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "router", *words],
            cwd=tmp_path,
            env=aws.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )

    return run


def test_round_trip(run: Callable[..., Done], tmp_path: Path) -> None:
    """What was built and deployed is compared with the config, and is what that says."""
    (tmp_path / "routes.yaml").write_text(f"{CONFIG}function: {{architecture: {ARCHITECTURE}, python: '{PYTHON}'}}\n")
    deployed = run("deploy", "--stack", "round", "--yes")
    checked = run("check", "--live", "--function", "round", "--strict")

    assert (deployed.returncode, deployed.stdout.splitlines()[-1]) == (0, "the stack 'round' is CREATE_COMPLETE")
    assert deployed.stderr.splitlines()[-2:] == [
        "enabled the time to live of table 'users', as a local AWS leaves it out",
        "compared what is deployed with the config: no findings",
    ]
    assert deployed.stderr.splitlines()[1].startswith(f"built the package for python{PYTHON} on {ARCHITECTURE}: ")
    assert "the import of the package was not tested" not in deployed.stderr
    assert "the new version of the function starts: it answered an invocation without records" in deployed.stderr
    assert checked.returncode == 0, checked.stdout


def test_a_package_for_another_machine(run: Callable[..., Done], tmp_path: Path) -> None:
    """It cannot start, the output says why, and that its import could not be tested here."""
    other = "arm64" if ARCHITECTURE == "x86_64" else "x86_64"
    (tmp_path / "routes.yaml").write_text(f"{CONFIG.replace('users', 'guests')}function: {{architecture: {other}}}\n")

    deployed = run("deploy", "--stack", "foreign", "--yes")
    status = run("status", "--stack", "foreign")

    untested = "the import of the package was not tested on this machine: there is no python3.13 for "
    lines = deployed.stderr.splitlines()
    assert (deployed.returncode, [line.startswith(untested) for line in lines].count(True)) == (1, 2), deployed.stderr
    assert "'router local --empty' prints how to build for the Python of this machine" in deployed.stderr
    sentence = "the stack 'foreign' could not be created: RT794 the function cannot start: "
    assert [line for line in lines if line.startswith(sentence)], deployed.stderr
    assert (status.returncode, "there is no stack 'foreign'" in status.stderr) == (2, True)


def test_nobody_to_ask(run: Callable[..., Done], tmp_path: Path) -> None:
    """With an empty standard input it exits as documented, and leaves no stack."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("users", "visits"))
    write_package(tmp_path)

    done = run("deploy", "--stack", "nobody", "--package", "lambda.zip")
    shown = run("deploy", "--stack", "nobody", "--package", "lambda.zip", "--dry-run")

    asks = "cannot ask for confirmation: standard input is not a terminal; --yes continues without asking"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"router: {asks}")
    assert (shown.returncode, "add" in shown.stdout) == (0, True)


def write_package(folder: Path, env: Mapping[str, str] | None = None) -> None:
    """Write a package with the compiled config alone."""
    with zipfile.ZipFile(folder / "lambda.zip", "w") as archive:
        archive.writestr(COMPILED_NAME, precompile(folder / "routes.yaml", env or {}))


class Terminal:
    """A command on a terminal: what it shows, and what a person types."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._screen, inside = pty.openpty()
        command = [sys.executable, "-m", "router", *words]
        environment = environment | {"TERM": "xterm", "COLUMNS": "120"}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inside, stdout=inside, stderr=inside
        )
        os.close(inside)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until something is shown."""
        end = time.monotonic() + SECONDS
        while text not in self.shown and self._read(end):
            pass
        assert text in self.shown, self.shown

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._screen, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + SECONDS
        while self._read(end):
            pass
        os.close(self._screen)
        return self._process.wait(SECONDS)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0, end - time.monotonic()))
        try:
            read = os.read(self._screen, 65536) if ready else b""
        except OSError:
            # Linux: nobody holds the other side any more.
            read = b""
        self.shown += read.decode(errors="replace")
        return bool(read)


@pytest.fixture
def terminal(aws: LocalAws, tmp_path: Path) -> Callable[..., Terminal]:
    """Starts a command on a terminal, in a folder with the config and a package of it."""
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG.replace("users", "people").replace(", ttl: expires_at", ""))
    write_package(tmp_path)
    return lambda *words: Terminal(list(words), tmp_path, aws.environment())


def test_on_a_terminal(terminal: Callable[..., Terminal]) -> None:
    """A person is asked: no is no; yes is done, with a bar; to delete tables, the name has to be typed."""
    deploy = ("deploy", "--stack", "asked", "--package", "lambda.zip")
    undeploy = ("undeploy", "--stack", "asked", "--delete-tables")
    codes = []
    for words, question, answer in (
        (deploy, "Change the stack 'asked'? [y/N]", "n"),
        (deploy, "Change the stack 'asked'? [y/N]", "y"),
        (undeploy, "Type 'asked' to continue", "yes"),
        (undeploy, "Type 'asked' to continue", "asked"),
    ):
        screen = terminal(*words)
        screen.wait_for(question)
        screen.type(answer)
        codes.append((screen.end(), screen.shown))

    assert [code for code, _ in codes] == [1, 0, 1, 0]
    sentences = ["nothing was changed", "is CREATE_COMPLETE", "nothing was deleted", "deleted table people"]
    assert [sentence in shown for sentence, (_, shown) in zip(sentences, codes, strict=True)] == [True] * 4
    assert ["\x1b[" in shown for _, shown in codes] == [True] * 4


SHOP = """\
version: 1
queues: {orders: {name: "${STAGE:-dev}-orders", dead_letter: "${STAGE:-dev}-orders-dlq"}}
tables: {orders: {name: "${STAGE:-dev}-orders", key: {id: S}}}
routes:
  orders: {queue: orders, table: orders, item: {id: id}}
"""
ADDED = '  {0}: {{queue: "${{STAGE:-dev}}-{0}", table: orders, item: {{id: id}}}}\n'
QUESTION = "Change the stack '{}'? [y/N]"


class Person:
    """Somebody with a folder of their own, who deploys a stage from a terminal."""

    def __init__(self, folder: Path, aws: LocalAws, stage: str) -> None:
        self._folder, self._aws, self._stage = folder, aws, stage
        folder.mkdir()
        self.write(SHOP)

    def write(self, config: str) -> None:
        """Write the config, and build its package."""
        (self._folder / "routes.yaml").write_text(config)
        write_package(self._folder, {"STAGE": self._stage})

    def deploy(self, *words: str) -> Terminal:
        """Start to deploy the stage."""
        environment = self._aws.environment() | {"STAGE": self._stage}
        command = ["deploy", "--stack", f"shop-{self._stage}", "--package", "lambda.zip", *words]
        return Terminal(command, self._folder, environment)


def answer(screen: Terminal, stack: str) -> tuple[int, str]:
    """Say yes to the question; the exit code, and what was shown."""
    screen.wait_for(QUESTION.format(stack))
    screen.type("y")
    return screen.end(), screen.shown


def test_losses_are_typed(aws: LocalAws, tmp_path: Path) -> None:
    """A person is asked about what breaks, and types the name of each queue that is deleted, or nothing is changed."""
    person = Person(tmp_path / "typed", aws, "typed")
    person.write(SHOP + ADDED.format("clicks"))
    created = person.deploy("--yes").end()
    person.write(SHOP)
    shown = []
    for words in (["yes"], ["typed-clicks", "typed-clicks"], ["typed-clicks", "typed-clicks-dlq"]):
        screen = person.deploy("--allow-destructive")
        screen.wait_for(f"Some changes break something. {QUESTION.format('shop-typed')}")
        screen.type("y")
        for name, word in zip(("typed-clicks", "typed-clicks-dlq"), words, strict=False):
            screen.wait_for(
                f"the queue '{name}': DELETES the queue and its messages (0 messages now). Type '{name}' to"
            )
            screen.type(word)
        shown.append((screen.end(), "nothing was changed" in screen.shown, "is UPDATE_COMPLETE" in screen.shown))

    assert (created, shown) == (0, [(1, True, False), (1, True, False), (0, False, True)])


def test_a_breaking_change_is_asked_about(aws: LocalAws, tmp_path: Path) -> None:
    """On a terminal it needs no option: it is shown, and the question says so."""
    person = Person(tmp_path / "breaking", aws, "breaking")
    created = person.deploy("--yes").end()
    properties = "properties: {id: {type: string, minLength: 1, maxLength: 40}}"
    schema = f"schema: {{type: object, required: [id, total], {properties}}}"
    person.write(SHOP.replace("item: {id: id}", f"{schema}, item: {{id: id}}"))

    screen = person.deploy()
    screen.wait_for("Some changes break something. Change the stack 'shop-breaking'? [y/N]")
    screen.type("y")

    assert (created, screen.end(), "RT901 it no longer takes some messages" in screen.shown) == (0, 0, True)


def test_two_stages(aws: LocalAws, tmp_path: Path) -> None:
    """Two people who deploy a stage each at the same time do not meet."""
    people = {stage: Person(tmp_path / stage, aws, stage) for stage in ("one", "two")}
    screens = {stage: person.deploy() for stage, person in people.items()}
    for stage, screen in screens.items():
        screen.wait_for(QUESTION.format(f"shop-{stage}"))

    done = {stage: answer(screen, f"shop-{stage}") for stage, screen in screens.items()}

    session = boto3.session.Session("local", "local", region_name=REGION)
    urls = session.client("sqs", endpoint_url=aws.endpoint).list_queues()["QueueUrls"]
    tables = session.client("dynamodb", endpoint_url=aws.endpoint).list_tables()["TableNames"]
    queues = {url.rpartition("/")[2] for url in urls}
    assert {stage: code for stage, (code, _) in done.items()} == {"one": 0, "two": 0}, done
    for stage in people:
        assert {f"{stage}-orders", f"{stage}-orders-dlq"} <= queues
        assert f"{stage}-orders" in tables


def asked(*people: Person) -> list[Terminal]:
    """The terminals of people who deploy, one after the other, up to the question: it is known who is first."""
    screens = []
    for person in people:
        screens.append(person.deploy())
        screens[-1].wait_for(QUESTION.format("shop-both"))
    return screens


def test_two_people(aws: LocalAws, tmp_path: Path) -> None:
    """Of two who deploy one stack at the same time, one is stopped, and loses nothing of the other by it."""
    ann, bob = (Person(tmp_path / name, aws, "both") for name in ("ann", "bob"))
    created = [answer(screen, "shop-both") for screen in asked(ann, bob)]
    ann.write(SHOP + ADDED.format("clicks"))
    bob.write(SHOP + ADDED.format("returns"))
    updated = [answer(screen, "shop-both") for screen in asked(ann, bob)]

    again = bob.deploy("--yes")
    last = again.end()

    reported = "another deployment has changed the stack 'shop-both' since its changes were shown; nothing was changed"
    # The embedded AWS keeps the newest change set of a stack that is to be made, AWS the one that is executed first.
    assert sorted((code, reported in " ".join(shown.split())) for code, shown in created) == [(0, False), (2, True)]
    assert [(code, reported in " ".join(shown.split())) for code, shown in updated] == [(0, False), (2, True)]
    refused = "refused without --allow-destructive: 'both-clicks': DELETES the queue and its messages (0 messages now)"
    assert (last, refused in " ".join(again.shown.split())) == (1, True), again.shown
