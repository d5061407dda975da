"""Values that only the function needs, on ministack: CloudFormation hides them, and what reads them back copes."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import Result

from router.tools.control_plane.clients import AwsCallError
from tests.aws.projects import CONFIG, SCHEMA, Inside, StackProject
from tests.support.cli import stack_run
from tests.support.dev import ACCOUNT, LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")

HIDDEN = CONFIG.replace(
    "total: total}}}",
    'total: total, token: {value: "${API_TOKEN}"}, mark: {value: "${MARK:-x}"}}}}\n'
    'function: {environment: {DB_URL: "postgres://u:${DB_PASSWORD}@db"}}',
)
VALUES = {"API_TOKEN": "topsecret1", "DB_PASSWORD": "topsecret2", "MARK": "topsecret3"}
TAGGED = HIDDEN.replace("queue: orders, table", 'queue: orders, tags: {a: "${MARK}"}, table').replace(":-x}", "}")
LONGER = HIDDEN.replace("dead_letter:", "retention: 5d, dead_letter:")


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {
            each: boto3.client(each)
            for each in ("cloudformation", "cloudwatch", "lambda", "s3", "secretsmanager", "ssm")
        }


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project with hidden values that is deployed."""
    return deployed(StackProject(tmp_path, inside, guarded))


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory, inside: Inside, guarded: LocalAws) -> StackProject:
    """Such a project for tests that do not change it."""
    return deployed(StackProject(tmp_path_factory.mktemp("unchanged"), inside, guarded))


def deployed(project: StackProject) -> StackProject:
    """Deploy a project with hidden values."""
    project.write(HIDDEN)
    done = deploy(project, **VALUES)
    assert done.exit_code == 0, done.output
    return project


def deploy(project: StackProject, *words: str, **variables: str) -> Result:
    """Deploy with these variables, and the stage."""
    given = ("--stack", project.stack, "-c", str(project.config), "--package", str(project.package))
    options = ("--yes", "--allow-breaking", *words)
    return project.run("deploy", *given, *options, **{"STAGE": project.stack, **variables})


def environment(project: StackProject, clients: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the function that the config refers to, and its own."""
    found = clients["lambda"].get_function_configuration(FunctionName=project.stack)["Environment"]["Variables"]
    return {name: found[name] for name in ("API_TOKEN", "DB_PASSWORD", "MARK", "DB_URL") if name in found}


def stored(clients: Mapping[str, Any]) -> Iterator[bytes]:
    """What is in the bucket of packages: earlier templates with parameters, and the files of packages."""
    bucket = f"message-router-{ACCOUNT}-us-east-1"
    for page in clients["s3"].get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", ()):
            content = clients["s3"].get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            yield content
            if each["Key"].endswith(".zip"):
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    yield from map(archive.read, archive.namelist())


def test_where_values_can_be_read(project: StackProject, clients: Mapping[str, Any]) -> None:
    """In the function alone: not in the stack, its template, events and alarms, nor in the bucket or the output."""
    project.write(LONGER)
    done = deploy(project, "--json", **VALUES | {"API_TOKEN": "topsecret4"})

    name, formation = project.stack, clients["cloudformation"]
    shown_to_others = [
        formation.describe_stacks(StackName=name)["Stacks"],
        formation.get_template(StackName=name)["TemplateBody"],
        formation.get_template_summary(StackName=name),
        formation.describe_stack_events(StackName=name),
        formation.list_stack_resources(StackName=name),
        [each for each in clients["cloudwatch"].describe_alarms()["MetricAlarms"] if name in str(each)],
        clients["cloudwatch"].get_dashboard(DashboardName=f"{name}-us-east-1")["DashboardBody"],
        project.run("status", "--stack", name, "--json").output,
        *stored(clients),
        done.output,
    ]
    assert (done.exit_code, [each for each in shown_to_others if "topsecret" in str(each)]) == (0, [])
    assert environment(project, clients) == {
        **VALUES,
        "API_TOKEN": "topsecret4",
        "DB_URL": "postgres://u:topsecret2@db",
    }
    (stack,) = shown_to_others[0]
    shown = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    names = ("VariableApiToken", "VariableDbPassword", "VariableMark", "VariableStage")
    assert [shown[each] for each in names] == ["****", "****", "****", name]


def test_values_that_are_not_named_stay(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A deployment without them keeps them, knows them for its comparisons, and shows nothing of them."""
    project.write(LONGER)

    done = deploy(project)

    assert (done.exit_code, "topsecret" in done.output, "not compared" in done.output) == (0, False, False), done.output
    assert "no findings" in done.stderr.splitlines()[-1]
    assert environment(project, clients)["API_TOKEN"] == "topsecret1"


def test_the_same_values(unchanged: StackProject) -> None:
    """Values that are given again are compared with those of the function: nothing changes."""
    done = deploy(unchanged, **VALUES)

    assert (done.exit_code, done.stderr.splitlines()[1]) == (
        0,
        f"the stack '{unchanged.stack}' is up to date: nothing to change",
    )


def test_another_value(project: StackProject, clients: Mapping[str, Any]) -> None:
    """That it changes is said, in words, whatever its name; neither value is shown."""
    done = deploy(project, **VALUES | {"MARK": "topsecret5", "API_TOKEN": "topsecret6"})
    lines = done.stderr.splitlines()

    assert (done.exit_code, "topsecret" in done.output) == (0, False), done.output
    assert [each for each in lines if each.startswith("parameter ")] == [
        "parameter API_TOKEN: (not shown) → (another, not shown)",
        "parameter MARK: (not shown) → (another, not shown)",
    ]
    assert environment(project, clients)["MARK"] == "topsecret5"


def test_another_value_as_json(unchanged: StackProject) -> None:
    """As text: words in place of the values."""
    done = deploy(unchanged, "--dry-run", "--json", **VALUES | {"MARK": "topsecret5"})

    assert json.loads(done.stdout)["parameters"] == {"MARK": {"before": "(not shown)", "after": "(another, not shown)"}}
    assert [each["code"] for each in json.loads(done.stdout)["diff"]["findings"]] == ["RT902", "RT914"]
    assert "topsecret" not in done.output


def test_a_comparison(unchanged: StackProject) -> None:
    """`diff stack:NAME` reads them from the function; a working tree without them has those of the stack."""
    done = unchanged.run("diff", f"stack:{unchanged.stack}", "-c", str(unchanged.config))

    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "no changes; routes: 1 the same")


