"""Reads what DynamoDB answers, in the form that all of its clients share."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from router.aws.client import Answer, KeySchema
from router.aws.faults import FaultKind, translate


def read_key_schema(description: Mapping[str, Any]) -> KeySchema:
    """The key attributes and their types, from what DescribeTable says of a table."""
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    # "HASH" (the partition key) comes before "RANGE" (the sort key).
    parts = sorted(description["KeySchema"], key=lambda part: str(part["KeyType"]))
    return cast("KeySchema", tuple((part["AttributeName"], types[part["AttributeName"]]) for part in parts))


# Of the reasons why a transaction was cancelled, the first kind in this order decides: what can never succeed, or has
# had its effect, is not worth another try for the sake of what was merely throttled.
_DECIDING: tuple[FaultKind, ...] = ("condition", "refused", "setup", "retry")


def cancelled(reasons: Sequence[Mapping[str, Any]]) -> Answer | None:
    """The answer of a cancelled transaction, from one reason an action; None if none of them says why."""
    found = [
        (translate(reason["Code"], 400), position, reason.get("Item"))
        for position, reason in enumerate(reasons)
        if reason.get("Code", "None") != "None"
    ]
    for kind in _DECIDING:
        for fault, position, stored in found:
            if fault.kind == kind:
                return Answer(fault=fault, position=position, stored=stored)
    return None
