"""The stack of a worker on ministack: its config is kept beside its image, for diff, deploy and rollback."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result
from msgspec import structs

from tests.aws.projects import CONFIG, SCHEMA, Inside, StackProject
from tests.support.dev import LocalAws
from tests.support.ops import DeployableConfig, Document, make_document, parts

pytestmark = pytest.mark.usefixtures("kept_clients", "without_scaling")
STOP_FIRST = {"minimumHealthyPercent": 0, "maximumPercent": 100}
START_FIRST = {"minimumHealthyPercent": 100, "maximumPercent": 200}
DIGESTS = [f"repository/router@sha256:{letter * 64}" for letter in "abc"]
REKEYED = CONFIG.replace("item: {id: id", "item: {id: \"join('-', [id, id])\"")


@pytest.fixture(scope="module")
def without_scaling() -> Any:
    """Templates without what scales the tasks, which the CloudFormation of ministack does not know."""

    def make(config: DeployableConfig, as_worker: bool) -> Document:
        document = make_document(config, as_worker)
        resources = document.body["Resources"].items()
        kept = {id_: each for id_, each in resources if "ApplicationAutoScaling" not in each["Type"]}
        return structs.replace(document, body={**document.body, "Resources": kept})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "make_document", make)
        yield


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("cloudformation", "ecs", "s3")}


class WorkerProject(StackProject):
    """A project whose stack runs the worker."""

    def try_worker(self, image: str, *words: str, **variables: str) -> Result:
        """Deploy the worker of an image, which may be refused."""
        given = {"Image": image, "Subnets": "subnet-1", "SecurityGroups": "sg-1"}
        parameters = [word for name, value in given.items() for word in ("--parameter", f"{name}={value}")]
        where = ("--stack", self.stack, "-c", str(self.config))
        return self.run("deploy", *where, "--worker", "--yes", *parameters, *words, STAGE=self.stack, **variables)

    def worker(self, image: str, *words: str) -> Result:
        """Deploy the worker of an image."""
        done = self.try_worker(image, "--allow-breaking", *words)
        assert done.exit_code == 0, done.output
        return done


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> WorkerProject:
    """A project whose worker is deployed."""
    made = WorkerProject(tmp_path, inside, guarded)
    made.worker(DIGESTS[0])
    return made


def service(clients: Mapping[str, Any], project: StackProject) -> dict[str, Any]:
    """How the service replaces its tasks."""
    (found,) = clients["ecs"].describe_services(cluster=project.stack, services=[project.stack])["services"]
    configuration = found["deploymentConfiguration"]
    return {name: configuration[name] for name in STOP_FIRST}


def diff(project: StackProject, *words: str) -> tuple[int, str]:
    """The exit code of `router diff`, and what it printed."""
    done = project.run("diff", f"stack:{project.stack}", "-c", str(project.config), *words)
    return done.exit_code, done.output


def test_nothing_changed(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """`stack:NAME` is what was deployed, with the variables of the tasks; a second deployment finds nothing to do."""
    code, text = diff(project)
    again = project.worker(DIGESTS[0])

    assert (code, text) == (0, f"stack:{project.stack} → working tree\nno changes; routes: 1 the same\n")
    assert f"the stack '{project.stack}' is up to date: nothing to change" in again.stderr
    assert service(clients, project) == START_FIRST


def test_what_is_kept(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """The task definition names the package beside the image; it has the config, schema and plugin, and no router."""
    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    answer = clients["ecs"].describe_task_definition(taskDefinition=outputs["TaskDefinitionArn"])

    (container,) = answer["taskDefinition"]["containerDefinitions"]
    label = container["dockerLabels"]["message-router.config"]
    assert (container["image"], label) == (DIGESTS[0], f"s3://{values['CodeBucket']}/{values['CodeKey']}#")


def test_a_schema_breaks(project: WorkerProject) -> None:
    """`diff` shows it, and `deploy` refuses it, as for a function."""
    project.write(schema={**SCHEMA, "required": ["id", "total"]})

    code, text = diff(project)
    refused = project.try_worker(DIGESTS[1])

    assert (code, "RT901" in text) == (1, True), text
    assert (refused.exit_code, "refused with --yes and without --allow-breaking" in refused.stderr) == (1, True)


def test_both_may_write(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """Where both versions may write, new tasks start before the old ones stop."""
    project.write(schema={**SCHEMA, "required": ["id", "total"]})

    project.worker(DIGESTS[1])

    assert service(clients, project) == START_FIRST


def test_both_must_not_write(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """Another mapping of the key (RT930): the old tasks stop first, when it is deployed and when it is rolled back."""
    project.write(REKEYED)

    done = project.worker(DIGESTS[1])
    then = service(clients, project)
    again = project.worker(DIGESTS[1])
    kept = service(clients, project)
    project.write(REKEYED, schema={**SCHEMA, "title": "other"})
    project.worker(DIGESTS[2])
    after = service(clients, project)
    back = project.run("rollback", "--stack", project.stack, "--yes")
    rolled = service(clients, project)
    further = project.run("rollback", "--stack", project.stack, "--yes", "--json")

    assert ("the old tasks stop before new ones start: route 'orders': " in done.stderr, then) == (True, STOP_FIRST)
    assert ("nothing to change" in again.stderr, kept, after) == (True, STOP_FIRST, START_FIRST)
    assert (back.exit_code, rolled) == (0, START_FIRST), back.output
    assert (further.exit_code, json.loads(further.stdout)["not_compared"]) == (0, ""), further.output


def test_rolled_back(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """`rollback` compares both configs, returns to the image before, and lets the old tasks stop first."""
    project.write(REKEYED)
    project.worker(DIGESTS[1])

    done = project.run("rollback", "--stack", project.stack, "--yes")

    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert (done.exit_code, values["Image"], service(clients, project)) == (0, DIGESTS[0], STOP_FIRST), done.output
    assert ("RT930" in done.stdout, "compared what is deployed with the config" in done.stderr) == (True, True)


def test_the_image_that_runs(project: WorkerProject) -> None:
    """An image that is named by its digest cannot have another config than it had."""
    project.write(schema={**SCHEMA, "title": "other"})

    done = project.try_worker(DIGESTS[0])

    sentence = f"router: the image {DIGESTS[0]} runs already, with another configuration or for another version"
    assert (done.exit_code, sentence in done.stderr) == (2, True), done.output


def test_a_tag_runs_again(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """A tag may name another image by now: another config makes other tasks, which pull it."""
    project.worker("router:1")
    project.write(schema={**SCHEMA, "title": "other"})

    done = project.worker("router:1", "--json")

    changed = {each["resource"] for each in json.loads(done.stdout)["changes"]}
    assert "task definition" in changed, changed
    assert "the image router:1 is named by a tag, which may name another image later" in done.stderr


def test_what_runs(project: WorkerProject) -> None:
    """`router status` reads the config that the worker of a stack runs."""
    done = project.run("status", "--stack", project.stack, "--json")

    status = json.loads(done.stdout)
    running = [(each["where"], each["hashes"]) for each in status["running"]]
    assert running == [(f"stack {project.stack}", [status["config"]])], done.output


def test_a_worker_that_was_not_kept(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """A stack of an earlier router has no config to compare with: its old tasks stop first; what is hidden stays."""
    project.write(CONFIG.replace("plugins:", "worker: {environment: {TOKEN: '${SECRET:-x}'}}\nplugins:"))
    project.worker(DIGESTS[1])
    template = clients["cloudformation"].get_template(StackName=project.stack)["TemplateBody"]
    template = template if isinstance(template, dict) else json.loads(template)
    del template["Outputs"]["TaskDefinitionArn"]
    parameters: list[Any] = [
        {"ParameterKey": name, **({"ParameterValue": ""} if name.startswith("Code") else {"UsePreviousValue": True})}
        for name in template["Parameters"]
    ]
    clients["cloudformation"].update_stack(
        StackName=project.stack,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=parameters,
    )
    clients["cloudformation"].get_waiter("stack_update_complete").wait(
        StackName=project.stack, WaiterConfig={"Delay": 1}
    )

    code, text = diff(project)
    done = project.worker(DIGESTS[2])
    stopped = service(clients, project)
    back = project.run("rollback", "--stack", project.stack, "--yes")

    sentence = f"router: the configuration of the worker of the stack '{project.stack}' was not kept beside its image"
    assert (code, text.startswith(sentence)) == (2, True), text
    assert (stopped, "it is not known whether both versions may write" in done.stderr) == (STOP_FIRST, True)
    assert (back.exit_code, "was not kept beside its image" in back.stderr) == (0, True), back.output


def test_a_function_and_a_worker(project: WorkerProject) -> None:
    """While one replaces the other both write: refused where they must not."""
    project.write(REKEYED)

    done = project.try_to_deploy("--yes", "--allow-breaking")

    assert done.exit_code == 1, done.output
    assert "the function and the worker write side by side while one replaces the other" in done.stderr


def test_a_rollback_to_a_worker(project: WorkerProject, clients: Mapping[str, Any]) -> None:
    """It is refused where the function that runs must not write beside the worker of before."""
    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    package = {"Bucket": values["CodeBucket"], "Key": values["CodeKey"]}
    content = clients["s3"].get_object(**package)["Body"].read()
    clients["s3"].delete_object(**package)
    project.write(REKEYED)
    unread = project.try_to_deploy("--yes")
    clients["s3"].put_object(**package, Body=content)

    done = project.run("rollback", "--stack", project.stack, "--yes")

    assert (unread.exit_code, "the routes are not compared" in unread.stderr) == (0, True), unread.output
    refused = "the function and the worker write side by side while one replaces the other"
    assert (done.exit_code, refused in done.stderr) == (1, True), done.output
