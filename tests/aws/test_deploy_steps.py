"""What a deployment asks and runs before it builds anything, and what it waits for; what `router undeploy` asks."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from tests.aws.projects import CONFIG, Inside, StackProject
from tests.support.cli import deploy_place
from tests.support.dev import ACCOUNT, REGION, LocalAws
from tests.support.ops import deleted_queues, deployed_places

pytestmark = pytest.mark.usefixtures("kept_clients")
HERE = f"{ACCOUNT}/{REGION}"
THERE = deployed_places.AccountRegion("999999999999", "eu-west-1")
TESTED = CONFIG.replace(
    "total: total}}}",
    """total: total}, tests: [
  {name: stored, message: {id: a, total: 1}, item: {id: a, total: 1}},
  {name: wrong, message: {id: a, total: 1}, item: {id: b, total: 1}}]}}""",
)


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {name: boto3.client(name) for name in ("cloudformation", "sqs")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is not deployed yet."""
    return StackProject(tmp_path, inside, guarded)


def last(done: Result) -> str:
    """The last line on standard error."""
    return done.stderr.splitlines()[-1]


def test_the_place_comes_first(project: StackProject) -> None:
    """It is printed before all else, and remembered at the end."""
    done = project.deploy()

    assert done.stderr.splitlines()[0] == f"account {ACCOUNT}, region {REGION}, stack '{project.stack}'"
    assert json.loads((project.folder / deployed_places.FILE_NAME).read_text()) == {
        project.stack: {"account": ACCOUNT, "region": REGION}
    }


def test_another_account(project: StackProject) -> None:
    """A stack that was deployed elsewhere is refused before anything is made, unless this place is named."""
    deployed_places.remember_place(project.folder, project.stack, THERE)

    refused = project.try_to_deploy("--yes")
    shown = project.try_to_deploy("--dry-run")
    done = project.try_to_deploy("--yes", "--confirm", HERE)

    sentence = f"From this folder the stack '{project.stack}' was deployed to {THERE}; this is {HERE}."
    assert (refused.exit_code, f"--yes --confirm {HERE} continues without asking" in last(refused)) == (2, True)
    assert refused.stderr.splitlines()[1] == sentence, "why it is asked"
    assert (shown.exit_code, shown.stderr.splitlines()[1]) == (0, sentence)
    assert (done.exit_code, done.stderr.splitlines()[1]) == (0, sentence), done.output
    assert deployed_places.read_places(project.folder)[project.stack] == deployed_places.AccountRegion(ACCOUNT, REGION)


