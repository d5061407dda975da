"""What a change of the config does to a stack: permissions, and resources that are added, modified or replaced."""

from collections.abc import Iterator, Mapping, Sequence
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
from router.tools.change.deployments import (
    ConfigSubject,
    DeployedVersion,
    deployed_version,
    kind_of_planned,
)
from router.tools.change.properties import differences
from router.tools.change.report import Changes, ConfigChange
from router.tools.change.versions import ConfigVersion
from router.tools.check.live.permissions import DECRYPT
from router.tools.deploy.changes import QUEUE, TABLE
from router.tools.deploy.table_definitions import indexes_of, is_same_table, substitute_text
from router.tools.deploy.template.plan import PlannedQueue, PlannedResource
from router.tools.deploy.template.policies import MANAGED_POLICY

CREATE_ONLY: Mapping[str, Sequence[str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        "ResourceId",
        "ScalableDimension",
        "ServiceNamespace",
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("PolicyName", "ScalingTargetId"),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::DynamoDB::Table": ("KeySchema", "TableName"),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ECS::Service": ("Cluster", "LaunchType", "ServiceName"),
    "AWS::ECS::TaskDefinition": (
        "ContainerDefinitions",
        "Cpu",
        "ExecutionRoleArn",
        "Family",
        "Memory",
        "NetworkMode",
        "RequiresCompatibilities",
        "RuntimePlatform",
        "TaskRoleArn",
    ),
    "AWS::IAM::ManagedPolicy": ("Description", "ManagedPolicyName", "Path"),
    "AWS::IAM::Role": ("Path", "RoleName"),
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn",),
    "AWS::Lambda::Function": ("FunctionName", "PackageType"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Logs::MetricFilter": ("FilterName", "LogGroupName"),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
}
"""The properties whose change replaces a resource, of the types that templates have: the `createOnlyProperties` of
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html. A table is replaced, too, if
a key attribute gets another type."""
_STORES = (QUEUE, TABLE)
_DERIVED = ("AWS::CloudWatch::Dashboard", MANAGED_POLICY)
"""The types of what only shows the routes, and of the permissions, which are compared as such."""
_RETENTION = "MessageRetentionPeriod"
_NO_SUBJECT = ConfigSubject("", ())


Resource = Mapping[str, Any]
"""A resource of a template, or its properties."""


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
        before, after = deployed_version(old, False), deployed_version(new, False)
    except RouterError:
        return
    remaining = {each.label: each for each in after.plan.queues.values()}
    for was in before.plan.queues.values():
        now = remaining.get(was.label)
        arn = substitute_text(was.arn, {**before.values, **pseudo})
        found = LeftQueue(was.id, was.label, arn, was.routes)
        if now:
            keys = {_removed_key(before, after, was, now): None}
            if not was.made:
                keys[_lost_key(before, after, was, now)] = None
            needed = tuple(filter(None, keys))
            if needed:
                yield structs.replace(found, keys=needed)
        elif not was.made:
            yield found


def compare_deployments(old: ConfigVersion, new: ConfigVersion, as_worker: bool) -> Changes:
    """Yield the changes of permissions and resources; one change says so if there is no template of a version."""
    try:
        before, after = deployed_version(old, as_worker), deployed_version(new, as_worker)
    except RouterError as error:
        reason = str(error).partition("\n")[0]
        yield ConfigChange(NOT_COMPARED, f"there is no template of one of the configs: {reason}")
        return
    yield from _permissions(before, after)
    yield from _keys(before, after)
    for id_ in {**before.resources, **after.resources}:
        resource = before.resources.get(id_) or after.resources[id_]
        if resource["Type"] not in _DERIVED:
            yield from _resource(id_, before, after)


def _permissions(old: DeployedVersion, new: DeployedVersion) -> Changes:
    for arn in {**old.actions, **new.actions}:
        before, after = old.actions.get(arn, frozenset()), new.actions.get(arn, frozenset())
        one, two = old.subjects.get(arn), new.subjects.get(arn)
        was, is_ = one or two or _NO_SUBJECT, two or one or _NO_SUBJECT
        for verb, actions in (("needs", after - before), ("no longer needs", before - after)):
            if actions:
                sentence = f"the role {verb} {', '.join(sorted(actions))} on {is_.label or arn}"
                yield ConfigChange(PERMISSIONS, sentence, is_.path, was.path)


def _keys(old: DeployedVersion, new: DeployedVersion) -> Changes:
    """Yield the queues and tables that need a KMS key of before, which the new config does not name."""
    for id_ in (*new.plan.queues, *new.plan.tables):
        before, after = old.planned(id_), new.planned(id_)
        if before is None or after is None:
            continue
        path, old_path = new.path(after), old.path(before)
        is_queue = isinstance(after, PlannedQueue)
        # A dead-letter queue without settings has the keys of its queue, which is reported.
        if is_queue and not after.name_in_config and path[2:] and old_path[2:]:
            continue
        what = f"{kind_of_planned(after)} '{after.label}'"
        content = "messages" if is_queue else "items"
        lost = _lost_key(old, new, before, after)
        if lost:
            yield ConfigChange(
                KEY_LOST,
                f"{what} has another KMS key, or none: its {content} are encrypted with the "
                "previous one",
                _setting(path, "kms_key"),
                _setting(old_path, "kms_key"),
                suggestion=f"set kms_key_previous: {lost} until nothing is left that needs it; "
                f"router deploy refuses it without ({KEY_CHANGED.id})",
            )
        removed = _removed_key(old, new, before, after)
        if removed:
            yield ConfigChange(
                PREVIOUS_KEY_REMOVED,
                f"{what} no longer names the previous KMS key {removed}: {content} encrypted "
                "with it cannot be read",
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
    was, _ = old.keys(before)
    return "" if was in new.keys(after) else was


def _removed_key(
    old: DeployedVersion, new: DeployedVersion, before: PlannedResource, after: PlannedResource
) -> str:
    """Return the previous KMS key of before, or "" if the role may still decrypt with it."""
    _, was = old.keys(before)
    allowed = {new.value(arn) for arn, actions in new.actions.items() if DECRYPT in actions}
    return "" if was in allowed.union(new.keys(after)) else was


def _resource(id_: str, old: DeployedVersion, new: DeployedVersion) -> Changes:
    was, is_ = old.subject(id_), new.subject(id_)
    if was and is_:
        if old.resources[id_] != new.resources[id_]:
            yield from _modified(old.resources[id_], new.resources[id_], is_, was)
        return
    code, verb = RESOURCE_CHANGED, "adds"
    if was:
        before = old.resources[id_]
        verb = "retains, outside of the stack,"
        if before.get("DeletionPolicy") != "Retain":
            verb = "deletes"
            if before["Type"] in _STORES:
                code = STORAGE_REPLACED
    only = was or is_ or _NO_SUBJECT
    yield ConfigChange(code, f"CloudFormation {verb} {only.label}", only.path, only.path)


def _modified(
    before: Resource,
    after: Resource,
    subject: ConfigSubject,
    old_subject: ConfigSubject,
) -> Changes:
    was, is_ = before.get("Properties", {}), after.get("Properties", {})
    type_ = after["Type"]
    changed = {name for name in {**was, **is_} if was.get(name) != is_.get(name)}
    replaced = before["Type"] != type_ or not changed.isdisjoint(CREATE_ONLY.get(type_, ()))
    if type_ == TABLE and not replaced:
        replaced = not is_same_table(was, is_)
    code = STORAGE_REPLACED if replaced and type_ in _STORES else RESOURCE_CHANGED
    values = "; ".join(map(str, differences(_flat(before), _flat(after))))
    verb = "replaces" if replaced else "modifies"
    sentence = f"CloudFormation {verb} {subject.label}: {values}"
    if type_ == TABLE and not replaced:
        sentence += _steps_of_indexes(was, is_)
    yield ConfigChange(code, sentence, subject.path, old_subject.path)
    kept, keeps = was.get(_RETENTION), is_.get(_RETENTION)
    if isinstance(kept, int) and isinstance(keeps, int) and keeps < kept:
        sentence = f"{subject.label} keeps messages for {keeps} s, and kept them for {kept} s"
        path, old_path = subject.path, old_subject.path
        yield ConfigChange(
            SHORTER_RETENTION,
            sentence,
            _setting(path, "retention"),
            _setting(old_path, "retention"),
        )


def _steps_of_indexes(before: Resource, after: Resource) -> str:
    """Return in how many updates the indexes of a table change, for a sentence; "" if that is one."""
    count = len(indexes_of(before).keys() ^ indexes_of(after).keys())
    return f"; one index in each of {count} updates of the stack" if count > 1 else ""


def _flat(resource: Resource) -> Resource:
    """Return a definition of a resource with its properties beside all else."""
    return {**resource, **resource.get("Properties", {}), "Properties": None}
