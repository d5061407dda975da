"""`router deploy` and `undeploy` on ministack: what changes, what is refused, what failed, what stays.

The package is a small one that has the compiled config alone; tests/e2e/test_deploy.py builds a real one.
"""

import json
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from tests.support.cli import app, stack_run
from tests.support.dev import ACCOUNT, LocalAws
from tests.support.ops import (
    DESCRIPTION,
    DeployableConfig,
    Deployment,
    Document,
    make_document,
    parts,
    precompile,
    read_for_deployment,
)
from tests.support.program import COMPILED_NAME

Inside = Callable[..., AbstractContextManager[None]]

CONFIG = """\
version: 1
queues:
  users: {name: "${STAGE}-users", dead_letter: users-dlq}
  users-dlq: {name: "${STAGE}-users-dlq"}
tables: {users: {name: "${STAGE}-users", key: {id: S}}}
routes:
  users: {queue: users, table: users}
"""
ORDERS = '  orders: {queue: "${STAGE}-orders", table: users, item: {id: id}}\n'


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {
            each: boto3.client(each) for each in ("cloudformation", "dynamodb", "iam", "lambda", "logs", "s3", "sqs")
        }


pytestmark = pytest.mark.usefixtures("kept_clients")


class Project:
    """A folder with a config, and the command line in it; its stack is called as its stage."""

    def __init__(self, folder: Path, inside: Callable[..., AbstractContextManager[None]], local: LocalAws) -> None:
        self.stack = f"d{uuid.uuid4().hex[:8]}"
        self.config = folder / "routes.yaml"
        self._folder, self._inside, self._local = folder, inside, local
        self.write(CONFIG)

    def write(self, config: str) -> None:
        """Write the config, and its package."""
        self.config.write_text(config)
        with zipfile.ZipFile(self._folder / "lambda.zip", "w") as archive:
            archive.writestr(COMPILED_NAME, precompile(self.config, {"STAGE": self.stack}))
            archive.writestr("stage", self.stack)  # another project may be made in the same second

    def run(self, command: str, *words: str, **variables: str) -> Result:
        """Run a command as it is run in CI: not on a terminal."""
        with self._inside(self._local, **({"STAGE": self.stack} | variables)):
            return CliRunner().invoke(app, [command, "--stack", self.stack, *words])

    def deploy(self, *words: str, **variables: str) -> Result:
        """Deploy with the package that is there."""
        given = ("--package", str(self._folder / "lambda.zip"), "--allow-breaking")
        return self.run("deploy", "-c", str(self.config), *given, *words, **variables)

    def changes(self, *words: str) -> list[tuple[str, str, str, list[str]]]:
        """What would change for certain, without changing it; the function's code, which is new each time, aside."""
        reported = json.loads(self.deploy("--dry-run", "--json", *words).stdout)
        return [
            (each["verb"], each["resource"], each["name"], each["details"])
            for each in reported["changes"]
            if each["verb"] != "may modify" and each["details"] != ["Code"]
        ]


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> Project:
    """A project that is not deployed yet."""
    return Project(tmp_path, inside, guarded)


@pytest.fixture
def deployed(project: Project) -> Project:
    """A project that is deployed."""
    done = project.deploy("--yes")
    assert done.exit_code == 0, done.output
    return project


def last(done: Result) -> str:
    """The last line of what it said on the way."""
    return done.stderr.splitlines()[-1]


def test_dry_run(project: Project, clients: Mapping[str, Any]) -> None:
    """A dry run says what would be made, and leaves no stack."""
    done = project.deploy("--dry-run", "--json")

    reported = json.loads(done.stdout)
    stacks = [each["StackName"] for each in clients["cloudformation"].describe_stacks()["Stacks"]]
    made = sorted((each["verb"], each["resource"], each["name"], each["routes"]) for each in reported["changes"])
    assert (done.exit_code, last(done), project.stack in stacks) == (0, "this was a dry run: nothing is changed", False)
    assert [each for each in made if each[1] in ("queue", "table", "function")] == [
        ("add", "function", "Function", ""),
        ("add", "queue", f"{project.stack}-users", "users"),
        ("add", "queue", f"{project.stack}-users-dlq", "users"),
        ("add", "table", f"{project.stack}-users", "users"),
    ]
    assert (
        reported["stack"],
        reported["region"],
        reported["destructive"],
        reported["executed"],
        reported["status"],
    ) == (
        project.stack,
        "us-east-1",
        False,
        False,
        None,
    )


