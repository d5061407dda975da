"""Reading what is deployed, on the servers, and on a scripted one."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from router.errors import UsageError
from router.tools.control_plane.deployed import (
    Decision,
    DeployedFunction,
    DeployedIndex,
    DeployedMapping,
    DeployedQueue,
    DeployedTable,
    DeployedTtl,
    Unanswered,
)
from router.tools.control_plane.live import ACTIONS, Live
from tests.aws.live.conftest import queue_policy

SCRIPTED = Path(__file__).parent / "scripted"
"""What is said of answers that only a server gives which says what it is reported to."""
CONFIG = """\
version: 1
queues:
  orders: {dead_letter: orders-dlq}
tables:
  orders: {key: {id: S}}
routes:
  orders: {queue: orders, table: orders, item: {id: id}}
"""
ARN = "arn:aws:sqs:us-east-1:123456789012:orders"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:router"
ROLE = "arn:aws:iam::123456789012:role/service/router"
TABLE = {
    "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    "TableStatus": "ARCHIVED",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}
QUEUE = {
    "QueueArn": ARN,
    "Policy": queue_policy(),
    "VisibilityTimeout": "360",
    "MessageRetentionPeriod": "345600",
    "MaximumMessageSize": "262144",
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": f"{ARN}-dlq", "maxReceiveCount": "5"}),
}
LETTERS = QUEUE | {"QueueArn": f"{ARN}-dlq", "MessageRetentionPeriod": "1209600", "RedrivePolicy": ""}
MAPPING = {
    "UUID": "m-1",
    "EventSourceArn": ARN,
    "FunctionArn": FUNCTION,
    "State": "Enabled",
    "BatchSize": 10,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
}
CONFIGURATION = {"FunctionName": "router", "FunctionArn": FUNCTION, "Timeout": 60, "Role": ROLE}
DENIED = {"__type": "AccessDeniedException"}
XML_DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"


def result(operation: str, content: str) -> str:
    """A response in XML, as those of IAM and STS."""
    return f"<{operation}Response><{operation}Result>{content}</{operation}Result></{operation}Response>"


def identity(arn: str) -> str:
    return result("GetCallerIdentity", f"<Arn>{arn}</Arn>")


def simulated(**decisions: str) -> str:
    """A simulation's decisions by action, with `_` for the colon."""
    members = [
        f"<EvalActionName>{action.replace('_', ':')}</EvalActionName><EvalDecision>{decision}</EvalDecision>"
        for action, decision in decisions.items()
    ]
    listed = "".join(f"<member>{member}</member>" for member in members)
    return result("SimulatePrincipalPolicy", f"<EvaluationResults>{listed}</EvaluationResults>")


@pytest.fixture
def sound(answers: Any) -> Any:
    """A server with a correct deployment, but for the table, which is archived."""
    answers.by_operation = {
        "GetCallerIdentity": identity("arn:aws:iam::123456789012:root"),
        "DescribeTable": {"Table": TABLE},
        "DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
        "GetQueueUrl": lambda asked: {"QueueUrl": f"https://sqs/1/{asked['QueueName']}"},
        "GetQueueAttributes": lambda asked: {"Attributes": LETTERS if asked["QueueUrl"].endswith("-dlq") else QUEUE},
        "ListEventSourceMappings": {"EventSourceMappings": [MAPPING]},
        "GetFunctionConfiguration": CONFIGURATION,
        "GetFunctionConcurrency": {},
    }
    return answers


def test_not_active(sound: Any, checked: Any) -> None:
    """An archived table accepts no writes."""
    assert checked(sound.endpoint, CONFIG) == (SCRIPTED / "RT702.txt").read_text(encoding="utf-8")


def test_ignored(sound: Any, checked: Any) -> None:
    """Findings about AWS can be ignored in the file, as any others."""
    accepted = "ignore: [{code: RT702, at: tables.orders, reason: it is only read}]\n"

    assert checked(sound.endpoint, CONFIG + accepted) == ""


