"""Reports differences between the tables of the config and those that are deployed.

The states of tables, indexes and of a time to live: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
API_TableDescription.html and API_TimeToLiveDescription.html.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from router.codes import declare
from router.model import Path
from router.runtime.config import spec
from router.runtime.modes import MODES
from router.runtime.sources import Computed, Constant, Joined
from router.tools.check.analysis.attributes import values_of
from router.tools.check.analysis.index_keys import projection_of
from router.tools.check.live.deployed import DeployedConfig, live_rule
from router.tools.check.rule import Found
from router.tools.control_plane.deployed import (
    DeployedIndex,
    DeployedTable,
    DeployedTtl,
    KeyAttributes,
    Unanswered,
)

NO_TABLE = declare(
    "RT701", "no such table", "Every write to it fails, and the worker stops reading its queues."
)
NOT_ACTIVE = declare(
    "RT702",
    "a table that is not active",
    "A table that is being created or deleted, is archived, or has lost its encryption key accepts no writes.",
)
OTHER_KEY = declare(
    "RT703",
    "a table with another key",
    "DynamoDB refuses every item whose key attributes differ from those of the table in name or type. The key of a "
    "table cannot be changed: either the config is wrong, or the table must be created again.",
)
OTHER_TTL = declare(
    "RT704",
    "a time to live that is disabled, or reads another attribute",
    "Items never expire, although the config declares when they do.",
)
UNASKED_TTL = declare(
    "RT705",
    "a time to live that the config does not declare",
    "DynamoDB deletes items in which this attribute is a time in the past, as a number of seconds.",
    severity="warning",
)
PROVISIONED = declare(
    "RT706",
    "provisioned capacity",
    "Writes that exceed it are throttled; the messages are retried, and the queue grows meanwhile.",
    severity="info",
)
INDEX_TYPE = declare(
    "RT707",
    "an attribute whose type differs from that in the key of an index",
    "DynamoDB refuses an item in which a key attribute of an index has another type than the index declares; null is a "
    "type too. An item without the attribute is stored, and is not in the index.",
)
OTHER_INDEX = declare(
    "RT708",
    "an index that is missing, or has another key or projection",
    "Queries of the index fail, or do not find what the config says that it has. AWS changes no index: one with "
    "another key or projection needs another name.",
)
UNDECLARED_INDEX = declare(
    "RT709",
    "an index that the config does not declare",
    "`router check` proves nothing about attributes in its key: DynamoDB refuses an item in which one is empty or of "
    "another type. The config declares other indexes of the table.",
    severity="warning",
)
BUILDING_INDEX = declare(
    "RT710",
    "an index that is not active",
    "Until DynamoDB has built it, queries of it fail, and no other index of the table can be created or deleted.",
    severity="warning",
)
# The states in which a table accepts writes; UPDATING is that of a new index or capacity.
_WRITABLE = ("ACTIVE", "UPDATING")


@live_rule(NO_TABLE, NOT_ACTIVE, OTHER_KEY, OTHER_TTL, UNASKED_TTL, PROVISIONED)
def check_tables(deployment: DeployedConfig) -> Iterator[Found]:
    """Report tables that do not exist, accept no writes, or have another key or time to live than
    the config.
    """
    for name, table in deployment.config.tables.items():
        deployed = deployment.seen.tables.get(name)
        reference = table.name or name
        if isinstance(deployed, DeployedTable):
            yield from _check_state(name, reference, deployed, wanted=table.capacity is not None)
            yield from _check_key(name, reference, table, deployed)
            yield from _check_ttl(name, reference, table, deployed.ttl)
        elif deployed is not None and deployed.absent:
            yield Found(
                NO_TABLE,
                f"there is no table '{reference}' in this region",
                ("tables", name),
                "create it, or check its name, the region and the profile",
            )


def _check_state(
    name: str, reference: str, deployed: DeployedTable, wanted: bool
) -> Iterator[Found]:
    path = ("tables", name)
    if deployed.status not in _WRITABLE:
        yield Found(NOT_ACTIVE, f"table '{reference}' is {deployed.status}, not ACTIVE", path)
    if deployed.provisioned and not wanted:
        units = f"{deployed.write_units} write units, {deployed.read_units} read"
        yield Found(
            PROVISIONED,
            f"table '{reference}' has provisioned capacity: {units}",
            path,
            "an item of 1 KB needs a write unit, and another for each index; on-demand capacity needs no planning",
        )


def _check_key(
    name: str, reference: str, table: spec.TableSettings, deployed: DeployedTable
) -> Iterator[Found]:
    expected = tuple(table.key.items())
    if deployed.key != expected:
        yield Found(
            OTHER_KEY,
            f"the key of table '{reference}' is {_shown(deployed.key)}, not {_shown(expected)}",
            ("tables", name, "key"),
            f"write 'key: {{{_shown(deployed.key)}}}', or create the table again",
        )


def _check_ttl(
    name: str, reference: str, table: spec.TableSettings, ttl: DeployedTtl | Unanswered
) -> Iterator[Found]:
    if isinstance(ttl, Unanswered):
        return
    if table.ttl and not ttl.on:
        yield Found(
            OTHER_TTL,
            f"the time to live of table '{reference}' is {ttl.status}, not enabled for '{table.ttl}'",
            ("tables", name, "ttl"),
            f"enable it for '{table.ttl}'",
        )
    elif table.ttl and ttl.attribute != table.ttl:
        yield Found(
            OTHER_TTL,
            f"the time to live of table '{reference}' reads '{ttl.attribute}', not '{table.ttl}'",
            ("tables", name, "ttl"),
            "use the same attribute in both",
        )
    elif ttl.on and not table.ttl:
        yield Found(
            UNASKED_TTL,
            f"the time to live of table '{reference}' is enabled and reads '{ttl.attribute}'",
            ("tables", name),
            f"add 'ttl: {ttl.attribute}', or disable it",
        )


def _shown(key: KeyAttributes | Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{attribute}: {kind}" for attribute, kind in key)


@live_rule(OTHER_INDEX, UNDECLARED_INDEX, BUILDING_INDEX)
def compare_indexes(deployment: DeployedConfig) -> Iterator[Found]:
    """Report indexes that differ from those of the config, for tables that declare some."""
    for name, table in deployment.config.tables.items():
        deployed = deployment.seen.tables.get(name)
        if not isinstance(deployed, DeployedTable) or not table.indexes:
            continue
        there = {index.name: index for index in deployed.indexes}
        for each, index in table.indexes.items():
            path = ("tables", name, "indexes", each)
            found = there.pop(each, None)
            if found is None:
                yield Found(
                    OTHER_INDEX,
                    f"table '{table.name or name}' has no index '{each}'",
                    path,
                    "deploy the config, or create it",
                    key=True,
                )
            else:
                yield from _compare_index(table, index, found, path)
        for left in there.values():
            yield Found(
                UNDECLARED_INDEX,
                f"table '{table.name or name}' has the index '{left.name}' ({_shown(left.key)})",
                ("tables", name),
                "add it under 'indexes'",
            )


def _compare_index(
    table: spec.TableSettings, index: spec.TableIndex, found: DeployedIndex, path: Path
) -> Iterator[Found]:
    expected = tuple(index.key.items())
    if (found.key, found.partition) != (expected, index.partition):
        sentence = (
            f"the key of index '{found.name}' is {_index_key(found.key, found.partition)}, not "
        )
        sentence += _index_key(expected, index.partition)
        yield Found(
            OTHER_INDEX, sentence, (*path, "key"), "give the index of the config another name"
        )
    kind, listed = projection_of(table, index)
    if (found.projection, found.projected) != (kind, tuple(sorted(listed))):
        sentence = f"the projection of index '{found.name}' is {_projected(found.projection, found.projected)}, not "
        sentence += _projected(kind, listed)
        yield Found(
            OTHER_INDEX, sentence, path, "give the index of the config another name", key=True
        )
    if found.status != "ACTIVE":
        yield Found(
            BUILDING_INDEX,
            f"index '{found.name}' is {found.status}, not ACTIVE",
            path,
            "wait until DynamoDB has built it",
            key=True,
        )


def _projected(kind: str, listed: Iterable[str]) -> str:
    return " ".join((kind, ", ".join(listed))).rstrip()


def _index_key(key: Iterable[tuple[str, str]], partition: int) -> str:
    parts = [*key]
    return "; ".join(_shown(part) for part in (parts[:partition], parts[partition:]) if part)


_TYPES: Mapping[type, str] = {bool: "BOOL", str: "S", int: "N", Decimal: "N", list: "L", dict: "M"}


@live_rule(INDEX_TYPE)
def check_indexes(deployment: DeployedConfig) -> Iterator[Found]:
    """Report attributes whose type, as far as the config declares it, differs from that in the key
    of an index.
    """
    for name, route in deployment.config.routes.items():
        deployed = deployment.seen.tables.get(route.table)
        if not isinstance(deployed, DeployedTable) or route.item is None:
            continue
        if MODES[route.write.mode].stores == "nothing":
            continue
        # Of an index that the config declares, claims are made.
        declared = deployment.config.tables[route.table].indexes
        for index in deployed.indexes:
            for attribute, kind in () if index.name in declared else index.key:
                # A mismatch with the key of the table itself is another finding.
                if attribute not in route.item or attribute in dict(deployed.key):
                    continue
                for stored in sorted(known_types(route.item[attribute]) - {kind}):
                    yield Found(
                        INDEX_TYPE,
                        f"'{attribute}' is stored as {stored}, but is {kind} in the key of index '{index.name}'",
                        ("routes", name, "item", attribute),
                        f"map it as {kind}, or omit it",
                    )


def known_types(attribute: spec.Attribute) -> set[str]:
    """Return the DynamoDB types that an attribute can have, as far as the config declares them."""
    null = {"NULL"} if "null" in (attribute.missing, attribute.null) else set()
    if attribute.type is not None:
        return {"S" if attribute.type == "json" else attribute.type} | null
    if attribute.transform:
        return null
    match values_of(attribute):
        case Joined():
            return {"S"} | null
        case Constant(value):
            # Null counts as missing.
            return {name for kind, name in _TYPES.items() if type(value) is kind} | null
        case Computed(type=("string" | "number") as kind):
            return {"S" if kind == "string" else "N"} | null
        case _:
            return null
