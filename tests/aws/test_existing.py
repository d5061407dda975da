"""Queues and tables that exist when a stack is to create them, on ministack: known before anything is changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from tests.aws.projects import CONFIG, Inside, StackProject
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
CLICKS = "  clicks: {queue: clicks, table: orders, item: {id: id}}\n"
WITH_CLICKS = (
    CONFIG.replace("queues: {", 'queues: {clicks: {name: "${STAGE}-clicks", deletion_policy: retain}, ')
    .replace("routes: {orders: ", "routes:\n  orders: ")
    .replace("total: total}}}", "total: total}}")
    + CLICKS
)


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("cloudformation", "dynamodb", "sqs")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is not deployed yet."""
    return StackProject(tmp_path, inside, guarded)


def create_queue(clients: Mapping[str, Any], name: str, messages: int) -> str:
    """Create a queue that no stack has, with messages on it."""
    url: str = clients["sqs"].create_queue(QueueName=name)["QueueUrl"]
    for _ in range(messages):
        clients["sqs"].send_message(QueueUrl=url, MessageBody="{}")
    return url


def create_table(clients: Mapping[str, Any], name: str) -> None:
    """Create a table that no stack has."""
    clients["dynamodb"].create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def waiting(clients: Mapping[str, Any], url: str) -> str:
    """The number of messages on a queue."""
    answer = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return str(answer["Attributes"]["ApproximateNumberOfMessages"])


def last(done: Result) -> str:
    """The last line of what it said on the way."""
    return done.stderr.splitlines()[-1]


def test_rollback_past_a_retained_queue(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A queue that a deployment retained is not created again over what is on it."""
    project.write(WITH_CLICKS)
    project.deploy()
    project.write(CONFIG)
    project.deploy()
    queue = f"{project.stack}-clicks"
    url = clients["sqs"].get_queue_url(QueueName=queue)["QueueUrl"]
    for _ in range(2):
        clients["sqs"].send_message(QueueUrl=url, MessageBody="{}")

    done = project.run("rollback", "--stack", project.stack, "--yes", "--allow-destructive")

    sentence = (
        f"router: RT792 these queues exist outside of the stack: '{queue}' (2 messages now), '{queue}-dlq' (0 messages "
        "now); AWS cannot take them in: instead of rolling back, deploy the configuration of before and set 'managed: "
        "false' on them, or delete them with their messages first"
    )
    assert (done.exit_code, last(done), waiting(clients, url)) == (2, sentence, "2")


def test_existing_queue(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A queue of the configuration that exists outside of the stack is refused, before there is a stack."""
    queue = f"{project.stack}-orders"
    url = create_queue(clients, queue, 1)

    done = project.try_to_deploy("--yes")

    stacks = [each["StackName"] for each in clients["cloudformation"].describe_stacks()["Stacks"]]
    sentence = (
        f"router: RT792 these queues exist outside of the stack: '{queue}' (1 message now); AWS cannot take them in: "
        "set 'managed: false' on them, or delete them with their messages first"
    )
    assert (done.exit_code, last(done), project.stack in stacks, waiting(clients, url)) == (2, sentence, False, "1")


def test_existing_queue_of_a_new_route(project: StackProject, clients: Mapping[str, Any]) -> None:
    """An update of the stack creates no such queue either; a dry run says so, too."""
    project.deploy()
    create_queue(clients, f"{project.stack}-clicks-dlq", 0)
    project.write(WITH_CLICKS)

    done = project.try_to_deploy("--yes", "--dry-run")

    sentence = f"router: RT792 these queues exist outside of the stack: '{project.stack}-clicks-dlq' (0 messages now)"
    assert (done.exit_code, last(done).startswith(sentence)) == (2, True)


def test_not_managed(project: StackProject, clients: Mapping[str, Any]) -> None:
    """What the error advises works: the queue is read, and its messages stay."""
    url = create_queue(clients, f"{project.stack}-orders", 1)
    create_queue(clients, f"{project.stack}-orders-dlq", 0)
    project.write(CONFIG.replace('-orders-dlq"}', '-orders-dlq", managed: false}'))

    done = project.try_to_deploy("--yes", "--dry-run", "--json")

    assert (done.exit_code, waiting(clients, url), '"resource": "queue"' in done.stdout) == (0, "1", False)


def test_name_is_written_in_another_way(project: StackProject) -> None:
    """Another text of the same name would be another resource, which cannot be created beside the first."""
    project.deploy()
    project.write(CONFIG.replace('"${STAGE}-orders", dead', f'"{project.stack}-orders", dead'))

    done = project.try_to_deploy("--yes", "--allow-destructive", "--confirm", f"{project.stack}-orders")

    sentence = (
        f"router: RT792 the queue '{project.stack}-orders' is in the stack already, from another text of its name, and "
        "AWS does not create it a second time: write the name in the configuration as it was"
    )
    assert (done.exit_code, last(done)) == (2, sentence)


def test_table_in_place_of_another(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A table whose name changes to that of an existing one is not created over it."""
    project.write(CONFIG.replace('tables: {orders: {name: "${STAGE}-orders"', 'tables: {orders: {name: "${PLACE}"'))
    given = ("--parameter", f"PLACE={project.stack}-one")
    first = project.try_to_deploy("--yes", *given)
    create_table(clients, f"{project.stack}-two")

    done = project.try_to_deploy("--yes", "--parameter", f"PLACE={project.stack}-two", "--allow-destructive")

    sentence = (
        f"router: RT792 the table '{project.stack}-two' exists, and would have to replace the table "
        f"'{project.stack}-one' of the stack, which AWS cannot do"
    )
    assert (first.exit_code, done.exit_code, last(done).startswith(sentence)) == (0, 2, True), first.output


def test_table_with_a_region_in_its_name(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It has a literal name in the template, so that it is imported like any other."""
    create_table(clients, f"{project.stack}-us-east-1")
    project.write(
        CONFIG.replace('{orders: {name: "${STAGE}-orders", key', '{orders: {name: "${STAGE}-${AWS_REGION}", key')
    )

    done = project.try_to_deploy("--yes", "--dry-run")

    sentence = f"the table '{project.stack}-us-east-1' exists and is imported as it is: about 0 items"
    assert (done.exit_code, sentence in done.stderr) == (0, True), done.output
