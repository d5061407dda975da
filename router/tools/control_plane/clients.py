"""The control plane through boto3, for deployments: an error is a sentence that names the action that IAM knows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.exceptions import ClientError, WaiterError
from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.boto import ERRORS, make_client, open_session, settings_errors
from router.runtime.aws.causes import NO_CREDENTIALS, REFUSED_CREDENTIALS
from router.runtime.aws.protocols import KeySchema, read_key_schema
from router.tools.control_plane.deployed import ABSENT, DENIED

TIMEOUT = 60
"""Seconds to wait for a response: uploading an object of 50 MB takes longer than what only reads."""
_QUICK_TIMEOUT = 5
"""Seconds to wait for a response while a person waits."""
_ATTEMPTS = 3
_CONCURRENT_CALLS = 8
"""How many calls of the control plane are made at a time."""
WAITING = "ApproximateNumberOfMessages"
IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
DELAYED = "ApproximateNumberOfMessagesDelayed"
_COUNTS = (WAITING, IN_FLIGHT, DELAYED)
DELETION_SECONDS = 600
_POLL_SECONDS = 1
_CHUNK = 1024 * 1024
_INVALID_CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
"""The codes for credentials that a person has to renew."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Where the action has another name than the operation: "Actions, resources, and condition keys for Amazon S3", and for
# AWS Lambda (service-authorization/latest/reference/list_amazons3.html, list_awslambda.html).
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}


class AwsCallError(UsageError):
    """A call failed; `code` is AWS's error code, or the name of the exception if AWS has not `answered`."""

    def __init__(self, text: str, code: str, *, answered: bool = True) -> None:
        super().__init__(text)
        self.code = code
        self.answered = answered