def test_deploys(project: Project, clients: Mapping[str, Any]) -> None:
    """It puts the package into a bucket of its own, makes the stack, and says what was made."""
    done = project.deploy("--yes", "--json")

    reported = json.loads(done.stdout)
    code = clients["lambda"].get_function(FunctionName=project.stack)["Configuration"]
    bucket = f"message-router-{ACCOUNT}-us-east-1"
    assert (done.exit_code, reported["executed"], reported["status"], reported["outputs"]["FunctionName"]) == (
        0,
        True,
        "CREATE_COMPLETE",
        project.stack,
    )
    assert (code["Handler"], code["Environment"]["Variables"]["STAGE"]) == (
        "router.lambda_handler.handler",
        project.stack,
    )
    assert f"\nuploaded the package to s3://{bucket}/message-router/" in done.stderr
    assert clients["s3"].get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_tells_what_was_made(project: Project) -> None:
    """Without --json it is tables: what changes, and then what there is, with the dashboard."""
    done = project.deploy("--yes")

    lines = done.stdout.splitlines()
    assert f"the stack '{project.stack}' is CREATE_COMPLETE" in lines
    link = f"https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/{project.stack}-us-east-1"
    assert f"dashboard: {link}" in lines
    assert any(f"{ACCOUNT}/{project.stack}-users-dlq" in line for line in lines)
    assert any("CREATE_COMPLETE" in line and "function" in line for line in done.stderr.splitlines())


def test_nothing_to_change(deployed: Project) -> None:
    """The same again is reported as that."""
    done = deployed.deploy("--yes")

    assert (done.exit_code, done.stdout, done.stderr.splitlines()) == (
        0,
        "",
        [
            f"account {ACCOUNT}, region us-east-1, stack '{deployed.stack}'",
            f"the stack '{deployed.stack}' is up to date: nothing to change",
            "compared what is deployed with the config: no findings",
        ],
    )