@pytest.mark.parametrize(
    ("operation", "output"),
    [
        ("DescribeTable", "5:3: warning RT751 dynamodb:DescribeTable of 'orders'"),
        ("DescribeTimeToLive", "5:3: warning RT751 dynamodb:DescribeTimeToLive of 'orders'"),
        ("ListEventSourceMappings", f"3:3: warning RT751 lambda:ListEventSourceMappings of '{ARN}'"),
        ("GetFunctionConfiguration", f"1:1: warning RT751 lambda:GetFunctionConfiguration of '{FUNCTION}'"),
        ("GetFunctionConcurrency", "1:1: warning RT751 lambda:GetFunctionConcurrency of 'router'"),
    ],
)
def test_not_permitted(sound: Any, checked: Any, operation: str, output: str) -> None:
    """A call without permission is named, with its resource; the others are made."""
    sound.by_operation["DescribeTable"] = {"Table": TABLE | {"TableStatus": "ACTIVE"}}
    sound.by_operation[operation] = DENIED
    action = output.split()[3]

    lines = checked(sound.endpoint, CONFIG)

    advice = f"allow {action}, or check with another profile"
    assert lines == f"routes.yaml:{output} is not permitted (AccessDeniedException); {advice}\n"


def test_an_index_that_is_built(sound: Any, checked: Any) -> None:
    """Until DynamoDB has built it, queries of it fail."""
    index = {
        "IndexName": "by_id",
        "IndexStatus": "CREATING",
        "KeySchema": TABLE["KeySchema"],
        "Projection": {"ProjectionType": "ALL"},
    }
    sound.by_operation["DescribeTable"] = {
        "Table": TABLE | {"TableStatus": "UPDATING", "GlobalSecondaryIndexes": [index]}
    }
    declared = CONFIG.replace("{key: {id: S}}", "{key: {id: S}, indexes: {by_id: {key: {id: S}}}}")

    assert checked(sound.endpoint, declared) == (SCRIPTED / "RT710.txt").read_text(encoding="utf-8")


def test_as_the_page_shows_it(sound: Any, checked: Any) -> None:
    """A call that is not permitted."""
    sound.by_operation["DescribeTable"] = DENIED

    assert checked(sound.endpoint, CONFIG) == (SCRIPTED / "RT751.txt").read_text(encoding="utf-8")


def test_function_not_permitted(sound: Any, checked: Any) -> None:
    """The mappings of a function are read even if the function may not be."""
    sound.by_operation["DescribeTable"] = {"Table": TABLE | {"TableStatus": "ACTIVE"}}
    sound.by_operation["ListEventSourceMappings"] = {"EventSourceMappings": [MAPPING | {"State": "Disabled"}]}
    sound.by_operation["GetFunctionConfiguration"] = DENIED

    lines = checked(sound.endpoint, CONFIG, FUNCTION)

    assert lines == (
        f"routes.yaml:1:1: warning RT751 lambda:GetFunctionConfiguration of '{FUNCTION}' is not permitted "
        "(AccessDeniedException); allow lambda:GetFunctionConfiguration, or check with another profile\n"
        "routes.yaml:3:3: warning RT748 the mapping to function 'router' is Disabled; "
        "enable it, unless it is disabled on purpose\n"
    )


def test_queue_not_permitted(sound: Any, checked: Any) -> None:
    """Each place that names a queue has the calls about it that failed."""
    sound.by_operation["DescribeTable"] = {"Table": TABLE | {"TableStatus": "ACTIVE"}}
    sound.by_operation["GetQueueUrl"] = DENIED

    lines = checked(sound.endpoint, CONFIG).splitlines()

    assert [line.partition(" is not permitted")[0] for line in lines] == [
        "routes.yaml:3:3: warning RT751 sqs:GetQueueUrl of 'orders'",
        "routes.yaml:3:25: warning RT751 sqs:GetQueueUrl of 'orders-dlq'",
    ]


