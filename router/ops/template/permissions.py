"""What the role of the function, or of the worker's tasks, may do: what `router check --live` finds to be needed."""

from collections.abc import Iterable, Iterator

from msgspec import Struct, UnsetType, structs

from router.aws.deployed import DeployedState, QueueFacts, TableFacts, TtlFacts
from router.check.live.permissions import DECRYPT, DESCRIBE, READ, SEND, Needs, needed
from router.config import spec
from router.ops.template.plan import Plan

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
)
"""Statements, each with its actions: a flow that comes or goes adds resources to them, or takes some away."""


class Statement(Struct, frozen=True):
    """Actions that are allowed on resources, which are ARNs as texts."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


def statements(plan: Plan) -> list[Statement]:
    """The statements, in a fixed order; together they allow what is needed, and nothing else."""
    needs = _needs(plan)
    left = {arn: set(actions) for arn, actions in needs.items()}
    found = []
    for sid, actions in _BUNDLES:
        # An action of several statements: whoever needs all of one has it there.
        those = [arn for arn in needs if set(actions) <= set(needs[arn]) and left[arn] & set(actions)]
        for arn in those:
            left[arn] -= set(actions)
        if those:
            found.append(Statement(sid, actions, tuple(those)))
    for action in sorted(set().union(*left.values())):
        service, name = action.split(":")
        found.append(
            Statement(f"{service.title()}{name}", (action,), tuple(arn for arn in left if action in left[arn]))
        )
    return found


def _needs(plan: Plan) -> Needs:
    """What is needed, by ARN as a text."""
    queues = {}
    for queue in plan.read:
        compiled = plan.program.engine.queues[queue.name_in_config]
        letters = plan.letters_of(queue)
        queues[compiled.reference] = _facts(queue.arn)
        if letters and compiled.dead_letter:
            queues[compiled.dead_letter] = _facts(letters.arn)
    tables = {
        table.name_in_config: TableFacts(table.arn, "", (), TtlFacts("DISABLED")) for table in plan.tables.values()
    }
    return needed(_with_texts(plan), plan.program.engine.queues, DeployedState(tables=tables, queues=queues))


def _facts(arn: str) -> QueueFacts:
    return QueueFacts(arn, False, 0, 0, 0)


def _with_texts(plan: Plan) -> spec.Config:
    """The config with texts for what needs are about."""
    config, texts = plan.config, plan.texts
    queues = {}
    for name, queue in config.queues.items():
        pointers = queue.s3_pointer
        if not isinstance(pointers, UnsetType):
            buckets = enumerate(pointers.buckets)
            where = ("queues", name, "s3_pointer", "buckets")
            pointers = structs.replace(
                pointers, buckets=tuple(texts.at((*where, index), each) for index, each in buckets)
            )
        key = texts.at(("queues", name, "kms_key"), queue.kms_key)
        queues[name] = structs.replace(queue, s3_pointer=pointers, kms_key=key)
    tables = {
        name: structs.replace(table, kms_key=texts.at(("tables", name, "kms_key"), table.kms_key))
        for name, table in config.tables.items()
    }
    return structs.replace(config, queues=queues, tables=tables)


def each_resource(found: Iterable[Statement]) -> Iterator[tuple[Statement, str]]:
    """Each resource of each statement."""
    for statement in found:
        for resource in statement.resources:
            yield statement, resource