def drift(stack: str, clients: Mapping[str, Any]) -> None:
    """Change by hand what the router depends on: how Lambda reads the queue."""
    url = clients["sqs"].get_queue_url(QueueName=f"{stack}-users")["QueueUrl"]
    clients["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    (mapping,) = clients["lambda"].list_event_source_mappings(FunctionName=stack)["EventSourceMappings"]
    clients["lambda"].update_event_source_mapping(UUID=mapping["UUID"], FunctionResponseTypes=[])


def test_what_is_deployed_is_compared(deployed: Project, clients: Mapping[str, Any]) -> None:
    """Drift is reported though there is nothing to change, and decides the exit code."""
    drift(deployed.stack, clients)

    done = deployed.deploy("--yes", "--json")

    reported = json.loads(done.stdout)
    codes = [each["code"] for each in reported["findings"] if each["severity"] == "error"]
    assert (done.exit_code, reported["executed"], codes) == (1, False, ["RT742", "RT743"])
    assert done.stderr.splitlines()[-2:] == [
        "compared what is deployed with the config: 2 errors",
        "--revert-drift repairs what was changed by hand, where AWS can",
    ]


def test_a_sound_deployment(project: Project) -> None:
    """What was just deployed is compared, too, and has no findings."""
    done = project.deploy("--yes", "--json")

    assert (done.exit_code, json.loads(done.stdout)["findings"]) == (0, [])


@pytest.mark.parametrize("more", ["", ORDERS], ids=["nothing to change", "a new route"])
def test_a_dry_run_hides_no_drift(deployed: Project, clients: Mapping[str, Any], more: str) -> None:
    """What is deployed is compared with the config that runs, not with what the dry run would deploy."""
    drift(deployed.stack, clients)
    deployed.write(CONFIG + more)

    done = deployed.deploy("--dry-run", "--json")

    reported = json.loads(done.stdout)
    codes = [each["code"] for each in reported["findings"] if each["severity"] == "error"]
    assert (done.exit_code, codes, reported["executed"]) == (1, ["RT742", "RT743"], False)


def test_status_of_what_is_up_to_date(deployed: Project) -> None:
    """The status and the outputs are those of the stack, also if there was nothing to change."""
    done = deployed.deploy("--yes", "--json")

    reported = json.loads(done.stdout)
    assert (reported["executed"], reported["status"], reported["outputs"]["FunctionName"]) == (
        False,
        "CREATE_COMPLETE",
        deployed.stack,
    )


def test_status_of_what_is_refused(deployed: Project) -> None:
    """The status is that of the stack, which stays as it is."""
    deployed.write(CONFIG.replace("dead_letter: users-dlq}", "dead_letter: users-dlq, retention: 3d}"))

    done = deployed.deploy("--yes", "--json")

    reported = json.loads(done.stdout)
    assert (done.exit_code, reported["executed"], reported["status"]) == (1, False, "CREATE_COMPLETE")


def test_order_of_permissions(project: Project, clients: Mapping[str, Any]) -> None:
    """New permissions are there before the function changes and reads; the old ones are deleted at the end."""
    project.write(CONFIG + ORDERS)
    project.deploy("--yes")
    project.write(CONFIG + ORDERS.replace("orders", "clicks"))

    done = project.deploy("--yes", "--allow-destructive", *confirmed(project, "orders"))

    cloudformation = clients["cloudformation"]
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=project.stack)
    events = [each for page in pages for each in page["StackEvents"]][::-1]
    # ministack has no events of what an update deletes.
    completed = [each["LogicalResourceId"] for each in events if each["ResourceStatus"].endswith("_COMPLETE")]
    (policy,) = [
        each["LogicalResourceId"]
        for each in cloudformation.list_stack_resources(StackName=project.stack)["StackResourceSummaries"]
        if each["ResourceType"] == "AWS::IAM::ManagedPolicy"
    ]
    mapping = next(each for each in completed if each.startswith("MappingClicks"))
    changed = len(completed) - completed[::-1].index("Function") - 1
    assert (done.exit_code, completed.index(policy) < changed < completed.index(mapping)) == (0, True)
    (role,) = {each["PhysicalResourceId"] for each in events if each["LogicalResourceId"] == "Role"} - {""}
    attached = clients["iam"].list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy in each["PolicyName"] for each in attached] == [True]


def test_queue_setting(deployed: Project) -> None:
    """A setting of a queue is that change and no other."""
    deployed.write(CONFIG.replace("dead_letter: users-dlq}", "dead_letter: users-dlq, retention: 5d}"))

    assert deployed.changes() == [("modify", "queue", f"{deployed.stack}-users", ["MessageRetentionPeriod"])]


def test_parameters_stay(project: Project, clients: Mapping[str, Any]) -> None:
    """A parameter that is not named again keeps its value; one that changes is shown before and after."""
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms"
    project.deploy("--yes", "--parameter", f"AlarmTopic={topic}")
    project.write(CONFIG + ORDERS)

    kept = project.deploy("--yes", "--json")
    values = {
        each["ParameterKey"]: each["ParameterValue"]
        for each in clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"][0]["Parameters"]
    }
    changed = project.deploy("--dry-run", "--parameter", f"AlarmTopic={topic}2")

    assert (kept.exit_code, json.loads(kept.stdout)["parameters"], values["AlarmTopic"]) == (0, {}, topic)
    assert f"parameter AlarmTopic: {topic} → {topic}2" in changed.stderr.splitlines()


def test_values_stay(project: Project) -> None:
    """A variable that is not set again keeps its value where the template has that value, too."""
    settings = 'retention: "${RETENTION:-4d}", lambda: {batch_size: "${BATCH:-50}"}'
    project.write(CONFIG.replace("dead_letter: users-dlq}", f"dead_letter: users-dlq, {settings}}}"))
    project.deploy("--yes", RETENTION="5d", BATCH="5")

    again = project.deploy("--yes")
    changed = project.changes("--parameter", "RETENTION=6d")

    assert (again.exit_code, again.stderr.splitlines()[1]) == (
        0,
        f"the stack '{project.stack}' is up to date: nothing to change",
    ), again.output
    assert ("modify", "queue", f"{project.stack}-users", ["MessageRetentionPeriod"]) in changed


