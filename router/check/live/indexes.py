"""The rule about the indexes of deployed tables: what is mapped to their keys has their types."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import UnsetType

from router.aws.deployed import TableFacts
from router.check.live.deployed import Deployment
from router.check.rule import Found
from router.config import spec
from router.model import Code
from router.modes import MODES
from router.sources import Computed, Constant, Joined, values_of

INDEX_TYPE = Code(
    "RT707",
    "an attribute of another type than an index has it",
    "DynamoDB refuses an item in which the key attribute of an index has another type than the index says, and it "
    "takes null for a type too. An item without the attribute is stored, and is not in the index.",
)

_TYPES: Mapping[type, str] = {bool: "BOOL", str: "S", int: "N", Decimal: "N", list: "L", dict: "M"}


def check_indexes(deployment: Deployment) -> Iterator[Found]:
    """Where the config says what type an attribute has, it is the one of each index whose key it is part of."""
    for name, route in deployment.config.routes.items():
        facts = deployment.seen.tables.get(route.table)
        if not isinstance(facts, TableFacts) or isinstance(route.item, UnsetType):
            continue
        if MODES[route.write.mode].stores == "nothing":
            continue
        for index in facts.indexes:
            for attribute, kind in index.key:
                # Of the table's own key, the finding is another.
                if attribute not in route.item or attribute in dict(facts.key):
                    continue
                for stored in sorted(known_types(route.item[attribute]) - {kind}):
                    yield Found(
                        INDEX_TYPE,
                        f"'{attribute}' is stored as {stored}, but is {kind} in the key of index '{index.name}'",
                        ("routes", name, "item", attribute),
                        f"map it as {kind}, or leave it out",
                    )


def known_types(attribute: str | spec.Attribute) -> set[str]:
    """The types in DynamoDB that an attribute can have, as far as the config alone says; none if it does not."""
    if isinstance(attribute, str):
        return set()
    null = {"NULL"} if attribute.missing == "null" else set()
    if not isinstance(attribute.type, UnsetType):
        return {"S" if attribute.type == "json" else attribute.type} | null
    if attribute.transform:
        return null
    match values_of(attribute):
        case Joined():
            return {"S"} | null
        case Constant(value):
            return _types_of(value) | null
        case Computed(type=("string" | "number") as kind):
            return {"S" if kind == "string" else "N"} | null
        case _:
            return null


def _types_of(value: object) -> set[str]:
    """The type of a constant; of none, and of null, which counts as missing, there is none."""
    return {name for kind, name in _TYPES.items() if type(value) is kind}
