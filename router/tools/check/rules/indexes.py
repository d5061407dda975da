"""Reports indexes that DynamoDB refuses, and attributes that may not fit the keys of indexes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from collections.abc import Iterator

from msgspec import structs

from router.codes import declare
from router.prover.inference import Value
from router.prover.predicates import in_words
from router.prover.schema_prover import NO, YES
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.config import spec
from router.tools.check.analysis.attributes import stored
from router.tools.check.analysis.index_keys import (
    IndexedAttribute,
    indexed_attributes,
    may_be_null,
    most_bytes,
)
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.values import KINDS_OF_KEYS, possible
from router.tools.check.rule import Found, Subject, place_claim, rule

MAX_INDEXES = 20
"""Global secondary indexes of a table, by default; the quota can be raised."""
MAX_KEY_ATTRIBUTES = 4
"""Of a partition key, or of a sort key."""
MAX_PROJECTED = 100
"""Attributes that the lists of all indexes of a table name."""
NO_INDEX = declare(
    "RT636",
    "an index that DynamoDB refuses",
    "A partition key and a sort key have up to four attributes, an attribute has one type in the keys of a table and "
    "of all its indexes, and the lists of projected attributes name up to 100.",
)
MANY_INDEXES = declare(
    "RT637",
    "more indexes than a table has by default",
    "A table has 20 global secondary indexes at most, unless AWS raised that quota.",
    "warning",
)
OF_OTHER_TYPE = declare(
    "RT638",
    "an attribute whose value may not fit the key of an index",
    "DynamoDB refuses an item in which a key attribute of an index has another type than the index declares; null is a "
    "type too. A message with such a value satisfies its schema, and is rejected. An item without the attribute is "
    "stored, and is not in the index.",
)
MAY_BE_EMPTY = declare(
    "RT639",
    "an attribute of an index key that may be empty",
    "DynamoDB refuses an item with an empty text in the key of an index, so that such a message is rejected.",
)
MAY_BE_LONG = declare(
    "RT640",
    "an attribute of an index key whose length is not bounded",
    "The partition key of an index has at most 2048 bytes, its sort key 1024; DynamoDB refuses an item with a longer "
    "one. A character has up to 4 bytes in UTF-8.",
    "info",
)


@rule(NO_INDEX, MANY_INDEXES)
def check_indexes(subject: Subject) -> Iterator[Found]:
    """Report indexes that DynamoDB refuses."""
    for name, table in subject.config.tables.items():
        path = ("tables", name, "indexes")
        for index_name, index in table.indexes.items():
            for what, key, advice in _faults(index):
                sentence = f"index '{index_name}' of table '{name}' {what}"
                yield Found(NO_INDEX, sentence, (*path, index_name, key), advice)
        yield from _check_types(name, table)
        if len(table.indexes) > MAX_INDEXES:
            sentence = f"table '{name}' has {len(table.indexes)} indexes, and AWS allows {MAX_INDEXES} by default"
            yield Found(MANY_INDEXES, sentence, path, "leave some out, or have AWS raise the quota")
        projected = [each for index in table.indexes.values() for each in listed(index)]
        if len(projected) > MAX_PROJECTED:
            sentence = f"the indexes of table '{name}' list {len(projected)} attributes, of at most {MAX_PROJECTED}"
            yield Found(NO_INDEX, sentence, path, "write 'projection: all' for some of them")


def _check_types(name: str, table: spec.TableSettings) -> Iterator[Found]:
    """Report attributes that have another type in a key before."""
    types = {each: (kind, f"the key of table '{name}'") for each, kind in table.key.items()}
    for index_name, index in table.indexes.items():
        for attribute, kind in index.key.items():
            where = f"the key of index '{index_name}'"
            other, before = types.setdefault(attribute, (kind, where))
            if other != kind:
                path = ("tables", name, "indexes", index_name, "key", attribute)
                sentence = f"'{attribute}' is {kind} in {where}, and {other} in {before}"
                yield Found(NO_INDEX, sentence, path, f"write '{attribute}: {other}'")


def listed(index: spec.TableIndex) -> tuple[str, ...]:
    """Return the attributes that the projection of an index lists."""
    return () if isinstance(index.projection, str) else index.projection


def _faults(index: spec.TableIndex) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with an index, the setting, and a suggestion."""
    if index.partition > len(index.key):
        count = len(index.key)
        yield (
            f"has {count} of the {index.partition} attributes that 'partition' says",
            "partition",
            f"write 'partition: {count}' or less",
        )
    if len(index.sort_key) > MAX_KEY_ATTRIBUTES:
        yield (
            f"has a sort key of {len(index.sort_key)} attributes, and DynamoDB takes {MAX_KEY_ATTRIBUTES}",
            "key",
            "write 'partition', which says how many attributes are the partition key, or leave some out",
        )
    if index.projection == ():
        yield "lists no attribute", "projection", "write 'projection: keys'"


