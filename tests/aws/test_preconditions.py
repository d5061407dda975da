"""What is looked up before a stack is changed, where a call is not permitted, and where CodeDeploy answers."""

import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from router.errors import UsageError
from router.model import Table
from tests.support.aws import KeySchema, ServiceClient
from tests.support.dev import LocalAws, create_table
from tests.support.ops import NewStore, require_codedeploy, require_free_names

KEY: KeySchema = (("id", "S"),)


@pytest.fixture(scope="module")
def stranger(guarded: LocalAws) -> dict[str, ServiceClient]:
    """Clients of somebody who may do nothing."""
    session = boto3.session.Session("local", "local", region_name="us-east-1")
    iam = session.client("iam", endpoint_url=guarded.endpoint)
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    own = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    return {name: ServiceClient(name, own.client(name, endpoint_url=guarded.endpoint)) for name in ("dynamodb", "sqs")}


def test_not_permitted(stranger: dict[str, ServiceClient]) -> None:
    """What is not known is said once for all queues and once for all tables, and nothing is refused for it."""
    stores = [NewStore("queue", name, False, "") for name in ("one", "two")]
    stores += [NewStore("table", name, False, "", KEY) for name in ("one", "two")]
    lines: list[str] = []

    require_free_names(stores, stranger, lines.append)

    assert [line.partition(": ")[0] for line in lines] == [
        "it is not known whether the new queues exist already",
        "it is not known whether the new tables exist already",
    ]


def test_codedeploy(server: LocalAws, request: pytest.FixtureRequest) -> None:
    """It answers on moto's server, and not on ministack, where a gradual deployment is refused."""
    session = boto3.session.Session("local", "local", region_name="us-east-1")
    client = ServiceClient("codedeploy", session.client("codedeploy", endpoint_url=server.endpoint))
    answers = "moto" in request.node.name

    with nullcontext() if answers else pytest.raises(UsageError, match=f"RT793 .* at {server.endpoint} "):
        require_codedeploy(client)


@pytest.fixture
def cloudformation() -> Iterator[Stubber]:
    """Answers as AWS documents them: no local AWS finds a stack by what is in it."""
    session = boto3.session.Session("local", "local", region_name="us-east-1")
    with Stubber(session.client("cloudformation")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def existing(guarded: LocalAws, cloudformation: Stubber) -> tuple[dict[str, ServiceClient], str, str]:
    """Clients, a table, and the URL of a queue that exist."""
    session = boto3.session.Session("local", "local", region_name="us-east-1")
    make: Any = session.client
    dynamodb, sqs = (make(each, endpoint_url=guarded.endpoint) for each in ("dynamodb", "sqs"))
    name = f"t{uuid.uuid4().hex[:8]}"
    create_table(dynamodb, Table(name, KEY))
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    clients = {"dynamodb": dynamodb, "sqs": sqs, "cloudformation": cloudformation.client}
    return {service: ServiceClient(service, client) for service, client in clients.items()}, name, url


def resource(type_: str, physical_id: str, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    """What AWS tells of a resource of a stack."""
    stack = {"StackName": "shop", "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1"}
    about = {"ResourceType": type_, "ResourceStatus": status, "Timestamp": datetime(2026, 1, 1, tzinfo=UTC)}
    return {**stack, **about, "LogicalResourceId": "Things", "PhysicalResourceId": physical_id}


TABLE, QUEUE = "AWS::DynamoDB::Table", "AWS::SQS::Queue"


def test_a_table_of_another_stack(existing: tuple[dict[str, ServiceClient], str, str], cloudformation: Stubber) -> None:
    """AWS refuses to import it: that is said before, with the way out, also if its key is another."""
    services, name, _ = existing
    answer = {"StackResources": [resource("AWS::SQS::Queue", "x"), resource(TABLE, name)]}
    cloudformation.add_response("describe_stack_resources", answer, {"PhysicalResourceId": name})
    lines: list[str] = []

    with pytest.raises(UsageError) as caught:
        require_free_names([NewStore("table", name, False, "", (("n", "N"),))], services, lines.append)

    assert str(caught.value) == (
        f"RT792 the table '{name}' belongs to the stack 'shop', and AWS imports nothing that a stack has: set "
        "'managed: false' on it, or take it out of that stack, which must retain it (DeletionPolicy), and deploy again"
    )
    assert lines == []


def test_a_queue_of_another_stack(existing: tuple[dict[str, ServiceClient], str, str], cloudformation: Stubber) -> None:
    """It is not deleted by hand."""
    services, name, url = existing
    answer = {"StackResources": [resource(QUEUE, url)]}
    cloudformation.add_response("describe_stack_resources", answer, {"PhysicalResourceId": url})

    with pytest.raises(UsageError) as caught:
        require_free_names([NewStore("queue", name, False, "")], services, lambda _: None)

    assert str(caught.value) == (
        f"RT792 these queues exist outside of the stack: '{name}' (0 messages now; of the stack 'shop'); AWS cannot "
        "take them in: set 'managed: false' on them, or delete them with their messages first, in the stack that has "
        "them"
    )


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"AWS::Lambda::Function": "CREATE_COMPLETE"},
        {TABLE: "DELETE_SKIPPED"},
    ],
    ids=["no stack", "something else of that name", "retained"],
)
def test_a_table_of_no_stack(
    existing: tuple[dict[str, ServiceClient], str, str], cloudformation: Stubber, found: dict[str, str]
) -> None:
    """It is imported."""
    services, name, _ = existing
    if found:
        answer = {"StackResources": [resource(type_, name, status) for type_, status in found.items()]}
        cloudformation.add_response("describe_stack_resources", answer)
    else:
        cloudformation.add_client_error(
            "describe_stack_resources", "ValidationError", f"Stack for {name} does not exist"
        )
    lines: list[str] = []

    require_free_names([NewStore("table", name, False, "", KEY)], services, lines.append)

    assert [line.partition(":")[0] for line in lines] == [f"the table '{name}' exists and is imported as it is"]