@pytest.mark.parametrize("format_", ["text", "json", "markdown"])
@pytest.mark.parametrize("name", ["API_TOKEN", "MARK"])
def test_a_comparison_of_secrets(unchanged: StackProject, name: str, format_: str) -> None:
    """A mapping that changes with a variable is reported by its reference, whatever the name of the variable."""
    words = ("diff", f"stack:{unchanged.stack}", "-c", str(unchanged.config), "--format", format_)
    done = unchanged.run(*words, **VALUES | {name: "topsecret7"})

    assert ("topsecret" in done.output, "RT914" in done.output) == (False, True), done.output


def test_rollback(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It says which values it cannot restore: they stay as they are."""
    project.write(LONGER)
    deploy(project, **VALUES | {"API_TOKEN": "topsecret8"})

    done = project.run(
        "rollback",
        "--stack",
        project.stack,
        "--yes",
        "--json",
        "--allow-destructive",
        "--confirm",
        f"{project.stack}-orders",
    )

    names = ["API_TOKEN", "DB_PASSWORD", "MARK"]
    assert (done.exit_code, json.loads(done.stdout)["not_restored"]) == (0, names), done.output
    assert "the value of 'API_TOKEN' is not restored" in done.stderr
    assert ("topsecret" in done.output, environment(project, clients)["API_TOKEN"]) == (False, "topsecret8")


def test_a_rollback_shows_no_value(project: StackProject) -> None:
    """The routes that change are shown with references in place of what is hidden."""
    project.write(HIDDEN.replace('"${MARK:-x}"', '"a-${MARK:-x}"'))
    deploy(project, **VALUES)

    done = project.run("rollback", "--stack", project.stack, "--yes")

    assert (done.exit_code, "topsecret" in done.output, "RT914" in done.output) == (0, False, True), done.output


def test_a_rollback_without_the_value(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A value that the stack does not have any more is not replaced by `****`."""
    project.write(CONFIG)
    deploy(project)

    done = project.run("rollback", "--stack", project.stack, "--yes")

    refusal = (
        f"router: the stack '{project.stack}' cannot return to what it was: it has no value of 'API_TOKEN' any more, "
        "and CloudFormation does not tell the one before; instead of rolling back, deploy the configuration of before "
        "with --parameter API_TOKEN=…"
    )
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, refusal)
    assert environment(project, clients) == {}


