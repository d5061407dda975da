"""The updates of a stack by which the indexes of its tables change.

In one update, CloudFormation creates or deletes one global secondary index of a table, and changes none:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

import time
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, Literal

from msgspec import Struct

from router.errors import UsageError
from router.tools.check.rules.keys import MAX_INDEXES
from router.tools.control_plane.clients import ServiceClient
from router.tools.deploy.changes import TABLE, TemplateVersion
from router.tools.deploy.deployment import literal_names
from router.tools.deploy.table_definitions import (
    INDEXES,
    Properties,
    Template,
    indexes_of,
    is_same_table,
)

DEFINITIONS = "AttributeDefinitions"
_UNITS = "ProvisionedThroughput"
_PAUSE = 5.0
"""Seconds between two looks at an index that is built."""
_ACTIVE = "ACTIVE"


Verb = Literal["create", "delete"]


class IndexAction(Struct, frozen=True):
    """The creation or deletion of an index of a table, which has a logical id."""

    verb: Verb
    index: str
    table: str
    id: str

    @property
    def in_words(self) -> str:
        """What is done, for a sentence."""
        return f"{self.verb} index '{self.index}' of table '{self.table}'"


class IndexUpdate(Struct, frozen=True):
    """An update of a stack: at most one action for each table, and the template after it."""

    actions: tuple[IndexAction, ...]
    body: Template

    @property
    def in_words(self) -> str:
        """What is done, for a sentence."""
        return ", ".join(each.in_words for each in self.actions)


def index_updates(old: TemplateVersion, new: TemplateVersion) -> tuple[IndexUpdate, ...]:
    """Return the updates by which the indexes of existing tables become those of a new template, which is the last.

    None if no index changes. Raises UsageError for an index with another key or projection.
    """
    names = literal_names(new.body, new.values)
    of_tables = []
    for id_, resource in new.body["Resources"].items():
        if resource["Type"] == TABLE and id_ in old.body.get("Resources", {}):
            before, after = old.properties(id_), new.properties(id_)
            if is_same_table(before, after):
                of_tables.append(_actions(id_, names.get(id_, id_), before, after))
    changed = list(filter(None, of_tables))
    if not changed:
        return ()
    body = old.body
    updates = []
    # The last action of each table is part of the last update.
    for step in zip_longest(*(actions[:-1] for actions in changed)):
        actions = tuple(filter(None, step))
        body = _after(body, new.body, actions)
        updates.append(IndexUpdate(actions, body))
    last = tuple(actions[-1] for actions in changed)
    return (*updates, IndexUpdate(last, new.body))


def _actions(id_: str, table: str, before: Properties, after: Properties) -> Sequence[IndexAction]:
    """Return what has to be done with the indexes of a table, in order.

    An index is deleted when those that replace it are there, unless it is in their way.
    """
    was, is_ = indexes_of(before), indexes_of(after)
    for name in was.keys() & is_.keys():
        if _definition(before, was[name]) != _definition(after, is_[name]):
            raise UsageError(
                f"index '{name}' of table '{table}' has another key or projection in the config, and AWS changes no "
                "index: give the new one another name; the old one is deleted when the new one is there"
            )
    created = [name for name in is_ if name not in was]
    deleted = [name for name in was if name not in is_]
    types = _types(after)
    retyped = {name for name, kind in _types(before).items() if types.get(name, kind) != kind}
    full = len(was) + len(created) > MAX_INDEXES
    first = [name for name in deleted if full or retyped & _attributes(was[name])]
    rest = [name for name in deleted if name not in first]
    verbs: list[tuple[Verb, list[str]]] = [("delete", first), ("create", created), ("delete", rest)]
    return [IndexAction(verb, name, table, id_) for verb, names in verbs for name in names]


def _definition(table: Properties, index: Properties) -> Any:
    """Return what cannot be changed of an index: its key with the types, and its projection."""
    types = _types(table)
    key = [
        (each["AttributeName"], each["KeyType"], types.get(each["AttributeName"]))
        for each in index["KeySchema"]
    ]
    projection = index["Projection"]
    others = sorted(projection.get("NonKeyAttributes", ()))
    return key, projection["ProjectionType"], others


def _types(table: Properties) -> dict[str, str]:
    return {each["AttributeName"]: each["AttributeType"] for each in table[DEFINITIONS]}


def _attributes(index: Properties) -> set[str]:
    return {each["AttributeName"] for each in index["KeySchema"]}


def _after(body: Template, new: Template, actions: Sequence[IndexAction]) -> Template:
    """Return a template after actions; what is created is taken from a new template."""
    resources = dict(body["Resources"])
    for action in actions:
        resource = resources[action.id]
        target = new["Resources"][action.id]["Properties"]
        properties = _with_action(resource["Properties"], target, action)
        resources[action.id] = {**resource, "Properties": properties}
    return {**body, "Resources": resources}


def _with_action(properties: Properties, target: Properties, action: IndexAction) -> Properties:
    indexes = indexes_of(properties)
    types = _types(properties)
    if action.verb == "delete":
        del indexes[action.index]
    else:
        created = indexes_of(target)[action.index]
        kept = {name: value for name, value in created.items() if name != _UNITS}
        if _UNITS in properties:
            # An index has units where its table has some, which change in the last update.
            kept[_UNITS] = properties[_UNITS]
        indexes[action.index] = kept
        types |= {name: _types(target)[name] for name in _attributes(created)}
    parts = chain(properties["KeySchema"], *(each["KeySchema"] for each in indexes.values()))
    used = dict.fromkeys(each["AttributeName"] for each in parts)
    definitions = [{"AttributeName": name, "AttributeType": types[name]} for name in used]
    changed = {name: value for name, value in properties.items() if name != INDEXES}
    changed[DEFINITIONS] = definitions
    if indexes:
        changed[INDEXES] = [*indexes.values()]
    return changed


def unfinished(dynamodb: ServiceClient, table: str) -> list[str]:
    """Return the indexes of a table that DynamoDB builds or deletes; raises AwsCallError."""
    found = dynamodb.call("DescribeTable", TableName=table)["Table"]
    indexes = found.get(INDEXES, ())
    names = [each["IndexName"] for each in indexes if each.get("IndexStatus", _ACTIVE) != _ACTIVE]
    return names or ([] if found["TableStatus"] == _ACTIVE else ["the table"])


def wait_until_active(
    dynamodb: ServiceClient,
    actions: Sequence[IndexAction],
    report: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until no index of the tables is built or deleted: until then, DynamoDB refuses another action.

    Building an index of a large table takes hours. Raises AwsCallError.
    """
    for table in dict.fromkeys(each.table for each in actions):
        while names := unfinished(dynamodb, table):
            report(f"table '{table}': DynamoDB builds or deletes {', '.join(names)}")
            pause(_PAUSE)
