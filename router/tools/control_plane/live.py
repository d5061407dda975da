"""Reads from AWS what is deployed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from botocore import xform_name

from router.errors import UsageError
from router.runtime.aws.boto import call, caller
from router.runtime.aws.protocols import AwsFault, read_key_schema
from router.runtime.aws.sqs import SqsQueues, max_receive_count, redrive_target
from router.tools.control_plane.clients import control_plane_clients
from router.tools.control_plane.deployed import (
    Decision,
    DeployedFunction,
    DeployedIndex,
    DeployedMapping,
    DeployedQueue,
    DeployedSubscription,
    DeployedTable,
    DeployedTtl,
    MappingsOfQueue,
    SubscriptionsToTopic,
    Unanswered,
    is_of_function,
)

ACTIONS = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "sqs:GetQueueUrl",
    "sqs:GetQueueAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:GetSubscriptionAttributes",
    "lambda:ListEventSourceMappings",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionConcurrency",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
)
"""The permissions that the caller needs, all of which only read; sts:GetCallerIdentity needs none."""
SERVICES = ("dynamodb", "sqs", "sns", "lambda", "sts", "iam")

_Response = Mapping[str, Any]


class Live:
    """Reads through boto3's clients, which are given by service; safe to call from several threads.

    A call that fails is an `Unanswered`.
    """

    def __init__(self, by_service: Mapping[str, Any]) -> None:
        self._clients = by_service
        self._queues = SqsQueues(caller(by_service["sqs"]))

    def table(self, reference: str) -> DeployedTable | Unanswered:
        """Return a table by its name or ARN, with its time to live."""
        table = self._read("dynamodb", "DescribeTable", reference, "Table", TableName=reference)
        return table if isinstance(table, Unanswered) else _table(table, self._ttl(reference))

    def _ttl(self, reference: str) -> DeployedTtl | Unanswered:
        ttl = self._read(
            "dynamodb",
            "DescribeTimeToLive",
            reference,
            "TimeToLiveDescription",
            TableName=reference,
        )
        if isinstance(ttl, Unanswered):
            return ttl
        return DeployedTtl(ttl["TimeToLiveStatus"], ttl.get("AttributeName", ""))

    def queue(self, reference: str) -> DeployedQueue | Unanswered:
        """Return a queue by its name, ARN or URL."""
        url = self._queues.url(reference, float("inf"))
        if isinstance(url, AwsFault):
            return Unanswered("sqs:GetQueueUrl", reference, url.code)
        attributes = self._read(
            "sqs",
            "GetQueueAttributes",
            reference,
            "Attributes",
            QueueUrl=url,
            AttributeNames=["All"],
        )
        return attributes if isinstance(attributes, Unanswered) else _queue(attributes)

    def subscriptions(self, topic: str, queues: Collection[str]) -> SubscriptionsToTopic:
        """Return the subscriptions of some queues, given by their ARNs, to a topic."""
        found = []
        parameters = {"TopicArn": topic}
        while True:
            response = self._call(
                "sns", "ListSubscriptionsByTopic", topic, "Subscriptions", **parameters
            )
            if isinstance(response, Unanswered):
                return response
            for each in response["Subscriptions"]:
                # One of another account, until it is confirmed, has no ARN.
                arn = each["SubscriptionArn"]
                if each["Endpoint"] not in queues or not arn.startswith("arn:"):
                    continue
                attributes = self._read(
                    "sns", "GetSubscriptionAttributes", topic, "Attributes", SubscriptionArn=arn
                )
                if isinstance(attributes, Unanswered):
                    return attributes
                raw = attributes.get("RawMessageDelivery") == "true"
                found.append(DeployedSubscription(each["Endpoint"], raw))
            if not response.get("NextToken"):
                return tuple(found)
            parameters["NextToken"] = response["NextToken"]

    def mappings(self, queue_arn: str, function: str = "") -> MappingsOfQueue:
        """Return the event source mappings of a queue; with `function`, a name or ARN, those to that function.

        Those to its versions and aliases count, which Lambda's own filter would leave out.
        """
        found: list[DeployedMapping] = []
        parameters = {"EventSourceArn": queue_arn}
        while True:
            response = self._call(
                "lambda", "ListEventSourceMappings", queue_arn, "EventSourceMappings", **parameters
            )
            if isinstance(response, Unanswered):
                return response
            found += map(_mapping, response["EventSourceMappings"])
            if not response.get("NextMarker"):
                return tuple(each for each in found if is_of_function(each.function, function))
            parameters["Marker"] = response["NextMarker"]

    def function(self, reference: str) -> DeployedFunction | Unanswered:
        """Return a function by its name or ARN, with or without a version or alias."""
        response = self._call(
            "lambda", "GetFunctionConfiguration", reference, "FunctionArn", FunctionName=reference
        )
        if isinstance(response, Unanswered):
            return response
        # Concurrency is reserved for a function, never for a version or alias.
        name = response["FunctionName"]
        found = self._call("lambda", "GetFunctionConcurrency", name, FunctionName=name)
        reserved = (
            found if isinstance(found, Unanswered) else found.get("ReservedConcurrentExecutions")
        )
        return DeployedFunction(
            response["FunctionArn"],
            response["Timeout"],
            response["Role"],
            reserved,
            response.get("LastModified", ""),
        )

    def caller(self) -> str | Unanswered:
        """Return the ARN of the caller; "" for the root user of an account, who has all permissions.

        Raises UsageError if there are no valid credentials: the call needs no permission.
        """
        response = call(self._clients["sts"].get_caller_identity, "Arn")
        if isinstance(response, AwsFault):
            if response.kind == "configuration" or response.code in _EXPIRED_CREDENTIALS:
                raise UsageError(
                    f"AWS does not accept the credentials of this environment ({response.code})"
                )
            return Unanswered("sts:GetCallerIdentity", "the caller", response.code)
        arn: str = response["Arn"]
        return "" if arn.endswith(":root") else self._role(arn)

    def _role(self, arn: str) -> str:
        """Return the role of an assumed role, whose session has no policies of its own; else the ARN as it is."""
        # arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        if kind != "assumed-role":
            return arn
        name = rest.partition("/")[0]
        response = call(self._clients["iam"].get_role, "Role", RoleName=name)
        if isinstance(response, AwsFault):
            # Most roles have no path, so their ARN can be derived.
            _, partition, _, _, account, _ = arn.split(":", 5)
            return f"arn:{partition}:iam::{account}:role/{name}"
        return str(response["Role"]["Arn"])

    def decide(
        self, principal: str, resource: str, actions: Sequence[str]
    ) -> Decision | Unanswered:
        """Return which of the actions on a resource the policies of a principal do not allow.

        A key is used by SQS, DynamoDB or S3 on behalf of the principal; policies name all of them or none.
        """
        via = f"sqs.{self._clients['sqs'].meta.region_name}.amazonaws.com"
        context = {
            "ContextKeyName": "kms:ViaService",
            "ContextKeyValues": [via],
            "ContextKeyType": "string",
        }
        results = self._read(
            "iam",
            "SimulatePrincipalPolicy",
            principal,
            "EvaluationResults",
            PolicySourceArn=principal,
            ActionNames=list(actions),
            ResourceArns=[resource],
            **({"ContextEntries": [context]} if resource.split(":")[2:3] == ["kms"] else {}),
        )
        if isinstance(results, Unanswered):
            return results
        denied = {each["EvalActionName"] for each in results if each["EvalDecision"] != "allowed"}
        return Decision(
            resource, tuple(actions), tuple(action for action in actions if action in denied)
        )

    def _read(
        self, service: str, operation: str, resource: str, member: str, **parameters: Any
    ) -> Any | Unanswered:
        """Return a member of the response to a call."""
        response = self._call(service, operation, resource, member, **parameters)
        return response if isinstance(response, Unanswered) else response[member]

    def _call(
        self, service: str, operation: str, resource: str, member: str = "", **parameters: Any
    ) -> _Response | Unanswered:
        response = call(
            getattr(self._clients[service], xform_name(operation)), member, **parameters
        )
        if isinstance(response, AwsFault):
            return Unanswered(f"{service}:{operation}", resource, response.code)
        return response


_EXPIRED_CREDENTIALS = ("ExpiredToken", "ExpiredTokenException", "CredentialRetrievalError")
"""Codes for credentials that a worker refreshes after a while, and a person has to renew."""


def connect() -> Live:
    """Connect with the credentials, region and endpoint of the environment; raises UsageError (no region)."""
    return Live(control_plane_clients(SERVICES))


def _table(description: _Response, ttl: DeployedTtl | Unanswered) -> DeployedTable:
    indexes = [_index(description, each) for each in description.get("GlobalSecondaryIndexes", ())]
    indexes += [
        DeployedIndex(each["IndexName"], read_key_schema({**description, **each}))
        for each in description.get("LocalSecondaryIndexes", ())
    ]
    on_demand = description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    units = {} if on_demand else description.get("ProvisionedThroughput", {})
    return DeployedTable(
        description["TableArn"],
        description["TableStatus"],
        read_key_schema(description),
        ttl,
        units.get("ReadCapacityUnits", 0),
        units.get("WriteCapacityUnits", 0),
        tuple(indexes),
    )


def _index(description: _Response, index: _Response) -> DeployedIndex:
    """Return a global secondary index."""
    return DeployedIndex(
        index["IndexName"],
        read_key_schema({**description, **index}),
        sum(each["KeyType"] == "HASH" for each in index["KeySchema"]),
        index.get("IndexStatus", "ACTIVE"),
        index["Projection"]["ProjectionType"],
        tuple(sorted(index["Projection"].get("NonKeyAttributes", ()))),
    )


def _queue(attributes: Mapping[str, str]) -> DeployedQueue:
    return DeployedQueue(
        attributes["QueueArn"],
        attributes.get("FifoQueue") == "true",
        int(attributes["VisibilityTimeout"]),
        int(attributes["MessageRetentionPeriod"]),
        int(attributes["MaximumMessageSize"]),
        redrive_target(attributes),
        max_receive_count(attributes),
        attributes.get("KmsMasterKeyId", ""),
        attributes.get("Policy", ""),
    )


def _mapping(response: _Response) -> DeployedMapping:
    return DeployedMapping(
        response["UUID"],
        response["FunctionArn"],
        response["State"],
        response["BatchSize"],
        response.get("MaximumBatchingWindowInSeconds") or 0,
        "ReportBatchItemFailures" in (response.get("FunctionResponseTypes") or ()),
        (response.get("ScalingConfig") or {}).get("MaximumConcurrency", 0),
        len((response.get("FilterCriteria") or {}).get("Filters", ())),
        response.get("StateTransitionReason") or "",
    )
