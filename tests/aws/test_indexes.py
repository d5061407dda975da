"""Indexes of tables on ministack: made with a table, changed one by one, compared with what is deployed."""

import json
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from click.testing import CliRunner, Result

from tests.aws.conftest import connected
from tests.support.cli import app, steps_before
from tests.support.config import spec
from tests.support.dev import LocalAws
from tests.support.dev import clients as local_clients
from tests.support.ops import index_updates, precompile
from tests.support.program import COMPILED_NAME
from tests.support.testing import MemoryTables

Inside = Callable[..., AbstractContextManager[None]]
CONFIG = """\
version: 1
queues:
  orders: {name: "${STAGE}-orders", dead_letter: dlq}
  dlq: {name: "${STAGE}-dlq"}
tables:
  orders: {name: "${STAGE}-orders", key: {id: S}INDEXES}
routes:
  orders:
    queue: orders
    table: orders
    item:
      id: id
      region: {from: region, type: S}
      status: {from: status, type: S}
      at: {from: at, type: N}
      day: {from: day, type: S}
"""
TWO = ", indexes: {by_status: {key: {status: S}}, by_region: {key: {region: S, status: S, at: N}, partition: 2}}"

pytestmark = pytest.mark.usefixtures("kept_clients")


class Project:
    """A folder with a config, and the command line in it."""

    def __init__(self, folder: Path, inside: Inside, local: LocalAws) -> None:
        self.stack = f"i{uuid.uuid4().hex[:8]}"
        self.config = folder / "routes.yaml"
        self._folder, self._inside, self._local = folder, inside, local

    def write(self, indexes: str) -> None:
        """Write the config, and its package."""
        self.config.write_text(CONFIG.replace("INDEXES", indexes))
        with zipfile.ZipFile(self._folder / "lambda.zip", "w") as archive:
            archive.writestr(COMPILED_NAME, precompile(self.config, {"STAGE": self.stack}))

    def run(self, command: str, *words: str) -> Result:
        """Run a command."""
        with self._inside(self._local, STAGE=self.stack):
            return CliRunner().invoke(app, [command, *words])

    def deploy(self, *words: str) -> Result:
        """Deploy with the package that is there."""
        given = ("--package", str(self._folder / "lambda.zip"), "--allow-breaking", "--yes")
        return self.run("deploy", "--stack", self.stack, "-c", str(self.config), *given, *words)

    def check(self) -> list[str]:
        """The codes of `check --live`."""
        done = self.run("check", str(self.config), "--live", "--format", "json")
        return [each["code"] for each in json.loads(done.stdout)["findings"] if each["code"].startswith("RT70")]


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> Project:
    """A project that is not deployed yet."""
    return Project(tmp_path, inside, guarded)


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("cloudformation", "dynamodb")}


