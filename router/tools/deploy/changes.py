"""Describes the changes of a stack: which resources and properties, for which routes, and whether something is lost.

Messages or items are lost with a queue or table, or by a change of some of its properties.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import msgspec
from msgspec import Struct, field, structs

from router.codes import KEY_CHANGED
from router.tools.check.live.deployed import duration
from router.tools.control_plane.resource_changes import (
    DriftedValue,
    ResourceChange,
    is_aws_tag,
)
from router.tools.deploy.queue_parts import QUEUE_PREFIX, QueuePart
from router.tools.deploy.table_definitions import (
    INDEXES,
    Properties,
    Template,
    Values,
    indexes_of,
    is_same_table,
    resource_of,
    substitute_text,
)

HIDDEN = "****"
"""What AWS tells of the value of a parameter with `NoEcho`."""
ANOTHER = "**** (another)"
"""A hidden value that differs from the one before."""
QUEUE, TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"
_RETENTION_PERIOD = "MessageRetentionPeriod"
_DEFAULT_RETENTION = 345_600
"""Seconds: AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html"""
_TIME_TO_LIVE = "TimeToLiveSpecification"
_TAGS = ["Properties", "Tags"]
_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
_PROTECTION = "DeletionProtectionEnabled"
_RECOVERY = "PointInTimeRecoverySpecification"
_KMS_KEYS = {QUEUE: "KmsMasterKeyId", TABLE: "SSESpecification"}
Verb = Literal[
    "add",
    "import",
    "modify",
    "may modify",
    "note",
    "replace",
    "may replace",
    "remove",
    "retain",
    "unknown",
]
"""`import`: the stack takes in an existing resource. `retain`: the resource leaves the stack and is kept.
`may modify`: the resource refers to one that changes. `note`: it is by hand what the template says now."""

MANY = 3
"""More routes than these are shown as their number, or as "all"."""
_STORES = (QUEUE, TABLE)
"""The types of resources that store messages or items."""
_LOSING: tuple[Verb, ...] = ("remove", "replace", "may replace", "unknown")
_ORDER: tuple[Verb, ...] = (*_LOSING, "retain", "modify", "import", "add", "may modify", "note")
_REPLACEMENTS: Mapping[str, Verb] = {"True": "replace", "Conditional": "may replace"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
_NAMED = (
    *_STORES,
    "AWS::CloudFormation::Stack",
    "AWS::CloudWatch::Dashboard",
    "AWS::ECS::Service",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
)
"""The types of resources whose physical id is a name that users know, not one that AWS generated."""
_OF_VERSIONS = ("AWS::Lambda::Version", "AWS::CloudFormation::WaitCondition")
_FUNCTION, _VERSION_LABEL = "AWS::Lambda::Function", "Description"
"""The property of the function that names its version; it changes with each other one."""
_OF_ALL = "AWS::IAM::"
"""The prefix of the types of resources that serve all queues and tables."""


class PropertyChange(Struct, frozen=True):
    """A property of a resource and its values; None where it is not set. A value may hold intrinsic functions."""

    name: str
    before: Any
    after: Any


PropertyChanges = tuple[PropertyChange, ...]


class TemplateVersion(Struct, frozen=True):
    """A template and the values of its parameters."""

    body: Template
    values: Values = {}

    def properties(self, logical_id: str) -> Properties:
        """Return the properties of a resource, with the values of parameters; none if there is no such resource."""
        properties = resource_of(self.body, logical_id).get("Properties", {})
        return {name: self.resolve(value) for name, value in properties.items()}

    def attributes(self, logical_id: str) -> Mapping[str, Any]:
        """Return the attributes of a resource that decide what becomes of it later."""
        resource = resource_of(self.body, logical_id)
        return {name: resource[name] for name in _POLICIES if name in resource}

    def resolve(self, value: Any) -> Any:
        """Return a value of the template with the values of parameters in it, as far as these give it."""
        match value:
            case {"Ref": str(name)} if name in self.values:
                return self.values[name]
            case {"Fn::Sub": str(text)} if known := substitute_text(text, self.values):
                return known
            case Mapping():
                return {name: self.resolve(each) for name, each in value.items()}
            case list():
                return [self.resolve(each) for each in value]
            case _:
                return value


class PreviousKeys(Struct, frozen=True):
    """The KMS keys, by logical id, that can still be decrypted with, and what to do where another one is needed."""

    known: Mapping[str, str] = {}
    advice: str = "set it as kms_key_previous"


def compare_properties(
    old: TemplateVersion,
    new: TemplateVersion,
    logical_id: str,
    drift: Iterable[DriftedValue] = (),
) -> PropertyChanges:
    """Return the properties of a resource that differ, in the order of the new template.

    Before, it has what was changed by hand (`drift`), and otherwise what the old template says.
    """
    before = {
        **_with_drift(old.properties(logical_id), drift),
        **old.attributes(logical_id),
    }
    after = {**new.properties(logical_id), **new.attributes(logical_id)}
    compared = (
        PropertyChange(name, before.get(name), after.get(name)) for name in {**after, **before}
    )
    return tuple(each for each in compared if each.before != each.after)


def _with_drift(properties: Properties, drift: Iterable[DriftedValue]) -> Properties:
    """Return the properties of a resource with the values that somebody gave them by hand."""
    found: Mapping[str, Any] = {"Properties": properties}
    for each in drift:
        path = each.path.strip("/").split("/")
        actual = _as_written(each.actual)
        if path == _TAGS and isinstance(actual, list):
            actual = [tag for tag in actual if not is_aws_tag(tag["Key"])]
        found = _with_value(found, path, actual)
    changed: Mapping[str, Any] = found["Properties"]
    return changed


def _with_value(place: Mapping[str, Any], path: Sequence[str], value: Any) -> Mapping[str, Any]:
    """Return a map with a value at a path; a path into a list changes nothing: of it only the name is shown."""
    name, *rest = path
    if not rest:
        return {**place, name: value}
    inner = place.get(name, {})
    return {**place, name: _with_value(inner, rest, value)} if isinstance(inner, Mapping) else place


def _as_written(actual: str) -> Any:
    """Return a value that AWS writes as a text: in the template it may be a number, a list or a map."""
    try:
        return msgspec.json.decode(actual)
    except msgspec.DecodeError:
        return actual


def _losses(
    type_: str, changes: PropertyChanges, logical_id: str, keys: PreviousKeys
) -> Iterator[str]:
    """Yield what is lost if properties of an existing resource change."""
    if type_ not in _STORES:
        return
    previous_key = keys.known.get(logical_id, "")
    for change in changes:
        if change.name == _RETENTION_PERIOD:
            seconds = int(change.before or _DEFAULT_RETENTION)
            fewer = int(change.after or _DEFAULT_RETENTION)
            if fewer < seconds:
                yield f"DELETES messages older than {duration(fewer)}; they are kept for {duration(seconds)} now"
        elif change.name == INDEXES:
            yield from _removed_indexes(change)
        elif change.name == _TIME_TO_LIVE:
            before, after = _expiring(change.before), _expiring(change.after)
            if after and after != before:
                instead = f" instead of '{before}'" if before else ""
                yield f"EXPIRES items by their '{after}'{instead}"
        elif change.name == _KMS_KEYS[type_]:
            key = _kms_key(change.before)
            if key not in ("", previous_key):
                content = "messages" if type_ == QUEUE else "items"
                yield (
                    f"CHANGES the KMS key: stored {content} need the previous one, {key}: "
                    f"{keys.advice} ({KEY_CHANGED.id})"
                )
        elif type_ == TABLE and (weaker := _weaker_protection(change)):
            yield weaker


def _weaker_protection(change: PropertyChange) -> str:
    """Return what protects the items of a table no more, or "". The router's own templates never change that."""
    match change.name:
        case name if name in _POLICIES and change.before == "Retain":
            return f"LETS AWS delete the table with its items: {name} is {change.after or 'Delete'}"
        case name if name == _PROTECTION and _is_true(change.before):
            return "ALLOWS the table to be deleted: it has no deletion protection any more"
        case name if name == _RECOVERY and _recovers(change.before) and not _recovers(change.after):
            return "DELETES the backups of point-in-time recovery"
        case _:
            return ""


