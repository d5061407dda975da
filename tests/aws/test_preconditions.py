"""What is looked up before a stack is changed, where a call is not permitted, and where CodeDeploy answers."""

from contextlib import nullcontext

import boto3
import pytest

from router.errors import UsageError
from tests.support.aws import KeySchema, ServiceClient
from tests.support.dev import LocalAws
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
