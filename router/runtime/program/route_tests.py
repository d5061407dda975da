"""Checks the `tests:` of routes, and encodes the items that they give and expect as a
table holds them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from router.codes import declare
from router.errors import Rejection
from router.model import AttributeValue, Path, Table
from router.runtime.config import spec
from router.runtime.config.findings import Findings, did_you_mean
from router.runtime.engine.attributes import encode_item, identify
from router.runtime.engine.convert import CONVERTERS

TEST_SHAPE = declare(
    "RT208",
    "a test that cannot be run",
    "A test, or each of its `messages`, has exactly one of `message`, `body`, `record` "
    "and `file`. A test has at most "
    "one of `item`, `item_contains` and `items`, which only a message that is written "
    "can have, as `write`. Items of "
    "`given` and `table` have the key of their table.",
)
SOURCES = ("message", "body", "record", "file")
_IN_RECORD = {
    "attributes": "",
    "sent_at": ": 'SentTimestamp' of its 'Attributes'",
    "group": ": 'MessageGroupId' of its 'Attributes'",
    "id": ": 'MessageId'",
}
"""What a record has in it, and where."""
_OF_ITEMS = ("item", "item_contains", "items")
_OF_MESSAGE = (*SOURCES, *_IN_RECORD, "outcome", "reason", "code", *_OF_ITEMS, "write")
"""What a test with `messages` does not have itself."""
_STORED_AS = frozenset({"N", "B", "SS", "NS", "BS"})
"""Types whose values YAML does not tell from others, such as a set from a list."""

_DEFAULTS: Mapping[str, Any] = {"attributes": {}, "outcome": "written"}

Identity = tuple[str, ...]


class StoredTypes:
    """The types of attributes in tables, as the keys of the tables and the mappings of
    routes declare them.
    """

    def __init__(self, config: spec.Config, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._types: dict[str, dict[str, str]] = {name: {} for name in tables}
        for route in config.routes.values():
            types = self._types.get(route.table, {})
            for name, attribute in (
                {} if isinstance(route.item, UnsetType) else route.item
            ).items():
                if not isinstance(attribute, str) and attribute.type in _STORED_AS:
                    types.setdefault(name, attribute.type)
        for name, table in tables.items():
            self._types[name] |= table.key

    def encode(
        self, table: str, values: Mapping[str, Any]
    ) -> dict[str, AttributeValue]:
        """Return an item of a test in DynamoDB's JSON.

        Raises Rejection if no table can hold it. A value that the declared type does
        not accept has the type of the value: an older item may have another one.
        """
        item = {
            name: self._value(self._types[table].get(name, ""), value)
            for name, value in values.items()
        }
        encoded, _ = encode_item(item, item)
        return encoded

    def identify(self, table: str, values: Mapping[str, Any]) -> Identity:
        """Return what identifies an item of a test in its table.

        Raises Rejection if it has no valid key.
        """
        key = self._tables[table].key
        return identify(
            table,
            key,
            self.encode(
                table, {name: values[name] for name, _ in key if name in values}
            ),
        )

    def _value(self, kind: str, value: Any) -> Any:
        if kind in _STORED_AS:
            try:
                converted = CONVERTERS[kind](value)
            except ValueError:
                return value
            return value if converted is None else converted  # an empty list is no set
        return value


def check_tests(
    config: spec.Config, tables: Mapping[str, Table], findings: Findings
) -> None:
    """Add a finding for each fault of a test."""
    types = StoredTypes(config, tables)
    for name, route in config.routes.items():
        for index, test in enumerate(route.tests):
            path: Path = ("routes", name, "tests", index)
            _check_messages(test, findings, path)
            for table, items in test.given.items():
                where = (*path, "given", table)
                if table in tables:
                    _check_items(types, table, items, findings, where)
                else:
                    hint = did_you_mean(table, tables, "name a key of 'tables'")
                    findings.add(
                        TEST_SHAPE,
                        f"unknown table '{table}'",
                        where,
                        key=True,
                        suggestion=hint,
                    )
            if route.table in tables and not isinstance(test.table, UnsetType):
                _check_table(types, route.table, test.table, findings, (*path, "table"))


def _check_messages(test: spec.Test, findings: Findings, path: Path) -> None:
    if not test.messages:
        _check_message(test, findings, path, "a test")
        _check_expected(test, findings, path)
        return
    for name in _given(test, *_OF_MESSAGE):
        sentence = f"a test has only one of 'messages' and '{name}'"
        advice = (
            "" if name in (*_OF_ITEMS, "write") else "write it to each of the messages"
        )
        findings.add(TEST_SHAPE, sentence, (*path, name), key=True, suggestion=advice)
    for index, message in enumerate(test.messages):
        _check_message(message, findings, (*path, "messages", index), "a message")


def _check_message(
    message: spec.ReceivedMessage, findings: Findings, path: Path, what: str
) -> None:
    if len(_given(message, *SOURCES)) != 1:
        findings.add(
            TEST_SHAPE,
            f"{what} has exactly one of 'message', 'body', 'record' and 'file'",
            path,
        )
    for name in _given(message, *_IN_RECORD) if message.record is not UNSET else ():
        sentence, advice = (
            f"a record has its {name} in it",
            f"move '{name}' into 'record'{_IN_RECORD[name]}",
        )
        findings.add(TEST_SHAPE, sentence, (*path, name), key=True, suggestion=advice)
    if not isinstance(message.sent_at, UnsetType):
        try:
            datetime.fromisoformat(message.sent_at)
        except ValueError:
            findings.add(
                TEST_SHAPE, f"'{message.sent_at}' is no time", (*path, "sent_at")
            )


def _check_expected(test: spec.Test, findings: Findings, path: Path) -> None:
    expected = _given(test, *_OF_ITEMS)
    if len(expected) > 1:
        findings.add(
            TEST_SHAPE,
            f"a test has only one of '{expected[0]}' and '{expected[1]}'",
            path,
        )
    expected += _given(test, "write")
    if expected and test.outcome != "written":
        findings.add(
            TEST_SHAPE,
            f"'{expected[0]}' cannot be where the outcome is '{test.outcome}'",
            path,
        )


def _given(test: spec.ReceivedMessage, *names: str) -> list[str]:
    return [name for name in names if getattr(test, name) != _DEFAULTS.get(name, UNSET)]


def _check_table(
    types: StoredTypes,
    table: str,
    expected: tuple[dict[str, Any], ...] | spec.StoredItems,
    findings: Findings,
    path: Path,
) -> None:
    if isinstance(expected, tuple):
        _check_items(types, table, expected, findings, path)
        return
    stored: set[Identity] = set()
    if not isinstance(expected.items, UnsetType):
        stored = {
            *_check_items(
                types, table, expected.items, findings, (*path, "items")
            ).values()
        }
        if expected.contains:
            findings.add(
                TEST_SHAPE,
                "'table' has only one of 'items' and 'contains'",
                (*path, "contains"),
                key=True,
            )
    stored |= {
        *_check_items(
            types, table, expected.contains, findings, (*path, "contains")
        ).values()
    }
    for index, identity in _check_items(
        types, table, expected.absent, findings, (*path, "absent")
    ).items():
        if identity in stored:
            findings.add(
                TEST_SHAPE,
                "an item is expected, and expected to be absent",
                (*path, "absent", index),
            )


def _check_items(
    types: StoredTypes,
    table: str,
    items: Sequence[Mapping[str, Any]],
    findings: Findings,
    path: Path,
) -> dict[int, Identity]:
    """Return what identifies each item, by its index.

    An item that no table can hold is a finding.
    """
    found: dict[int, Identity] = {}
    for index, item in enumerate(items):
        try:
            types.encode(table, item)
            identity = types.identify(table, item)
        except Rejection as rejection:
            findings.add(
                TEST_SHAPE, f"table '{table}': {rejection.reason}", (*path, index)
            )
            continue
        if identity in found.values():
            findings.add(
                TEST_SHAPE,
                f"table '{table}': two items have the same key",
                (*path, index),
            )
        found[index] = identity
    return found