def _recovers(specification: Any) -> bool:
    return _has(specification, "PointInTimeRecoveryEnabled")


def _has(specification: Any, name: str) -> bool:
    return isinstance(specification, Mapping) and _is_true(specification.get(name))


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _removed_indexes(change: PropertyChange) -> Iterator[str]:
    before = indexes_of({INDEXES: change.before or ()})
    after = indexes_of({INDEXES: change.after or ()})
    for name in sorted(before.keys() - after.keys()):
        yield f"DELETES the index '{name}': queries of it fail"


def _expiring(specification: Any) -> str:
    """Return the attribute by which items expire, or ""."""
    return str(specification["AttributeName"]) if _has(specification, "Enabled") else ""


def _kms_key(value: Any) -> str:
    """Return the KMS key of a queue or table, or "" for a key that AWS manages."""
    key = value.get("KMSMasterKeyId", "") if isinstance(value, Mapping) else value or ""
    return str(key)


def count_sentence(count: int, content: str) -> str:
    """Return how many messages or items there are, in words: `content` is the plural."""
    return f"{count} {content if count != 1 else content.removesuffix('s')} now"


class PlannedChange(Struct, frozen=True):
    """The change of one resource.

    `kind` is the type in words, `routes` the routes that use the resource, `loses` whether messages or items may be
    lost, `details` the properties that change, `values` those whose values before and after are known. `loss` says what
    a modification loses. `stored` is how many messages or items there are now; None if that is not known. `by_hand`:
    somebody has changed what this changes back.
    """

    verb: Verb
    logical_id: str
    name: str
    kind: str = field(name="resource")
    routes: str = ""
    loses: bool = False
    details: tuple[str, ...] = ()
    values: PropertyChanges = ()
    loss: str = ""
    stored: int | None = None
    physical_id: str = ""
    by_hand: bool = False

    @property
    def warning(self) -> str:
        """What may be lost, or ""."""
        if not self.loses:
            return ""
        content = "messages" if self.kind == "queue" else "items"
        what = self.loss or {
            "remove": f"DELETES the {self.kind} and its {content}",
            "replace": f"REPLACES the {self.kind} with an empty one",
            "may replace": f"MAY REPLACE the {self.kind} with an empty one",
        }.get(self.verb, f"AWS does not say what happens to the {self.kind}")
        return what if self.stored is None else f"{what} ({count_sentence(self.stored, content)})"

    @property
    def remark(self) -> str:
        """What was changed by hand, what happens to messages of a queue that is kept outside of the stack, or ""."""
        if self.verb == "note":
            return "by hand it is what the template says now"
        if self.by_hand:
            return "changed by hand"
        if self.verb != "retain" or self.kind != "queue":
            return ""
        count = "its messages" if self.stored is None else count_sentence(self.stored, "messages")
        return f"the queue stays, and nothing reads it any more ({count})"

    @property
    def is_counted(self) -> bool:
        """Whether the number of its messages or items matters."""
        is_left = self.verb == "retain" and self.kind == "queue"
        return bool(self.physical_id) and (self.loses or is_left)


