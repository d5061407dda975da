"""What a change of the config does to a stack: permissions, and resources that are added, modified or replaced."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from router.change.report import ConfigChange
from router.change.versions import ConfigVersion
from router.check.change_codes import (
    NOT_COMPARED,
    PERMISSIONS,
    RESOURCE_CHANGED,
    SHORTER_RETENTION,
    STORAGE_REPLACED,
)
from router.dev.compare import to_json
from router.errors import RouterError
from router.model import Path
from router.ops.changes import kind_of
from router.ops.template.document import DeployableConfig, make_document
from router.ops.template.expressions import Substitutions
from router.ops.template.plan import PlannedQueue, StackPlan, make_plan
from router.ops.template.policies import MANAGED_POLICY, statements
from router.program.precompile import precompile
from router.program.precompiled import COMPILED_NAME, is_precompiled, unpack

CREATE_ONLY: Mapping[str, frozenset[str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": frozenset(("ResourceId", "ScalableDimension", "ServiceNamespace")),
    "AWS::ApplicationAutoScaling::ScalingPolicy": frozenset(("PolicyName", "ScalingTargetId")),
    "AWS::CloudWatch::Alarm": frozenset(("AlarmName",)),
    "AWS::CloudWatch::Dashboard": frozenset(("DashboardName",)),
    "AWS::DynamoDB::Table": frozenset(("AttributeDefinitions", "KeySchema", "TableName")),
    "AWS::ECS::Cluster": frozenset(("ClusterName",)),
    "AWS::ECS::Service": frozenset(("Cluster", "LaunchType", "ServiceName")),
    "AWS::ECS::TaskDefinition": frozenset(
        (
            *("ContainerDefinitions", "Cpu", "ExecutionRoleArn", "Family", "Memory", "NetworkMode"),
            *("RequiresCompatibilities", "RuntimePlatform", "TaskRoleArn"),
        )
    ),
    "AWS::IAM::ManagedPolicy": frozenset(("Description", "ManagedPolicyName", "Path")),
    "AWS::IAM::Role": frozenset(("Path", "RoleName")),
    "AWS::Lambda::EventSourceMapping": frozenset(("EventSourceArn",)),
    "AWS::Lambda::Function": frozenset(("FunctionName", "PackageType")),
    "AWS::Logs::LogGroup": frozenset(("LogGroupName",)),
    "AWS::Logs::MetricFilter": frozenset(("FilterName", "LogGroupName")),
    "AWS::SQS::Queue": frozenset(("FifoQueue", "QueueName")),
}
"""The properties whose change replaces a resource, of the types that templates have: the `createOnlyProperties` of
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html, and the definitions of a
table's attributes: they are those of its key, and "replacement if you edit an existing AttributeDefinition" holds by
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html"""
_STORES = ("AWS::SQS::Queue", "AWS::DynamoDB::Table")
_DERIVED = ("AWS::CloudWatch::Dashboard", MANAGED_POLICY)
"""The types of what only shows the routes, and of the permissions, which are compared as such."""
_RETENTION = "MessageRetentionPeriod"
_LONGEST = 60
"""Characters of a value that are shown."""


class DeployedVersion(Struct, frozen=True):
    """What a version deploys: its plan, the actions on each resource, and the resources of its template."""

    plan: StackPlan
    actions: Mapping[str, frozenset[str]]
    resources: Mapping[str, Any]


def compare_deployments(old: ConfigVersion, new: ConfigVersion, as_worker: bool = False) -> Iterator[ConfigChange]:
    """Yield the changes of permissions and resources; one change says so if there is no template of a version."""
    try:
        before, after = (_deployment(version, as_worker) for version in (old, new))
    except RouterError as error:
        reason = str(error).partition("\n")[0]
        yield ConfigChange(NOT_COMPARED, f"there is no template of one of the configs: {reason}")
        return
    yield from _permissions(before, after)
    for id_ in {**before.resources, **after.resources}:
        if (before.resources.get(id_) or after.resources[id_])["Type"] in _DERIVED:
            continue
        yield from _resource(id_, before, after)


def _deployment(version: ConfigVersion, as_worker: bool) -> DeployedVersion:
    content = version.path.read_bytes() if is_precompiled(version.path) else precompile(version.path, version.env)
    files = unpack(content, COMPILED_NAME, any_version=True).files.files
    body = make_document(DeployableConfig(version.path, version.program, version.loaded, files), as_worker).body
    plan = make_plan(version.program, Substitutions(files), as_worker)
    actions: dict[str, frozenset[str]] = {}
    for statement in statements(plan):
        for arn in statement.resources:
            actions[arn] = actions.get(arn, frozenset()) | frozenset(statement.actions)
    # What a resource waits for does not change it.
    resources = {
        id_: {name: value for name, value in resource.items() if name != "DependsOn"}
        for id_, resource in body["Resources"].items()
    }
    return DeployedVersion(plan, actions, resources)


def _permissions(old: DeployedVersion, new: DeployedVersion) -> Iterator[ConfigChange]:
    for arn in {**old.actions, **new.actions}:
        before, after = old.actions.get(arn, frozenset()), new.actions.get(arn, frozenset())
        for verb, actions in (("needs", after - before), ("no longer needs", before - after)):
            if actions:
                yield ConfigChange(PERMISSIONS, f"the role {verb} {', '.join(sorted(actions))} on {arn}")


def _resource(id_: str, old: DeployedVersion, new: DeployedVersion) -> Iterator[ConfigChange]:
    before, after = old.resources.get(id_), new.resources.get(id_)
    path, old_path = _path(id_, new), _path(id_, old)
    if before is None:
        yield ConfigChange(RESOURCE_CHANGED, f"CloudFormation adds {_label(id_, new)}", path, old_path)
    elif after is None:
        retained = before.get("DeletionPolicy") == "Retain"
        verb = "retains, outside of the stack," if retained else "deletes"
        code = STORAGE_REPLACED if before["Type"] in _STORES and not retained else RESOURCE_CHANGED
        yield ConfigChange(code, f"CloudFormation {verb} {_label(id_, old)}", path, old_path)
    elif before != after:
        yield from _modified(id_, old, new, path, old_path)


def _modified(
    id_: str, old: DeployedVersion, new: DeployedVersion, path: Path, old_path: Path
) -> Iterator[ConfigChange]:
    before, after = (each.resources[id_] for each in (old, new))
    was, is_ = (each.get("Properties", {}) for each in (before, after))
    names = [name for name in {**was, **is_} if was.get(name) != is_.get(name)]
    replaced = before["Type"] != after["Type"] or not CREATE_ONLY.get(after["Type"], frozenset()).isdisjoint(names)
    code = STORAGE_REPLACED if replaced and after["Type"] in _STORES else RESOURCE_CHANGED
    values = "; ".join(f"{name} {_shown(was.get(name))} → {_shown(is_.get(name))}" for name in names)
    verb = "replaces" if replaced else "modifies"
    yield ConfigChange(code, f"CloudFormation {verb} {_label(id_, new)}: {values or 'its policies'}", path, old_path)
    retention = was.get(_RETENTION), is_.get(_RETENTION)
    if all(isinstance(each, int) for each in retention) and retention[1] < retention[0]:
        sentence = f"{_label(id_, new)} keeps messages for {retention[1]} s, and kept them for {retention[0]} s"
        yield ConfigChange(SHORTER_RETENTION, sentence, path, old_path)


def _label(id_: str, deployment: DeployedVersion) -> str:
    """Return a resource in words, with its name if it is a queue or a table."""
    planned = deployment.plan.queues.get(id_) or deployment.plan.tables.get(id_)
    kind = kind_of(deployment.resources[id_]["Type"])
    return f"{kind} '{planned.label}'" if planned else f"{kind} {id_}"


def _path(id_: str, deployment: DeployedVersion) -> Path:
    """Return the path in the config of a queue or table; that of the whole config for anything else."""
    planned = deployment.plan.queues.get(id_) or deployment.plan.tables.get(id_)
    name = planned.name_in_config if planned else ""
    if not name:
        return ()
    return ("queues" if isinstance(planned, PlannedQueue) else "tables", name)


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else to_json(msgspec.to_builtins(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
