"""Finds fields of sample messages: keys of items, one that orders messages, and one that decides their shape."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from router.errors import UsageError
from router.model import KeyType
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.runtime.program.expressions.compile import look_up
from router.tools.dev.new.inference import common_format

Names = tuple[str, ...]
"""A path in a message, through objects only."""
Messages = Sequence[Mapping[str, Any]]

_MAX_DEPTH = 3
_ID = re.compile(r"(^|_)(id|uuid|guid|ulid|arn|key|sku|number|no|code|ref|reference|email|slug)$")
_MAY_BE_ID = re.compile(r"number|no|code|ref|reference")
_VERSION = re.compile(
    r"^(version|revision|rev|seq|sequence|sequence_?number|sequencer|lsn|offset"
    r"|(last_)?(updated|modified|changed)(_at|_on|_time)?|last_(update|change)"
    r"|time|timestamp|ts|at|(event|occurred|sent|emitted|published)_?(at|time|timestamp)?)$"
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d)")


class KeyCandidate(Struct, frozen=True):
    """A field that can be the key, with its type, how well it fits, and why."""

    path: Names
    type: KeyType
    score: float
    unique: bool
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path as it is written for `--key`."""
        return ".".join(self.path)


class VersionField(Struct, frozen=True):
    """A field by which messages of one key are ordered; `keywords` of its schema make sure that it sorts in order."""

    path: Names
    keywords: Mapping[str, Any]
    reason: str


