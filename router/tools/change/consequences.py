"""What a change of the config does to a stack: permissions, and resources that are added, modified or replaced."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, structs

from router.codes import KEY_CHANGED
from router.errors import RouterError
from router.model import Path
from router.tools.change.change_codes import (
    KEY_LOST,
    NOT_COMPARED,
    PERMISSIONS,
    PREVIOUS_KEY_REMOVED,
    RESOURCE_CHANGED,
    SHORTER_RETENTION,
    STORAGE_REPLACED,
)
from router.tools.change.deployments import ConfigSubject, DeployedVersion, deployed_version
from router.tools.change.properties import PropertyDifference, differences
from router.tools.change.report import ConfigChange
from router.tools.change.versions import ConfigVersion
from router.tools.check.live.permissions import DECRYPT
from router.tools.deploy.changes import QUEUE, TABLE
from router.tools.deploy.table_definitions import indexes_of, is_same_table, substitute_text
from router.tools.deploy.template.plan import PlannedQueue, PlannedResource
from router.tools.deploy.template.policies import MANAGED_POLICY

CREATE_ONLY: Mapping[str, frozenset[str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": frozenset(
        ("ResourceId", "ScalableDimension", "ServiceNamespace")
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": frozenset(("PolicyName", "ScalingTargetId")),
    "AWS::CloudWatch::Alarm": frozenset(("AlarmName",)),
    "AWS::CloudWatch::Dashboard": frozenset(("DashboardName",)),
    "AWS::DynamoDB::Table": frozenset(("KeySchema", "TableName")),
    "AWS::ECS::Cluster": frozenset(("ClusterName",)),
    "AWS::ECS::Service": frozenset(("Cluster", "LaunchType", "ServiceName")),
    "AWS::ECS::TaskDefinition": frozenset(
        {"ContainerDefinitions", "Cpu", "ExecutionRoleArn", "Family", "Memory", "NetworkMode"}
        | {"RequiresCompatibilities", "RuntimePlatform", "TaskRoleArn"}
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
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html. A table is replaced, too, if
a key attribute gets another type."""
_STORES = (QUEUE, TABLE)
_DERIVED = ("AWS::CloudWatch::Dashboard", MANAGED_POLICY)
"""The types of what only shows the routes, and of the permissions, which are compared as such."""
_RETENTION = "MessageRetentionPeriod"
_NO_SUBJECT = ConfigSubject("", ())


class LeftQueue(Struct, frozen=True):
    """A queue that a change leaves as it is, with messages that nothing reads any more.

    `keys` are the KMS keys that are needed for messages and that the role may not use any more; without any, no route
    reads the queue. `arn` is "" if it needs more than known values.
    """

    id: str
    name: str
    arn: str
    routes: tuple[str, ...]
    keys: tuple[str, ...] = ()


def left_queues(
    old: ConfigVersion, new: ConfigVersion, pseudo: Mapping[str, str]
) -> Iterator[LeftQueue]:
    """Yield the queues of the function's config that a change leaves; none if there is no template of a config.

    `pseudo` are values of pseudo parameters, such as `AWS::Region`.
    """
    try:
        before, after = (deployed_version(version, as_worker=False) for version in (old, new))
    except RouterError:
        return
    remaining = {each.label: each for each in after.plan.queues.values()}
    for was in before.plan.queues.values():
        now = remaining.get(was.label)
        found = LeftQueue(
            was.id, was.label, substitute_text(was.arn, {**before.values, **pseudo}), was.routes
        )
        if now:
            keys = [*_removed_keys(before, after, was, now)]
            if not was.made and (key := _lost_key(before, after, was, now)):
                keys.append(key)
            if keys:
                yield structs.replace(found, keys=tuple(dict.fromkeys(keys)))
        elif not was.made:
            yield found


def compare_deployments(
    old: ConfigVersion, new: ConfigVersion, as_worker: bool
) -> Iterator[ConfigChange]:
    """Yield the changes of permissions and resources; one change says so if there is no template of a version."""
    try:
        before, after = (deployed_version(version, as_worker) for version in (old, new))
    except RouterError as error:
        reason = str(error).partition("\n")[0]
        yield ConfigChange(NOT_COMPARED, f"there is no template of one of the configs: {reason}")
        return
    yield from _permissions(before, after)
    yield from _keys(before, after)
    for id_ in {**before.resources, **after.resources}:
        if (before.resources.get(id_) or after.resources[id_])["Type"] in _DERIVED:
            continue
        yield from _resource(id_, before, after)


def _permissions(old: DeployedVersion, new: DeployedVersion) -> Iterator[ConfigChange]:
    for arn in {**old.actions, **new.actions}:
        before, after = old.actions.get(arn, frozenset()), new.actions.get(arn, frozenset())
        one, two = (each.subjects.get(arn) for each in (old, new))
        was, is_ = one or two or _NO_SUBJECT, two or one or _NO_SUBJECT
        for verb, actions in (("needs", after - before), ("no longer needs", before - after)):
            if actions:
                sentence = f"the role {verb} {', '.join(sorted(actions))} on {is_.label or arn}"
                yield ConfigChange(PERMISSIONS, sentence, is_.path, was.path)


