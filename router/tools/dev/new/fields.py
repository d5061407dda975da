"""Finds fields of sample messages that can be the key of items."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from router.errors import UsageError
from router.model import KeyType
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.runtime.program.expressions.compile import look_up
from router.tools.dev.new.inference import TIME, common_format

Names = tuple[str, ...]
"""A path in a message, through objects only."""
Message = Mapping[str, Any]
Messages = Sequence[Message]
Values = Sequence[Any]

MAX_DEPTH = 3
MAX_KEY_CHARACTERS = (
    MAX_PARTITION_KEY_BYTES // BYTES_OF_A_CHARACTER,
    MAX_SORT_KEY_BYTES // BYTES_OF_A_CHARACTER,
)
"""The longest text of a partition key, and of a sort key, whatever its characters are."""
_ID = re.compile(r"(^|_)(id|uuid|guid|ulid|sid|arn|key|sku|number|no|code|ref|reference|slug)$")
_PLAIN_ID = re.compile(r"id|sid|uuid|guid")
_NO_ID = re.compile(
    r"(^|_)((error|status|reason|result|response|exit|country|currency|language|postal|zip)_code|date|time|timestamp)$"
)
"""Names of what happened, where or when: several things may have the same."""
_ACTOR = re.compile(r"(^|_)(sender|actor|author|agent|creator|editor|principal|performer)(_|$)")
"""Names of who did something to the thing that a message is about."""
_OWNER = re.compile(
    r"(account|tenant|organi[sz]ation|workspace|company|(^|_)(org|team|project|application|app))"
    r"_(id|sid|uuid|guid|key|node_id|number)$"
)
"""Names of the id of what many things belong to."""
_FAR = 3
_MAY_BE_ID = re.compile(r"number|no|code|ref|reference|(.*_)?e?mail")
"""Names of a number within one of several things, as that of a pull request is, or of an address that
several things may have."""
_PERHAPS = "perhaps an id, by its name"
_OF_ENTITY = re.compile(r"id|uuid|key")
_VERSION = re.compile(
    r"^(version|revision|rev|seq|sequence|sequence_?number|sequencer|lsn|offset"
    r"|(last_)?(updated|modified|changed)(_at|_on|_time)?|last_(update|change)"
    r"|(state|status)_(change|changed|update|updated)_(at|time|timestamp)"
    r"|time|timestamp|ts|at|(event|occurred|sent|emitted|published)_?(at|time|timestamp)?)$"
)
_ENTITY = 6
"""The score of the name of the id of what the table is about."""
_MANY = 10
"""The fewest samples in which values show that a field may be an id, whatever its name."""
_BASIC_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.](?P<fraction>\d+))?(?P<offset>[+-]\d{2}(\d{2})?)", re.ASCII
)
"""A time of ISO 8601 whose offset has no colon, which no `date-time` of JSON Schema has."""
UNLIKE_IDS = 4
"""The tier of values that differ, and do not look like those of an id."""
_TYPE_NAME = re.compile(r"(^|_)(type|kind|event|event_name|action|object|category|status|state)$")
_OF_MESSAGE = re.compile(
    r"((event|message|msg|notification|delivery|request|record)_)?(id|uuid|guid)"
)
_LIKE_ID = re.compile(r"(?=.*\d)(?!\d{4}-\d\d)[A-Za-z0-9][A-Za-z0-9_:#/-]{0,63}", re.ASCII)
_OF_MANY = re.compile(
    r"(^|_)(region|zone|currency|country|locale|language|version|format|fmt|schema|env|environment|stage)$"
)
"""Names of what many things have in common."""
_SENSOR = re.compile(r"(^|_)(sensor|device|meter|station|probe|thing)(_?(id|uuid|serial|ref))?$")
_TAKEN_AT = re.compile(
    r"ts|time|timestamp|at|(measured|recorded|observed|sampled|taken|reading)_(at|on|time|ts|timestamp)"
)
_FIRST_TIME = 10**8
"""The least number that may be a time: in seconds, of 1973."""
_MESSAGES = ("event", "message", "notification", "delivery")


class KeyCandidate(Struct, frozen=True):
    """A field that can be a key."""

    path: Names
    type: KeyType
    score: float
    """How well it fits: the greater, the better."""
    unique: bool
    """Whether each sample has another value."""
    reasons: tuple[str, ...]
    """Why it fits, or does not, for people."""
    tier: int = 0
    """The kind of evidence, the best first: 0: a name like an id's, and values that differ, or the
    name of the id of the table's things; 1: many values that differ, and do not change; 2: a name
    like an id's, and one value; 3: values like those of an id, such as `P-1`; 4: values that differ.
    """

    @property
    def name(self) -> str:
        """The path as it is written for `--key`."""
        return ".".join(self.path)


def snake_case(name: str) -> str:
    """Return a name in lower case with underscores: `orderId` and `order-id` are `order_id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^A-Za-z0-9]+", "_", spaced).strip("_").lower()


def last_name(path: Names) -> str:
    """Return the name of what is at a path, in lower case with underscores."""
    return snake_case(path[-1])


def values_at(messages: Messages, path: Names) -> list[Any]:
    """Return the value at a path of each message; None where there is none."""
    return [*map(look_up(path), messages)]


def keys_of(messages: Messages, paths: Sequence[Names]) -> list[tuple[Any, ...]]:
    """Return the values at some paths of each message."""
    return [*zip(*(values_at(messages, path) for path in paths), strict=True)]


def paths_of(messages: Messages, depth: int = MAX_DEPTH) -> list[Names]:
    """Return the paths to values that are no objects, in the order of the first message that has
    each.
    """
    paths: dict[Names, None] = {}
    for message in messages:
        paths.update(dict.fromkeys(_leaves(message, (), depth)))
    return list(paths)


def _leaves(value: Message, above: Names, depth: int) -> Iterator[Names]:
    for name, part in value.items():
        path = (*above, name)
        if isinstance(part, dict) and len(path) < depth:
            yield from _leaves(part, path, depth)
        elif name and "." not in name:
            yield path


# Keys


def rank_keys(messages: Messages, entity: str) -> list[KeyCandidate]:
    """Return the fields that can be the key, the best first; `entity` names what the messages are
    about.
    """
    candidates = [_candidate(messages, path, entity) for path in paths_of(messages)]
    found = [each for each in candidates if each]
    return sorted(found, key=lambda each: (each.tier, -each.score, len(each.path)))


def _candidate(messages: Messages, path: Names, entity: str) -> KeyCandidate | None:
    values = values_at(messages, path)
    if is_version(path) or _NO_ID.search(last_name(path)):
        return None
    if _fault_of_key(values, MAX_KEY_CHARACTERS[0]):
        return None
    kind = _key_type(values)
    format_ = common_format(values) if kind == "S" else None
    if format_ == TIME or pattern_of_times(values):
        return None
    count = len(values)
    distinct = len(set(values))
    unique = distinct == count
    score, reason = _score_name(path, entity)
    like_id = not reason and _are_like_ids(path, values)
    if not reason and (kind == "N" or not (unique or like_id)):
        return None  # a quantity, or a property that several things share
    reasons = [reason] if reason else []
    if like_id and not unique:
        reasons.append("values like those of an id")
    reasons.append(_reason_of_count(distinct, count))
    is_aside = bool(reason) and score < _ENTITY and _is_aside(path)
    score += 3 if unique else 2 * distinct / count
    if is_aside:
        score -= _FAR
        reasons.append("perhaps of something else")
    may_change = len(path) > 1 or is_type_name(path)
    if format_ == "uuid":
        score += 1
        reasons.append("a UUID")
    elif format_ == "uri":
        score -= 3
        may_change = True
        reasons.append("a URI may change")
    elif any(re.search(r"\s", str(value)) for value in values):
        score -= 3
        may_change = True
        reasons.append("text with spaces may change")
    if reason:
        is_certain = unique or distinct > 1 or score >= _ENTITY
        is_weak = count < _MANY and (is_aside or reason == _PERHAPS)
        tier = 0 if is_certain and not is_weak else 2
    else:
        tier = 1 if unique and not may_change and count >= _MANY else UNLIKE_IDS - like_id
    return KeyCandidate(path, kind, score - len(path), unique, tuple(reasons), tier)


def _is_aside(path: Names) -> bool:
    """Return whether a field may be the id of who did something to a thing, or of whom many things
    are, or is one within a part of the thing.
    """
    names = [snake_case(name) for name in path]
    is_deep = len(path) == MAX_DEPTH and not _PLAIN_ID.fullmatch(names[-1])
    return is_deep or any(map(_ACTOR.search, names)) or bool(_OWNER.search("_".join(names)))


def _reason_of_count(distinct: int, count: int) -> str:
    if count == 1:
        return "one sample does not show whether it is unique"
    if distinct == count:
        return f"unique in {count} samples"
    if distinct == 1:
        return f"the same in all {count} samples"
    return f"{distinct} values in {count} samples"


def _are_like_ids(path: Names, values: Values) -> bool:
    """Return whether the values of a field look like those of an id: short words with digits."""
    if len(path) > 1 or _OF_MANY.search(last_name(path)) or is_type_name(path):
        return False
    if not all(isinstance(value, str) and _LIKE_ID.fullmatch(value) for value in values):
        return False
    is_one_number = len(set(values)) == 1 and values[0].isdigit()
    return not is_one_number


def find_reading_time(messages: Messages, key: KeyCandidate) -> KeyCandidate | None:
    """Return the time that tells the readings of a sensor apart, as a sort key; None for others.

    The key must be named like that of a sensor, and repeat, and something must be measured. The
    times may be the same for two readings: their types then differ.
    """
    if key.unique or not _SENSOR.search(last_name(key.path)):
        return None
    for path in paths_of(messages, 1):
        values = values_at(messages, path)
        if path == key.path or not _TAKEN_AT.fullmatch(last_name(path)):
            continue
        if _are_sortable_times(values) and _measures(messages, {path, key.path}):
            reason = (
                f"each reading has an item of its own (the last one of each {key.name} instead: --key "
                f"{key.name})"
            )
            return KeyCandidate(path, _key_type(values), 0, unique=True, reasons=(reason,))
    return None


def _are_sortable_times(values: Values) -> bool:
    """Return whether values are times that sort in order: since 1970, or as text in one format."""
    if are_whole(values):
        return all(value >= _FIRST_TIME for value in values)
    if not are_times(values) or not all(value.endswith("Z") for value in values):
        return False
    return len(set(map(len, values))) == 1


def _measures(messages: Messages, others: set[Names]) -> bool:
    for path in paths_of(messages):
        if path in others or is_version(path):
            continue
        for value in values_at(messages, path):
            if isinstance(value, int | Decimal) and not isinstance(value, bool):
                return True
    return False


def is_type_name(path: Names) -> bool:
    """Return whether a field is named like the type of a message or its state."""
    return _TYPE_NAME.search(last_name(path)) is not None


def is_id_of_message(path: Names) -> bool:
    """Return whether a field is named like the id of a message, and not of a thing."""
    if len(path) > 1 and snake_case(path[-2]) not in _MESSAGES:
        return False
    return _OF_MESSAGE.fullmatch(last_name(path)) is not None


def _score_name(path: Names, entity: str) -> tuple[float, str]:
    """Return how much a name is that of an id, and why."""
    name = last_name(path)
    parent = snake_case(path[-2]) if len(path) > 1 else ""
    words = _words(entity)
    about, _, kind = name.rpartition("_")
    if _OF_ENTITY.fullmatch(kind) and (about or parent) in words:
        return _ENTITY, f"named like the id of '{entity}'"
    if _PLAIN_ID.fullmatch(name):
        if parent:
            return 3.5, f"named like the id of '{parent}'"
        return 4, "named like an id"
    if _MAY_BE_ID.fullmatch(name):
        return 0.5, _PERHAPS
    if _ID.search(name):
        return 3, "named like an id"
    return 0, ""


def _words(entity: str) -> set[str]:
    """Return the words of the name of a queue or table, in the singular too: `order-events` is
    about an order.
    """
    whole = snake_case(entity)
    words = {whole, *whole.split("_")}
    for word in tuple(words):
        if word.endswith("ies"):
            words.add(f"{word[:-3]}y")
        else:
            words.add(word.removesuffix("s"))
    return words


def _key_type(values: Values) -> KeyType:
    return "N" if are_whole(values) else "S"


def are_whole(values: Values) -> bool:
    """Return whether all values are whole numbers; a boolean is none."""
    return all(type(value) is int for value in values)


def _fault_of_key(values: Values, longest: int) -> str:
    """Return why values cannot be those of a key; "" if they can."""
    if None in values:
        return how_many_lack(values)
    if are_whole(values):
        return ""
    if not all(isinstance(value, str) for value in values):
        return "neither text nor a whole number in all samples"
    if not all(values):
        return "empty in some sample"
    if max(map(len, values)) > longest:
        return f"longer than {longest} characters in some sample"
    return ""


def how_many_lack(values: Values) -> str:
    """Return of how many samples a value is None, for a sentence."""
    return f"missing or null in {values.count(None)} of {len(values)} samples"


def choose_key(messages: Messages, given: str) -> list[KeyCandidate]:
    """Return the partition key, and the sort key if there is one, that `--key` names; raises
    UsageError.
    """
    parts = [part.strip() for part in given.split(",")]
    if len(parts) > len(MAX_KEY_CHARACTERS) or not all(parts):
        raise UsageError(
            f"--key {given}: give the partition key, or with a comma the partition key and the sort key"
        )
    if len(set(parts)) < len(parts):
        raise UsageError(
            f"--key {given}: the sort key must be another field than the partition key"
        )
    known = paths_of(messages)
    chosen = []
    for part, longest in zip(parts, MAX_KEY_CHARACTERS, strict=False):
        path = tuple(part.split("."))
        if path not in known:
            raise UsageError(f"--key {given}: no sample has a value at '{part}'")
        values = values_at(messages, path)
        fault = _fault_of_key(values, longest)
        if fault:
            raise UsageError(f"--key {given}: '{part}' cannot be a key: it is {fault}")
        unique = len(set(values)) == len(values)
        chosen.append(KeyCandidate(path, _key_type(values), 0, unique, ("chosen with --key",)))
    return chosen


def is_version(path: Names) -> bool:
    """Return whether a field is named like a version or the time of a message."""
    return _VERSION.match(last_name(path)) is not None


def are_times(values: Values) -> bool:
    """Return whether all values are times of the format `date-time`."""
    return all(isinstance(value, str) for value in values) and common_format(values) == TIME


def pattern_of_times(values: Values) -> str:
    """Return the pattern of times with an offset such as `+0000`, if all are in one format, so that
    they sort as text; "" if they are not.
    """
    ends = set()
    for value in values:
        found = _BASIC_TIME.fullmatch(value) if isinstance(value, str) else None
        if not found:
            return ""
        ends.add((found["offset"], len(found["fraction"] or "")))
    if len(ends) != 1:
        return ""
    [(offset, digits)] = ends
    fraction = f"[.][0-9]{{{digits}}}" if digits else ""
    sign = offset[0].replace("+", "[+]")
    return f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}{fraction}{sign}{offset[1:]}$"


def slug(text: str) -> str:
    """Return a text as a part of a name in the config."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "other"
