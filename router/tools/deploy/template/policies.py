"""IAM policies of the role of the function or the worker: the permissions that `router check --live` requires.

What the routes need is split into groups, each with a managed policy of its own. The id of a policy is a hash of its
content: a change of a group makes a new policy, before the function is changed, and deletes the old one at the end. So
a message of the old config that is still on its way is not denied, and neither is one of the new config.

Sizes, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from router.runtime.config import spec
from router.tools.check.live.permissions import (
    DECRYPT,
    DESCRIBE,
    POSTPONE,
    READ,
    SEND,
    Needs,
    needed,
    postponing,
)
from router.tools.control_plane.deployed import (
    DeployedQueue,
    DeployedState,
    DeployedTable,
    DeployedTtl,
)
from router.tools.deploy.template.expressions import (
    Expression,
    Json,
    Resources,
    compact_json,
    ref,
)
from router.tools.deploy.template.plan import StackPlan, key_texts

BUNDLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ReadAndPostpone", (*READ, POSTPONE)),
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
MAX_MANAGED = 6_144
"""Characters of a managed policy."""
MAX_ATTACHED = 10
"""Managed policies of a role, unless AWS raises the quota of the account, to 20 at most."""
MANAGED_POLICY = "AWS::IAM::ManagedPolicy"
_QUEUE_BITS, _ARN_BITS = 32, 64
"""How many bits of the hashes of a queue, and of the ARN of what it needs, place that in a group."""
VERSION = "2012-10-17"
_KMS = "kms:"
VIA_SERVICE: Json = {
    "Condition": {"StringLike": {"kms:ViaService": ["dynamodb.*", "s3.*", "sqs.*"]}}
}
"""Keys are used by the services on behalf of the role, never by the role itself. A region and the domain of AWS follow:
https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service"""
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
    """Return the statements of all routes in a fixed order; together they allow exactly the needed actions."""
    return as_statements(_Permissions(plan).needs(plan.config.routes))


class _Permissions:
    """The permissions that routes of a plan need."""

    def __init__(self, plan: StackPlan) -> None:
        self._compiled, self._config = plan.program.engine.queues, with_substitutions(plan)
        queues = {}
        for queue in plan.read:
            compiled = self._compiled[queue.name_in_config]
            dead_letters = plan.dead_letter_queue_of(queue)
            queues[compiled.reference] = _deployed(queue.arn)
            if dead_letters and compiled.dead_letter:
                queues[compiled.dead_letter] = _deployed(dead_letters.arn)
        tables = {
            table.name_in_config: DeployedTable(table.arn, "", (), DeployedTtl("DISABLED"))
            for table in plan.tables.values()
        }
        self._seen = DeployedState(tables=tables, queues=queues)
        # Of all routes: those of a queue may be in several groups.
        self._postponing = frozenset() if plan.worker else postponing(self._config, self._compiled)

    def needs(self, routes: Iterable[str]) -> Needs:
        """Return the actions that some routes need, by ARN."""
        settings = {name: self._config.routes[name] for name in routes}
        queues = {route.queue: self._compiled[route.queue] for route in settings.values()}
        return needed(
            structs.replace(self._config, routes=settings),
            queues,
            self._seen,
            self._postponing,
        )


def as_statements(needs: Needs) -> list[Statement]:
    """Return the statements that allow exactly the needed actions."""
    left = {arn: set(actions) for arn, actions in needs.items()}
    found = []
    for sid, actions in BUNDLES:
        bundle = set(actions)
        # An action may be in several statements: it is allowed by the one whose actions are all needed.
        matching = [arn for arn in needs if bundle.issubset(needs[arn]) and left[arn] & bundle]
        for arn in matching:
            left[arn] -= bundle
        if matching:
            found.append(Statement(sid, actions, tuple(matching)))
    for action in sorted(set().union(*left.values())):
        service, name = action.split(":")
        arns = tuple(arn for arn in left if action in left[arn])
        found.append(Statement(f"{service.title()}{name}", (action,), arns))
    return found


def _deployed(arn: str) -> DeployedQueue:
    return DeployedQueue(arn, False, 0, 0, 0)


def with_substitutions(plan: StackPlan) -> spec.Config:
    """Return the config with texts for the values that are resources."""
    config, substitutions = plan.config, plan.substitutions
    queues = {}
    for name, queue in config.queues.items():
        pointers = queue.s3_pointer
        if pointers is not None:
            buckets = enumerate(pointers.buckets)
            where = ("queues", name, "s3_pointer", "buckets")
            pointers = structs.replace(
                pointers,
                buckets=tuple(substitutions.at((*where, index), each) for index, each in buckets),
                kms_key=substitutions.at((*where[:-1], "kms_key"), pointers.kms_key),
            )
        queues[name] = structs.replace(
            queue, s3_pointer=pointers, **key_texts(substitutions.at, "queues", name, queue)
        )
    tables = {
        name: structs.replace(table, **key_texts(substitutions.at, "tables", name, table))
        for name, table in config.tables.items()
    }
    return structs.replace(config, queues=queues, tables=tables)


class Policies(Struct, frozen=True):
    """The managed policies of a role as resources, and the routes that each is for, both by logical id."""

    resources: Mapping[str, Json]
    routes: Mapping[str, tuple[str, ...]]

    def of(self, routes: Iterable[str]) -> list[str]:
        """Return the logical ids of the policies of some routes."""
        wanted = set(routes)
        return [id_ for id_, known in self.routes.items() if wanted.intersection(known)]


def make_policies(plan: StackPlan, place: Callable[[str], Expression], role: str) -> Policies:
    """Return the policies of a role; `place` gives the expression of a resource by its ARN, as a text."""
    permissions = _Permissions(plan)
    routes_of: dict[str, dict[str, None]] = {}
    for name in plan.config.routes:
        for arn in permissions.needs((name,)):
            routes_of.setdefault(arn, {})[name] = None
    needs = permissions.needs(plan.config.routes)
    bits = {arn: _bits(plan.config, arn, routes_of[arn]) for arn in sorted(needs)}
    resources: Resources = {}
    routes: dict[str, tuple[str, ...]] = {}
    for group in _groups(needs, tuple(bits), bits):
        document = document_of(as_statements({arn: needs[arn] for arn in group}), place)
        digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
        id_ = f"Permissions{digest[:12].upper()}"
        properties = {"PolicyDocument": document, "Roles": [ref(role)]}
        resources[id_] = {"Type": MANAGED_POLICY, "Properties": properties}
        routes[id_] = tuple(dict.fromkeys(route for arn in group for route in routes_of[arn]))
    return Policies(resources, routes)


def _bits(config: spec.Config, arn: str, routes: Iterable[str]) -> str:
    """Return the bits that place an ARN in a group.

    What the routes of one queue need is together as far as possible. What several queues need is placed by itself: each
    of them would repeat it.
    """
    queues = {config.routes[route].queue for route in routes}
    user = queues.pop() if len(queues) == 1 else arn
    return "".join(
        f"{int.from_bytes(hashlib.sha256(name.encode()).digest()[: bits // 8]):0{bits}b}"
        for name, bits in ((user, _QUEUE_BITS), (arn, _ARN_BITS))
    )


def _groups(
    needs: Needs, arns: tuple[str, ...], bits: Mapping[str, str]
) -> Iterator[tuple[str, ...]]:
    """Yield groups of ARNs, each of which fits into a policy.

    A group that does not fit is split by the first bit in which its ARNs differ. What else there is does not matter to
    a group, so that a new route changes only the groups of what it needs.
    """
    columns = zip(*[bits[arn] for arn in arns], strict=True)
    differing = (place for place, values in enumerate(columns) if len(set(values)) > 1)
    place = next(differing, None)
    if place is None or _size(as_statements({arn: needs[arn] for arn in arns})) <= MAX_MANAGED:
        yield arns
        return
    for bit in "01":
        yield from _groups(needs, tuple(arn for arn in arns if bits[arn][place] == bit), bits)


def split(statements: Sequence[Statement]) -> list[list[Statement]]:
    """Split the statements, in order, into parts that fit into a managed policy."""
    parts: list[list[Statement]] = [[]]
    for statement in statements:
        for resource in statement.resources:
            bigger = _with_resource(parts[-1], statement, resource)
            if parts[-1] and _size(bigger) > MAX_MANAGED:
                parts.append(_with_resource([], statement, resource))
            else:
                parts[-1] = bigger
    return parts


def _with_resource(part: list[Statement], statement: Statement, resource: str) -> list[Statement]:
    """Return a part that allows the actions of a statement on a resource, too."""
    if not part or part[-1].sid != statement.sid:
        return [*part, structs.replace(statement, resources=(resource,))]
    *others, last = part
    return [*others, structs.replace(last, resources=(*last.resources, resource))]


def _size(statements: Iterable[Statement]) -> int:
    """Return the estimated length of a policy with the values of its variables."""
    text = compact_json(document_of(statements, str))
    return len(_VARIABLE.sub(lambda found: "x" * _LONG.get(found[1], _LONG_VARIABLE), text))


def document_of(statements: Iterable[Statement], place: Callable[[str], Expression]) -> Json:
    """Return the document of a policy; `place` gives the expression of a resource."""
    return {"Version": VERSION, "Statement": [_as_json(each, place) for each in statements]}


def _as_json(statement: Statement, place: Callable[[str], Expression]) -> Json:
    uses_keys = all(action.startswith(_KMS) for action in statement.actions)
    return {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": list(statement.actions),
        "Resource": list(map(place, statement.resources)),
        **(VIA_SERVICE if uses_keys else {}),
    }