def test_a_value_that_becomes_part_of_a_name(project: StackProject, clients: Mapping[str, Any]) -> None:
    """It is read from the function once more, and is a plain parameter from then on."""
    project.write(TAGGED)
    done = deploy(project)

    (stack,) = clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"]
    shown = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert (done.exit_code, shown["VariableMark"], shown["VariableApiToken"]) == (0, "topsecret3", "****"), done.output


def test_versions_of_a_function(tmp_path: Path, inside: Inside, guarded: LocalAws, clients: Mapping[str, Any]) -> None:
    """Another value is a new version; nothing in the template is made from the value."""
    project = StackProject(tmp_path, inside, guarded)
    project.write(HIDDEN)
    deploy(project, **VALUES)

    versions = []
    for variables in ({}, VALUES, VALUES | {"API_TOKEN": "topsecret9"}, {}, VALUES):
        done = deploy(project, **variables)
        assert done.exit_code == 0, done.output
        found = clients["lambda"].get_alias(FunctionName=project.stack, Name="live")
        versions.append(found["FunctionVersion"])

    assert versions == ["1", "1", "2", "2", "3"]


REFERRING = CONFIG.replace(
    "total: total}}}",
    'total: total, token: {value: "${API_TOKEN}"}}}}\n'
    "function:\n"
    "  environment:\n"
    '    API_TOKEN: "{{resolve:secretsmanager:${STAGE}:SecretString:token}}"\n'
    '    DB_URL: "{{resolve:ssm:/${STAGE}/url}}"',
)


def test_references_to_secrets(tmp_path: Path, inside: Inside, guarded: LocalAws, clients: Mapping[str, Any]) -> None:
    """CloudFormation puts the value of a secret into the environment of the function: the template has its name."""
    project = StackProject(tmp_path, inside, guarded)
    project.write(REFERRING)
    secret = json.dumps({"token": "topsecret1"})
    clients["secretsmanager"].create_secret(Name=project.stack, SecretString=secret)
    clients["ssm"].put_parameter(Name=f"/{project.stack}/url", Value="postgres://db", Type="String")

    first = deploy(project)
    project.write(
        REFERRING.replace("dead_letter:", "retention: 5d, dead_letter:"), schema={**SCHEMA, "required": ["id", "total"]}
    )
    second = deploy(project)

    assert (first.exit_code, second.exit_code, "not compared" in second.output) == (0, 0, False), (
        first.output + second.output
    )
    assert environment(project, clients) == {"API_TOKEN": "topsecret1", "DB_URL": "postgres://db"}
    shown_to_others = [
        clients["cloudformation"].describe_stacks(StackName=project.stack)["Stacks"],
        clients["cloudformation"].get_template(StackName=project.stack)["TemplateBody"],
        first.output + second.output,
    ]
    assert [each for each in shown_to_others if "topsecret" in str(each)] == []
    assert "VariableApiToken" not in str(shown_to_others[:2])


def test_without_the_variables_of_the_function(project: StackProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not read them learns that a value cannot be compared, and has to give one that a name needs."""

    def refuse(*_: Any) -> None:
        raise AwsCallError("GetFunctionConfiguration is not allowed", "AccessDeniedException")

    # Only what the command may do differs.
    monkeypatch.setattr(stack_run, "read_environment", refuse)
    same = deploy(project, "--dry-run", **VALUES)
    as_json = deploy(project, "--dry-run", "--json", "--parameter", "AlarmTopic=arn:aws:sns:a:b:c", **VALUES)
    project.write(TAGGED)
    tagged = deploy(project, "--dry-run")

    line = "the hidden values of the stack are not known here: "
    assert (same.exit_code, same.stderr.splitlines()[1].startswith(line)) == (0, True), same.output
    not_compared = {"before": "(not shown)", "after": "(not compared)"}
    assert json.loads(as_json.stdout)["parameters"]["MARK"] == not_compared
    refusal = (
        "router: the value of 'MARK' is part of the template now, and CloudFormation does not tell the one that the "
        "stack has: pass --parameter MARK=…"
    )
    assert (tagged.exit_code, tagged.stderr.splitlines()[-1]) == (2, refusal)


def test_a_reference_as_the_value_of_a_parameter(unchanged: StackProject) -> None:
    """It is refused: nobody said that CloudFormation should replace it."""
    done = deploy(unchanged, "--parameter", "API_TOKEN={{resolve:secretsmanager:x}}", **VALUES)

    refusal = (
        "router: the value of 'API_TOKEN' has '{{resolve:' in it, and a parameter cannot refer to a secret: name "
        "API_TOKEN in the environment of the function or worker in the config, with the reference as its value"
    )
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, refusal)