def test_not_answered(sound: Any, checked: Any) -> None:
    """A call that failed otherwise is named with AWS's code for it."""
    sound.by_operation["DescribeTable"] = {"__type": "SomethingNew"}

    assert checked(sound.endpoint, CONFIG) == (SCRIPTED / "RT752.txt").read_text(encoding="utf-8")


def test_simulation_not_permitted(sound: Any, checked: Any) -> None:
    """The call that would have returned the permissions is named, once."""
    sound.by_operation["DescribeTable"] = {"Table": TABLE | {"TableStatus": "ACTIVE"}}
    user = "arn:aws:iam::123456789012:user/anna"
    sound.by_operation |= {"GetCallerIdentity": identity(user), "SimulatePrincipalPolicy": XML_DENIED}

    assert checked(sound.endpoint, CONFIG) == (
        f"routes.yaml:1:1: warning RT751 iam:SimulatePrincipalPolicy of '{user}' is not permitted "
        f"(AccessDenied); allow "
        "iam:SimulatePrincipalPolicy, or check with another profile\n"
    )


def test_permissions_of_the_caller(sound: Any, checked: Any) -> None:
    """Without a function the permissions of the caller are read, for each queue and table."""
    sound.by_operation["DescribeTable"] = {"Table": TABLE | {"TableStatus": "ACTIVE"}}
    user = "arn:aws:iam::123456789012:user/anna"
    decided = simulated(sqs_SendMessage="explicitDeny", sqs_GetQueueUrl="allowed")
    sound.by_operation |= {"GetCallerIdentity": identity(user), "SimulatePrincipalPolicy": decided}

    lines = checked(sound.endpoint, CONFIG)

    asked = {
        form["ResourceArns.member.1"]: [form[key] for key in sorted(form) if key.startswith("ActionNames")]
        for operation, form in sound.asked
        if operation == "SimulatePrincipalPolicy"
    }
    assert asked == {
        ARN: [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
        ],
        f"{ARN}-dlq": ["sqs:GetQueueUrl", "sqs:SendMessage"],
        TABLE["TableArn"]: ["dynamodb:BatchWriteItem", "dynamodb:DescribeTable"],
    }
    assert lines == (
        f"routes.yaml:1:1: warning RT753 {user} may not do sqs:SendMessage on {ARN}-dlq; allow sqs:SendMessage\n"
    )


TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
FROM_TOPIC = {"Principal": {"Service": "sns.amazonaws.com"}, "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}}}


def subscriptions(*arns: str, token: str = "") -> str:
    """The subscriptions of the queue to a topic."""
    members = "".join(
        f"<member><Endpoint>{ARN}</Endpoint><SubscriptionArn>{arn}</SubscriptionArn></member>" for arn in arns
    )
    more = f"<NextToken>{token}</NextToken>" if token else ""
    return result("ListSubscriptionsByTopic", f"<Subscriptions>{members}</Subscriptions>{more}")


@pytest.fixture
def topic(sound: Any) -> Any:
    """A server with a topic besides, whose subscription is on the second page, and delivers raw messages."""
    policy = {"Policy": queue_policy(FROM_TOPIC)}
    pages = [subscriptions("PendingConfirmation", token="more"), subscriptions(f"{TOPIC}:1")]
    raw = "<entry><key>RawMessageDelivery</key><value>true</value></entry>"
    sound.by_operation |= {
        "DescribeTable": {"Table": TABLE | {"TableStatus": "ACTIVE"}},
        "GetQueueAttributes": lambda asked: {
            "Attributes": LETTERS if asked["QueueUrl"].endswith("-dlq") else QUEUE | policy
        },
        "ListSubscriptionsByTopic": lambda asked: pages["NextToken" in asked],
        "GetSubscriptionAttributes": result("GetSubscriptionAttributes", f"<Attributes>{raw}</Attributes>"),
    }
    return sound


WITH_TOPIC = CONFIG.replace("orders: {dead", f"orders: {{senders: ['{TOPIC}'], dead")


def test_subscriptions(topic: Any, checked: Any) -> None:
    """Those of all pages are read, but not what is not confirmed, or what may not be read."""
    assert checked(topic.endpoint, WITH_TOPIC) == ""
    topic.by_operation["GetSubscriptionAttributes"] = XML_DENIED
    assert "RT751 sns:GetSubscriptionAttributes" in checked(topic.endpoint, WITH_TOPIC)
    topic.by_operation["ListSubscriptionsByTopic"] = XML_DENIED
    assert "RT751 sns:ListSubscriptionsByTopic" in checked(topic.endpoint, WITH_TOPIC)
    topic.by_operation["ListSubscriptionsByTopic"] = XML_DENIED.replace("AccessDenied", "NotFound")
    assert "RT737" in checked(topic.endpoint, WITH_TOPIC)


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "ExpiredToken"])
def test_no_credentials(sound: Any, checked: Any, code: str) -> None:
    """Without valid credentials nothing is compared."""
    sound.by_operation["GetCallerIdentity"] = XML_DENIED.replace("AccessDenied", code)

    with pytest.raises(UsageError, match=rf"^AWS does not accept the credentials of this environment \({code}\)$"):
        checked(sound.endpoint, CONFIG)


