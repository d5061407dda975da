"""What a change of a stack loses or leaves behind, beside what its change set shows, on ministack."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.projects import CONFIG, SCHEMA, Inside, StackProject
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
KEYS = [f"arn:aws:kms:us-east-1:123456789012:key/{number}234abcd-12ab-34cd-56ef-1234567890ab" for number in range(4)]


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("lambda", "sqs")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is not deployed yet."""
    return StackProject(tmp_path, inside, guarded)


def encrypted(key: int, previous: int | None = None) -> str:
    """The config with such KMS keys of its queue."""
    more = "" if previous is None else f"kms_key_previous: '{KEYS[previous]}', "
    return CONFIG.replace("queues: {orders: {", f"queues: {{orders: {{kms_key: '{KEYS[key]}', {more}")


def send(clients: Mapping[str, Any], name: str, messages: int) -> None:
    """Put messages on a queue."""
    for _ in range(messages):
        clients["sqs"].send_message(
            QueueUrl=clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"], MessageBody="{}", DelaySeconds=0
        )


def stop_reading(clients: Mapping[str, Any], project: StackProject) -> None:
    """Let the messages wait: nothing receives them."""
    for mapping in clients["lambda"].list_event_source_mappings(FunctionName=project.stack)["EventSourceMappings"]:
        clients["lambda"].update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


@pytest.mark.parametrize("after", [encrypted(2), encrypted(3, 2)], ids=["removed", "another"])
def test_previous_key_of_waiting_messages(project: StackProject, clients: Mapping[str, Any], after: str) -> None:
    """A key that leaves the permissions while messages wait is a loss, which is counted, named and confirmed."""
    project.write(encrypted(2, 1))
    project.deploy()
    stop_reading(clients, project)
    send(clients, f"{project.stack}-orders", 2)
    project.write(after)

    refused = project.try_to_deploy("--yes", "--allow-breaking")
    allowed = project.try_to_deploy(
        "--yes", "--allow-breaking", "--allow-destructive", "--confirm", f"{project.stack}-orders"
    )

    loss = (
        f"'{project.stack}-orders': REMOVES the permission to decrypt with the KMS key {KEYS[1]}, which messages that "
        "wait may need: wait until the queue is empty, then remove the key (RT791) (2 messages now)"
    )
    assert (refused.exit_code, loss in refused.stderr, "UPDATE_COMPLETE" in allowed.stdout) == (1, True, True)


def test_previous_key_of_an_empty_queue(project: StackProject) -> None:
    """It is removed without a question: nothing needs it."""
    project.write(encrypted(2, 1))
    project.deploy()
    project.write(encrypted(2))

    done = project.try_to_deploy("--yes", "--json")

    assert ([each for each in json.loads(done.stdout)["changes"] if each["loses"]], done.exit_code) == ([], 0)


def test_queue_that_is_not_managed(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It stays when its route is removed, and the output says how many messages nothing reads any more."""
    queues = {name: clients["sqs"].create_queue(QueueName=f"{project.stack}-{name}") for name in ("x", "x-dlq")}
    clicks = '{name: "${STAGE}-x", dead_letter: "${STAGE}-x-dlq", managed: false}'
    project.write(
        CONFIG.replace("queues: {", f"queues: {{x: {clicks}, ").replace(
            "routes: {", "routes: {x: {queue: x, table: orders, item: {id: id}}, "
        )
    )
    project.try_to_deploy("--yes", "--allow-breaking")
    stop_reading(clients, project)
    send(clients, f"{project.stack}-x", 3)
    project.write()

    done = project.try_to_deploy("--dry-run", "--allow-breaking")

    lines = [line for line in done.stdout.splitlines() if "nothing reads it any more (3 messages now)" in line]
    assert (len(queues), [f" {project.stack}-x " in line for line in lines]) == (2, [True]), done.output


def test_queue_and_table_of_one_name(project: StackProject) -> None:
    """Each is confirmed by itself: the plain name is of none of them."""
    before = CONFIG.replace('dead_letter: "', 'retention: 5d, dead_letter: "')
    project.write(before)
    project.deploy()
    project.write(CONFIG.replace("{id: S}}", "{id: S}, ttl: expires_at}"))
    name = f"{project.stack}-orders"

    allowed = ("--yes", "--allow-breaking", "--allow-destructive")
    plain = project.try_to_deploy(*allowed, "--confirm", name)
    table = project.try_to_deploy(*allowed, "--confirm", f"table:{name}")
    both = project.try_to_deploy(*allowed, "--confirm", f"table:{name}", "--confirm", f"queue:{name}")

    instead = f"--yes --confirm queue:{name} --confirm table:{name} continues without asking"
    assert [(each.exit_code, instead in each.stderr) for each in (plain, table)] == [(2, True)] * 2
    assert "UPDATE_COMPLETE" in both.stdout, both.output


def test_findings_about_no_route(project: StackProject) -> None:
    """A route that is removed is not shown under another one."""
    project.write(CONFIG.replace("routes: {", 'routes: {x: {queue: "${STAGE}-x", table: orders, item: {id: id}}, '))
    project.deploy()
    project.write(schema={"type": "object", "required": ["id", "total"], "properties": SCHEMA["properties"]})

    done = project.try_to_deploy("--dry-run")

    heading = done.stdout.splitlines().index("other changes")
    assert [line[:16] for line in done.stdout.splitlines()[heading - 1 : heading + 2]] == [
        "  breaking RT901",
        "other changes",
        "  breaking RT904",
    ]


def test_package_that_was_replaced_by_hand(project: StackProject, clients: Mapping[str, Any]) -> None:
    """CloudFormation does not see it: the output has the command that puts the package back, and that works."""
    project.deploy()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("other.py", "")
    clients["lambda"].update_function_code(FunctionName=project.stack, ZipFile=content.getvalue())

    refused = project.try_to_deploy("--yes")
    words = refused.stderr.splitlines()[-1].rstrip("'").split()
    given = {name: words[words.index(f"--s3-{name}") + 1] for name in ("bucket", "key")}
    clients["lambda"].update_function_code(FunctionName=project.stack, S3Bucket=given["bucket"], S3Key=given["key"])
    done = project.try_to_deploy("--yes")

    assert (refused.exit_code, "put the package back" in refused.stderr, done.exit_code) == (1, True, 0)
