"""Stacks, change sets and their events on ministack, with a template of two resources, and IAM enforced."""

import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import boto3
import pytest

from router.errors import UsageError
from router.tools.control_plane.clients import (
    AwsCallError,
    ServiceClient,
    caller_account,
    connect_services,
    count_messages,
    delete_table,
)
from router.tools.control_plane.resource_changes import ResourceChange
from router.tools.control_plane.stacks import Stacks, StackTemplate
from tests.support.dev import ACCOUNT, LocalAws
from tests.support.ops import (
    DeploymentResult,
    PlannedRemoval,
    create_change_set,
    delete_stack,
    discard,
    execute,
    plan_removal,
    read_result,
)

Inside = Callable[..., AbstractContextManager[None]]

TABLE: dict[str, Any] = {
    "Type": "AWS::DynamoDB::Table",
    "DeletionPolicy": "Retain",
    "Properties": {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    },
}


@pytest.fixture(scope="module")
def services(guarded: LocalAws, inside: Inside) -> Mapping[str, ServiceClient]:
    """The services, called by the root of the account."""
    with inside(guarded):
        return connect_services(("cloudformation", "s3", "sts", "sqs", "dynamodb"))


@pytest.fixture
def stacks(services: Mapping[str, ServiceClient]) -> Stacks:
    """Its stacks."""
    return Stacks(services["cloudformation"])


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:12]}"


def template(name: str, retention: int = 60, table: bool = True, **more: Any) -> StackTemplate:
    """A queue and a table, with outputs; `visibility` of the queue is a parameter."""
    properties = {"QueueName": name, "MessageRetentionPeriod": retention, "VisibilityTimeout": {"Ref": "Visibility"}}
    resources: dict[str, Any] = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}, **more}
    if table:
        resources["Table"] = {**TABLE, "Properties": {**TABLE["Properties"], "TableName": name}}
    body = {
        "Parameters": {"Visibility": {"Type": "Number", "Default": "30"}},
        "Resources": resources,
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}},
    }
    return StackTemplate(json.dumps(body))


BROKEN = {"Type": "AWS::SQS::Queue", "DependsOn": ["Queue", "Table"], "Properties": {"VisibilityTimeout": 99_999}}


def deploy(stacks: Stacks, name: str, template: StackTemplate, **parameters: str) -> DeploymentResult:
    """Create a change set and execute it."""
    prepared = create_change_set(stacks, name, template, parameters)
    return read_result(stacks, prepared, list(execute(stacks, prepared)))


def test_creates(stacks: Stacks, name: str) -> None:
    """A new stack: what is added, each event from the beginning to the end, and its outputs."""
    prepared = create_change_set(stacks, name, template(name), {"Visibility": "45"})
    events = list(execute(stacks, prepared))
    result = read_result(stacks, prepared, events)

    assert (prepared.creates, prepared.fresh, prepared.changes) == (
        True,
        True,
        (
            ResourceChange("Add", "Queue", "", "AWS::SQS::Queue"),
            ResourceChange("Add", "Table", "", "AWS::DynamoDB::Table"),
        ),
    )
    assert [(each.logical_id, each.status) for each in events] == [
        (name, "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_COMPLETE"),
        ("Table", "CREATE_IN_PROGRESS"),
        ("Table", "CREATE_COMPLETE"),
        (name, "CREATE_COMPLETE"),
    ]
    assert (result.succeeded, result.status, result.outputs["Url"].rpartition("/")[2], result.cause, result.kept) == (
        True,
        "CREATE_COMPLETE",
        name,
        None,
        (),
    )


def test_nothing_to_change(stacks: Stacks, name: str) -> None:
    """The same template is no change, and leaves no change set."""
    deploy(stacks, name, template(name))

    prepared = create_change_set(stacks, name, template(name), {})

    assert prepared.changes is None
    with pytest.raises(AwsCallError) as caught:
        stacks.change_set(prepared.change_set)
    assert caught.value.code == "ChangeSetNotFound"


def test_changes_by_template_and_by_parameter(stacks: Stacks, name: str) -> None:
    """Changes of the template and of parameters are listed by property; a retained table stays."""
    deploy(stacks, name, template(name))

    by_template = create_change_set(stacks, name, template(name, retention=90, table=False), {})
    by_parameter = create_change_set(stacks, name, template(name), {"Visibility": "60"})

    found = [
        [(each.action, each.logical_id, each.replacement, each.policy, each.details) for each in prepared.changes or ()]
        for prepared in (by_template, by_parameter)
    ]
    assert found == [
        [
            ("Modify", "Queue", "False", "", ("MessageRetentionPeriod",)),
            ("Remove", "Table", "", "Retain", ()),
        ],
        [("Modify", "Queue", "False", "", ("VisibilityTimeout",))],
    ]


