"""Tags of a stack that a deployment leaves out, and those of AWS: what is said is what happens; on ministack."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from msgspec import structs

from tests.aws.projects import CONFIG, Inside, StackProject
from tests.support.aws import Stack, Stacks
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
OWNED = CONFIG.replace('"${STAGE}-orders", key:', '"${STAGE}-orders", owner: shop, tags: {cost: "1"}, key:')
Tags = dict[str, str]


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is not deployed yet."""
    return StackProject(tmp_path, inside, guarded)


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    client: Any = boto3.client
    with inside(guarded):
        return {each: client(each) for each in ("cloudformation", "dynamodb")}


def as_tags(listed: list[dict[str, str]]) -> Tags:
    """Tags by their names."""
    return {each["Key"]: each["Value"] for each in listed}


def tags_of(clients: Mapping[str, Any], project: StackProject) -> tuple[Tags, Tags]:
    """The tags of the stack, and those that its table has by the template."""
    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{project.stack}-orders"
    table = as_tags(clients["dynamodb"].list_tags_of_resource(ResourceArn=arn)["Tags"])
    return as_tags(stack["Tags"]), {name: value for name, value in table.items() if not name.startswith("aws:")}


def test_tags_of_a_resource_itself(project: StackProject, clients: Mapping[str, Any]) -> None:
    """Those of the table come back where --tag is left out, which is said, beside what the stack keeps."""
    project.write(OWNED)
    project.deploy("--tag", "owner=x", "--tag", "cost=2", "--tag", "stage=test")

    done = project.deploy()

    assert tags_of(clients, project) == (
        {"owner": "x", "cost": "2", "stage": "test"},
        {"owner": "shop", "cost": "1", "stage": "test"},
    )
    assert (
        "the stack keeps its tags owner, cost, stage, which the config does not have; --tag gives others; what has "
        "owner, cost among its own tags has these"
    ) in done.stderr
    assert "Tags.owner: x → shop, Tags.cost: 2 → 1" in done.stdout


def test_tags_of_aws(project: StackProject, clients: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that Service Catalog gives a stack are not given again, which AWS refuses, and not announced.

    The local AWS refuses them as AWS does, so its answers about a stack get them here.
    """
    project.write()
    project.deploy("--tag", "stage=test")
    find = Stacks.find

    def find_in_catalog(stacks: Stacks, name_or_id: str) -> Stack | None:
        stack = find(stacks, name_or_id)
        system = {"aws:servicecatalog:portfolioArn": "arn:aws:catalog:us-east-1:000000000000:portfolio/p"}
        return stack and structs.replace(stack, tags={**system, **stack.tags})

    monkeypatch.setattr(Stacks, "find", find_in_catalog)

    done = project.try_to_deploy("--yes", "--json")

    assert (done.exit_code, "aws:servicecatalog" in done.output) == (0, False), done.output
    assert "the stack keeps its tags stage, which" in done.stderr
    assert "Tags" not in done.stdout
    assert tags_of(clients, project) == ({"stage": "test"}, {"stage": "test"})


@pytest.mark.parametrize(("words", "before"), [((), {}), (("--tag", "owner=x"), {"owner": "x"})])
def test_rollback(project: StackProject, clients: Mapping[str, Any], words: tuple[str, ...], before: Tags) -> None:
    """The stack has its tags of before again, too: what has no tags by the template has those of the stack."""
    project.write()
    project.deploy(*words)
    project.deploy("--tag", "owner=y", "--tag", "stage=test")

    done = project.run("rollback", "--stack", project.stack, "--yes")

    assert done.exit_code == 0, done.output
    assert tags_of(clients, project) == (before, before)
