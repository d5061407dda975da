"""Reports key attributes that the schema of a route does not guarantee, partition keys that have
few values, and indexes that DynamoDB refuses.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from msgspec import structs

from router.codes import declare
from router.model import KeyType
from router.prover.inference import Value
from router.prover.predicates import in_words
from router.prover.schema_prover import NO, UNKNOWN, YES
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.config import spec
from router.runtime.engine.convert import CONVERTERS
from router.runtime.modes import MODES
from router.tools.check.analysis.attributes import (
    MAX_VALUES,
    InferredAttribute,
    count_of_attribute,
    stored,
    with_braces,
)
from router.tools.check.analysis.routes import (
    AnalyzedRoute,
    MessageSets,
    named,
    why_missing,
)
from router.tools.check.analysis.text_formats import TEXT_FORMATS, refusal_of
from router.tools.check.analysis.values import KINDS_OF_KEYS, key_limits, possible
from router.tools.check.rule import Found, PlacedClaim, Subject, place_claim, rule

if TYPE_CHECKING:
    from router.tools.check.analysis.index_keys import IndexedAttribute

KEY_MISSING = declare(
    "RT610",
    "a key attribute that may be missing",
    "A message without the key is rejected, although it satisfies the schema, so that its sender cannot know why. A "
    "schema that requires the key makes it a part of the contract.",
)
KEY_OF_OTHER_TYPE = declare(
    "RT611",
    "a key attribute whose value may have another type",
    "DynamoDB accepts only keys of the table's types; messages with other types satisfy the schema, and are rejected "
    "later.",
)
KEY_EMPTY = declare(
    "RT612",
    "a key attribute that may be empty",
    "DynamoDB does not accept empty text as a key, so that such a message is rejected.",
)
KEY_TOO_LONG = declare(
    "RT613",
    "a key attribute whose length is not bounded",
    "A partition key has at most 2048 bytes, a sort key 1024; a longer one is rejected. A character has up to 4 bytes "
    "in UTF-8.",
    "info",
)
KEY_UNSURE = declare(
    "RT616",
    "a key attribute that only `when` may guarantee",
    "The schema alone does not guarantee that it is there, not empty and of the type of the key, and the conditions "
    "cannot be analyzed completely. If they do not guarantee it either, such messages are rejected.",
    "info",
)


MAX_INDEXES = 20
"""Global secondary indexes of a table, by default; the quota can be raised."""
# Of a partition key, or of a sort key.
_MAX_KEY_ATTRIBUTES = 4
# Attributes that the lists of all indexes of a table name.
_MAX_PROJECTED = 100
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


@rule(KEY_MISSING, KEY_OF_OTHER_TYPE, KEY_EMPTY, KEY_TOO_LONG, KEY_UNSURE)
def check_keys(subject: Subject) -> Iterator[Found]:
    """Report key attributes that the schema does not guarantee."""
    for route in subject.routes:
        if route.table is None:
            continue
        limits = key_limits(route.table.key)
        for name, kind in route.table.key.items():
            yield from _check_key(route, name, kind, limits[name])


def _check_key(route: AnalyzedRoute, name: str, kind: KeyType, limit: int) -> Iterator[Found]:
    """Report the first property of a key attribute that is not guaranteed."""
    if name not in route.attributes and (not route.is_whole or route.mapped is None):
        return
    inferred = stored(route, name)
    value = inferred.value
    placed = place_claim(route, "key", name)
    if value.missing is YES:
        yield _missing(placed, value)
        return
    yield from _check_by_schema(placed, kind, inferred)
    others, advice = _others(route, kind, inferred)
    if others:
        yield placed.refuted(
            KEY_OF_OTHER_TYPE,
            f"key attribute '{name}' may be {others}, the key of table '{route.route.table}' is {kind}",
            advice,
        )
    elif not route.final:
        return
    elif value.empty is YES:
        advice = route.constrain(inferred.steps[0].before, "pattern") if inferred.steps else ""
        advice = route.constrain(value, "minLength: 1") or advice
        yield placed.refuted(KEY_EMPTY, f"key attribute '{name}' may be empty", advice)
    elif kind == "S" and route.mapped is not None and value.can_be(["string"]) is YES:
        fault = _length_fault(value, limit)
        if fault:
            advice = route.constrain(value, f"maxLength: {limit // BYTES_OF_A_CHARACTER}")
            found = placed.refuted(KEY_TOO_LONG, f"key attribute '{name}' may have {fault}", advice)
            # It refutes the claim about the key if nothing else is doubtful.
            is_certain = value.missing is value.empty is NO and not _may_be_unfit(inferred, kind)
            yield found if is_certain else structs.replace(found, refutes=None)


def _missing(placed: PlacedClaim, value: Value) -> Found:
    name = placed.claim.subject
    sentence = f"key attribute '{name}' may be missing: {why_missing(value)}"
    advice = placed.route.require(value.lacking, placed.claim)
    if value.gap:
        advice = advice or "add a 'default', or take the key from a value that the schema requires"
    elif value.lacking is None:
        sentence = f"key attribute '{name}' is missing in every message: it has no such value"
    return placed.refuted(KEY_MISSING, sentence, advice)


def _check_by_schema(
    placed: PlacedClaim, kind: KeyType, narrowed: InferredAttribute
) -> Iterator[Found]:
    """Report the first that the schema alone does not guarantee, and only conditions that are not
    exact may.
    """
    messages = placed.route.messages.by_schema
    if messages is None:
        return
    route = structs.replace(placed.route, messages=MessageSets(mapped=messages))
    name = placed.claim.subject
    inferred = stored(route, name)
    value = inferred.value
    others, retype = _others(route, kind, inferred)
    sentence = ""
    if narrowed.value.missing is UNKNOWN and value.missing is YES and value.lacking is not None:
        sentence = f"missing, unless 'when' guarantees {named(value)}"
        advice = route.require(value.lacking, placed.claim)
    elif others and not value.untyped and not _excludes(narrowed, inferred, kind):
        sentence = f"{others}, unless 'when' excludes it: the key is {kind}"
        advice = retype
    elif narrowed.value.empty is UNKNOWN and value.empty is YES and route.final:
        sentence = "empty, unless 'when' excludes it"
        advice = route.constrain(value, "minLength: 1")
    if sentence:
        yield Found(KEY_UNSURE, f"key attribute '{name}' may be {sentence}", placed.path, advice)


def _given(inferred: InferredAttribute, kind: KeyType) -> tuple[Value, tuple[str, ...]]:
    """Return the value that must have one of some types, and these: it is stored, or converted
    before.
    """
    if inferred.accepts is None:
        return inferred.value, (KINDS_OF_KEYS[kind],)
    return inferred.raw, inferred.accepts


def _excludes(narrowed: InferredAttribute, inferred: InferredAttribute, kind: KeyType) -> bool:
    """Whether conditions, as far as they are understood, exclude types that the schema allows and
    the key does not.
    """
    before, fitting = _given(inferred, kind)
    after, _ = _given(narrowed, kind)
    unfit = before.other_than(fitting)
    return bool(unfit) and after.can_be(unfit) is NO


def _others(route: AnalyzedRoute, kind: KeyType, inferred: InferredAttribute) -> tuple[str, str]:
    """Return in words which values are no valid key, and a suggestion; both are "" if all values
    are valid.
    """
    raw = inferred.raw
    value, fitting = _given(inferred, kind)
    unfit = value.other_than(fitting)
    form = TEXT_FORMATS.get(kind)
    if inferred.accepts is None and not route.final:
        return "", ""
    if unfit:
        return in_words(unfit), _retype(route, inferred, kind)
    if inferred.accepts is None or form is None:
        return "", ""
    refusal = refusal_of(route, raw, form, CONVERTERS[kind])
    if refusal.possible is not YES:
        return "", ""
    keyword = "type: number" if kind == "N" else form.keyword
    return f"text that is not {form.name}{refusal.shown}", route.constrain(raw, keyword)


def _retype(route: AnalyzedRoute, inferred: InferredAttribute, kind: KeyType) -> str:
    if inferred.raw.origin is not None:
        return route.constrain(inferred.raw, f"type: {'number' if kind == 'N' else 'string'}")
    if kind == "N" and inferred.accepts is None:
        return "write 'type: N', if it is the text of a number"
    return ""


def _may_be_unfit(inferred: InferredAttribute, kind: KeyType) -> bool:
    """Whether it is not proved that the value has a type that the key takes."""
    return bool(possible(*_given(inferred, kind)))


def _length_fault(value: Value, limit: int) -> str:
    """Return why a text may have more than so many bytes; "" if it has not."""
    if value.longest is None:
        return f"more than {limit} bytes: the schema does not bound its length"
    if value.longest > limit // BYTES_OF_A_CHARACTER:
        return f"{value.longest} characters, which can be more than {limit} bytes"
    return ""


ONE_ITEM = declare(
    "RT630",
    "a whole item whose key is the same for every message",
    "Each message replaces the item of the one before, or is refused because it exists: the table holds one item.",
    "warning",
)
HOT_PARTITION = declare(
    "RT621",
    "a partition key that has few values",
    "DynamoDB writes at most 1,000 units a second to one partition, so that few keys limit the rate of the table. A "
    "higher rate is throttled.",
    "info",
)


@rule(ONE_ITEM, HOT_PARTITION)
def check_partition_keys(subject: Subject) -> Iterator[Found]:
    """Report partition keys that are a constant, true or false, or of an enumeration."""
    for route in subject.routes:
        if route.table is None or not route.final:
            continue
        if route.table.indexes:
            yield from _check_partitions_of_indexes(route, route.table)
        name, *others = route.table.key
        count = _count_of_key(route, name)
        if count is None:
            continue
        path = route.path_of(route.claim("key", name))
        is_whole = MODES[route.route.write.mode].stores == "item"
        if any(_lacks_braces(route, each) for each in route.table.key):
            continue  # a finding of its own
        if count == 1 and is_whole and all(_count_of_key(route, each) == 1 for each in others):
            yield Found(
                ONE_ITEM,
                f"route '{route.name}' writes one item: its key is the same for every message",
                path,
                "take a part of the key from the message",
            )
            continue
        values = "one value" if count == 1 else f"{count} values"
        yield Found(
            HOT_PARTITION,
            f"partition key '{name}' has only {values}: one partition takes 1,000 writes of 1 KB a second",
            path,
            "add a part that differs, as a date or an id, with 'template'",
        )


def _check_partitions_of_indexes(
    route: AnalyzedRoute, table: spec.TableSettings
) -> Iterator[Found]:
    """Report partition keys of indexes that have few values: a throttled index throttles its table."""
    if route.deletes:
        return
    for name, index in table.indexes.items():
        counts = [_count_of_key(route, each) for each, _ in index.partition_key]
        total = prod(count for count in counts if count is not None)
        if None in counts or total > MAX_VALUES:
            continue
        values = "one value" if total == 1 else f"{total} values"
        yield Found(
            HOT_PARTITION,
            f"the partition key of index '{name}' has only {values}: one partition takes 1,000 writes of 1 KB a "
            "second, and a throttled index throttles its table",
            route.path_of(route.claim("index", index.partition_key[0][0])),
            "add an attribute that differs to the partition key",
        )


def _lacks_braces(route: AnalyzedRoute, name: str) -> bool:
    attribute = route.attributes.get(name)
    return attribute is not None and bool(with_braces(route, attribute))


def _count_of_key(route: AnalyzedRoute, name: str) -> int | None:
    """Return the most different values of a key attribute; None if they are not limited or known."""
    if not route.is_whole and name not in route.attributes:
        return None
    return count_of_attribute(route, route.attribute_of(name))


@rule(NO_INDEX, MANY_INDEXES)
def check_indexes(subject: Subject) -> Iterator[Found]:
    """Report indexes that DynamoDB refuses."""
    for name, table in subject.config.tables.items():
        path = ("tables", name, "indexes")
        for index_name, index in table.indexes.items():
            for what, key, advice in _faults(index):
                yield Found(
                    NO_INDEX,
                    f"index '{index_name}' of table '{name}' {what}",
                    (*path, index_name, key),
                    advice,
                )
        yield from _check_types(name, table)
        if len(table.indexes) > MAX_INDEXES:
            yield Found(
                MANY_INDEXES,
                f"table '{name}' has {len(table.indexes)} indexes, and AWS allows {MAX_INDEXES} by default",
                path,
                "leave some out, or have AWS raise the quota",
            )
        projected = [each for index in table.indexes.values() for each in listed(index)]
        if len(projected) > _MAX_PROJECTED:
            yield Found(
                NO_INDEX,
                f"the indexes of table '{name}' list {len(projected)} attributes, of at most {_MAX_PROJECTED}",
                path,
                "write 'projection: all' for some of them",
            )


def _check_types(name: str, table: spec.TableSettings) -> Iterator[Found]:
    """Report attributes that have another type in a key before."""
    types = {each: (kind, f"the key of table '{name}'") for each, kind in table.key.items()}
    for index_name, index in table.indexes.items():
        for attribute, kind in index.key.items():
            where = f"the key of index '{index_name}'"
            other, before = types.setdefault(attribute, (kind, where))
            if other != kind:
                yield Found(
                    NO_INDEX,
                    f"'{attribute}' is {kind} in {where}, and {other} in {before}",
                    ("tables", name, "indexes", index_name, "key", attribute),
                    f"write '{attribute}: {other}'",
                )


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
    if len(index.sort_key) > _MAX_KEY_ATTRIBUTES:
        yield (
            f"has a sort key of {len(index.sort_key)} attributes, and DynamoDB takes {_MAX_KEY_ATTRIBUTES}",
            "key",
            "write 'partition', which says how many attributes are the partition key, or leave some out",
        )
    if index.projection == ():
        yield "lists no attribute", "projection", "write 'projection: keys'"


@rule(OF_OTHER_TYPE, MAY_BE_EMPTY, MAY_BE_LONG)
def check_index_keys(subject: Subject) -> Iterator[Found]:
    """Report attributes whose values may not fit the keys of indexes."""
    for route in subject.routes:
        if route.table is not None and route.table.indexes:
            yield from _check_indexed(route)


def _check_indexed(route: AnalyzedRoute) -> Iterator[Found]:
    # Without indexes, a check does without it.
    from router.tools.check.analysis.index_keys import indexed_attributes

    for indexed in indexed_attributes(route):
        found = _check_attribute(route, indexed)
        if found is not None:
            yield found


def _check_attribute(route: AnalyzedRoute, indexed: "IndexedAttribute") -> Found | None:
    """Return the first property of an attribute that does not fit."""
    from router.tools.check.analysis.index_keys import may_be_null, most_bytes

    name = indexed.name
    placed = place_claim(route, "index", name)
    what = f"the key of {indexed.in_words}"
    if name in route.route.write.append:
        return placed.refuted(
            OF_OTHER_TYPE,
            f"'{name}' is a list, and {indexed.type} in {what}",
            "append to another attribute",
        )
    if (
        route.mapped is None
        or not route.final
        or (not route.is_whole and name not in route.attributes)
    ):
        return None
    inferred = stored(route, name)
    value = inferred.value
    kind = KINDS_OF_KEYS[indexed.type]
    unfit = value.other_than((kind,))
    if unfit:
        return placed.refuted(
            OF_OTHER_TYPE,
            f"'{name}' may be {in_words(unfit)}, and is {indexed.type} in {what}",
            _advise_type(route, value, indexed),
        )
    attribute = route.attributes.get(name)
    if attribute is not None and value.missing is YES and may_be_null(route, inferred, name):
        setting = "missing" if attribute.missing == "null" else "null"
        return placed.refuted(
            OF_OTHER_TYPE,
            f"'{name}' may be null by '{setting}: null', and is {indexed.type} in {what}",
            f"write '{setting}: omit'",
        )
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


def _advise_type(route: AnalyzedRoute, value: Value, indexed: "IndexedAttribute") -> str:
    """Suggest how an attribute gets the type of the index key: binary values come by `type` only."""
    keyword = {"S": "type: string", "N": "type: number"}.get(indexed.type)
    advice = route.constrain(value, keyword) if keyword else ""
    return advice or f"map it with 'type: {indexed.type}', or leave it out"