def test_shorter_retention(deployed: Project, clients: Mapping[str, Any]) -> None:
    """A shorter retention is refused: it deletes messages, which are counted."""
    url = clients["sqs"].get_queue_url(QueueName=f"{deployed.stack}-users")["QueueUrl"]
    for _ in range(5):
        clients["sqs"].send_message(QueueUrl=url, MessageBody="{}")
    deployed.write(CONFIG.replace("dead_letter: users-dlq}", "dead_letter: users-dlq, retention: 3d}"))

    refused = deployed.deploy("--yes")
    shown = deployed.deploy("--dry-run", "--json")

    loss = "DELETES messages older than 3 days; they are kept for 4 days now (5 messages now)"
    assert (refused.exit_code, last(refused)) == (
        1,
        f"refused without --allow-destructive: '{deployed.stack}-users': {loss}",
    )
    (change,) = [each for each in json.loads(shown.stdout)["changes"] if each["loses"]]
    assert change["values"] == [{"name": "MessageRetentionPeriod", "before": 345600, "after": 259200}]


def test_expiring_items(deployed: Project) -> None:
    """A time to live that is switched on is refused: it may delete items."""
    deployed.write(CONFIG.replace("key: {id: S}}", "key: {id: S}, ttl: expires_at}"))

    refused = deployed.deploy("--yes")

    loss = f"'{deployed.stack}-users': EXPIRES items by their 'expires_at' (0 items now)"
    assert (refused.exit_code, last(refused)) == (1, f"refused without --allow-destructive: {loss}")


KEY = "arn:aws:kms:us-east-1:123456789012:key/{}234abcd-12ab-34cd-56ef-1234567890ab"


def write_keys(project: Project, settings: str) -> None:
    """Write a config whose queue has such settings."""
    project.write(CONFIG.replace("users-dlq}", f"users-dlq, {settings}}}"))


def test_another_kms_key(project: Project) -> None:
    """Another KMS key is refused: what is stored needs the previous one."""
    write_keys(project, f"kms_key: '{KEY.format(1)}'")
    project.deploy("--yes")
    write_keys(project, f"kms_key: '{KEY.format(2)}'")

    refused = project.deploy("--yes")

    loss = (
        f"CHANGES the KMS key: stored messages need the previous one, {KEY.format(1)}: set it as kms_key_previous "
        "(RT791) (0 messages now)"
    )
    assert (refused.exit_code, loss in last(refused)) == (1, True)


@pytest.mark.parametrize("previous", [f"'{KEY.format(1)}'", '"${OLD_KEY}"'], ids=["literal", "variable"])
def test_previous_kms_key(project: Project, previous: str) -> None:
    """With the previous key as such nothing is lost, and the role may decrypt with both."""
    write_keys(project, f"kms_key: '{KEY.format(1)}'")
    project.deploy("--yes")
    write_keys(project, f"kms_key: '{KEY.format(2)}', kms_key_previous: {previous}")

    shown = project.deploy("--dry-run", "--json", OLD_KEY=KEY.format(1))

    (queue,) = [each for each in json.loads(shown.stdout)["changes"] if each["resource"] == "queue"]
    assert (queue["loses"], queue["verb"], queue["details"]) == (False, "modify", ["KmsMasterKeyId"])


def test_name_of_what_is_lost(deployed: Project) -> None:
    """A queue that is replaced is called as it is now, not as the config calls the new one."""
    refused = deployed.deploy("--yes", "--parameter", f"STAGE=other-{deployed.stack}")

    assert (refused.exit_code, f"'{deployed.stack}-users': REPLACES the queue with an empty one" in last(refused)) == (
        1,
        True,
    )


def test_new_route(deployed: Project) -> None:
    """A new route adds its queues and what belongs to them; the role and dashboard get to know them."""
    deployed.write(CONFIG + ORDERS)

    changes = deployed.changes()

    assert [each for each in changes if each[1] == "queue"] == [
        ("add", "queue", f"{deployed.stack}-orders", []),
        ("add", "queue", f"{deployed.stack}-orders-dlq", []),
    ]
    assert sorted((each[0] == "add", each[1]) for each in changes if each[1] != "queue") == [
        (False, "dashboard"),
        (False, "managed policy"),
        *[(True, "alarm")] * 5,
        (True, "event source mapping"),
        (True, "managed policy"),
        *[(True, "queue policy")] * 2,
    ]


