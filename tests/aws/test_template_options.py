"""What a platform asks of a stack: tags, a permissions boundary, a role of CloudFormation, patches; on ministack."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.projects import CONFIG, Inside, StackProject
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
ACCOUNT = "000000000000"
TAGGED = CONFIG.replace("version: 1\n", "version: 1\ntags: {team: '${TEAM:-shop}'}\n")


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    client: Any = boto3.client
    with inside(guarded):
        services = ("cloudformation", "dynamodb", "iam", "lambda")
        return {each: client(each) for each in services}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is not deployed yet."""
    return StackProject(tmp_path, inside, guarded)


def test_tags_boundary_and_role(project: StackProject, clients: Mapping[str, Any]) -> None:
    """They reach the stack and its resources, and stay if a later change does not name them."""
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": trust}
    arn = clients["iam"].create_role(
        RoleName=f"{project.stack}-changes", AssumeRolePolicyDocument=json.dumps(document)
    )["Role"]["Arn"]
    rights = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    boundary = clients["iam"].create_policy(PolicyName=f"{project.stack}-boundary", PolicyDocument=json.dumps(rights))[
        "Policy"
    ]["Arn"]
    project.write(TAGGED)

    project.deploy("--tag", "cost=42", "--permissions-boundary", boundary, "--role-arn", arn)
    project.write(TAGGED.replace("item: {id: id,", "item: {id: id, x: y,"))
    done = project.deploy()

    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    assert {each["Key"]: each["Value"] for each in stack["Tags"]} == {"team": "shop", "cost": "42"}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert (parameters["PermissionsBoundary"], stack.get("RoleARN", arn)) == (boundary, arn)
    assert "Tags" not in done.stdout
    assert "the stack keeps its tags cost, which the config does not have; --tag gives others" in done.stderr


def test_a_patch_that_takes_protection_away(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It is a loss of the table, and confirmed by its name."""
    project.write()
    project.deploy()
    patch = project.folder / "patch.yaml"
    patch.write_text("Resources: {AWS::DynamoDB::Table: {Properties: {DeletionProtectionEnabled: false}}}")
    name = f"{project.stack}-orders"

    refused = project.try_to_deploy("--yes", "--patch", str(patch))
    done = project.try_to_deploy(
        "--yes", "--patch", str(patch), "--allow-destructive", "--confirm", f"{project.stack}-orders"
    )

    loss = f"'{name}': ALLOWS the table to be deleted: it has no deletion protection any more"
    assert (refused.exit_code, loss in refused.stderr) == (1, True), refused.output
    assert done.exit_code == 0, done.output
    table = clients["dynamodb"].describe_table(TableName=name)["Table"]
    assert table["DeletionProtectionEnabled"] is False


def test_a_patch_of_the_function(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It makes a new version, as any other change of the function does."""
    patch = project.folder / "patch.yaml"
    patch.write_text("Resources:\n  Function:\n    Properties: {MemorySize: 640}\n")

    project.deploy("--patch", str(patch))

    function = clients["lambda"].get_function_configuration(FunctionName=f"{project.stack}:live")
    assert function["MemorySize"] == 640


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("template", "--format", "systemd", "--tag", "a=b"), "--patch are for CloudFormation"),
        (("template", "--tag", "aws:a=b"), "'aws:a' is not the name of a tag"),
        (("deploy", "--stack", "x", "--tag", "a"), "'a' is not NAME=VALUE"),
    ],
)
def test_what_is_refused(project: StackProject, words: tuple[str, ...], fault: str) -> None:
    """Before anything is read from AWS."""
    done = project.run(*words, "-c", str(project.config))

    assert (done.exit_code, fault in done.stderr) == (2, True), done.output


def test_template_with_options(project: StackProject) -> None:
    """It has what is asked."""
    patch = project.folder / "patch.yaml"
    patch.write_text("Resources: {Function: {Properties: {TracingConfig: {Mode: Active}}}}")

    done = project.run(
        "template",
        "-c",
        str(project.config),
        "--format",
        "json",
        "--tag",
        "a=b",
        "--patch",
        str(patch),
        "--permissions-boundary",
        "arn:aws:iam::123456789012:policy/x",
    )

    body = json.loads(done.stdout)
    function = body["Resources"]["Function"]["Properties"]
    assert (function["Tags"], function["TracingConfig"]) == ([{"Key": "a", "Value": "b"}], {"Mode": "Active"})
    assert body["Parameters"]["PermissionsBoundary"]["Default"] == "arn:aws:iam::123456789012:policy/x"