def test_errors_first(sound: Any, checked: Any) -> None:
    """No call is made for a config with errors."""
    output = checked(sound.endpoint, CONFIG.replace("table: orders", "table: order"))

    assert (output, sound.asked) == ((SCRIPTED / "RT756.txt").read_text(encoding="utf-8"), [])


@pytest.mark.parametrize(
    ("arn", "role", "known"),
    [
        ("arn:aws:iam::1:root", XML_DENIED, ""),
        ("arn:aws:iam::1:user/ops/anna", XML_DENIED, "arn:aws:iam::1:user/ops/anna"),
        ("arn:aws:sts::1:assumed-role/deploy/me", result("GetRole", f"<Role><Arn>{ROLE}</Arn></Role>"), ROLE),
        ("arn:aws-cn:sts::1:assumed-role/deploy/me", XML_DENIED, "arn:aws-cn:iam::1:role/deploy"),
    ],
    ids=["root", "user", "role", "role that may not be looked at"],
)
def test_caller(answers: Any, ask: Any, arn: str, role: str, known: str) -> None:
    """The policies of a user, or of the role of a session, are read; the root user has all permissions."""
    answers.by_operation = {"GetCallerIdentity": identity(arn), "GetRole": role}

    assert ask(answers.endpoint).caller() == known


def test_caller_not_answered(answers: Any, ask: Any) -> None:
    """Another error is not about the credentials."""
    answers.by_operation = {"GetCallerIdentity": XML_DENIED.replace("AccessDenied", "SomethingNew")}

    assert ask(answers.endpoint).caller() == Unanswered("sts:GetCallerIdentity", "the caller", "SomethingNew")


def test_pages_of_mappings(answers: Any, ask: Any) -> None:
    """Mappings are returned in pages."""
    answers.by_operation["ListEventSourceMappings"] = lambda asked: {
        "EventSourceMappings": [MAPPING | {"UUID": asked.get("Marker", "first")}],
        **({} if "Marker" in asked else {"NextMarker": "second"}),
    }

    found = ask(answers.endpoint).mappings(ARN, "router")

    assert found == tuple(DeployedMapping(id, FUNCTION, "Enabled", 10, 0, True) for id in ("first", "second"))
    assert [asked.get("FunctionName") for _, asked in answers.asked] == [None, None]


@pytest.mark.parametrize(
    ("function", "found"),
    [
        ("", ["router", "router:live", "router:2", "other"]),
        ("router", ["router", "router:live", "router:2"]),
        (FUNCTION, ["router", "router:live", "router:2"]),
        ("router:live", ["router:live"]),
        ("123456789012:function:other", ["other"]),
    ],
)
def test_mappings_to_a_function(answers: Any, ask: Any, function: str, found: list[str]) -> None:
    """Those to its versions and aliases are among them, unless one of these is named."""
    prefix = FUNCTION.removesuffix("router")
    names = ("router", "router:live", "router:2", "other")
    answers.by_operation["ListEventSourceMappings"] = {
        "EventSourceMappings": [MAPPING | {"UUID": name, "FunctionArn": f"{prefix}{name}"} for name in names]
    }

    mappings = ask(answers.endpoint).mappings(ARN, function)

    assert not isinstance(mappings, Unanswered)
    assert [each.id for each in mappings] == found


