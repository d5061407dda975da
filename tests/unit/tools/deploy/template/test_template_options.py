"""Tags, the permissions boundary, and what the function has of its account."""

from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from router.errors import UsageError
from router.tools.deploy.template.canary import Canary, with_canary
from router.tools.deploy.template.options import TemplateOptions, read_options, with_options
from router.tools.deploy.template.tags import TAGGABLE
from tests.support.ops import make_document, read_for_deployment, with_alias

CONFIG = """\
version: 1
tags: {team: "${TEAM:-shop}", stage: dev}
owner: platform
queues: {orders: {dead_letter: orders-dlq, tags: {stage: own}}}
tables: {orders: {key: {id: S}, capacity: {write: {min: 1, max: 5}, read: {min: 1}}}}
routes: {orders: {queue: orders, table: orders}}
"""
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


@pytest.fixture
def config(tmp_path: Any) -> Any:
    """A config with tags."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return read_for_deployment(path, {})


@pytest.fixture(params=["function", "worker"])
def document(config: Any, request: pytest.FixtureRequest) -> Any:
    """A template of all there is."""
    if request.param == "worker":
        return make_document(config, as_worker=True)
    return with_canary(with_alias(make_document(config)), Canary(10, 5))


def tags_of(resource: Any) -> dict[str, Any]:
    return {each["Key"]: each["Value"] for each in resource.get("Properties", {}).get("Tags", ())}


def test_each_resource_that_can_have_tags_has_them(config: Any, document: Any) -> None:
    """By the schemas of AWS; those of the command go first, then those of a resource of its own."""
    found = with_options(document, config, TemplateOptions({"cost": "42"}))

    resources = found.body["Resources"]
    for resource in resources.values():
        known = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        taggable = known["properties"].get("Tags", {}).get("type") == "array"
        assert (resource["Type"] in TAGGABLE) == taggable, resource["Type"]
        assert (tags_of(resource).get("cost") == "42") == taggable
    shop = {"Fn::Sub": "${VariableTeam}"}
    assert tags_of(resources["LogGroup"]) == {"team": shop, "stage": "dev", "cost": "42"}
    assert tags_of(resources["QueueOrders"]) == {"owner": "platform", "team": shop, "stage": "own", "cost": "42"}
    given = with_options(document, config, TemplateOptions({"stage": "prod"})).body["Resources"]["QueueOrders"]
    assert tags_of(given)["stage"] == "prod"


def test_tags_that_the_stack_keeps(config: Any, document: Any) -> None:
    """Each resource has them as before; its own and those of the config's file go first."""
    kept = {"cost": "42", "stage": "old"}

    found = with_options(document, config, TemplateOptions(kept=kept)).body["Resources"]

    shop = {"Fn::Sub": "${VariableTeam}"}
    assert tags_of(found["LogGroup"]) == {"cost": "42", "team": shop, "stage": "dev"}
    assert tags_of(found["QueueOrders"]) == {"cost": "42", "owner": "platform", "team": shop, "stage": "own"}


def test_each_role_has_the_boundary(config: Any, document: Any) -> None:
    """By a parameter, whose value stays when the stack is changed."""
    found = with_options(document, config, TemplateOptions(boundary=BOUNDARY))

    roles = [each for each in found.body["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    boundary = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    assert [each["Properties"]["PermissionsBoundary"] for each in roles] == [boundary] * len(roles)
    defaults = [each.body["Parameters"]["PermissionsBoundary"]["Default"] for each in (document, found)]
    assert (defaults, len(roles)) == (["", BOUNDARY], 2)


def test_nothing_is_asked(config: Any) -> None:
    """Then the template is as it was."""
    lines = CONFIG.splitlines(keepends=True)
    config.path.write_text("".join(line for line in lines if not line.startswith("tags")), encoding="utf-8")
    plain = read_for_deployment(config.path, {})
    document = make_document(plain)

    assert with_options(document, plain, TemplateOptions()) == document


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        ("aws:x=y", "'aws:x' is not the name of a tag"),
        ("a?=y", "'a\\?' is not the name of a tag"),
        ("a=ü", "the value of the tag 'a' is not up to 256"),
    ],
)
def test_tags_that_aws_refuses(tag: str, fault: str) -> None:
    """They are named before anything is made."""
    with pytest.raises(UsageError, match=fault):
        read_options(dict([tag.split("=")]), "", [])


@pytest.mark.parametrize(("before", "after"), [("tags: {team:", "tags: {aws:team:"), ("stage: own", "AWS:x: own")])
def test_tags_of_aws_in_the_config(config: Any, before: str, after: str) -> None:
    """AWS refuses them in the middle of a deployment: of the file, and of a queue."""
    assert before in CONFIG
    config.path.write_text(CONFIG.replace(before, after), encoding="utf-8")
    changed = read_for_deployment(config.path, {})

    with pytest.raises(UsageError, match=r"the tag '(aws:team|AWS:x)' of the config begins with 'aws:'"):
        with_options(make_document(changed), changed, TemplateOptions())


def test_too_many_tags(config: Any, document: Any) -> None:
    """AWS has a limit for each resource."""
    with pytest.raises(UsageError, match="the resource QueueOrders would have 52 tags, and AWS accepts 50"):
        with_options(document, config, TemplateOptions({f"t{number}": "x" for number in range(49)}))


def test_network_and_concurrency(make: Any) -> None:
    """The function is in a network, which its own code cannot change; its queue has pollers of its own."""
    function = "reserved_concurrency: 0, vpc: {subnets: ['${SUBNET:-subnet-1}', s], security_groups: [sg]}"
    rest = "tables: {orders: {key: {id: S}}}\nroutes: {orders: {queue: orders, table: orders}}\n"
    lambda_ = "queues: {orders: {lambda: {pollers: {max: 9}}}}\n"

    resources = make(f"function: {{{function}}}\n{lambda_}{rest}").body["Resources"]

    properties = resources["Function"]["Properties"]
    assert properties["VpcConfig"] == {
        "SubnetIds": [{"Fn::Sub": "${VariableSubnet}"}, "s"],
        "SecurityGroupIds": ["sg"],
    }
    assert properties["ReservedConcurrentExecutions"] == 0
    (network,) = [each for each in resources["Role"]["Properties"]["Policies"] if each["PolicyName"] == "Network"]
    allowed, denied = network["PolicyDocument"]["Statement"]
    assert (allowed["Action"], allowed["Effect"], denied["Effect"]) == (denied["Action"], "Allow", "Deny")
    assert "lambda:SourceFunctionArn" in denied["Condition"]["ArnEquals"]
    pollers = resources["MappingOrders"]["Properties"]["ProvisionedPollerConfig"]
    assert pollers == {"MinimumPollers": 2, "MaximumPollers": 9}
