"""`stack:NAME` of `router diff` and `router test --recorded`: what the function of a stack runs, on ministack."""

import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.projects import PLUGIN, SCHEMA, Inside, StackProject
from tests.support.change import open_version, open_versions
from tests.support.dev import LocalAws
from tests.support.ops import DESCRIPTION

pytestmark = pytest.mark.usefixtures("kept_clients")


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("cloudformation", "lambda", "s3")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is deployed."""
    made = StackProject(tmp_path, inside, guarded)
    made.deploy()
    return made


def diff(project: StackProject, *words: str) -> tuple[int, str]:
    """The exit code of `router diff`, and what it printed."""
    done = project.run("diff", f"stack:{project.stack}", "-c", str(project.config), *words)
    return done.exit_code, done.output


def test_nothing_changed(project: StackProject) -> None:
    """The variables that the environment does not set are those of the stack, here STAGE."""
    assert diff(project) == (0, f"stack:{project.stack} → working tree\nno changes; routes: 1 the same\n")


def test_its_hash_is_the_running_one(project: StackProject, inside: Inside, guarded: LocalAws) -> None:
    """The hash is that of the config in YAML with the variables of the stack, as logs and dead letters have it."""
    with ExitStack() as stack, inside(guarded):
        deployed, tree = open_versions(f"stack:{project.stack}", "", project.config, {}, stack)
        local = open_version("", project.config, {"STAGE": project.stack}, stack)
        hashes = (deployed.program.hash, tree.program.hash)

    assert hashes == (local.program.hash, local.program.hash)


def test_a_schema_breaks(project: StackProject) -> None:
    """The package has the schema as it was deployed; places in it are of the package."""
    project.write(schema={**SCHEMA, "required": ["id", "total"]})

    code, text = diff(project, "--format", "json")

    report = json.loads(text)
    (found,) = [each for each in report["findings"] if each["code"] == "RT901"]
    assert (code, report["old"], report["routes"][0]["verdict"], found["old"]["file"]) == (
        1,
        f"stack:{project.stack}",
        "breaking",
        f"stack:{project.stack}:routes.yaml",
    )


def test_a_plugin_changed(project: StackProject) -> None:
    """The package has the plugin as it was deployed."""
    project.write(plugin=PLUGIN + "# marks\n")

    code, text = diff(project, "--format", "json")

    found = [each["sentence"] for each in json.loads(text)["findings"] if each["code"] == "RT910"]
    assert (code, found) == (0, ["plugin 'marks' changed"]), text


def test_a_variable_changed(project: StackProject) -> None:
    """A variable that the environment sets has that value in the working tree, as it would be deployed."""
    done = project.run("diff", f"stack:{project.stack}", "-c", str(project.config), "--format", "json", STAGE="other")

    sentences = [each["sentence"] for each in json.loads(done.output)["findings"]]
    assert any(f"{project.stack}-orders" in each and "other-orders" in each for each in sentences), sentences


def test_between_two_stacks(project: StackProject, tmp_path: Path, inside: Inside, guarded: LocalAws) -> None:
    """NEW may be a stack too."""
    (tmp_path / "two").mkdir()
    other = StackProject(tmp_path / "two", inside, guarded)
    other.deploy()

    done = project.run("diff", f"stack:{project.stack}", f"stack:{other.stack}", "--format", "json")

    report = json.loads(done.output)
    assert (report["old"], report["new"]) == (f"stack:{project.stack}", f"stack:{other.stack}")


def test_the_stack_of_a_worker(tmp_path: Path, inside: Inside, guarded: LocalAws, clients: Mapping[str, Any]) -> None:
    """One whose config was not kept cannot be read: the sentence says what to compare with instead."""
    project = StackProject(tmp_path, inside, guarded)
    template = {
        "Description": f"{DESCRIPTION} routes.yaml",
        "Resources": {"Cluster": {"Type": "AWS::ECS::Cluster"}},
    }
    clients["cloudformation"].create_stack(StackName=project.stack, TemplateBody=json.dumps(template))
    clients["cloudformation"].get_waiter("stack_create_complete").wait(
        StackName=project.stack, WaiterConfig={"Delay": 1}
    )

    code, text = diff(project)

    reason = (
        f"the configuration of the worker of the stack '{project.stack}' was not kept beside its image; router deploy "
        "--worker keeps it; until then name the commit that the image was built from (git:REF), or its compiled config "
        "(router compile)"
    )
    assert (code, text) == (2, f"router: {reason}\n")


def test_recorded_against_a_stack(project: StackProject, tmp_path: Path) -> None:
    """A recording runs through what is deployed, too."""
    head = {"recording": 1, "queue": "orders", "config": ""}
    message = {"message": {"id": "a"}, "outcome": "written", "code": "", "routes": ["orders"]}
    (tmp_path / "recorded.jsonl").write_text(f"{json.dumps(head)}\n{json.dumps(message)}\n")
    words = ("--recorded", str(tmp_path / "recorded.jsonl"), "--against", f"stack:{project.stack}")

    done = project.run("test", str(project.config), *words)

    assert (done.exit_code, done.output) == (0, "1 recorded messages, no differences\n")


def repack(clients: Mapping[str, Any], project: StackProject, old: bytes, new: bytes) -> None:
    """Replace bytes in the compiled config of the package that the stack runs."""
    with zipfile.ZipFile(project.package) as archive:
        content = {name: archive.read(name).replace(old, new) for name in archive.namelist()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    values = parameters(clients, project)
    clients["s3"].put_object(Bucket=values["CodeBucket"], Key=values["CodeKey"], Body=packed.getvalue())
    clients["lambda"].update_function_code(FunctionName=project.stack, ZipFile=packed.getvalue())
    version = clients["lambda"].publish_version(FunctionName=project.stack)["Version"]
    clients["lambda"].update_alias(FunctionName=project.stack, Name="live", FunctionVersion=version)


def parameters(clients: Mapping[str, Any], project: StackProject) -> dict[str, str]:
    """The parameters of the stack."""
    found = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"][0]["Parameters"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in found}


def test_another_version_of_the_router(project: StackProject, clients: Mapping[str, Any]) -> None:
    """What an older router deployed can be compared: an upgrade is a change, too."""
    repack(clients, project, b'"router":"0.1.0"', b'"router":"0.0.9"')

    assert diff(project) == (0, f"stack:{project.stack} → working tree\nno changes; routes: 1 the same\n")


def test_code_that_came_another_way(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A function that was updated by hand: the next version would be made of that code."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("other.py", "")
    clients["lambda"].update_function_code(FunctionName=project.stack, ZipFile=packed.getvalue())

    code, text = diff(project)

    sentence = f"the function '{project.stack}' has another package than its stack names: it was updated by other"
    assert (code, text.startswith(f"router: {sentence}")) == (2, True), text


def test_an_alias_that_was_moved(project: StackProject, clients: Mapping[str, Any]) -> None:
    """By hand, to another version than that of the stack: what runs is not what the stack names."""
    clients["lambda"].update_function_code(FunctionName=project.stack, ZipFile=project.package.read_bytes() + b"\0" * 9)
    version = clients["lambda"].publish_version(FunctionName=project.stack)["Version"]
    clients["lambda"].update_alias(FunctionName=project.stack, Name="live", FunctionVersion=version)

    code, text = diff(project)

    sentence = f"the alias 'live' of the function '{project.stack}' names version {version}, which has another package"
    assert (code, text.startswith(f"router: {sentence}")) == (2, True), text


def test_a_package_that_is_gone(project: StackProject, clients: Mapping[str, Any]) -> None:
    """Is said with its place."""
    values = parameters(clients, project)
    clients["s3"].delete_object(Bucket=values["CodeBucket"], Key=values["CodeKey"])

    code, text = diff(project)

    where = f"s3://{values['CodeBucket']}/{values['CodeKey']}"
    assert (code, text) == (2, f"router: the package {where} does not exist any more; build and deploy it again\n")


def test_no_stack(project: StackProject) -> None:
    """Is said with what chooses the place."""
    done = project.run("diff", "stack:nowhere", "-c", str(project.config))

    sentence = "there is no stack 'nowhere' in us-east-1; AWS_REGION and the credentials choose where"
    assert (done.exit_code, done.output) == (2, f"router: {sentence}\n")
