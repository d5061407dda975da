"""What is deployed, asked of AWS by calls that only read."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from router.aws.calls import call
from router.aws.control_plane import clients
from router.aws.deployed import (
    Decision,
    FunctionFacts,
    IndexFacts,
    KeyAttributes,
    MappingFacts,
    QueueFacts,
    TableFacts,
    TtlFacts,
    Unanswered,
)
from router.aws.faults import Fault
from router.aws.sqs import SqsQueues
from router.errors import UsageError

ACTIONS = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "sqs:GetQueueUrl",
    "sqs:GetQueueAttributes",
    "lambda:ListEventSourceMappings",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionConcurrency",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
)
"""What the caller must be allowed to do, all of it reading; sts:GetCallerIdentity needs no permission."""
SERVICES = ("dynamodb", "sqs", "lambda", "sts", "iam")

_Answer = Mapping[str, Any]


class Live:
    """Asks AWS, through boto3's clients by service; safe to call from several threads.

    What is not answered is a value that says so.
    """

    def __init__(self, by_service: Mapping[str, Any]) -> None:
        self._clients = by_service
        self._queues = SqsQueues(by_service["sqs"])

    def table(self, reference: str) -> TableFacts | Unanswered:
        """A table by its name or ARN, and its time to live."""
        answer = self._ask("dynamodb", "DescribeTable", reference, "Table", TableName=reference)
        return answer if isinstance(answer, Unanswered) else _table(answer["Table"], self._ttl(reference))

    def _ttl(self, reference: str) -> TtlFacts | Unanswered:
        member = "TimeToLiveDescription"
        answer = self._ask("dynamodb", "DescribeTimeToLive", reference, member, TableName=reference)
        if isinstance(answer, Unanswered):
            return answer
        description = answer[member]
        return TtlFacts(description["TimeToLiveStatus"], description.get("AttributeName", ""))

    def queue(self, reference: str) -> QueueFacts | Unanswered:
        """A queue by its name, ARN or URL."""
        url = self._queues.url(reference)
        if isinstance(url, Fault):
            return Unanswered("sqs:GetQueueUrl", reference, url.code)
        member = "Attributes"
        answer = self._ask("sqs", "GetQueueAttributes", reference, member, QueueUrl=url, AttributeNames=["All"])
        return answer if isinstance(answer, Unanswered) else _queue(answer[member])

    def mappings(self, queue_arn: str, function: str = "") -> tuple[MappingFacts, ...] | Unanswered:
        """The event source mappings of a queue; with `function`, a name or ARN, those to that function."""
        found: list[MappingFacts] = []
        parameters = {"EventSourceArn": queue_arn} | ({"FunctionName": function} if function else {})
        member = "EventSourceMappings"
        while True:
            answer = self._ask("lambda", "ListEventSourceMappings", queue_arn, member, **parameters)
            if isinstance(answer, Unanswered):
                return answer
            found += map(_mapping, answer[member])
            if not answer.get("NextMarker"):
                return tuple(found)
            parameters["Marker"] = answer["NextMarker"]

    def function(self, reference: str) -> FunctionFacts | Unanswered:
        """A function by its name or ARN, with a version or alias or without."""
        answer = self._ask("lambda", "GetFunctionConfiguration", reference, "FunctionArn", FunctionName=reference)
        if isinstance(answer, Unanswered):
            return answer
        return FunctionFacts(answer["FunctionArn"], answer["Timeout"], answer["Role"], self._reserved(answer))

    def _reserved(self, configuration: _Answer) -> int | Unanswered | None:
        # Concurrency is reserved for a function, never for a version or alias of it.
        name = configuration["FunctionName"]
        answer = self._ask("lambda", "GetFunctionConcurrency", name, FunctionName=name)
        return answer if isinstance(answer, Unanswered) else answer.get("ReservedConcurrentExecutions")

    def caller(self) -> str | Unanswered:
        """The ARN of who calls; "" for the root of an account, who may do all.

        That call needs no permission: raises UsageError if there are no credentials that AWS takes.
        """
        answer = call(self._clients["sts"].get_caller_identity, "Arn")
        if isinstance(answer, Fault):
            if answer.kind == "setup" or answer.code in _OLD_CREDENTIALS:
                raise UsageError(f"AWS does not take the credentials of this environment ({answer.code})")
            return Unanswered("sts:GetCallerIdentity", "the caller", answer.code)
        arn: str = answer["Arn"]
        return "" if arn.endswith(":root") else self._role(arn)

    def _role(self, arn: str) -> str:
        """The role of an assumed role, whose session has no policies by itself; else what was given."""
        # arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        if kind != "assumed-role":
            return arn
        name = rest.partition("/")[0]
        answer = call(self._clients["iam"].get_role, "Role", RoleName=name)
        if isinstance(answer, Fault):
            # Most roles have no path, so that their ARN can be told without asking.
            _, partition, _, _, account, _ = arn.split(":", 5)
            return f"arn:{partition}:iam::{account}:role/{name}"
        return str(answer["Role"]["Arn"])

    def decide(self, principal: str, resource: str, actions: Sequence[str]) -> Decision | Unanswered:
        """Which of the actions on a resource the policies of a principal do not allow."""
        member = "EvaluationResults"
        answer = self._ask(
            "iam",
            "SimulatePrincipalPolicy",
            principal,
            member,
            PolicySourceArn=principal,
            ActionNames=list(actions),
            ResourceArns=[resource],
        )
        if isinstance(answer, Unanswered):
            return answer
        denied = {each["EvalActionName"] for each in answer[member] if each["EvalDecision"] != "allowed"}
        return Decision(resource, tuple(actions), tuple(action for action in actions if action in denied))

    def _ask(
        self, service: str, operation: str, resource: str, member: str = "", **parameters: Any
    ) -> _Answer | Unanswered:
        client = self._clients[service]
        method: Callable[..., _Answer] = getattr(client, _METHODS[operation])
        answer = call(method, member, **parameters)
        return Unanswered(f"{service}:{operation}", resource, answer.code) if isinstance(answer, Fault) else answer


_OLD_CREDENTIALS = ("ExpiredToken", "ExpiredTokenException", "CredentialRetrievalError")
"""Codes for credentials that a worker finds anew by and by; a person has to do something about them."""
_METHODS = {
    "DescribeTable": "describe_table",
    "DescribeTimeToLive": "describe_time_to_live",
    "GetQueueAttributes": "get_queue_attributes",
    "ListEventSourceMappings": "list_event_source_mappings",
    "GetFunctionConfiguration": "get_function_configuration",
    "GetFunctionConcurrency": "get_function_concurrency",
    "SimulatePrincipalPolicy": "simulate_principal_policy",
}


def connect() -> Live:
    """Connect with the credentials, region and endpoint of the environment; raises UsageError (no region)."""
    return Live(clients(SERVICES))


def _table(description: _Answer, ttl: TtlFacts | Unanswered) -> TableFacts:
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    indexes = [*description.get("GlobalSecondaryIndexes", ()), *description.get("LocalSecondaryIndexes", ())]
    on_demand = description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    units = {} if on_demand else description.get("ProvisionedThroughput", {})
    return TableFacts(
        description["TableArn"],
        description["TableStatus"],
        _key(description["KeySchema"], types),
        ttl,
        units.get("ReadCapacityUnits", 0),
        units.get("WriteCapacityUnits", 0),
        tuple(IndexFacts(index["IndexName"], _key(index["KeySchema"], types)) for index in indexes),
    )


def _key(schema: Sequence[Mapping[str, str]], types: Mapping[str, str]) -> KeyAttributes:
    # "HASH" (the partition key) comes before "RANGE" (the sort key).
    parts = sorted(schema, key=lambda part: part["KeyType"])
    return tuple((part["AttributeName"], types[part["AttributeName"]]) for part in parts)


def _queue(attributes: Mapping[str, str]) -> QueueFacts:
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    return QueueFacts(
        attributes["QueueArn"],
        attributes.get("FifoQueue") == "true",
        int(attributes["VisibilityTimeout"]),
        int(attributes["MessageRetentionPeriod"]),
        int(attributes["MaximumMessageSize"]),
        policy.get("deadLetterTargetArn", ""),
        # SQS takes it as a number and as text, and says it as it was told.
        int(policy.get("maxReceiveCount", 0)),
    )


def _mapping(answer: _Answer) -> MappingFacts:
    return MappingFacts(
        answer["UUID"],
        answer["FunctionArn"],
        answer["State"],
        answer["BatchSize"],
        answer.get("MaximumBatchingWindowInSeconds") or 0,
        "ReportBatchItemFailures" in (answer.get("FunctionResponseTypes") or ()),
        (answer.get("ScalingConfig") or {}).get("MaximumConcurrency", 0),
        len((answer.get("FilterCriteria") or {}).get("Filters", ())),
    )