@rule(OF_OTHER_TYPE, MAY_BE_EMPTY, MAY_BE_LONG)
def check_index_keys(subject: Subject) -> Iterator[Found]:
    """Report attributes whose values may not fit the keys of indexes."""
    for route in subject.routes:
        for indexed in indexed_attributes(route):
            found = _check_attribute(route, indexed)
            if found is not None:
                yield found


def _check_attribute(route: AnalyzedRoute, indexed: IndexedAttribute) -> Found | None:
    """Return the first property of an attribute that does not fit."""
    name = indexed.name
    placed = place_claim(route, "index", name)
    what = f"the key of {indexed.in_words}"
    if name in route.route.write.append:
        sentence = f"'{name}' is a list, and {indexed.type} in {what}"
        return placed.refuted(OF_OTHER_TYPE, sentence, "append to another attribute")
    if (
        route.mapped is None
        or not route.final
        or (route.route.item is not None and name not in route.attributes)
    ):
        return None
    inferred = stored(route, name)
    value = inferred.value
    kind = KINDS_OF_KEYS[indexed.type]
    unfit = value.other_than((kind,))
    if unfit:
        sentence = f"'{name}' may be {in_words(unfit)}, and is {indexed.type} in {what}"
        advice = _advise_type(route, value, indexed)
        return placed.refuted(OF_OTHER_TYPE, sentence, advice)
    attribute = route.attributes.get(name)
    if attribute is not None and value.missing is YES and may_be_null(route, inferred, name):
        setting = "missing" if attribute.missing == "null" else "null"
        sentence = f"'{name}' may be null by '{setting}: null', and is {indexed.type} in {what}"
        return placed.refuted(OF_OTHER_TYPE, sentence, f"write '{setting}: omit'")
    if value.empty is YES:
        advice = route.constrain(value, "minLength: 1") or "omit it where it is empty"
        return placed.refuted(MAY_BE_EMPTY, f"'{name}' may be empty, and is in {what}", advice)
    if (
        indexed.type == "S"
        and value.can_be((kind,)) is YES
        and most_bytes(inferred, "S") > indexed.limit
    ):
        advice = route.constrain(value, f"maxLength: {indexed.limit // BYTES_OF_A_CHARACTER}")
        sentence = f"'{name}' may have more than {indexed.limit} bytes, and is in {what}"
        found = placed.refuted(MAY_BE_LONG, sentence, advice)
        # It refutes the claim if nothing else is doubtful.
        is_certain = value.empty is NO and not possible(value, (kind,))
        return found if is_certain else structs.replace(found, refutes=None)
    return None


def _advise_type(route: AnalyzedRoute, value: Value, indexed: IndexedAttribute) -> str:
    """Suggest how an attribute gets the type of the index key: binary values come by `type` only."""
    keyword = {"S": "type: string", "N": "type: number"}.get(indexed.type)
    advice = route.constrain(value, keyword) if keyword else ""
    return advice or f"map it with 'type: {indexed.type}', or leave it out"
