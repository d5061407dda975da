"""IAM policies of the role of the function or the worker: the permissions that `router check --live` requires.

Sizes, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, UnsetType, structs

from router.aws.deployed import DeployedQueue, DeployedState, DeployedTable, DeployedTtl
from router.check.live.permissions import DECRYPT, DESCRIBE, READ, SEND, Needs, needed
from router.config import spec
from router.errors import UsageError
from router.ops.template.expressions import Expression, Json, ref
from router.ops.template.plan import StackPlan

_BUNDLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ReadQueues", READ),
    ("SendDeadLetters", SEND),
    ("DescribeTables", (DESCRIBE,)),
    ("WriteBatches", ("dynamodb:BatchWriteItem",)),
    ("PutItems", ("dynamodb:PutItem",)),
    ("UpdateItems", ("dynamodb:UpdateItem",)),
    ("DeleteItems", ("dynamodb:DeleteItem",)),
    ("DecryptWithKeys", (DECRYPT,)),
    ("MakeDataKeys", ("kms:GenerateDataKey",)),
    ("FetchPayloads", ("s3:GetObject",)),
    ("ListPayloads", ("s3:ListBucket",)),
)
"""The statements with their actions: adding or removing a route changes only their resources."""
MAX_INLINE = 10_240
"""Characters of all inline policies of a role together."""
_OTHERS = 512
"""Of matching, what the policy about the log may have."""
MAX_MANAGED = 6_144
"""Characters of a managed policy."""
MAX_ATTACHED = 10
"""Managed policies of a role."""
VERSION = "2012-10-17"
_LONG = {"AWS::Partition": 10, "AWS::Region": 14, "AWS::AccountId": 12}
_LONG_VARIABLE = 32
"""Characters that a variable is taken to have, beside matching of AWS."""
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Statement(Struct, frozen=True):
    """Actions that are allowed on resources, whose ARNs are texts."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


def statements(plan: StackPlan) -> list[Statement]:
    """Return the statements in a fixed order; together they allow exactly the needed actions."""
    needs = _needs(plan)
    left = {arn: set(actions) for arn, actions in needs.items()}
    found = []
    for sid, actions in _BUNDLES:
        # An action may be in several statements: it is allowed by the one whose actions are all needed.
        matching = [arn for arn in needs if set(actions) <= set(needs[arn]) and left[arn] & set(actions)]
        for arn in matching:
            left[arn] -= set(actions)
        if matching:
            found.append(Statement(sid, actions, tuple(matching)))
    for action in sorted(set().union(*left.values())):
        service, name = action.split(":")
        found.append(
            Statement(f"{service.title()}{name}", (action,), tuple(arn for arn in left if action in left[arn]))
        )
    return found


def _needs(plan: StackPlan) -> Needs:
    """Return the needed actions by ARN, as a text."""
    queues = {}
    for queue in plan.read:
        compiled = plan.program.engine.queues[queue.name_in_config]
        dead_letters = plan.dead_letter_queue_of(queue)
        queues[compiled.reference] = _deployed(queue.arn)
        if dead_letters and compiled.dead_letter:
            queues[compiled.dead_letter] = _deployed(dead_letters.arn)
    tables = {
        table.name_in_config: DeployedTable(table.arn, "", (), DeployedTtl("DISABLED"))
        for table in plan.tables.values()
    }
    return needed(with_substitutions(plan), plan.program.engine.queues, DeployedState(tables=tables, queues=queues))


def _deployed(arn: str) -> DeployedQueue:
    return DeployedQueue(arn, False, 0, 0, 0)


def with_substitutions(plan: StackPlan) -> spec.Config:
    """Return the config with texts for the values that are resources."""
    config, substitutions = plan.config, plan.substitutions
    queues = {}
    for name, queue in config.queues.items():
        pointers = queue.s3_pointer
        if not isinstance(pointers, UnsetType):
            buckets = enumerate(pointers.buckets)
            where = ("queues", name, "s3_pointer", "buckets")
            pointers = structs.replace(
                pointers,
                buckets=tuple(substitutions.at((*where, index), each) for index, each in buckets),
                kms_key=substitutions.at((*where[:-1], "kms_key"), pointers.kms_key),
            )
        key = substitutions.at(("queues", name, "kms_key"), queue.kms_key)
        queues[name] = structs.replace(queue, s3_pointer=pointers, kms_key=key)
    tables = {
        name: structs.replace(table, kms_key=substitutions.at(("tables", name, "kms_key"), table.kms_key))
        for name, table in config.tables.items()
    }
    return structs.replace(config, queues=queues, tables=tables)


class Policies(Struct, frozen=True):
    """The policies of a role: its inline properties, and managed policies as resources."""

    properties: Json
    resources: dict[str, Json]


def attach(statements: Sequence[Statement], place: Callable[[str], Expression], name: str) -> Policies:
    """Return the policies of a role; `place` gives the expression of a resource, `name` is the name of the policy.

    Raises UsageError if they exceed the limits of a role.
    """
    if _size(statements) <= MAX_INLINE - _OTHERS:
        document = document_of(statements, place)
        return Policies({"Policies": [{"PolicyName": name, "PolicyDocument": document}]}, {})
    chunks = split(statements)
    if len(chunks) > MAX_ATTACHED:
        raise UsageError(
            f"a role can have {MAX_ATTACHED} policies, and these routes need {len(chunks)}; "
            "split the config, and deploy a stack for each part"
        )
    resources = {
        f"{name}{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": document_of(chunk, place)},
        }
        for number, chunk in enumerate(chunks, 1)
    }
    return Policies({"ManagedPolicyArns": [ref(each) for each in resources]}, resources)


def split(statements: Sequence[Statement]) -> list[list[Statement]]:
    """Split the statements, in order, into parts that fit into a managed policy."""
    parts: list[list[Statement]] = [[]]
    for statement in statements:
        for resource in statement.resources:
            *others, last = parts[-1] or [structs.replace(statement, resources=())]
            same = last.sid == statement.sid
            before = (*last.resources, resource) if same else (resource,)
            bigger = [*others, *([] if same else [last]), structs.replace(statement, resources=before)]
            if parts[-1] and _size(bigger) > MAX_MANAGED:
                parts.append([structs.replace(statement, resources=(resource,))])
            else:
                parts[-1] = bigger
    return parts


def _size(statements: Iterable[Statement]) -> int:
    """Return the estimated length of a policy with the values of its variables."""
    text = json.dumps(document_of(statements, str), separators=(",", ":"))
    return len(_VARIABLE.sub(lambda found: "x" * _LONG.get(found[1], _LONG_VARIABLE), text))


def document_of(statements: Iterable[Statement], place: Callable[[str], Expression]) -> Json:
    """Return the document of a policy; `place` gives the expression of a resource."""
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
