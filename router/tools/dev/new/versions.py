"""Finds the field that orders messages of one key."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from router.errors import UsageError
from router.tools.dev.new.fields import (
    Messages,
    Names,
    Values,
    are_times,
    are_whole,
    how_many_lack,
    is_version,
    keys_of,
    last_name,
    paths_of,
    pattern_of_times,
    values_at,
)
from router.tools.dev.new.inference import TIME, Keywords

_CHOSEN = "chosen with --version"
_COUNTERS = ("ver", "rev", "seq")
_OF_A_FORMAT = ("version", "ver")
"""Names of a counter, and as often of the version of a format, which is the same in all messages."""
_TIME_OF_MESSAGE = re.compile(
    r"^(?!.*(creat|regist|start|begin|birth|due|expir|end|until|valid|deadline|schedul|next)).*(_at|_on|_?time|_?timestamp)$"
)
"""Names of a time that may order messages, if each of a key has another one."""


SENT_AT = "meta.sent_at"
"""What `--version` names for the time at which each message was sent."""


class VersionField(Struct, frozen=True):
    """A field by which messages of one key are ordered, or the time at which each was sent."""

    path: Names
    """() for that time."""
    keywords: Mapping[str, Any]
    """Keywords of its schema, which a time needs to be read."""
    reason: str
    """Why it was chosen, for people."""
    transform: str = ""
    """The transform by which its values sort in order, "" if they do."""

    @property
    def name(self) -> str:
        """What it is called in notes, and for `--version`."""
        return ".".join(self.path) or SENT_AT

    @property
    def needs(self) -> Keywords:
        """What the schema of the messages needs."""
        return {self.path: self.keywords} if self.path else {}


def find_version(
    messages: Messages, key: Sequence[Names], every: Messages = ()
) -> VersionField | None:
    """Return the field that orders the messages of one key, or None: a number, or a time in one
    format.

    Its name must say that each message has another one: the time at which something was created
    does not order its changes. A field that is the same in all samples orders nothing, and so does
    one that is the same in all of a key; `every` has the messages of other types, too.
    """
    paths = [path for path in paths_of(messages) if path not in key]
    named = [path for path in paths if is_version(path)]
    for path in sorted(named, key=_rank_version):
        values = values_at(messages, path)
        is_order = are_whole(values) or _are_of_a_format(values)
        if not is_order or _is_constant(messages, path, values):
            continue
        if _differs(messages, key, values) and not _is_of_thing(every, key, path):
            return _version_field(path, values, "in each sample, and named like a version")
    for path in sorted(paths, key=len):
        if not _TIME_OF_MESSAGE.search(last_name(path)):
            continue
        values = values_at(messages, path)
        if _are_of_a_format(values) and _orders(messages, key, values):
            return _version_field(path, values, "a time, and another one in each sample of a key")
    return None


def _are_of_a_format(values: Values) -> bool:
    """Return whether values are times in one format."""
    return are_times(values) or bool(pattern_of_times(values))


def choose_version(messages: Messages, given: str) -> VersionField:
    """Return the version that a part of `--version` names; raises UsageError."""
    path = tuple(given.split("."))
    if path not in paths_of(messages):
        if given == SENT_AT:
            return VersionField((), {}, f"{_CHOSEN}; the time at which each message was sent")
        raise UsageError(f"--version {given}: no sample has a value at '{given}'")
    values = values_at(messages, path)
    if _are_of_a_format(values):
        return _version_field(path, values, _CHOSEN)
    fault = ""
    if None in values:
        fault = how_many_lack(values)
    elif not _are_of(values, str) and not _are_of(values, int, Decimal):
        fault = "neither text nor a number in all samples"
    if fault:
        raise UsageError(f"--version {given}: '{given}' cannot order messages: it is {fault}")
    return VersionField(path, {}, _CHOSEN)


def _are_of(values: Values, *types: type) -> bool:
    return all(type(value) in types for value in values)


def _is_constant(messages: Messages, path: Names, values: Values) -> bool:
    """Return whether a field is the same in all samples; one sample does not show that, but for a
    name that formats have, too.
    """
    if len(set(values)) > 1:
        return False
    is_one = all(message == messages[0] for message in messages)
    return not is_one or last_name(path) in _OF_A_FORMAT


def _rank_version(path: Names) -> tuple[int, bool]:
    """Order versions: the outermost first, and of those, counters before times."""
    is_counter = last_name(path).startswith(_COUNTERS)
    return len(path), not is_counter


def _version_field(path: Names, values: Values, reason: str) -> VersionField:
    if are_whole(values):
        return VersionField(path, {}, reason)
    pattern = pattern_of_times(values)
    if pattern:
        return VersionField(path, {"pattern": pattern}, f"{reason}; times in one format")
    return VersionField(path, {"format": TIME}, f"{reason}; a time, as nanoseconds", "to_epoch_ns")


def _differs(messages: Messages, key: Sequence[Names], versions: Values) -> bool:
    """Return whether messages of one key that differ have different versions."""
    seen: dict[tuple[Any, ...], Any] = {}
    keys = keys_of(messages, key)
    for one, version, message in zip(keys, versions, messages, strict=True):
        if seen.setdefault((one, version), message) != message:
            return False
    return True


def _orders(messages: Messages, key: Sequence[Names], versions: Values) -> bool:
    """Return whether several messages have one key, and no two of a key have one version."""
    keys = keys_of(messages, key)
    return len(set(keys)) < len(keys) and _differs(messages, key, versions)


def _is_of_thing(messages: Messages, key: Sequence[Names], path: Names) -> bool:
    """Return whether messages that differ have one key, and all of a key have one value at a path."""
    found: dict[tuple[Any, ...], Any] = {}
    keys = keys_of(messages, key)
    differ = False
    for one, value, message in zip(keys, values_at(messages, path), messages, strict=True):
        known, before = found.setdefault(one, (value, message))
        if known != value:
            return False
        differ = differ or before != message
    return differ