def describe_changes(
    changes: Iterable[ResourceChange],
    routes: Mapping[str, str],
    names: Mapping[str, str],
    old: TemplateVersion,
    new: TemplateVersion,
    keys: PreviousKeys,
) -> tuple[PlannedChange, ...]:
    """Return the changes, those that lose something first.

    `routes` and `names` are keyed by logical id. `old` and `new` are the templates before and after. A version of the
    function, and what waits for it, follow from the function: they have none of their own.
    """
    planned = []
    for listed in changes:
        if listed.type in _OF_VERSIONS:
            continue
        change = _as_kept(listed, old, new)
        id_, verb = change.logical_id, _verb(change)
        name = names.get(id_)
        is_lost = change.type in _STORES and verb in _LOSING
        if not name or (is_lost and change.physical_id):
            # What is lost has the name that it has now: the config may name another.
            name = resource_name(change.type, id_, change.physical_id)
        values: PropertyChanges = ()
        if change.action == "Modify":
            values = compare_properties(old, new, id_, change.drift)
        loss = ""
        if verb in ("modify", "may modify"):
            loss = "; ".join(_losses(change.type, values, id_, keys))
        details = change.details
        if change.type == _FUNCTION and len(details) > 1:
            details = tuple(each for each in details if each != _VERSION_LABEL)
        described = PlannedChange(
            verb,
            id_,
            name,
            kind_of(change.type),
            routes.get(id_, ""),
            is_lost or bool(loss),
            details,
            tuple(each for each in values if each.name in details),
            loss,
            physical_id=change.physical_id,
            by_hand=bool(change.drift),
        )
        planned.append(described)
    return in_order(planned)