def test_creation_fails(stacks: Stacks, name: str) -> None:
    """A creation that fails deletes its resources but tables; the cause is the resource that failed first."""
    result = deploy(stacks, name, template(name, Broken=BROKEN))

    reason = "Invalid value for the parameter VisibilityTimeout. Value must be between 0 and 43200."
    cause = result.cause
    assert cause
    assert (result, stacks.find(name)) == (DeploymentResult("DELETE_COMPLETE", {}, cause, (name,)), None)
    assert (cause.logical_id, cause.type, cause.reason) == ("Broken", "AWS::SQS::Queue", reason)


def test_update_fails(stacks: Stacks, name: str, services: Mapping[str, ServiceClient]) -> None:
    """An update that fails leaves the stack as it was."""
    url = deploy(stacks, name, template(name)).outputs["Url"]

    result = deploy(stacks, name, template(name, retention=90, Broken=BROKEN))

    attributes = services["sqs"].call("GetQueueAttributes", QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
    assert (result.status, result.cause and result.cause.logical_id, attributes["Attributes"]) == (
        "UPDATE_ROLLBACK_COMPLETE",
        "Broken",
        {"MessageRetentionPeriod": "60"},
    )


def test_withdrawn(stacks: Stacks, name: str) -> None:
    """With a discarded change set the stack that exists only for it is deleted."""
    prepared = create_change_set(stacks, name, template(name), {})

    discard(stacks, prepared)

    assert stacks.find(name) is None


def test_withdrawn_beside_another(stacks: Stacks, name: str) -> None:
    """Another user's change set for a stack that does not exist yet stays."""
    theirs = create_change_set(stacks, name, template(name), {})
    ours = create_change_set(stacks, name, template(name), {})

    discard(stacks, ours)

    assert (ours.fresh, stacks.change_set(theirs.change_set).status) == (False, "CREATE_COMPLETE")


def test_overtaken(stacks: Stacks, name: str) -> None:
    """A change set that another deployment has overtaken is reported as that, and changes nothing."""
    deploy(stacks, name, template(name))
    ours = create_change_set(stacks, name, template(name, retention=90), {})
    stacks.discard(ours.change_set)

    with pytest.raises(UsageError) as caught:
        list(execute(stacks, ours))

    assert str(caught.value) == (
        f"another deployment has changed the stack '{name}' since its changes were shown; nothing was changed: "
        "deploy again"
    )


def test_template_that_will_not_do(stacks: Stacks, name: str) -> None:
    """The error about a refused call names the action, and no stack is left."""
    with pytest.raises(UsageError, match=r"^AWS refuses cloudformation:CreateChangeSet: Template format error"):
        create_change_set(stacks, name, StackTemplate("{nonsense"), {})

    assert stacks.find(name) is None


def test_change_set_that_cannot_be_made(stacks: Stacks, name: str) -> None:
    """If AWS accepts the request but cannot create the change set, the error has the reason, and no stack is left."""
    other = f"{name}-other"
    function = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}
    deploy(stacks, other, template(other, Log=function))

    with pytest.raises(
        UsageError,
        match=r"^AWS cannot create a change set of the template: .*; set 'managed: false' on a queue or table",
    ):
        create_change_set(stacks, name, template(name, Log=function), {})

    assert stacks.find(name) is None


@pytest.mark.parametrize("bad", ["1st", "two words", "", "x" * 129])
def test_bad_name(stacks: Stacks, bad: str) -> None:
    """An invalid name of a stack is an error before any call."""
    with pytest.raises(UsageError, match="is not a valid stack name: letters, digits and '-', beginning with a letter"):
        stacks.find(bad)


def test_removal(stacks: Stacks, name: str, services: Mapping[str, ServiceClient]) -> None:
    """The resources that are deleted and that stay are predicted, with the number of lost messages."""
    url = deploy(stacks, name, template(name)).outputs["Url"]
    services["sqs"].call("SendMessage", QueueUrl=url, MessageBody="m")
    stack = stacks.find(name)
    assert stack

    planned = plan_removal(stacks, services["sqs"], stack)
    events = list(delete_stack(stacks, stack))

    assert planned == (
        PlannedRemoval(name, "queue", "AWS::SQS::Queue", False, 1),
        PlannedRemoval(name, "table", "AWS::DynamoDB::Table", True),
    )
    assert [(each.logical_id, each.status) for each in events] == [
        (name, "DELETE_IN_PROGRESS"),
        ("Table", "DELETE_SKIPPED"),
        ("Queue", "DELETE_IN_PROGRESS"),
        ("Queue", "DELETE_COMPLETE"),
        (name, "DELETE_COMPLETE"),
    ]


def test_removal_of_what_was_made_from_yaml(stacks: Stacks, name: str, services: Mapping[str, ServiceClient]) -> None:
    """The same for a stack that was created from YAML, with short forms of functions."""
    text = f"""\
Resources:
  Queue: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub "{name}"}}}}
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties: {json.dumps({**TABLE["Properties"], "TableName": name})}
"""
    deploy(stacks, name, StackTemplate(text))
    stack = stacks.find(name)
    assert stack

    planned = plan_removal(stacks, services["sqs"], stack)

    assert [(each.kind, each.kept) for each in planned] == [("queue", False), ("table", True)]


