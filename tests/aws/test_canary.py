"""Deployments of a stack whose mappings call an alias, on ministack: it has aliases and versions, but no CodeDeploy."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.projects import CONFIG, SCHEMA, Inside, StackProject
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")


@pytest.fixture(scope="module")
def lambda_(guarded: LocalAws, inside: Inside) -> Any:
    """A client of Lambda, for the root of the account."""
    with inside(guarded):
        return boto3.client("lambda")


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is deployed."""
    made = StackProject(tmp_path, inside, guarded)
    made.deploy()
    return made


def alias(lambda_: Any, project: StackProject) -> tuple[str, list[str]]:
    """The version that the alias names, and the functions that the mappings call."""
    found = lambda_.get_alias(FunctionName=project.stack, Name="live")
    pages = lambda_.get_paginator("list_event_source_mappings").paginate()
    listed = [each["FunctionArn"] for page in pages for each in page["EventSourceMappings"]]
    called = [arn for arn in listed if f":{project.stack}" in arn]
    return found["FunctionVersion"], [each.partition(":function:")[2] for each in called]


def test_the_alias_stays(project: StackProject, lambda_: Any) -> None:
    """A deployment without --canary publishes a version, and moves the alias to it at once."""
    first = alias(lambda_, project)
    project.write(schema={**SCHEMA, "required": ["id", "total"]})
    done = project.deploy()

    called = [f"{project.stack}:live"]
    assert (first, alias(lambda_, project)) == (("1", called), ("2", called)), done.output


def test_what_is_deployed_is_compared(project: StackProject) -> None:
    """With the mappings of the alias: a deployment with an alias has no findings."""
    done = project.deploy("--json")

    assert (done.exit_code, json.loads(done.stdout)["findings"]) == (0, []), done.output


def test_what_runs(project: StackProject) -> None:
    """`router status` and `router diff` know what runs behind an alias."""
    status = project.run("status", "--stack", project.stack, "--json")
    diff = project.run("diff", f"stack:{project.stack}", "-c", str(project.config))

    receivers = json.loads(status.stdout)["queues"][0]["receivers"]
    assert (status.exit_code, receivers, diff.exit_code) == (
        0,
        [{"function": f"{project.stack}:live", "state": "Enabled", "paused": ""}],
        0,
    )


def test_refused(project: StackProject) -> None:
    """Two versions that map the key in different ways must not write side by side."""
    project.write(CONFIG.replace("id: id", "id: {from: id, transform: upper}"))

    done = project.try_to_deploy("--yes", "--canary", "10%")

    why = "two versions must not write side by side: the key is mapped in another way: one message writes two items"
    advice = "with --canary both versions write for a while: deploy without it, when few messages come"
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, f"refused: route 'orders': {why}; {advice}")


@pytest.mark.parametrize("is_first", [True, False])
def test_no_codedeploy(
    project: StackProject, tmp_path: Path, inside: Inside, guarded: LocalAws, lambda_: Any, is_first: bool
) -> None:
    """Where CodeDeploy does not answer, that is said before anything changes: also if nothing would be shifted yet."""
    (tmp_path / "first").mkdir()
    deployed = StackProject(tmp_path / "first", inside, guarded) if is_first else project
    deployed.write(schema={**SCHEMA, "title": "other"})

    done = deployed.try_to_deploy("--yes", "--canary", "10%")

    pages = lambda_.get_paginator("list_functions").paginate()  # other tests leave more than a page of them
    names = {each["FunctionName"] for page in pages for each in page["Functions"]}
    sentence = "router: RT793 --canary shifts messages by CodeDeploy, which does not answer in us-east-1 at http://127"
    assert (done.exit_code, done.stderr.splitlines()[-1].startswith(sentence)) == (2, True), done.output
    assert (deployed.stack in names) is not is_first


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--canary", "all"),
            "router: --canary is 'all'; give PERCENT or PERCENT/MINUTES, from 1 to 99 percent and to",
        ),
        (
            ("--canary", "10%", "--worker"),
            "Error: --canary is for the function: ECS replaces the tasks of a worker one",
        ),
    ],
)
def test_cannot(tmp_path: Path, inside: Inside, guarded: LocalAws, words: tuple[str, ...], sentence: str) -> None:
    """What cannot be is said, before anything is built."""
    project = StackProject(tmp_path, inside, guarded)

    done = project.run("deploy", "--stack", project.stack, "-c", str(project.config), *words, STAGE=project.stack)

    assert (done.exit_code, sentence in done.output) == (2, True), done.output