def snake_case(name: str) -> str:
    """Return a name in lower case with underscores: `orderId` and `order-id` are `order_id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^A-Za-z0-9]+", "_", spaced).strip("_").lower()


def values_at(messages: Messages, path: Names) -> list[Any]:
    """Return the value at a path of each message; None where there is none."""
    return [*map(look_up(path), messages)]


def paths_of(messages: Messages, depth: int = _MAX_DEPTH) -> list[Names]:
    """Return the paths through objects to values that are none, in the order of the first message that has each."""
    return list(dict.fromkeys(path for message in messages for path in _leaves(message, (), depth)))


def _leaves(value: Mapping[str, Any], above: Names, depth: int) -> Iterator[Names]:
    for name, part in value.items():
        if isinstance(part, dict) and depth > 1:
            yield from _leaves(part, (*above, name), depth - 1)
        elif name and "." not in name:
            yield (*above, name)


def rank_keys(messages: Messages, entity: str) -> list[KeyCandidate]:
    """Return the fields that can be the key, the best first; `entity` names what the messages are about."""
    found = [
        candidate
        for path in paths_of(messages)
        if (candidate := _candidate(messages, path, entity))
    ]
    return sorted(found, key=lambda each: (-each.score, len(each.path)))


def _candidate(messages: Messages, path: Names, entity: str) -> KeyCandidate | None:
    values = values_at(messages, path)
    kind, fault = _type_of(values, MAX_PARTITION_KEY_BYTES)
    if fault or _VERSION.match(snake_case(path[-1])):
        return None
    texts = [value for value in values if isinstance(value, str)]
    found = common_format(texts)
    distinct = len(set(values))
    if found == "date-time" or (len(values) > 1 and distinct == 1):
        return None
    unique = distinct == len(values)
    score, reasons = _score_name(path, entity)
    if not reasons and (kind == "N" or not unique):
        return None  # a quantity, or a property that several things share
    count = f"{len(values)} samples"
    if len(values) == 1:
        reasons.append("one sample does not show whether it is unique")
    else:
        reasons.append(f"unique in {count}" if unique else f"{distinct} values in {count}")
    score += 3 if unique else 2 * distinct / len(values)
    if found == "uuid":
        score += 1
        reasons.append("a UUID")
    if found == "uri" or any(re.search(r"\s", text) for text in texts):
        score -= 3
        reasons.append("a URI may change" if found == "uri" else "text with spaces may change")
    return KeyCandidate(path, kind, score - len(path), unique, tuple(reasons))


def _score_name(path: Names, entity: str) -> tuple[float, list[str]]:
    """Return how much a name is that of an id, and why."""
    name, words = snake_case(path[-1]), _words(entity)
    parent = snake_case(path[-2]) if len(path) > 1 else ""
    of_entity = any(name in (f"{word}_id", f"{word}_uuid", f"{word}_key") for word in words)
    if of_entity or (name in ("id", "uuid", "key") and parent in words):
        return 6, [f"its name is that of an id of '{entity}'"]
    if name in ("id", "uuid", "guid"):
        return (
            (4, ["its name is that of an id"])
            if not parent
            else (2, [f"its name is that of an id of '{parent}'"])
        )
    if _MAY_BE_ID.fullmatch(name):
        return 0.5, [
            "its name may be that of an id"
        ]  # within one of several things, as that of a pull request is
    return (3, ["its name is that of an id"]) if _ID.search(name) else (0, [])


def _words(entity: str) -> set[str]:
    """Return the words of the name of a queue or table, in the singular too: `order-events` is about an order."""
    whole = snake_case(entity)
    words = {whole, *whole.split("_")}
    return words | {
        re.sub(r"ies$", "y", word) if word.endswith("ies") else word.removesuffix("s")
        for word in words
    }


def _type_of(values: Sequence[Any], most: int) -> tuple[KeyType, str]:
    """Return the type of a key with these values, and why they cannot be one; "" if they can."""
    missing = sum(value is None for value in values)
    if missing:
        return "S", f"missing or null in {missing} of {len(values)} samples"
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return "N", ""
    if not all(isinstance(value, str) for value in values):
        return "S", "neither text nor a whole number in all samples"
    if not all(values):
        return "S", "empty in some sample"
    if max(map(len, values)) > most // BYTES_OF_A_CHARACTER:
        return "S", f"longer than {most // BYTES_OF_A_CHARACTER} characters in some sample"
    return "S", ""


def choose_key(messages: Messages, given: str) -> list[KeyCandidate]:
    """Return the partition key, and the sort key if there is one, that `--key` names; raises UsageError."""
    known, chosen = paths_of(messages), []
    limits = (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES)
    parts = [part.strip() for part in given.split(",")]
    if len(parts) > len(limits) or not all(parts):
        raise UsageError(
            f"--key {given}: give the partition key, or with a comma the partition key and the sort key"
        )
    for part, most in zip(parts, limits, strict=False):
        path = tuple(part.split("."))
        if path not in known:
            raise UsageError(f"--key {given}: no sample has a value at '{part}'")
        values = values_at(messages, path)
        kind, fault = _type_of(values, most)
        if fault:
            raise UsageError(f"--key {given}: '{part}' cannot be a key: it is {fault}")
        unique = len(set(values)) == len(values)
        chosen.append(KeyCandidate(path, kind, 0, unique, ("it was chosen",)))
    return chosen


def find_version(messages: Messages, key: Sequence[Names]) -> VersionField | None:
    """Return the field that orders the messages of one key, or None: a number, or a time in one format.

    Its name must say that each message has another one: the time at which something was created does not order its
    changes.
    """
    paths = [
        path
        for path in paths_of(messages)
        if path not in key and _VERSION.match(snake_case(path[-1]))
    ]
    for path in sorted(
        paths,
        key=lambda each: (len(each), not snake_case(each[-1]).startswith(("ver", "rev", "seq"))),
    ):
        values = values_at(messages, path)
        keywords = _order(values)
        if keywords is not None and _differs(messages, key, values):
            return VersionField(path, keywords, "in each sample, and its name is that of a version")
    return None


def _order(values: Sequence[Any]) -> Mapping[str, Any] | None:
    """Return the keywords of a schema by which values sort in order; None if they do not."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return {}
    if not all(isinstance(value, str) for value in values) or common_format(values) != "date-time":
        return None
    matches = [_TIME.fullmatch(value) for value in values]
    patterns = {_pattern(*match.groups()) if match else "" for match in matches}
    return {"pattern": patterns.pop()} if len(patterns) == 1 and "" not in patterns else None