def test_table(live: Live, deployer: Any, name: str) -> None:
    """A table with its indexes, its capacity and its time to live."""
    index = {
        "IndexName": "by_g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }
    units = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 7}
    deployer.deploy({"table": {"GlobalSecondaryIndexes": [index], "ProvisionedThroughput": units}, "queue": None}, name)

    assert live.table(name) == DeployedTable(
        f"arn:aws:dynamodb:us-east-1:{deployer.account}:table/{name}",
        "ACTIVE",
        (("pk", "S"), ("sk", "N")),
        DeployedTtl("ENABLED", "expires"),
        2,
        7,
        (DeployedIndex("by_g", (("g", "S"), ("pk", "S")), projection="ALL"),),
    )


def test_queue(live: Live, deployer: Any, name: str) -> None:
    """A queue by its name and by its ARN, with its dead-letter queue."""
    deployer.deploy({"mappings": ()}, name)
    arn = f"arn:aws:sqs:us-east-1:{deployer.account}:{name}"

    queue = DeployedQueue(arn, False, 360, 345600, 262144, f"{arn}-dlq", 5, policy=queue_policy())
    assert [live.queue(name), live.queue(arn)] == [queue] * 2


def test_mapping_and_function(live: Live, deployer: Any, name: str) -> None:
    """A mapping, and its function."""
    mapping = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 3,
        "ScalingConfig": {"MaximumConcurrency": 4},
        "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
    }
    deployer.deploy({"mappings": (mapping,), "reserved": 9, "timeout": 12}, name)
    function = f"arn:aws:lambda:us-east-1:{deployer.account}:function:{name}-0"

    mappings = live.mappings(f"arn:aws:sqs:us-east-1:{deployer.account}:{name}")

    assert not isinstance(mappings, Unanswered)
    (found,) = mappings
    assert found.reason.upper().replace(" ", "_") == "USER_INITIATED"  # moto spells it in another way
    deployed = live.function(function)
    assert isinstance(deployed, DeployedFunction)
    assert datetime.fromisoformat(deployed.modified)
    assert (found, structs.replace(deployed, modified="")) == (
        DeployedMapping(found.id, function, "Enabled", 100, 3, True, 4, 1, found.reason),
        DeployedFunction(function, 12, f"arn:aws:iam::{deployer.account}:role/{name}-0", 9),
    )


def test_nothing_there(live: Live, name: str) -> None:
    """Resources that do not exist are absent."""
    answers: list[Any] = [live.table(name), live.queue(name), live.function(name)]

    assert [each.absent for each in answers] == [True] * 3


def test_decision(answers: Any, ask: Any) -> None:
    """Actions that are not allowed are denied, explicitly or implicitly, in the order of the call."""
    answers.by_operation["SimulatePrincipalPolicy"] = simulated(a_C="implicitDeny", a_B="allowed", a_A="explicitDeny")

    decision = ask(answers.endpoint).decide(ROLE, ARN, ["a:A", "a:B", "a:C"])

    assert decision == Decision(ARN, ("a:A", "a:B", "a:C"), ("a:A", "a:C"))


def test_each_call_is_an_action(topic: Any, checked: Any) -> None:
    """Only the calls of the policy in the docs are made, and GetCallerIdentity."""
    user = "arn:aws:sts::1:assumed-role/deploy/me"
    topic.by_operation |= {"GetCallerIdentity": identity(user), "SimulatePrincipalPolicy": simulated()}

    checked(topic.endpoint, WITH_TOPIC)

    made = {operation for operation, _ in topic.asked}
    assert made == {action.partition(":")[2] for action in ACTIONS} | {"GetCallerIdentity"}
