"""Tests of router.runtime.aws.faults."""

from typing import Any

import botocore.session
import pytest

from router.runtime.aws.faults import KINDS, translate
from router.runtime.aws.protocols import AwsFault

CALLS = {
    "dynamodb": (
        *("BatchWriteItem", "DescribeTable", "DescribeTimeToLive"),
        *("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"),
    ),
    "iam": ("GetRole", "SimulatePrincipalPolicy"),
    "lambda": ("GetFunctionConcurrency", "GetFunctionConfiguration", "ListEventSourceMappings"),
    "s3": ("GetObject",),
    "sqs": (
        "ReceiveMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
        "SendMessageBatch",
        "GetQueueUrl",
        "GetQueueAttributes",
    ),
    "sts": ("GetCallerIdentity",),
}


def declared() -> set[str]:
    """Every error that AWS's own models declare for the router's calls."""
    session: Any = botocore.session.get_session()
    models = {service: session.get_service_model(service) for service in CALLS}
    return {
        # IAM's shapes are called otherwise than its codes; SQS's codes there are those of its older protocol.
        shape.metadata["error"]["code"] if service == "iam" else shape.name
        for service, operations in CALLS.items()
        for operation in operations
        for shape in models[service].operation_model(operation).error_shapes
    }


def test_table_is_complete() -> None:
    """Each error that a call can return is in the table."""
    assert declared() - KINDS.keys() == set()


def test_every_reason_of_a_cancelled_transaction_is_known() -> None:
    """DynamoDB's model has no list of them but that of BatchStatementError, which has the same codes and more."""
    session: Any = botocore.session.get_session()
    reasons = set(session.get_service_model("dynamodb").shape_for("BatchStatementErrorCodeEnum").enum)
    # TransactionCanceledException, "Cancellation reason codes".
    documented = {
        *("ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded", "TransactionConflict", "ThrottlingError"),
        *("ProvisionedThroughputExceeded", "ValidationError"),
    }
    assert (documented - reasons, reasons - KINDS.keys()) == (set(), set())


def test_each_code_once() -> None:
    """No code is in two lists: the later one would silently win."""
    from router.runtime.aws import faults

    assert len(KINDS) == sum(len(codes.split()) for codes in faults._BY_KIND.values())


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("ProvisionedThroughputExceededException", AwsFault("retry", "ProvisionedThroughputExceededException", 400)),
        ("com.amazon.coral.validate#ValidationException", AwsFault("refused", "ValidationException", 400)),
        ("AWS.SimpleQueueService.NonExistentQueue", AwsFault("configuration", "NonExistentQueue", 400)),
        ("com.amazonaws.sqs#QueueDoesNotExist", AwsFault("configuration", "QueueDoesNotExist", 400)),
        ("KMS.AccessDeniedException", AwsFault("configuration", "KMS.AccessDeniedException", 400)),
        ("SomethingNew", AwsFault("retry", "SomethingNew", 400)),
        ("", AwsFault("retry", "", 400)),
    ],
)
def test_translate(code: str, fault: AwsFault) -> None:
    """A code has the same kind in each of its spellings; an unknown one is retried."""
    assert translate(code, 400) == fault


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("SomethingNew", AwsFault("refused", "SomethingNew", 200)),
        ("InternalError", AwsFault("retry", "InternalError", 200)),
        ("KmsThrottled", AwsFault("retry", "KmsThrottled", 200)),
        ("QueueDoesNotExist", AwsFault("configuration", "QueueDoesNotExist", 200)),
    ],
)
def test_sender_fault(code: str, fault: AwsFault) -> None:
    """`SenderFault` decides about unknown codes only."""
    assert translate(code, 200, sender_fault=True) == fault