def confirmed(project: Project, queue: str) -> tuple[str, ...]:
    """The options that name a queue and its dead-letter queue instead of typing their names."""
    return ("--confirm", f"{project.stack}-{queue}", "--confirm", f"{project.stack}-{queue}-dlq")


def test_removed_route(project: Project, clients: Mapping[str, Any]) -> None:
    """A route that is gone takes its queues with it: refused, in words, until that is allowed."""
    project.write(CONFIG + ORDERS)
    project.deploy("--yes")
    project.write(CONFIG)

    refused = project.deploy("--yes")
    unnamed = project.deploy("--yes", "--allow-destructive", "--confirm", f"{project.stack}-orders")
    still = clients["sqs"].get_queue_url(QueueName=f"{project.stack}-orders")["QueueUrl"]
    done = project.deploy("--yes", "--allow-destructive", *confirmed(project, "orders"), "--json")

    sentence = (
        f"refused without --allow-destructive: '{project.stack}-orders': DELETES the queue and its messages "
        f"(0 messages now); '{project.stack}-orders-dlq': DELETES the queue and its messages (0 messages now)"
    )
    queues = clients["sqs"].list_queues(QueueNamePrefix=f"{project.stack}-orders").get("QueueUrls", [])
    assert (refused.exit_code, last(refused), bool(still)) == (1, sentence, True)
    assert "REMOVE" in refused.stdout
    names = f"--confirm {project.stack}-orders --confirm {project.stack}-orders-dlq"
    asks = f"standard input is not a terminal; --yes {names} continues without asking"
    assert (unnamed.exit_code, last(unnamed)) == (2, f"router: cannot ask for confirmation: {asks}")
    assert (done.exit_code, json.loads(done.stdout)["destructive"], queues) == (0, True, [])


RETAINED = CONFIG.replace("queues:\n", 'queues:\n  orders: {name: "${STAGE}-orders", deletion_policy: retain}\n')
RETAINED += "  orders: {queue: orders, table: users, item: {id: id}}\n"


def waiting(clients: Mapping[str, Any], name: str) -> str:
    """The number of messages on a queue."""
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    answer = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return str(answer["Attributes"]["ApproximateNumberOfMessages"])


def test_retained_queue(project: Project, clients: Mapping[str, Any]) -> None:
    """A queue that is to be kept is retained first, then taken out of the configuration: nothing is lost."""
    project.write(RETAINED.replace(", deletion_policy: retain", ""))
    project.deploy("--yes")
    project.write(RETAINED)
    retaining = project.changes()
    project.deploy("--yes")
    queue = f"{project.stack}-orders"
    url = clients["sqs"].get_queue_url(QueueName=queue)["QueueUrl"]
    (mapping,) = clients["lambda"].list_event_source_mappings(
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"
    )["EventSourceMappings"]
    clients["lambda"].update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    for _ in range(2):
        clients["sqs"].send_message(QueueUrl=url, MessageBody="{}")
    project.write(CONFIG)

    done = project.deploy("--yes")

    policies = ["DeletionPolicy", "UpdateReplacePolicy"]
    assert [each for each in retaining if each[1] == "queue"] == [
        ("modify", "queue", name, policies) for name in (queue, f"{queue}-dlq")
    ]
    assert "the queue stays, and nothing reads it any more (2 messages now)" in done.stdout
    assert (done.exit_code, waiting(clients, queue), waiting(clients, f"{queue}-dlq")) == (0, "2", "0")


def test_undeploy_keeps_a_retained_queue(project: Project, clients: Mapping[str, Any]) -> None:
    """And says so."""
    project.write(RETAINED)
    project.deploy("--yes")

    done = project.run("undeploy", "--yes", "--json")

    queue = f"{project.stack}-orders"
    assert (done.exit_code, json.loads(done.stdout)["queues_kept"]) == (0, [queue, f"{queue}-dlq"])
    assert waiting(clients, queue) == "0"


