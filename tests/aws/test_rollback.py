"""`router rollback` on ministack: back to the package, template and parameters before, and back again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from router.tools.control_plane import clients as control_plane
from tests.aws.projects import CONFIG, SCHEMA, Inside, StackProject
from tests.support.aws import Artifacts, Stacks
from tests.support.dev import ACCOUNT, LocalAws
from tests.support.ops import keep_version
from tests.support.program import load_program

LONGER = CONFIG.replace("dead_letter:", "retention: 5d, dead_letter:")
STRICTER = {**SCHEMA, "required": ["id", "total"]}


pytestmark = pytest.mark.usefixtures("kept_clients")


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("cloudformation", "s3", "sqs")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is deployed."""
    made = StackProject(tmp_path, inside, guarded)
    made.deploy()
    return made


@pytest.fixture
def hashes(project: StackProject) -> tuple[str, str]:
    """The hashes of the project's config as it was deployed first, and as it was deployed then, with another schema."""
    first = hash_of(project)
    project.write(schema=STRICTER)
    project.deploy()
    return first, hash_of(project)


def hash_of(project: StackProject) -> str:
    """The hash of the config that is there."""
    return load_program(project.config, {"STAGE": project.stack}).hash


def running(project: StackProject) -> str:
    """The hash of the config that the function runs."""
    done = project.run("status", "--stack", project.stack, "--json")
    found: str = json.loads(done.stdout)["config"]
    return found


def rollback(project: StackProject, *words: str) -> Result:
    """Run `router rollback`, not on a terminal."""
    return project.run("rollback", "--stack", project.stack, *words)


def last(done: Result) -> str:
    """The last line of what it said on the way."""
    return done.stderr.splitlines()[-1]


def test_back_and_back_again(project: StackProject, hashes: tuple[str, str]) -> None:
    """What ran before runs again; two rollbacks lead to where one began."""
    once = rollback(project, "--yes")
    then = running(project)
    again = rollback(project, "--yes")

    assert (once.exit_code, then, again.exit_code, running(project)) == (0, hashes[0], 0, hashes[1]), once.output


def test_shows_the_difference_first(project: StackProject, hashes: tuple[str, str]) -> None:
    """The comparison of both configs, as by `router diff`; without a terminal nothing is changed."""
    done = rollback(project)

    lines = done.stdout.splitlines()
    assert (done.exit_code, last(done)) == (
        2,
        "router: cannot ask for confirmation: standard input is not a terminal; --yes continues without asking",
    )
    assert (lines[0], "compatible  orders" in lines, running(project)) == ("now → before", True, hashes[1])


def test_json(project: StackProject, hashes: tuple[str, str]) -> None:
    """A dry run has the comparison, the changes, and the parameters."""
    done = rollback(project, "--dry-run", "--json")

    shown = json.loads(done.stdout)
    changed = [each["resource"] for each in shown["changes"] if each["verb"] == "modify"]
    verdicts = [each["verdict"] for each in shown["diff"]["routes"]]
    assert (done.exit_code, shown["executed"], changed, verdicts) == (0, False, ["function"], ["compatible"])


def test_routes_of_what_changes(project: StackProject) -> None:
    """The table names the routes of each resource, as that of a deployment: also of what leaves the stack."""
    orders = CONFIG.replace("routes: {orders: ", "routes:\n  orders: ").replace("total: total}}}", "total: total}}")
    project.write(f"{orders}  clicks: {{queue: '${{STAGE}}-clicks', table: orders, item: {{id: id}}}}\n")
    project.deploy()

    done = rollback(project, "--dry-run", "--json")

    routes = {each["name"]: each["routes"] for each in json.loads(done.stdout)["changes"]}
    queue = f"{project.stack}-clicks"
    assert (done.exit_code, routes[queue], routes[f"{queue}-dlq"]) == (0, "clicks", "clicks"), done.output


KEY = "arn:aws:kms:us-east-1:123456789012:key/{}234abcd-12ab-34cd-56ef-1234567890ab"


def test_another_kms_key(project: StackProject) -> None:
    """The advice is what can be done: a rollback has no configuration in which a previous key could be set."""
    keys = CONFIG.replace("queues: {orders: {", "queues: {orders: {kms_key: '" + KEY.format(1) + "', ")
    project.write(keys)
    project.deploy()
    project.write(keys.replace(KEY.format(1), KEY.format(2) + "', kms_key_previous: '" + KEY.format(1)))
    project.deploy()

    done = rollback(project, "--yes")

    loss = (
        f"'{project.stack}-orders': CHANGES the KMS key: stored messages need the previous one, {KEY.format(2)}: "
        "instead of rolling back, deploy the configuration of before with that key as kms_key_previous (RT791)"
    )
    assert (done.exit_code, loss in last(done)) == (1, True), done.output


