"""Tests of the policies of a template's role."""

from itertools import count
from typing import Any

import pytest

from router.errors import UsageError
from router.ops.template.policies import _OTHERS, MAX_INLINE, MAX_MANAGED, Statement, _size, attach

ARN = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"


def statement(number: Any, resources: Any) -> Any:
    """A statement about many queues."""
    names = (f"{ARN}queue-number-{number}-{index:03}" for index in range(resources))
    return Statement(f"Read{number}", ("sqs:ReceiveMessage",), tuple(names))


def largest(limit: Any) -> Any:
    """The greatest number of queues that a policy of a size has room for."""
    return next(number for number in count() if _size([statement(1, number + 1)]) > limit)


def test_what_fits_is_in_the_role() -> None:
    """As one inline policy, up to the limit."""
    fitting = statement(1, largest(MAX_INLINE - _OTHERS))

    policies = attach([fitting], str, "Flows")

    (policy,) = policies.properties["Policies"]
    assert (policies.resources, policy["PolicyName"]) == ({}, "Flows")
    assert policy["PolicyDocument"]["Statement"] == [
        {"Sid": "Read1", "Effect": "Allow", "Action": ["sqs:ReceiveMessage"], "Resource": list(fitting.resources)}
    ]


def test_what_does_not_fit_is_split() -> None:
    """Into managed policies, each within its limit, that allow the same together."""
    given = [statement(1, largest(MAX_INLINE - _OTHERS) + 1), statement(2, 3)]

    policies = attach(given, str, "Flows")

    documents = [each["Properties"]["PolicyDocument"] for each in policies.resources.values()]
    parts = [
        Statement(each["Sid"], tuple(each["Action"]), tuple(each["Resource"]))
        for document in documents
        for each in document["Statement"]
    ]
    allowed = {(each.sid, resource) for each in parts for resource in each.resources}
    assert allowed == {(each.sid, resource) for each in given for resource in each.resources}
    assert policies.properties == {"ManagedPolicyArns": [{"Ref": name} for name in ("Flows1", "Flows2")]}
    sizes = [
        _size(Statement(each["Sid"], tuple(each["Action"]), tuple(each["Resource"])) for each in document["Statement"])
        for document in documents
    ]
    assert [size for size in sizes if size > MAX_MANAGED] == []


def test_more_than_a_role_can_have() -> None:
    """Somebody has to split the config then."""
    with pytest.raises(
        UsageError, match=r"a role can have 10 policies, and these routes need 1[0-9]; split the config"
    ):
        attach([statement(1, 11 * largest(MAX_MANAGED))], str, "Flows")