class ServiceClient:
    """One service of AWS, by boto3's client for it."""

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    @property
    def region(self) -> str:
        """The region that is called."""
        region: str = self._client.meta.region_name
        return region

    @property
    def place(self) -> str:
        """The region and the endpoint that are called, for errors."""
        return f" in {self.region} at {self._client.meta.endpoint_url}"

    @property
    def is_local(self) -> bool:
        """Whether what is called runs on this machine."""
        return urlsplit(self._client.meta.endpoint_url).hostname in _LOOPBACK

    def takes(self, operation: str, parameter: str) -> bool:
        """Whether this version of boto3 knows a parameter of an operation."""
        shape = self._client.meta.service_model.operation_model(operation).input_shape
        return parameter in shape.members

    def call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Call an operation by AWS's name for it, such as `DescribeStacks`; raises AwsCallError."""
        method = getattr(self._client, xform_name(operation))
        with self._explained(operation):
            response: Mapping[str, Any] = method(**parameters)
        return response

    def pages(self, operation: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        """Call an operation until it has no further page, and yield the responses; raises AwsCallError."""
        with self._explained(operation):
            yield from self._client.get_paginator(xform_name(operation)).paginate(**parameters)

    def wait(self, condition: str, seconds: int, **parameters: Any) -> bool:
        """Wait by one of boto3's waiters, such as `table_not_exists`; return whether it held in time."""
        waiting = {"Delay": _POLL_SECONDS, "MaxAttempts": seconds // _POLL_SECONDS}
        try:
            self._client.get_waiter(condition).wait(WaiterConfig=waiting, **parameters)
        except WaiterError:
            return False
        return True

    def invoke(self, function: str, payload: bytes) -> tuple[bool, bytes]:
        """Invoke a function of Lambda; return whether it failed, and its answer or error; raises AwsCallError."""
        with self._explained("Invoke"):
            response = self._client.invoke(FunctionName=function, Payload=payload)
            return bool(response.get("FunctionError")), response["Payload"].read()

    def download(self, file: IO[bytes], bucket: str, key: str) -> None:
        """Write an object of S3 to a file; raises AwsCallError."""
        with self._explained("GetObject"):
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            for chunk in body.iter_chunks(_CHUNK):
                file.write(chunk)

    @contextmanager
    def _explained(self, operation: str) -> Iterator[None]:
        try:
            yield
        except ERRORS as error:
            raise _explain(f"{self._name}:{operation}", error) from None


def control_plane_clients(
    services: Sequence[str], timeout: int = _QUICK_TIMEOUT, attempts: int = _ATTEMPTS
) -> Mapping[str, Any]:
    """Make clients for calls that are made while a person waits, by service; raises UsageError (no region, profile)."""
    with settings_errors():
        session = open_session()
        return {
            service: make_client(
                session,
                service,
                timeout=timeout,
                attempts=attempts,
                connections=_CONCURRENT_CALLS,
                validates=True,
            )
            for service in services
        }


Services = Mapping[str, ServiceClient]
"""The clients of services, by their names."""


def connect_services(names: tuple[str, ...]) -> Services:
    """Make the clients of services by name, from the environment; raises UsageError (no region)."""
    return {
        name: ServiceClient(name, client)
        for name, client in control_plane_clients(names, TIMEOUT).items()
    }


def connect_invoker(seconds: int) -> ServiceClient:
    """Make a client of Lambda that waits so long for an answer, and repeats no call: it may have had an effect."""
    return ServiceClient(
        "lambda", control_plane_clients(("lambda",), seconds, attempts=1)["lambda"]
    )


def caller_account(sts: ServiceClient) -> tuple[str, str]:
    """Return the account of the caller, and its partition (`aws`, `aws-cn` …); raises UsageError (no credentials)."""
    response = sts.call("GetCallerIdentity")
    return response["Account"], response["Arn"].split(":")[1]


def count_messages(sqs: ServiceClient, url: str) -> int | None:
    """Return about how many messages are on a queue; None if the call fails."""
    try:
        response = sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=list(_COUNTS))
    except AwsCallError:
        # The count is for a warning only, and a user who may delete a stack may lack this permission.
        return None
    return sum(int(response["Attributes"][name]) for name in _COUNTS)


def find_queue(sqs: ServiceClient, name: str) -> str | None:
    """Return the URL of a queue, or None if there is none; raises AwsCallError."""
    try:
        return str(sqs.call("GetQueueUrl", QueueName=name)["QueueUrl"])
    except AwsCallError as error:
        # The query protocol of SQS has a namespace before the code.
        if error.code.rpartition(".")[2] in ABSENT:
            return None
        raise


class ExistingTable(Struct, frozen=True):
    """A table; `ttl` is the attribute by which its items expire, or ""."""

    key: KeySchema
    items: int
    indexes: int
    is_provisioned: bool
    ttl: str


def read_table(dynamodb: ServiceClient, name: str) -> ExistingTable | None:
    """Return a table, or None if there is none; raises AwsCallError."""
    try:
        table = dynamodb.call("DescribeTable", TableName=name)["Table"]
        expiry = dynamodb.call("DescribeTimeToLive", TableName=name)["TimeToLiveDescription"]
    except AwsCallError as error:
        if error.code in ABSENT:
            return None
        raise
    expires = expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return ExistingTable(
        read_key_schema(table),
        int(table["ItemCount"]),
        len(table.get("GlobalSecondaryIndexes", ())) + len(table.get("LocalSecondaryIndexes", ())),
        table.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST",
        expiry.get("AttributeName", "") if expires else "",
    )


def count_items(dynamodb: ServiceClient, table: str) -> int | None:
    """Return about how many items a table has, which DynamoDB counts every six hours; None if the call fails."""
    try:
        return int(dynamodb.call("DescribeTable", TableName=table)["Table"]["ItemCount"])
    except AwsCallError:
        return None


def delete_table(dynamodb: ServiceClient, name: str) -> None:
    """Delete a table, protected or not, and wait until it is gone; raises UsageError if that takes too long."""
    try:
        dynamodb.call("UpdateTable", TableName=name, DeletionProtectionEnabled=False)
        dynamodb.wait("table_exists", DELETION_SECONDS, TableName=name)
        dynamodb.call("DeleteTable", TableName=name)
    except AwsCallError as error:
        if error.code == "ResourceNotFoundException":
            return
        raise
    if not dynamodb.wait("table_not_exists", DELETION_SECONDS, TableName=name):
        raise UsageError(
            f"the table '{name}' is not deleted after {DELETION_SECONDS} seconds; look at it in the console"
        )


def _explain(operation: str, error: Exception) -> AwsCallError:
    if not isinstance(error, ClientError):
        code = type(error).__name__
        if code in ("NoCredentialsError", "PartialCredentialsError"):
            return AwsCallError(NO_CREDENTIALS, code, answered=False)
        return AwsCallError(f"AWS did not answer {operation}: {error}", code, answered=False)
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").strip()
    action = _ACTIONS.get(operation, operation)
    if code in DENIED:
        # AWS's message names the caller and the resource, if there is one; a response to HEAD has no text.
        more = f": {message}" if message and message != "Forbidden" else ""
        return AwsCallError(f"these credentials may not do {action}{more}", code)
    if code in _INVALID_CREDENTIALS:
        return AwsCallError(f"{REFUSED_CREDENTIALS} ({code})", code)
    return AwsCallError(f"AWS refuses {operation}: {message or code}", code)