def _as_kept(change: ResourceChange, old: TemplateVersion, new: TemplateVersion) -> ResourceChange:
    """Return a change of a table that is not replaced, though AWS says that it may be, as one that keeps it."""
    if change.type != TABLE or change.replacement != "Conditional":
        return change
    before, after = old.properties(change.logical_id), new.properties(change.logical_id)
    is_kept = before and after and is_same_table(before, after)
    return structs.replace(change, replacement="False") if is_kept else change


def in_order(planned: Iterable[PlannedChange]) -> tuple[PlannedChange, ...]:
    """Return the changes, those that lose something first."""
    return tuple(
        sorted(
            planned,
            key=lambda each: (not each.loses, _ORDER.index(each.verb), each.kind, each.name),
        )
    )


def confirmation_words(lost: Sequence[PlannedChange]) -> dict[str, str]:
    """Return what is lost of each queue and table, in words, by the word that confirms it.

    That is its name, or `queue:NAME` and `table:NAME` where both lose something.
    """
    stores = {(each.kind, each.name) for each in lost}
    names = Counter(name for _, name in stores)
    found: dict[str, str] = {}
    for each in lost:
        word = each.name if names[each.name] == 1 else f"{each.kind}:{each.name}"
        label = f"the {each.kind} '{each.name}': {each.warning}"
        found[word] = f"{found[word]}; {each.warning}" if word in found else label
    return found


def leave_queue(planned: PlannedChange, keys: Sequence[str], stored: int | None) -> PlannedChange:
    """Return the change of a queue whose messages need KMS keys that the role may not use any more.

    Without keys, no route reads the queue. `stored` is how many messages are on it; None if that is not known.
    """
    if not keys or planned.verb in ("remove", "replace"):
        return structs.replace(planned, stored=stored)
    losses = [
        f"REMOVES the permission to decrypt with the KMS key {key}, which messages that wait may need: wait until the "
        f"queue is empty, then remove the key ({KEY_CHANGED.id})"
        for key in keys
    ]
    loss = "; ".join(filter(None, (planned.loss, *losses)))
    verb: Verb = "may modify" if planned.verb == "retain" else planned.verb
    return structs.replace(planned, verb=verb, loses=True, loss=loss, stored=stored)


def _verb(change: ResourceChange) -> Verb:
    match change.action:
        case "Add":
            return "add"
        case "Import":
            return "import"
        case "SyncWithActual":
            return "note"
        case "Remove":
            return "retain" if change.policy == "Retain" else "remove"
        case "Modify" if change.certain:
            return _REPLACEMENTS.get(change.replacement, "modify")
        case "Modify" if change.type in _STORES:
            return _REPLACEMENTS.get(change.replacement, "may modify")
        case "Modify":
            # The resource refers to one that changes by an ARN, which usually stays the same.
            return "may modify"
        case _:
            return "unknown"


def kind_of(type_: str) -> str:
    """Return a resource type in words: `AWS::Lambda::EventSourceMapping` is an event source mapping."""
    words = _WORD.findall(type_.rpartition("::")[2])
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def resource_name(type_: str, logical_id: str, physical_id: str) -> str:
    """Return the name of a resource if users know it, else its logical id."""
    return (short_name(physical_id) if type_ in _NAMED else "") or logical_id


def short_name(physical_id: str) -> str:
    """Return the name in an ARN or in the URL of a queue; any other physical id is a name."""
    if physical_id.startswith(("https://", "http://")):
        return physical_id.rpartition("/")[2]
    return physical_id.split(":", 5)[-1] if physical_id.startswith("arn:") else physical_id


def routes_of(resources: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the routes of each resource of a template as text, by logical id.

    `known` has the routes of queues and tables. Alarms and mappings have those of their queue, roles and policies all.
    """
    every = tuple(dict.fromkeys(chain(*known.values())))
    of_queues = {
        part.of(id_): routes
        for id_, routes in known.items()
        if id_.startswith(QUEUE_PREFIX)
        for part in QueuePart
    }
    found = {}
    for id_, resource in resources.items():
        others = every if resource["Type"].startswith(_OF_ALL) else ()
        routes = known.get(id_) or of_queues.get(id_) or others
        many = "all" if len(routes) == len(every) else f"{len(routes)} routes"
        found[id_] = ", ".join(routes) if len(routes) <= MANY else many
    return found