def test_what_is_deployed_is_compared(
    project: StackProject, hashes: tuple[str, str], clients: Mapping[str, Any]
) -> None:
    """At the end, with the configuration that runs again; what was changed by hand decides the exit code."""
    url = clients["sqs"].get_queue_url(QueueName=f"{project.stack}-orders")["QueueUrl"]
    clients["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})

    done = rollback(project, "--yes", "--json")

    shown = json.loads(done.stdout)
    (found,) = shown["findings"]
    assert (done.exit_code, shown["status"], found["code"], found["file"]) == (
        1,
        "UPDATE_COMPLETE",
        "RT743",
        "before:routes.yaml",
    )
    assert running(project) == hashes[0]


def test_losses(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A loss is reported and refused as by a deployment: here messages, by the shorter retention of before."""
    project.write(LONGER)
    project.deploy()
    name = f"{project.stack}-orders-dlq"
    url = clients["sqs"].get_queue_url(QueueName=name.removesuffix("-dlq"))["QueueUrl"]
    before = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])["Attributes"]

    done = rollback(project, "--yes")

    loss = "DELETES messages older than 4 days; they are kept for 5 days now (0 messages now)"
    assert (done.exit_code, last(done), before) == (
        1,
        f"refused without --allow-destructive: '{project.stack}-orders': {loss}",
        {"MessageRetentionPeriod": "432000"},
    )


def test_parameters(project: StackProject, clients: Mapping[str, Any]) -> None:
    """Parameters return too, and are shown."""
    project.deploy("--parameter", "OldestMessageSeconds=120")

    done = rollback(project, "--yes")

    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert (done.exit_code, "parameter OldestMessageSeconds: 120 → 900" in done.stderr.splitlines()) == (0, True)
    assert values["OldestMessageSeconds"] == "900"


def test_a_deployment_that_failed(
    project: StackProject, hashes: tuple[str, str], inside: Inside, guarded: LocalAws
) -> None:
    """What a failed deployment has kept is what still runs: it is passed over."""
    with inside(guarded):
        services = control_plane.connect_services(("cloudformation", "s3"))
        stacks = Stacks(services["cloudformation"])
        stack = stacks.find(project.stack)
        assert stack
        artifacts = Artifacts(services["s3"], f"message-router-{ACCOUNT}-us-east-1")
        keep_version(artifacts, stack, stacks.template(stack.id))

    done = rollback(project, "--yes")

    assert (done.exit_code, running(project)) == (0, hashes[0])


def test_nothing_before(project: StackProject) -> None:
    """A stack that was deployed once was nothing before."""
    done = rollback(project, "--yes")

    assert (done.exit_code, last(done).startswith(f"router: nothing is known of what the stack '{project.stack}'")) == (
        2,
        True,
    )


def test_another_stack_of_that_name(project: StackProject, hashes: tuple[str, str]) -> None:
    """What a stack was that is deleted is not what a later one of its name was before."""
    project.run("undeploy", "--stack", project.stack, "--yes")
    project.deploy()

    done = rollback(project, "--yes")

    known = f"router: nothing is known of what the stack '{project.stack}'"
    assert (done.exit_code, last(done).startswith(known), running(project)) == (2, True, hashes[1])


def test_package_is_gone(project: StackProject, hashes: tuple[str, str], clients: Mapping[str, Any]) -> None:
    """Nothing is changed if the package of before is not there any more."""
    bucket = f"message-router-{ACCOUNT}-us-east-1"
    listed = clients["s3"].list_objects_v2(Bucket=bucket, Prefix=f"message-router/stacks/{project.stack}/")["Contents"]
    kept = json.loads(clients["s3"].get_object(Bucket=bucket, Key=listed[0]["Key"])["Body"].read())
    key = kept["parameters"]["CodeKey"]
    clients["s3"].delete_object(Bucket=bucket, Key=key)

    done = rollback(project, "--yes")

    sentence = f"the package s3://{bucket}/{key} does not exist any more; build and deploy it again"
    assert (done.exit_code, last(done), running(project)) == (2, f"router: {sentence}", hashes[1])


def test_no_stack(project: StackProject) -> None:
    """Is said."""
    done = project.run("rollback", "--stack", "nowhere", "--yes")

    assert (done.exit_code, last(done).startswith("router: there is no stack 'nowhere' in us-east-1; ")) == (2, True)