def test_removed_table(project: Project, clients: Mapping[str, Any]) -> None:
    """A table that no route writes to any more leaves the stack and stays, so that nothing is refused."""
    project.write(CONFIG.replace("tables: {", 'tables: {old: {name: "${STAGE}-old", key: {id: S}}, '))
    project.deploy("--yes")
    project.write(CONFIG)

    changes = project.changes()
    done = project.deploy("--yes")

    table = f"{project.stack}-old"
    assert (changes, done.exit_code) == ([("retain", "table", table, [])], 0)
    assert clients["dynamodb"].describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"


def test_another_key(deployed: Project) -> None:
    """Another key makes another table, which is refused before AWS refuses it."""
    deployed.write(CONFIG.replace("key: {id: S}", "key: {user: S}"))

    table = f"{deployed.stack}-users"
    refused = deployed.deploy("--yes", "--allow-destructive", "--confirm", table)

    sentence = (
        f"router: RT792 the table '{table}' of the stack has the key {{id: S}} (about 0 items), and the config says "
        "{user: S}: that is another table, and AWS does not create it while the name is taken; give it another name, "
        "and the stack retains the old one"
    )
    assert (refused.exit_code, last(refused)) == (2, sentence)


def create_table(clients: Mapping[str, Any], name: str, key: str) -> None:
    """Create a table that no stack has."""
    clients["dynamodb"].create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_existing_table_with_another_key(project: Project, clients: Mapping[str, Any]) -> None:
    """An existing table with another key is refused before anything is made."""
    table = f"{project.stack}-users"
    create_table(clients, table, "user")

    refused = project.deploy("--yes")

    stacks = [each["StackName"] for each in clients["cloudformation"].describe_stacks()["Stacks"]]
    sentence = f"router: the table '{table}' exists with the key {{user: S}}, and the config says {{id: S}}: give the "
    assert (refused.exit_code, last(refused), project.stack in stacks) == (
        2,
        sentence + "table of the config another name, or the key that it has",
        False,
    )


def test_existing_table(project: Project, clients: Mapping[str, Any]) -> None:
    """What is imported is said with its properties."""
    table = f"{project.stack}-users"
    create_table(clients, table, "id")

    shown = project.deploy("--dry-run")

    properties = "about 0 items, 0 secondary indexes, on-demand capacity, no time to live"
    assert (shown.exit_code, f"the table '{table}' exists and is imported as it is: {properties}" in shown.stderr) == (
        0,
        True,
    )


@pytest.mark.parametrize("command", ["deploy", "undeploy"])
@pytest.mark.parametrize(("description", "reported"), [("", ""), ("the shop", " (its description is 'the shop')")])
def test_stack_of_something_else(
    project: Project, clients: Mapping[str, Any], command: str, description: str, reported: str
) -> None:
    """A stack that was not made by the router is left alone, whatever is requested."""
    body: dict[str, Any] = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    body |= {"Description": description} if description else {}
    clients["cloudformation"].create_stack(StackName=project.stack, TemplateBody=json.dumps(body))
    clients["cloudformation"].get_waiter("stack_create_complete").wait(StackName=project.stack)

    done = project.deploy("--yes", "--allow-destructive") if command == "deploy" else project.run(command, "--yes")

    sentence = f"the stack '{project.stack}' was not created by the router{reported}; use another stack name"
    assert (done.exit_code, last(done)) == (2, f"router: {sentence}")


def test_description(project: Project) -> None:
    """The description of a template is what such a stack is known by."""
    document = make_document(read_for_deployment(project.config, {"STAGE": "x"}))

    assert document.body["Description"].startswith(DESCRIPTION)


def test_nobody_to_ask(project: Project, clients: Mapping[str, Any]) -> None:
    """Without a terminal and without --yes nothing is done, and it says why."""
    done = project.deploy()

    stacks = [each["StackName"] for each in clients["cloudformation"].describe_stacks()["Stacks"]]
    assert (done.exit_code, last(done), project.stack in stacks) == (
        2,
        "router: cannot ask for confirmation: standard input is not a terminal; --yes continues without asking",
        False,
    )


def test_findings(project: Project) -> None:
    """A config with errors is not deployed."""
    project.config.write_text(CONFIG.replace("table: users", "table: user"))

    done = project.deploy("--yes")

    assert (done.exit_code, last(done)) == (1, "1 error")
    assert "RT102" in done.stdout or "did you mean 'users'" in done.stdout


