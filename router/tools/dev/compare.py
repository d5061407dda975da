"""Compares the expectations of a test with its observed outcome and items, and shows values."""

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

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
    """A difference: its subject (an attribute, or e.g. "outcome"), the expected and the found value."""

    what: str
    expected: Any
    found: Any


class Observed(Struct, frozen=True):
    """The outcomes of a test's messages, and the items and requests of the test's route.

    `writes` is whether the route wrote each of the messages, `stored` what its table holds at the end if that matters.
    """

    outcomes: tuple[Outcome, ...]
    items: Sequence[Item] = ()
    requests: Sequence[Mapping[str, Any]] = ()
    writes: tuple[bool, ...] = ()
    stored: Sequence[Item] | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome of the one message, or of the last one."""
        return self.outcomes[-1]


def compare(test: spec.Test, observed: Observed) -> tuple[Difference, ...]:
    """Return all differences but those of the table."""
    says_of_items = (test.item, test.item_contains, test.items, test.write, test.table) != (
        None,
    ) * 5
    differences: list[Difference] = []
    for index, (message, outcome) in enumerate(zip(test.received, observed.outcomes, strict=True)):
        subject = f"messages[{index}]." if test.messages else ""
        # Another route of the queue wrote the message, which must not make a test of this route pass.
        elsewhere = outcome.kind == "written" and not observed.writes[index] and not says_of_items
        differences += _compare_outcome(message, outcome, elsewhere, subject)
    return (*differences, *_compare_items(test, observed.items), *_compare_write(test, observed))


def table(differences: Sequence[Difference]) -> list[str]:
    """Return the differences as lines of a table: subject, expected, found."""
    rows = [
        ("", "expected", "found"),
        *((printable(each.what), cell(each.expected), cell(each.found)) for each in differences),
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{what:{first}}  {expected:{second}}  {found}" for what, expected, found in rows]


def cell(value: Any) -> str:
    """Return the text of a value in a table of differences."""
    return "-" if value in (ABSENT, NO_ITEM) else to_json(value)


def _compare_outcome(
    message: spec.ReceivedMessage, outcome: Outcome, elsewhere: bool, subject: str
) -> list[Difference]:
    if outcome.kind != message.outcome:
        found = (
            f"{outcome.kind} ({outcome.code} {outcome.reason})" if outcome.code else outcome.kind
        )
        return [Difference(f"{subject}outcome", message.outcome, found)]
    if elsewhere:
        return [Difference(f"{subject}outcome", "written", "not written by this route")]
    pairs = (("code", message.code, outcome.code), ("reason", message.reason, outcome.reason))
    return [
        Difference(f"{subject}{name}", expected, found)
        for name, expected, found in pairs
        if expected not in (None, found)
    ]


def _compare_write(test: spec.Test, observed: Observed) -> list[Difference]:
    if test.write is None:
        return []
    if len(observed.requests) != 1:
        return [Difference("number of writes", 1, len(observed.requests))]
    request = observed.requests[0]
    return [] if same(test.write, request) else _compare_deep("write", test.write, request)


def _compare_deep(what: str, expected: Any, found: Any) -> list[Difference]:
    """Return the innermost parts that differ."""
    if not (isinstance(expected, dict) and isinstance(found, dict)):
        return [] if same(expected, found) else [Difference(what, expected, found)]
    return [
        each
        for name in {**expected, **found}
        for each in _compare_deep(
            f"{what}.{name}", expected.get(name, ABSENT), found.get(name, ABSENT)
        )
    ]


def _compare_items(test: spec.Test, found: Sequence[Item]) -> list[Difference]:
    if test.items is not None:
        if len(found) != len(test.items):
            return [Difference("number of items", len(test.items), len(found))]
        return [
            Difference(f"items[{index}].{each.what}", each.expected, each.found)
            for index, (expected, item) in enumerate(zip(test.items, found, strict=True))
            for each in compare_item(expected, item, whole=True)
        ]
    whole = test.item is not None
    expected = test.item if whole else test.item_contains
    if expected is None:
        return []
    if len(found) != 1:
        return [Difference("number of items", 1, len(found))]
    return compare_item(expected, found[0], whole)


def compare_item(
    expected: Mapping[str, Any], item: Mapping[str, Any], whole: bool
) -> list[Difference]:
    """Return the attributes that differ; those that are not expected count only for a `whole` item."""
    return [
        Difference(name, expected.get(name, ABSENT), item.get(name, ABSENT))
        for name in ({**expected, **item} if whole else expected)
        if not same(expected.get(name, ABSENT), item.get(name, ABSENT))
    ]


def same(expected: Any, found: Any) -> bool:
    """Return whether a value of a test equals a stored one; tests write sets as lists, and binary as base64."""
    if isinstance(found, set):
        listed = expected if isinstance(expected, list) else []
        return len(listed) == len(found) and all(
            any(same(each, other) for each in listed) for other in found
        )
    if isinstance(found, bytes):
        return bool(expected == base64.b64encode(found).decode())
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            same(expected[name], found[name]) for name in found
        )
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, expected, found))
    if isinstance(found, int | Decimal) != isinstance(expected, int | Decimal):
        return False
    return bool(found == expected)


def to_json(value: Any, indent: int = 0) -> str:
    """Return a value as JSON text that is safe for a terminal, on one line or indented."""
    text = _ENCODER.encode(_plain(value))
    return printable_json((msgspec.json.format(text, indent=indent) if indent else text).decode())


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


def _order(value: Any) -> Any:
    """Return the sort key: numbers by value, all else by its text, since a plugin can put anything into a set."""
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return (0, value, "") if number else (1, 0, value if isinstance(value, str) else repr(value))
