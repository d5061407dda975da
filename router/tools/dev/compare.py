"""Compares the expectations of a test with its observed outcome and items, and shows values."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.model import Item, Outcome
from router.runtime.config import spec
from router.runtime.printable import printable, printable_json

ABSENT = "(no such attribute)"
"""The value of an attribute that does not exist."""
NO_ITEM = "(no such item)"
"""The value of an item that does not exist."""
# Values that JSON does not have are shown by `repr`: REMOVE, and objects that a plugin returned.
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=repr)


class Difference(Struct, frozen=True):
    """A difference between a test and what was observed."""

    what: str
    """Its subject: an attribute, or for example "outcome"."""
    expected: Any
    found: Any


class Observed(Struct, frozen=True):
    """What became of the messages of a test."""

    outcomes: tuple[Outcome, ...]
    items: Sequence[Item] = ()
    """What the route of the test writes."""
    requests: Sequence[Mapping[str, Any]] = ()
    """The requests that write these items."""
    writes: tuple[bool, ...] = ()
    """Whether the route writes each message."""
    stored: Sequence[Item] | None = None
    """What the table holds at the end, None if that does not matter."""

    @property
    def outcome(self) -> Outcome:
        """The outcome of the one message, or of the last one."""
        return self.outcomes[-1]


def says_of_items(test: spec.Test) -> bool:
    """Return whether a test expects items, a request, or what a table holds."""
    expectations = (test.item, test.item_contains, test.items, test.write, test.table)
    return any(each is not None for each in expectations)


def compare(test: spec.Test, observed: Observed) -> tuple[Difference, ...]:
    """Return all differences but those of the table."""
    differences: list[Difference] = []
    for index, (message, outcome) in enumerate(zip(test.received, observed.outcomes, strict=True)):
        # Another route of the queue wrote the message, which must not make a test of this route pass.
        is_elsewhere = outcome.kind == "written" and not observed.writes[index]
        found = _compare_outcome(message, outcome, is_elsewhere and not says_of_items(test))
        subject = f"messages[{index}]." if test.messages else ""
        differences += within(subject, found)
    differences += _compare_items(test, observed.items)
    differences += _compare_write(test, observed.requests)
    return tuple(differences)


def within(subject: str, differences: Iterable[Difference]) -> list[Difference]:
    """Return differences of a part as differences of the whole."""
    return [structs.replace(each, what=f"{subject}{each.what}") for each in differences]


def table(differences: Sequence[Difference]) -> list[str]:
    """Return the differences as lines of a table: subject, expected, found."""
    rows = [
        ("", "expected", "found"),
        *((printable(each.what), cell(each.expected), cell(each.found)) for each in differences),
    ]
    first = max(len(what) for what, _, _ in rows)
    second = max(len(expected) for _, expected, _ in rows)
    return [f"{what:{first}}  {expected:{second}}  {found}" for what, expected, found in rows]


def cell(value: Any) -> str:
    """Return the text of a value in a table of differences."""
    return "-" if value in (ABSENT, NO_ITEM) else to_json(value)


def _compare_outcome(
    message: spec.ReceivedMessage,
    outcome: Outcome,
    is_elsewhere: bool,
) -> list[Difference]:
    if outcome.kind != message.outcome:
        why = f" ({outcome.code} {outcome.reason})" if outcome.code else ""
        return [Difference("outcome", message.outcome, f"{outcome.kind}{why}")]
    if is_elsewhere:
        return [Difference("outcome", "written", "not written by this route")]
    differences = []
    if message.code not in (None, outcome.code):
        differences.append(Difference("code", message.code, outcome.code))
    if message.reason not in (None, outcome.reason):
        differences.append(Difference("reason", message.reason, outcome.reason))
    return differences


def _compare_write(test: spec.Test, requests: Sequence[Any]) -> list[Difference]:
    if test.write is None:
        return []
    if len(requests) != 1:
        return [Difference("number of writes", 1, len(requests))]
    return _compare_deep("write", test.write, requests[0])


def _compare_deep(what: str, expected: Any, found: Any) -> list[Difference]:
    """Return the innermost parts that differ."""
    if same(expected, found):
        return []
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return [Difference(what, expected, found)]
    differences = []
    for name in {**expected, **found}:
        parts = expected.get(name, ABSENT), found.get(name, ABSENT)
        differences += _compare_deep(f"{what}.{name}", *parts)
    return differences


def _compare_items(test: spec.Test, found: Sequence[Item]) -> list[Difference]:
    expected: Sequence[Item]
    whole = True
    if test.items is not None:
        expected = test.items
    elif test.item is not None:
        expected = [test.item]
    elif test.item_contains is not None:
        expected = [test.item_contains]
        whole = False
    else:
        return []
    if len(found) != len(expected):
        return [Difference("number of items", len(expected), len(found))]
    differences = []
    for index, (each, item) in enumerate(zip(expected, found, strict=True)):
        subject = "" if test.items is None else f"items[{index}]."
        differences += within(subject, compare_item(each, item, whole))
    return differences


def compare_item(
    expected: Item,
    item: Item,
    whole: bool,
) -> list[Difference]:
    """Return the attributes that differ; those that are not expected count only for a `whole` item."""
    differences = []
    for name in {**expected, **item} if whole else expected:
        wanted, found = expected.get(name, ABSENT), item.get(name, ABSENT)
        if not same(wanted, found):
            differences.append(Difference(name, wanted, found))
    return differences


def same(expected: Any, found: Any) -> bool:
    """Return whether a value of a test equals a stored one; tests write sets as lists, and binary
    as base64.
    """
    if isinstance(found, set):
        return isinstance(expected, list) and _same_members(expected, found)
    if isinstance(found, bytes):
        return bool(expected == base64.b64encode(found).decode())
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, dict):
        if found.keys() != expected.keys():
            return False
        return all(same(expected[name], value) for name, value in found.items())
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, expected, found))
    if isinstance(found, int | Decimal) != isinstance(expected, int | Decimal):
        return False
    return bool(found == expected)


def _same_members(expected: list[Any], found: set[Any]) -> bool:
    """Return whether a list has the members of a set, in any order."""
    if len(expected) != len(found):
        return False
    for member in found:
        if not any(same(each, member) for each in expected):
            return False
    return True


def to_json(value: Any, indent: int = 0) -> str:
    """Return a value as JSON text that is safe for a terminal, on one line or indented."""
    text = _ENCODER.encode(_plain(value))
    if indent:
        text = msgspec.json.format(text, indent=indent)
    return printable_json(text.decode())


def to_cell(value: Any) -> str:
    """Return a value for a cell of a table: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value)


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=_order)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _order(value: Any) -> tuple[Any, ...]:
    """Return the sort key: numbers by value, all else by its text, since a plugin can put anything
    into a set.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return (0, value)
    return (1, value if isinstance(value, str) else repr(value))