def test_another_package(project: Project) -> None:
    """A package of another config is not deployed."""
    project.config.write_text(CONFIG + ORDERS)

    done = project.deploy("--yes")

    assert (done.exit_code, "was built from another routes.yaml or by another version" in last(done)) == (2, True)


def test_package_of_before(project: Project, tmp_path: Path) -> None:
    """A package that has a plugin as it was before is not deployed."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "devices.py").write_text("# changed since")
    with zipfile.ZipFile(tmp_path / "lambda.zip", "a") as archive:
        archive.writestr("plugins/devices.py", "")

    done = project.deploy("--yes")

    assert (done.exit_code, "has an older plugins/devices.py; build it again" in last(done)) == (
        2,
        True,
    )


def test_no_package(project: Project, tmp_path: Path) -> None:
    """What is no package is reported."""
    (tmp_path / "lambda.zip").write_bytes(b"")

    done = project.deploy("--yes")

    assert (done.exit_code, "is not a package made by router build" in last(done)) == (2, True)


@pytest.mark.parametrize(
    ("words", "variables", "sentence"),
    [
        ((), {"STAGE": ""}, "no value for STAGE: pass --parameter STAGE=… or set it in the environment"),
        (("--parameter", "STAG=x"), {}, "there is no variable or parameter 'STAG'; there are: "),
        (("--parameter", "STAGE"), {}, "'STAGE' is not NAME=VALUE"),
        (("--stack", "two words"), {}, "'two words' is not a valid stack name"),
        (("--stack", "x" * 65), {}, "the function gets the name of the stack, and"),
        (("--bucket", "no-such-bucket-here"), {}, "there is no bucket 'no-such-bucket-here'; without --bucket one is"),
    ],
)
def test_cannot(project: Project, words: tuple[str, ...], variables: dict[str, str], sentence: str) -> None:
    """What cannot be done is said in a sentence, and leaves no stack."""
    done = project.deploy("--yes", *words, **variables)

    assert (done.exit_code, sentence in done.stderr) == (2, True), done.output


def test_parameters(project: Project, clients: Mapping[str, Any]) -> None:
    """--parameter goes before the environment, for the config, its check, and the template."""
    done = project.deploy("--yes", "--parameter", f"STAGE={project.stack}", STAGE="other")

    names = clients["sqs"].list_queues(QueueNamePrefix=f"{project.stack}-users")["QueueUrls"]
    assert (done.exit_code, len(names)) == (0, 2)


def test_long_template(project: Project) -> None:
    """A template that is too long for the call is put into the bucket."""
    routes = "".join(f'  r{n}: {{queue: "${{STAGE}}-{n}", table: users, item: {{id: id}}}}\n' for n in range(25))
    project.write(CONFIG + routes)

    assert sum(each[:2] == ("add", "queue") for each in project.changes()) == 52


def test_worker(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """--worker makes a service instead of the function, and keeps the package of its config."""

    def without_scaling(config: DeployableConfig, as_worker: bool) -> Document:
        # ministack's CloudFormation does not know these.
        document = make_document(config, as_worker)
        resources = document.body["Resources"].items()
        kept = {id_: each for id_, each in resources if "ApplicationAutoScaling" not in each["Type"]}
        return structs.replace(document, body={**document.body, "Resources": kept})

    monkeypatch.setattr(parts, "make_document", without_scaling)
    given = {"Image": "worker:1", "Subnets": "subnet-1,subnet-2", "SecurityGroups": "sg-1"}
    words = [word for name, value in given.items() for word in ("--parameter", f"{name}={value}")]

    done = project.run("deploy", "-c", str(project.config), "--worker", "--yes", "--json", *words)

    reported = json.loads(done.stdout)
    made = {each["resource"] for each in reported["changes"]}
    assert (done.exit_code, reported["status"], "ServiceName" in reported["outputs"]) == (0, "CREATE_COMPLETE", True)
    assert ({"service", "cluster", "queue", "table"} <= made, "function" in made, "uploaded" in done.stderr) == (
        True,
        False,
        True,
    )


def test_update_fails(deployed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that fails says why, and leaves the stack as it was."""
    # Somebody deletes the package before the function gets it.
    monkeypatch.setattr(Deployment, "upload_package", lambda self, artifacts: True)
    deployed.write(CONFIG + ORDERS)

    done = deployed.deploy("--yes", "--json")

    reported = json.loads(done.stdout)
    assert (done.exit_code, reported["status"], reported["cause"]["resource"]) == (
        1,
        "UPDATE_ROLLBACK_COMPLETE",
        "Function",
    )
    assert f"the stack '{deployed.stack}' could not be updated: Function (AWS::Lambda::Function): " in done.stderr
    assert last(done) == "the stack is rolled back to its previous state"


