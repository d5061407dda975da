"""Statements as policies of a role, as many as their size asks for.

Sizes, white space aside: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from router.errors import UsageError
from router.ops.template.expressions import Expression, Json, ref
from router.ops.template.permissions import Statement, each_resource

MAX_INLINE = 10_240
"""Characters of all inline policies of a role together."""
_OTHERS = 512
"""Of those, what the policy about the log may have."""
MAX_MANAGED = 6_144
"""Characters of a managed policy."""
MAX_ATTACHED = 10
"""Managed policies of a role."""
VERSION = "2012-10-17"
_LONG = {"AWS::Partition": 10, "AWS::Region": 14, "AWS::AccountId": 12}
_LONG_VARIABLE = 32
"""Characters that a variable is taken to have, beside those of AWS."""
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Policies(Struct, frozen=True):
    """What a role has: properties of its own, and managed policies as resources."""

    properties: Json
    resources: dict[str, Json]


def attach(statements: Sequence[Statement], place: Callable[[str], Expression], name: str) -> Policies:
    """The policies of a role; `place` gives the expression for a resource, `name` is that of the policy.

    Raises UsageError for more than a role can have.
    """
    if _size(statements) <= MAX_INLINE - _OTHERS:
        document = _document(statements, place)
        return Policies({"Policies": [{"PolicyName": name, "PolicyDocument": document}]}, {})
    chunks = _split(statements)
    if len(chunks) > MAX_ATTACHED:
        raise UsageError(
            f"a role can have {MAX_ATTACHED} policies, and these flows need {len(chunks)}; "
            "make two configs of this one, and a stack of each"
        )
    resources = {
        f"{name}{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": _document(chunk, place)},
        }
        for number, chunk in enumerate(chunks, 1)
    }
    return Policies({"ManagedPolicyArns": [ref(each) for each in resources]}, resources)


def _split(statements: Sequence[Statement]) -> list[list[Statement]]:
    """The statements in parts that fit, in order."""
    parts: list[list[Statement]] = [[]]
    for statement, resource in each_resource(statements):
        bigger = _with(parts[-1], statement, resource)
        if parts[-1] and _size(bigger) > MAX_MANAGED:
            parts.append([])
            bigger = _with([], statement, resource)
        parts[-1] = bigger
    return parts


def _with(part: list[Statement], statement: Statement, resource: str) -> list[Statement]:
    if part and part[-1].sid == statement.sid:
        return [*part[:-1], Statement(statement.sid, statement.actions, (*part[-1].resources, resource))]
    return [*part, Statement(statement.sid, statement.actions, (resource,))]


def _size(statements: Iterable[Statement]) -> int:
    """The characters that a policy may have when its variables have values."""
    text = json.dumps(_document(statements, str), separators=(",", ":"))
    return len(_VARIABLE.sub(lambda found: "x" * _LONG.get(found[1], _LONG_VARIABLE), text))


def _document(statements: Iterable[Statement], place: Callable[[str], Expression]) -> Json:
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": each.sid,
                "Effect": "Allow",
                "Action": list(each.actions),
                "Resource": [place(resource) for resource in each.resources],
            }
            for each in statements
        ],
    }