def test_a_table_in_a_large_stack(existing: tuple[dict[str, ServiceClient], str, str], cloudformation: Stubber) -> None:
    """AWS tells the first hundred resources of the stack; the others are listed."""
    services, name, _ = existing
    first = [resource(QUEUE, f"q{number}") for number in range(100)]
    cloudformation.add_response("describe_stack_resources", {"StackResources": first})
    last = {name: value for name, value in resource(TABLE, name).items() if name not in ("StackName", "StackId")}
    last["LastUpdatedTimestamp"] = last.pop("Timestamp")
    cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": [last]})

    with pytest.raises(UsageError, match="belongs to the stack 'shop'"):
        require_free_names([NewStore("table", name, False, "", KEY)], services, lambda _: None)


@pytest.mark.parametrize("kind", ["table", "queue"])
def test_stacks_are_not_known(
    existing: tuple[dict[str, ServiceClient], str, str], cloudformation: Stubber, kind: str
) -> None:
    """Without the permission it is said."""
    services, name, _ = existing
    cloudformation.add_client_error("describe_stack_resources", "AccessDenied", "not authorized")
    lines: list[str] = []

    with (
        nullcontext()
        if kind == "table"
        else pytest.raises(UsageError, match=r"or delete them with their messages first$")
    ):
        require_free_names([NewStore(kind, name, False, "", KEY)], services, lines.append)

    assert lines[0] == (
        f"it is not known whether the {kind} '{name}' belongs to another stack: these credentials may not do "
        "cloudformation:DescribeStackResources: not authorized"
    )


def test_stacks_cannot_be_asked(existing: tuple[dict[str, ServiceClient], str, str], cloudformation: Stubber) -> None:
    """Another fault ends the deployment, as of any other call."""
    services, name, _ = existing
    cloudformation.add_client_error("describe_stack_resources", "Throttling", "Rate exceeded")

    with pytest.raises(UsageError, match="AWS refuses cloudformation:DescribeStackResources: Rate exceeded"):
        require_free_names([NewStore("table", name, False, "", KEY)], services, lambda _: None)