def _keys(old: DeployedVersion, new: DeployedVersion) -> Iterator[ConfigChange]:
    """Yield the queues and tables that need a KMS key of before, which the new config does not name."""
    for id_ in (*new.plan.queues, *new.plan.tables):
        before, after = old.planned(id_), new.planned(id_)
        if before is None or after is None:
            continue
        path, old_path = new.path(after), old.path(before)
        # A dead-letter queue without settings has the keys of its queue, which is reported.
        if (
            isinstance(after, PlannedQueue)
            and not after.name_in_config
            and path[2:]
            and old_path[2:]
        ):
            continue
        kind, content = (
            ("queue", "messages") if isinstance(after, PlannedQueue) else ("table", "items")
        )
        what = f"{kind} '{after.label}'"
        if was := _lost_key(old, new, before, after):
            yield ConfigChange(
                KEY_LOST,
                f"{what} has another KMS key, or none: its {content} are encrypted with the previous one",
                _setting(path, "kms_key"),
                _setting(old_path, "kms_key"),
                suggestion=f"set kms_key_previous: {was} until nothing is left that needs it; router deploy refuses it "
                f"without ({KEY_CHANGED.id})",
            )
        for key in _removed_keys(old, new, before, after):
            yield ConfigChange(
                PREVIOUS_KEY_REMOVED,
                f"{what} no longer names the previous KMS key {key}: {content} encrypted with it cannot be read",
                _setting(path, "kms_key_previous"),
                _setting(old_path, "kms_key_previous"),
                suggestion=f"remove it when no {content} need it any more",
            )


def _setting(path: Path, name: str) -> Path:
    """Return the path of a setting of a queue or table; that of the route or queue that names it, if it has none."""
    return path if path[2:] else (*path, name)


def _lost_key(
    old: DeployedVersion, new: DeployedVersion, before: PlannedResource, after: PlannedResource
) -> str:
    """Return the KMS key of before if the new config has another one and does not name it, or ""."""
    was = old.value(before.kms_key)
    return "" if was in (new.value(after.kms_key), new.value(after.kms_key_previous)) else was


def _removed_keys(
    old: DeployedVersion, new: DeployedVersion, before: PlannedResource, after: PlannedResource
) -> Iterator[str]:
    """Yield the previous KMS key of before, unless the role may still decrypt with it."""
    key = old.value(before.kms_key_previous)
    allowed = {new.value(arn) for arn, actions in new.actions.items() if DECRYPT in actions}
    if key and key not in (new.value(after.kms_key), new.value(after.kms_key_previous), *allowed):
        yield key


def _resource(id_: str, old: DeployedVersion, new: DeployedVersion) -> Iterator[ConfigChange]:
    one, two = old.subject(id_), new.subject(id_)
    was, is_ = one or two or _NO_SUBJECT, two or one or _NO_SUBJECT
    if one is None:
        yield ConfigChange(RESOURCE_CHANGED, f"CloudFormation adds {is_.label}", is_.path, was.path)
    elif two is None:
        before = old.resources[id_]
        retained = before.get("DeletionPolicy") == "Retain"
        verb = "retains, outside of the stack," if retained else "deletes"
        code = STORAGE_REPLACED if before["Type"] in _STORES and not retained else RESOURCE_CHANGED
        yield ConfigChange(code, f"CloudFormation {verb} {was.label}", is_.path, was.path)
    elif old.resources[id_] != new.resources[id_]:
        yield from _modified(id_, old, new, is_, was)


def _modified(
    id_: str,
    old: DeployedVersion,
    new: DeployedVersion,
    subject: ConfigSubject,
    old_subject: ConfigSubject,
) -> Iterator[ConfigChange]:
    before, after = (each.resources[id_] for each in (old, new))
    was, is_ = (each.get("Properties", {}) for each in (before, after))
    changed = {name for name in {**was, **is_} if was.get(name) != is_.get(name)}
    create_only = CREATE_ONLY.get(after["Type"], frozenset())
    replaced = before["Type"] != after["Type"] or not create_only.isdisjoint(changed)
    if after["Type"] == TABLE and not replaced:
        replaced = not is_same_table(was, is_)
    code = STORAGE_REPLACED if replaced and after["Type"] in _STORES else RESOURCE_CHANGED
    values = "; ".join(map(str, _differing(before, after)))
    verb = "replaces" if replaced else "modifies"
    sentence = f"CloudFormation {verb} {subject.label}: {values}"
    if after["Type"] == TABLE and not replaced:
        sentence += _steps_of_indexes(was, is_)
    yield ConfigChange(code, sentence, subject.path, old_subject.path)
    retention = was.get(_RETENTION), is_.get(_RETENTION)
    if all(isinstance(each, int) for each in retention) and retention[1] < retention[0]:
        sentence = f"{subject.label} keeps messages for {retention[1]} s, and kept them for {retention[0]} s"
        path, old_path = (_setting(each.path, "retention") for each in (subject, old_subject))
        yield ConfigChange(SHORTER_RETENTION, sentence, path, old_path)


def _steps_of_indexes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return in how many updates the indexes of a table change, for a sentence; "" if that is one."""
    count = len(indexes_of(before).keys() ^ indexes_of(after).keys())
    return f"; one index in each of {count} updates of the stack" if count > 1 else ""


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[PropertyDifference]:
    """Return what differs of two definitions of a resource: its properties, and all else by its name."""
    one, two = (
        {**each, **each.get("Properties", {}), "Properties": None} for each in (before, after)
    )
    return differences(one, two)