def indexes(clients: Mapping[str, Any], project: Project) -> dict[str, Any]:
    """The indexes that the table has."""
    table = clients["dynamodb"].describe_table(TableName=f"{project.stack}-orders")["Table"]
    return {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", ())}


def updates(clients: Mapping[str, Any], project: Project) -> int:
    """How many updates of the stack have succeeded."""
    events = clients["cloudformation"].describe_stack_events(StackName=project.stack)["StackEvents"]
    own = [each for each in events if each["LogicalResourceId"] == project.stack]
    return sum(each["ResourceStatus"] == "UPDATE_COMPLETE" for each in own)


def test_a_table_with_indexes(project: Project, clients: Mapping[str, Any]) -> None:
    """All indexes of a new table are made with it, keys of several attributes too."""
    project.write(TWO)

    done = project.deploy()

    assert done.exit_code == 0, done.output
    found = indexes(clients, project)
    assert found["by_region"]["KeySchema"] == [
        {"AttributeName": "region", "KeyType": "HASH"},
        {"AttributeName": "status", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ]
    assert (sorted(found), project.check()) == (["by_region", "by_status"], [])


def test_indexes_change_one_by_one(project: Project, clients: Mapping[str, Any]) -> None:
    """Two new ones and a removed one take three updates, which are told before."""
    project.write(", indexes: {by_day: {key: {day: S}}}")
    project.deploy()
    project.write(TWO)

    refused = project.deploy()
    done = project.deploy("--allow-destructive", "--confirm", f"{project.stack}-orders")

    assert f"'{project.stack}-orders': DELETES the index 'by_day': queries of it fail" in refused.stderr
    assert (refused.exit_code, done.exit_code) == (1, 0), done.output
    table = f"of table '{project.stack}-orders'"
    assert (
        "the indexes change in 3 updates of the stack, since AWS creates or deletes one index of a table at a time: "
        f"create index 'by_status' {table}; create index 'by_region' {table}; delete index 'by_day' {table}"
    ) in done.stderr
    assert f"a step before the change: create index 'by_status' {table}" in done.stderr
    assert (sorted(indexes(clients, project)), updates(clients, project)) == (["by_region", "by_status"], 3)


def test_an_interrupted_change_goes_on(
    project: Project, clients: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done is not done again."""
    project.write("")
    project.deploy()
    project.write(TWO)
    waited: list[int] = []

    def interrupt(*given: Any) -> None:
        waited.append(1)
        if len(waited) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(steps_before, "wait_until_active", interrupt)
        stopped = project.deploy()
    there = sorted(indexes(clients, project))
    done = project.deploy()

    assert "DynamoDB goes on with its indexes; deploy again to make the other changes" in stopped.stderr
    assert (there, stopped.exit_code != 0, done.exit_code) == (["by_status"], True, 0), done.output
    assert "updates of the stack" not in done.stderr
    assert (sorted(indexes(clients, project)), project.check()) == (["by_region", "by_status"], [])


def test_another_key_needs_another_name(project: Project) -> None:
    """It is refused before anything is changed."""
    project.write(TWO)
    project.deploy()
    project.write(TWO.replace("{key: {status: S}}", "{key: {status: S, at: N}}"))

    done = project.deploy()

    assert done.exit_code == 2
    assert (
        f"index 'by_status' of table '{project.stack}-orders' has another key or projection in the config, and AWS "
        "changes no index: give the new one another name; the old one is deleted when the new one is there"
    ) in done.stderr


def test_a_change_meanwhile(project: Project, clients: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A step does not undo what another deployment did after the changes were shown."""
    project.write("")
    project.deploy()
    project.write(TWO)

    def change(*given: Any) -> None:
        stack = {"StackName": project.stack}
        body = clients["cloudformation"].get_template(**stack)["TemplateBody"]
        template = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
        template["Description"] += " changed"
        names = [
            each["ParameterKey"]
            for each in clients["cloudformation"].describe_stacks(**stack)["Stacks"][0]["Parameters"]
        ]
        clients["cloudformation"].update_stack(
            **stack,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "UsePreviousValue": True} for name in names],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        clients["cloudformation"].get_waiter("stack_update_complete").wait(**stack)

    with monkeypatch.context() as patched:
        patched.setattr(steps_before, "wait_until_active", change)
        done = project.deploy()

    assert done.exit_code == 2, done.output
    assert "has changed the stack" in done.stderr
    assert indexes(clients, project) == {}


class Describing:
    """DynamoDB, which builds an index for a while."""

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        self.answers = [*answers]

    def call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """The next answer."""
        return {"Table": self.answers.pop(0)}


def test_waits_until_an_index_is_built() -> None:
    """Until then, DynamoDB refuses another action on the table."""
    building = {"IndexName": "by_day", "IndexStatus": "CREATING"}
    dynamodb: Any = Describing(
        {"TableStatus": "UPDATING", "GlobalSecondaryIndexes": [building]},
        {"TableStatus": "UPDATING"},
        {"TableStatus": "ACTIVE", "GlobalSecondaryIndexes": [building | {"IndexStatus": "ACTIVE"}]},
    )
    sentences: list[str] = []
    paused: list[float] = []

    action = index_updates.IndexAction("create", "by_day", "orders", "TableOrders")
    index_updates.wait_until_active(dynamodb, [action, action], sentences.append, paused.append)

    assert sentences == [
        "table 'orders': DynamoDB builds or deletes by_day",
        "table 'orders': DynamoDB builds or deletes the table",
    ]
    assert (len(paused), dynamodb.answers) == (2, [])


FITTING: tuple[dict[str, Any], ...] = (
    {},
    {"status": {"S": "a"}},
    {"at": {"N": "1"}, "x": {"B": b"1"}},
    {"status": {"S": "a"}, "at": {"N": "0"}, "x": {"B": b"1"}},
    {"other": {"NULL": True}},
)
UNFIT: tuple[dict[str, Any], ...] = (
    {"status": {"S": ""}},
    {"status": {"N": "1"}},
    {"status": {"NULL": True}},
    {"at": {"S": "1"}},
    {"x": {"B": b""}},
    {"x": {"L": []}},
)


@pytest.fixture(scope="module")
def both(guarded: LocalAws) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """A table with indexes on the server, and the same in memory."""
    name = f"indexed-{uuid.uuid4().hex[:8]}"
    given = {"by_status": {"key": {"status": "S", "at": "N"}}, "by_x": {"key": {"x": "B", "status": "S"}}}
    table = msgspec.convert({"key": {"id": "S"}, "indexes": given}, spec.TableSettings)
    dynamodb: Any = local_clients(guarded)[0]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": kind}
            for each, kind in {"id": "S", "status": "S", "at": "N", "x": "B"}.items()
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": each, "KeyType": role}
                    for each, role in zip(settings["key"], ("HASH", "RANGE"), strict=True)
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, settings in given.items()
        ],
    )
    with connected(guarded) as connection:
        memory = MemoryTables({name: (("id", "S"),)}, {name: tuple(table.indexes.values())})
        yield name, (memory, connection.tables)


@pytest.mark.parametrize(("item", "fits"), [*((each, True) for each in FITTING), *((each, False) for each in UNFIT)])
def test_items_that_do_not_fit(both: Any, item: dict[str, Any], fits: bool) -> None:
    """A table in memory refuses what DynamoDB refuses: by put, in a batch, in a transaction and by update."""
    name, tables = both
    whole = {"id": {"S": "a"}, **item}
    put = ("Put", {"TableName": name, "Item": whole})
    names = {f"#{place}": each for place, each in enumerate(item)}
    update = {
        "TableName": name,
        "Key": {"id": {"S": "b"}},
        "UpdateExpression": "SET " + ", ".join(f"#{place} = :{place}" for place in range(len(item))),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {f":{place}": value for place, value in enumerate(item.values())},
    }
    for each in tables:
        answers = [
            each.write(*put, 60),
            each.batch_write(name, [{"PutRequest": {"Item": whole}}], 60),
            each.transact([put], 60),
            *([each.write("Update", update, 60)] if item else []),
        ]
        assert [answer.fault is None for answer in answers] == [fits] * len(answers)