def test_short_forms(stacks: Stacks, name: str) -> None:
    """A template that was written with tags is returned with the long forms of its functions."""
    text = f"""\
Conditions: {{Always: !Not [!Equals ["a", "b"]]}}
Resources:
  Queue: {{Type: AWS::SQS::Queue, Properties: {{QueueName: !Sub "{name}"}}}}
Outputs:
  Arn: {{Value: !GetAtt Queue.Arn, Condition: Always}}
  Url: {{Value: !Ref Queue}}
  Map: {{Value: !Join ["-", [!GetAtt [Queue, QueueName], "x"]]}}
"""
    deploy(stacks, name, StackTemplate(text))
    stack = stacks.find(name)
    assert stack

    found = stacks.template(stack.id)

    assert found["Conditions"] == {"Always": {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}}
    assert found["Resources"]["Queue"]["Properties"] == {"QueueName": {"Fn::Sub": name}}
    assert [each["Value"] for each in found["Outputs"].values()] == [
        {"Fn::GetAtt": ["Queue", "Arn"]},
        {"Ref": "Queue"},
        {"Fn::Join": ["-", [{"Fn::GetAtt": ["Queue", "QueueName"]}, "x"]]},
    ]


def test_removal_of_what_is_only_proposed(stacks: Stacks, name: str, services: Mapping[str, ServiceClient]) -> None:
    """A stack that has only a change set has no resources, and is deleted."""
    create_change_set(stacks, name, template(name), {})
    stack = stacks.find(name)
    assert stack

    assert (plan_removal(stacks, services["sqs"], stack), list(delete_stack(stacks, stack))[-1].status) == (
        (),
        "DELETE_COMPLETE",
    )


def test_protected_table(stacks: Stacks, name: str, services: Mapping[str, ServiceClient]) -> None:
    """A table is deleted, protected or not; one that does not exist is no error."""
    deploy(stacks, name, template(name))

    delete_table(services["dynamodb"], name)
    delete_table(services["dynamodb"], name)

    with pytest.raises(AwsCallError) as caught:
        services["dynamodb"].call("DescribeTable", TableName=name)
    assert caught.value.code == "ResourceNotFoundException"


def test_messages_of_a_queue_that_is_gone(services: Mapping[str, ServiceClient], name: str) -> None:
    """If the call fails, the number of messages is unknown."""
    assert count_messages(services["sqs"], f"http://localhost/{ACCOUNT}/{name}") is None


def test_account(services: Mapping[str, ServiceClient]) -> None:
    """The identity of the caller has the account and the partition."""
    assert caller_account(services["sts"]) == (ACCOUNT, "aws")


@pytest.fixture
def nobody(guarded: LocalAws, inside: Inside, name: str) -> Mapping[str, ServiceClient]:
    """The services, called by a user who may do nothing."""
    with inside(guarded):
        iam = boto3.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    with inside(guarded, **keys):
        return connect_services(("cloudformation", "s3"))


def test_not_permitted(nobody: Mapping[str, ServiceClient], name: str) -> None:
    """The error about a missing permission has IAM's name of the action."""
    with pytest.raises(UsageError) as caught:
        create_change_set(Stacks(nobody["cloudformation"]), name, template(name), {})

    assert str(caught.value).startswith(
        "these credentials may not do cloudformation:DescribeStacks: User: arn:aws:iam:"
    )


def test_not_permitted_by_another_name(
    nobody: Mapping[str, ServiceClient], services: Mapping[str, ServiceClient], name: str
) -> None:
    """If S3's action has another name than its operation, the error has that of the action."""
    services["s3"].call("CreateBucket", Bucket=name)

    with pytest.raises(UsageError) as caught:
        nobody["s3"].call("HeadBucket", Bucket=name)

    assert str(caught.value) == "these credentials may not do s3:ListBucket"


def test_unknown_credentials(guarded: LocalAws, inside: Inside) -> None:
    """Invalid credentials are an error."""
    with inside(guarded, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE"):
        sts = connect_services(("sts",))["sts"]

    with pytest.raises(UsageError, match=r"^AWS does not accept the credentials of this environment"):
        caller_account(sts)


def test_no_credentials(in_environment: Any) -> None:
    """Missing credentials are an error."""
    in_environment(
        AWS_REGION="us-east-1",
        AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
        AWS_EC2_METADATA_DISABLED="true",
    )

    with pytest.raises(UsageError, match=r"^there are no AWS credentials in this environment$"):
        caller_account(connect_services(("sts",))["sts"])


def test_no_answer(in_environment: Any) -> None:
    """An unreachable endpoint is an error."""
    in_environment(
        AWS_REGION="us-east-1", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x"
    )

    with pytest.raises(UsageError, match=r"^AWS did not answer sts:GetCallerIdentity: "):
        caller_account(connect_services(("sts",))["sts"])
