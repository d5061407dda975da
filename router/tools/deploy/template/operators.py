"""IAM policies of the people who work on dead letters: what each command of `router dlq` calls, for a config.

The actions are those of `router check --live` and of the roles, as far as a command does what the router does.
"""

import json
from collections.abc import Mapping

from msgspec import Struct

from router.runtime.config import spec
from router.tools.check.live.permissions import (
    DECRYPT,
    DESCRIBE,
    ENCRYPT,
    SEND,
    fetches_of,
    writes_of,
)
from router.tools.deploy.template.document import DeployableConfig, Document
from router.tools.deploy.template.expressions import (
    PARTITION,
    Json,
    Substitutions,
    resource,
    sub,
)
from router.tools.deploy.template.plan import StackPlan, make_plan
from router.tools.deploy.template.policies import Statement, document_of, split, with_substitutions

LOOK = (
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
)
"""Looking at a message is receiving it, and making it visible again."""
DELETE = "sqs:DeleteMessage"
GET = "dynamodb:GetItem"


class OperatorCommand(Struct, frozen=True):
    """What a command does besides looking at the messages of dead-letter queues.

    It deletes them, reads stored items and payloads, writes items, or sends messages to the queues that they failed on.
    """

    deletes: bool = False
    reads: bool = False
    writes: bool = False
    sends: bool = False


COMMANDS: Mapping[str, OperatorCommand] = {
    "list": OperatorCommand(),
    "show": OperatorCommand(),
    "export": OperatorCommand(),
    "rehearse": OperatorCommand(reads=True),
    "redrive": OperatorCommand(deletes=True, reads=True, writes=True),
    "redrive-to-queue": OperatorCommand(deletes=True, reads=True, sends=True),
    "drop": OperatorCommand(deletes=True),
}


def operator_policies(config: DeployableConfig) -> Document:
    """Return a template with a managed policy for each command; raises UsageError."""
    plan = make_plan(config.program, Substitutions(config.files))
    resources = {}
    for name, command in COMMANDS.items():
        id_ = "Dlq" + "".join(word.title() for word in name.split("-"))
        for number, part in enumerate(split(_statements(_needs(plan, command))), 1):
            properties = {
                "Description": f"router dlq {name.replace('-to-', ' --to-')}: {config.path.name}",
                "PolicyDocument": document_of(part, sub),
            }
            end = number if number > 1 else ""
            resources[f"{id_}{end}"] = resource("IAM::ManagedPolicy", properties)
    body: Json = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"What people need for the dead letters of {config.path.name}",
    }
    text = json.dumps(resources)
    variables = plan.substitutions.variables.values()
    used = [each for each in variables if f"${{{each.parameter}}}" in text]
    if used:
        body["Parameters"] = {each.parameter: each.declare(named=False) for each in used}
    body["Resources"] = resources
    return Document(body, {}, {each.name: each.parameter for each in used})


def _needs(plan: StackPlan, command: OperatorCommand) -> dict[str, set[str]]:
    """Return the needed actions by ARN, as a text."""
    found: dict[str, set[str]] = {}
    config = with_substitutions(plan)

    def allow(arn: str, *actions: str) -> None:
        if arn:
            found.setdefault(arn, set()).update(actions)

    for queue in plan.read:
        dead_letters = plan.dead_letter_queue_of(queue)
        if not queue.settings.dead_letter:
            # Its redrive policy names the dead-letter queue.
            allow(queue.arn, "sqs:GetQueueAttributes", "sqs:GetQueueUrl")
        if dead_letters:
            allow(dead_letters.arn, *LOOK, *([DELETE] if command.deletes else ()))
            allow(dead_letters.kms_key, DECRYPT)
            allow(dead_letters.kms_key_previous, DECRYPT)
        if command.sends:
            allow(queue.arn, *SEND)
            allow(queue.kms_key, *ENCRYPT)
        pointers = config.queues.get(queue.name_in_config, spec.Queue()).s3_pointer
        if command.reads and pointers is not None:
            for arn, action in fetches_of(pointers, f"arn:{PARTITION}"):
                allow(arn, action)
    for route in config.routes.values() if command.reads else ():
        for name, action in writes_of(config, route):
            table = plan.table_of(name)
            allow(table.arn, GET, *([action, DESCRIBE] if command.writes else ()))
            allow(table.kms_key, DECRYPT)
            allow(table.kms_key_previous, DECRYPT)
    return found


def _statements(needs: Mapping[str, set[str]]) -> list[Statement]:
    """Return a statement for each set of actions, with the resources on which they are needed."""
    by_actions: dict[tuple[str, ...], list[str]] = {}
    for arn, actions in needs.items():
        by_actions.setdefault(tuple(sorted(actions)), []).append(arn)
    return [
        Statement(f"Allow{number}", actions, tuple(arns))
        for number, (actions, arns) in enumerate(by_actions.items(), 1)
    ]