def test_another_account_is_refused(project: StackProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who types something else changes nothing, and the JSON says so."""
    deployed_places.remember_place(project.folder, project.stack, THERE)
    monkeypatch.setattr(deploy_place, "confirm_by_typing", lambda *_: False)

    done = project.try_to_deploy("--json")

    assert (done.exit_code, last(done), json.loads(done.stdout)["executed"]) == (1, "nothing was changed", False)


def test_a_stack_that_is_new_in_the_folder(project: StackProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name makes a second stack: it is asked about, and said with --yes."""
    deployed_places.remember_place(project.folder, "flows", THERE)
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(deploy_place, "confirm", refuse)

    refused = project.try_to_deploy()
    done = project.try_to_deploy("--yes")

    sentence = f"The stack '{project.stack}' was not deployed from this folder before, from which there are "
    sentence += f"'flows' in {THERE}."
    assert (refused.exit_code, asked) == (1, [f"Go on with '{project.stack}' in {HERE}?"])
    assert refused.stderr.splitlines()[1] == sentence
    assert (done.exit_code, done.stderr.splitlines()[1]) == (0, sentence)


def test_a_place_that_cannot_be_remembered(project: StackProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment is done: it does not fail for it."""
    monkeypatch.setattr(deployed_places, "FILE_NAME", "none/places.json")

    done = project.deploy()

    assert "where the stack was deployed to is not remembered: cannot write " in done.stderr


def test_tests_run_first(project: StackProject, clients: Mapping[str, Any]) -> None:
    """One that fails stops the deployment, unless it is named."""
    project.write(TESTED)
    name = "orders: wrong"

    refused = project.try_to_deploy("--yes", "--json")
    done = project.try_to_deploy("--yes", "--allow-failing", name)

    lines = refused.stderr.splitlines()
    reported = json.loads(refused.stdout)
    assert (refused.exit_code, reported["executed"], reported["account"]) == (1, False, ACCOUNT)
    assert (f"FAIL  {name}" in lines, "tests of the routes: 1 passed, 1 failed" in lines) == (True, True)
    assert last(refused) == (f"refused: tests of the routes fail; to go on in spite of them: --allow-failing '{name}'")
    assert (done.exit_code, f"FAIL  {name}" in done.stderr.splitlines()) == (0, True), done.output


def test_a_variable_without_a_value(project: StackProject) -> None:
    """The deployment wants one; the tests would fail without it."""
    project.write(TESTED.replace("{id: id, total: total}", "{id: id, total: total, mark: {value: '${MARK}'}}", 1))

    done = project.try_to_deploy("--yes")

    assert "the tests of the routes are not run without all variables: " in done.stderr
    assert (done.exit_code, "no value for MARK: pass --parameter MARK=" in last(done)) == (2, True), done.output


def test_plugins_that_do_not_start_here(project: StackProject) -> None:
    """The tests fail by that, and can be named."""
    plugin = (
        "from router import hookimpl\n\n\n@hookimpl\ndef router_start(router):\n    raise RuntimeError('no database')\n"
    )
    project.write(TESTED, plugin=plugin)

    refused = project.try_to_deploy("--yes")
    allowed = ("--allow-failing", "orders: stored", "--allow-failing", "orders: wrong")
    shown = project.try_to_deploy("--dry-run", *allowed)

    assert (refused.exit_code, "tests of the routes: 0 passed, 2 failed" in refused.stderr) == (1, True)
    assert "router_start raised RuntimeError" in refused.stderr
    assert (shown.exit_code, last(shown)) == (0, "this was a dry run: nothing is changed"), shown.output


def test_alarms_that_nobody_hears(project: StackProject) -> None:
    """It is said before the question, until there is a topic."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"

    silent = project.try_to_deploy("--dry-run")
    heard = project.try_to_deploy("--dry-run", "--parameter", f"AlarmTopic={topic}")

    sentence = "warning: nobody is notified by 8 of the alarms: give --parameter AlarmTopic=ARN of a topic, or an "
    assert (sentence in silent.stderr, "nobody is notified" in heard.stderr) == (True, False)


@pytest.mark.parametrize(
    ("more", "is_warned"),
    [("", True), (f", senders: ['arn:aws:sns:{REGION}:{ACCOUNT}:orders']", False), (", ignored", False)],
)
def test_a_queue_that_nothing_can_send_to(project: StackProject, more: str, is_warned: bool) -> None:
    """The policy that the stack gives it refuses the topic: that is said before the question, unless it is accepted."""
    config = CONFIG
    if more == ", ignored":
        more = ""
        config += "ignore: [{code: RT248, at: queues.orders, reason: a test sends to it}]\n"
    project.write(config.replace('-orders-dlq"}}', f'-orders-dlq", envelope: [sns]{more}}}}}'))

    done = project.try_to_deploy("--dry-run")

    sentence = (
        "warning: no sender of queue 'orders' makes its envelope 'sns': sns.amazonaws.com may not send to it; add the "
        "ARN of an SNS topic to 'senders' (RT248)"
    )
    assert (done.exit_code, sentence in done.stderr) == (0, is_warned), done.output


def test_where_drift_cannot_be_repaired(project: StackProject, clients: Mapping[str, Any]) -> None:
    """The embedded AWS makes no drift-aware change sets: that is said, and what was changed by hand is named."""
    project.deploy()
    url = clients["sqs"].get_queue_url(QueueName=f"{project.stack}-orders")["QueueUrl"]
    clients["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})

    named = project.try_to_deploy("--yes")
    tried = project.try_to_deploy("--yes", "--revert-drift")

    assert (named.exit_code, last(named)) == (1, "--revert-drift repairs what was changed by hand, where AWS can")
    assert "what was changed by hand is named at the end, and stays: no drift-aware change set" in tried.stderr
    assert (tried.exit_code, "visibility" in tried.stderr) == (1, True)


def test_names_of_deleted_queues(project: StackProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack whose queues were deleted a moment ago is made when SQS makes queues of these names again."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(deleted_queues, "NAME_SECONDS", 60)
    project.deploy()
    nothing = list(slept)
    undone = project.run("undeploy", "--stack", project.stack, "--yes")
    slept.clear()

    done = project.deploy()

    assert (undone.exit_code, [each for each in nothing if each > 5]) == (0, [])
    assert "SQS makes a queue 60 seconds after one of that name was deleted: waiting " in done.stderr
    (seconds,) = [each for each in slept if each > 5]
    assert seconds <= 60


def test_dead_letters_are_not_undeployed_unseen(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A queue with messages is named, as by `router deploy`; an empty one is not asked about."""
    project.deploy()
    name = f"{project.stack}-orders-dlq"
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    clients["sqs"].send_message(QueueUrl=url, MessageBody="{}")

    refused = project.run("undeploy", "--stack", project.stack, "--yes")
    still = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"][0]["StackStatus"]
    done = project.run("undeploy", "--stack", project.stack, "--yes", "--confirm", name)

    assert refused.stderr.splitlines()[0] == f"account {ACCOUNT}, region {REGION}, stack '{project.stack}'"
    assert (refused.exit_code, f"--yes --confirm {name} continues without asking" in last(refused)) == (2, True)
    assert (still, done.exit_code) == ("CREATE_COMPLETE", 0), done.output


def thousand_routes(added: str = "") -> str:
    """A thousand routes that share forty queues and tables."""
    numbers = range(40)
    queues = "".join(f'  q{n}: {{name: "${{STAGE}}-q{n}", dead_letter: "${{STAGE}}-q{n}-dlq"}}\n' for n in numbers)
    tables = "".join(f'  t{n}: {{name: "${{STAGE}}-t{n}", key: {{id: S}}}}\n' for n in numbers)
    routes = "".join(
        f"  r{n}: {{queue: q{n % 40}, table: t{n // 40 % 40}, when: kind == '{n}', schema: orders.json, "
        "item: {id: id}}\n"
        for n in range(1000)
    )
    return f"version: 1\nqueues:\n{queues}tables:\n{tables}plugins: [plugins/marks.py]\nroutes:\n{routes}{added}"


@pytest.mark.slow
def test_a_thousand_routes(project: StackProject, clients: Mapping[str, Any]) -> None:
    """They are deployed, and changed, as a stack of a few routes is."""
    project.write(thousand_routes())
    done = project.deploy()
    cloudformation = clients["cloudformation"]
    body = cloudformation.get_template(StackName=project.stack, TemplateStage="Original")["TemplateBody"]

    project.write(thousand_routes("  more: {queue: q7, table: t9, when: kind == 'more', item: {id: id}}\n"))
    changed = project.try_to_deploy("--dry-run", "--json")

    reported = json.loads(changed.stdout)
    assert "compared what is deployed with the config: no findings" in done.stderr
    assert (len(body["Resources"]) <= 500, len(json.dumps(body)) <= 1_000_000) == (True, True)
    assert (changed.exit_code, reported["destructive"]) == (0, False), changed.output
    assert {each["verb"] for each in reported["changes"]} <= {"add", "modify", "may modify", "remove"}