def _pattern(time: str, zone: str) -> str:
    digits = re.sub(r"\d+", lambda found: f"[0-9]{{{len(found[0])}}}", time.replace(".", r"\."))
    return f"^{digits}{zone.replace('+', '[+]')}$"


def _differs(messages: Messages, key: Sequence[Names], versions: Sequence[Any]) -> bool:
    """Return whether messages of one key that differ have different versions."""
    seen: dict[tuple[Any, ...], Any] = {}
    keys = zip(*(values_at(messages, path) for path in key), strict=True)
    for one, version, message in zip(keys, versions, messages, strict=True):
        if seen.setdefault((one, version), message) != message:
            return False
    return True


_TYPE_NAME = re.compile(r"(^|_)(type|kind|event|event_name|action|object|category)$")
_TYPE = re.compile(r"[A-Za-z][A-Za-z_.:/-]*\d{0,2}")
"""The name of a type; ids have more digits."""
_FEW = 3
"""The most types that may have one message each; with more, the field may as well be an id."""
_MAX_SHAPES = 20
_MIN_OF_EACH = 5
"""The fewest messages of each value of a field whose name is not that of a type."""


class Shape(Struct, frozen=True):
    """Messages of one shape; `value` is that of the discriminator, "" if there is only one shape."""

    messages: tuple[Mapping[str, Any], ...]
    value: str = ""


class Shapes(Struct, frozen=True):
    """The shapes of messages, and the path of the field that tells them apart; () if there is only one."""

    shapes: tuple[Shape, ...]
    discriminator: Names = ()


def find_shapes(messages: Messages) -> Shapes:
    """Group messages by their discriminator.

    It is a text that all messages have, of few values, that decides whether other fields are there.
    """
    presence = [frozenset(_paths(message, ())) for message in messages]
    everywhere = frozenset.intersection(*presence)
    varying = frozenset.union(*presence) - everywhere
    best: tuple[float, Names] = (0, ())
    for path in paths_of(messages, 2) if varying else ():
        values = values_at(messages, path)
        if not all(isinstance(value, str) and value for value in values):
            continue
        groups = _grouped(presence, values)
        is_type = bool(_TYPE_NAME.search(snake_case(path[-1]))) and all(
            map(_TYPE.fullmatch, groups)
        )
        is_type = is_type and (len(groups) <= _FEW or len(groups) * 2 <= len(messages))
        few = min(map(len, groups.values())) < _MIN_OF_EACH and not is_type
        if few or not 1 < len(groups) <= _MAX_SHAPES:
            continue
        decided = sum(_decides(groups, each) for each in varying)
        if decided and (is_type or decided * 2 >= len(varying)):
            best = max(
                best, (decided + is_type / 2 - len(path) / 4, path), key=lambda each: each[0]
            )
    if not best[1]:
        return Shapes((Shape(tuple(messages)),))
    grouped = _grouped(messages, values_at(messages, best[1]))
    return Shapes(tuple(Shape(tuple(group), value) for value, group in grouped.items()), best[1])


def _grouped(items: Sequence[Any], values: Sequence[str]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item, value in zip(items, values, strict=True):
        groups.setdefault(value, []).append(item)
    return groups


def _decides(groups: Mapping[str, list[frozenset[Names]]], path: Names) -> bool:
    """Return whether in each group all messages have a path, or none has."""
    return all(len({path in each for each in group}) == 1 for group in groups.values())


def _paths(value: Any, above: Names) -> Iterator[Names]:
    for name, part in value.items() if isinstance(value, dict) and len(above) < _MAX_DEPTH else ():
        yield (*above, name)
        yield from _paths(part, (*above, name))