def test_nobody_watches(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who interrupts it while AWS is at work is reported that AWS goes on."""

    def interrupted(console: Any, events: Iterator[Any], *_: Any) -> None:
        next(events)
        raise KeyboardInterrupt

    monkeypatch.setattr(stack_run, "watch", interrupted)

    done = project.deploy("--yes")

    until = "and rolls it back, since the new version was not tried"
    sentence = f"AWS continues to change the stack '{project.stack}', {until}; deploy again to see the result"
    assert (done.exit_code, sentence in done.stderr) == (1, True)


def test_undeploys(deployed: Project, clients: Mapping[str, Any]) -> None:
    """What goes is gone, with the messages that were on queues; the table stays, and comes back with the next stack."""
    url = clients["sqs"].get_queue_url(QueueName=f"{deployed.stack}-users-dlq")["QueueUrl"]
    clients["sqs"].send_message(QueueUrl=url, MessageBody="m")
    table = f"{deployed.stack}-users"
    clients["dynamodb"].put_item(TableName=table, Item={"id": {"S": "kept"}})

    done = deployed.run("undeploy", "--yes", "--confirm", f"{table}-dlq")
    again = deployed.deploy("--yes", "--json")

    (row,) = [line for line in done.stdout.splitlines() if f"{table}-dlq" in line]
    assert (done.exit_code, last(done)) == (0, f"kept: {table} (the next deployment imports them)")
    assert [cell.strip() for cell in row.split("│")[1:5]] == ["DELETED", "queue", f"{table}-dlq", "1 message"]
    taken = [each["name"] for each in json.loads(again.stdout)["changes"] if each["verb"] == "import"]
    assert (again.exit_code, taken, clients["dynamodb"].scan(TableName=table)["Count"]) == (0, [table], 1)


def test_undeploys_tables(deployed: Project, clients: Mapping[str, Any]) -> None:
    """With --delete-tables the table goes too, protected as it is, if the stack is named again."""
    refused = deployed.run("undeploy", "--delete-tables", "--yes")
    still = clients["dynamodb"].describe_table(TableName=f"{deployed.stack}-users")["Table"]["TableStatus"]
    done = deployed.run("undeploy", "--delete-tables", "--yes", "--confirm", deployed.stack, "--json")

    table = f"{deployed.stack}-users"
    asks = f"standard input is not a terminal; --yes --confirm {deployed.stack} continues without asking"
    assert (refused.exit_code, last(refused), still) == (2, f"router: cannot ask for confirmation: {asks}", "ACTIVE")
    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {"stack": deployed.stack, "deleted": True, "tables_kept": [], "tables_deleted": [table], "queues_kept": []},
    )
    pages = clients["dynamodb"].get_paginator("list_tables").paginate()
    assert table not in [name for page in pages for name in page["TableNames"]]


def test_nothing_to_undeploy(project: Project) -> None:
    """A stack that is not there is no fault."""
    done = project.run("undeploy", "--yes", "--json")

    assert (done.exit_code, json.loads(done.stdout), last(done)) == (
        0,
        {"stack": project.stack, "deleted": False, "tables_kept": [], "tables_deleted": [], "queues_kept": []},
        f"there is no stack '{project.stack}' in us-east-1: nothing to do",
    )


def test_undeploy_asks(deployed: Project) -> None:
    """Without a terminal and without --yes nothing is deleted."""
    done = deployed.run("undeploy")

    assert (done.exit_code, last(done)) == (
        2,
        "router: cannot ask for confirmation: standard input is not a terminal; --yes continues without asking",
    )
    assert deployed.changes() == []
