"""Checks the `tests:` of routes, and encodes the items that they give and expect as a
table holds them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct

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
_OF_MESSAGE = (
    *SOURCES,
    *_IN_RECORD,
    "outcome",
    "reason",
    "code",
    *_OF_ITEMS,
    "write",
)
"""What a test with `messages` does not have itself."""
_STORED_AS = frozenset({"N", "B", "SS", "NS", "BS"})
"""Types whose values YAML does not tell from others, such as a set from a list."""

_DEFAULTS: Mapping[str, Any] = {"message": UNSET, "attributes": {}, "outcome": "written"}

Identity = tuple[str, ...]


class StoredTypes:
    """The types of attributes in tables.

    The keys of the tables and the mappings of routes declare them.
    """

    def __init__(self, config: spec.Config, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._types: dict[str, dict[str, str]] = {name: {} for name in tables}
        for route in config.routes.values():
            types = self._types.get(route.table, {})
            for name, attribute in (route.item or {}).items():
                if attribute.type in _STORED_AS:
                    types.setdefault(name, attribute.type)
        for name, table in tables.items():
            self._types[name] |= table.key

    def encode(self, table: str, values: Mapping[str, Any]) -> dict[str, AttributeValue]:
        """Return an item of a test in DynamoDB's JSON.

        Raises Rejection if no table can hold it. A value that the declared type does
        not accept has the type of the value: an older item may have another one.
        """
        types = self._types[table]
        item = {name: _converted(types.get(name, ""), value) for name, value in values.items()}
        return encode_item(item, item)[0]

    def identify(self, table: str, values: Mapping[str, Any]) -> Identity:
        """Return what identifies an item of a test in its table.

        Raises Rejection if it has no valid key.
        """
        key = self._tables[table].key
        own = {name: values[name] for name, _ in key if name in values}
        return identify(table, key, self.encode(table, own))


def _converted(kind: str, value: Any) -> Any:
    if kind not in _STORED_AS:
        return value
    try:
        converted = CONVERTERS[kind](value)
    except ValueError:
        return value
    # An empty list is no set.
    return value if converted is None else converted


def check_tests(config: spec.Config, tables: Mapping[str, Table], findings: Findings) -> None:
    """Add a finding for each fault of a test."""
    checker = _TestChecker(StoredTypes(config, tables), findings)
    for name, route in config.routes.items():
        for index, test in enumerate(route.tests):
            path: Path = ("routes", name, "tests", index)
            checker.check_messages(test, path)
            checker.check_given(test, tables, path)
            if route.table in tables and test.table is not None:
                checker.check_table(route.table, test.table, (*path, "table"))


class _TestChecker(Struct, frozen=True):
    """Adds findings about tests."""

    types: StoredTypes
    findings: Findings

    def check_messages(self, test: spec.Test, path: Path) -> None:
        if not test.messages:
            self._check_message(test, path, "a test")
            self._check_expected(test, path)
            return
        for name in _given(test, *_OF_MESSAGE):
            is_result = name in (*_OF_ITEMS, "write")
            advice = "" if is_result else "write it to each of the messages"
            self._add_key(
                f"a test has only one of 'messages' and '{name}'",
                (*path, name),
                advice,
            )
        for index, message in enumerate(test.messages):
            self._check_message(message, (*path, "messages", index), "a message")

    def check_given(self, test: spec.Test, tables: Mapping[str, Table], path: Path) -> None:
        for table, items in test.given.items():
            where = (*path, "given", table)
            if table in tables:
                self._identify(table, items, where)
            else:
                self._add_key(
                    f"unknown table '{table}'",
                    where,
                    did_you_mean(table, tables, "name a key of 'tables'"),
                )

    def check_table(
        self,
        table: str,
        expected: tuple[dict[str, Any], ...] | spec.StoredItems,
        path: Path,
    ) -> None:
        if isinstance(expected, tuple):
            self._identify(table, expected, path)
            return
        stored: set[Identity] = set()
        where = (*path, "contains")
        if expected.items is not None:
            items = self._identify(table, expected.items, (*path, "items"))
            stored.update(items.values())
            if expected.contains:
                self._add_key("'table' has only one of 'items' and 'contains'", where)
        contained = self._identify(table, expected.contains, where)
        stored.update(contained.values())
        where = (*path, "absent")
        absent = self._identify(table, expected.absent, where)
        for index, identity in absent.items():
            if identity in stored:
                self._add(
                    "an item is expected, and expected to be absent",
                    (*where, index),
                )

    def _check_message(self, message: spec.ReceivedMessage, path: Path, what: str) -> None:
        if len(_given(message, *SOURCES)) != 1:
            sources = "'message', 'body', 'record' and 'file'"
            self._add(f"{what} has exactly one of {sources}", path)
        if message.record is not None:
            for name in _given(message, *_IN_RECORD):
                self._add_key(
                    f"a record has its {name} in it",
                    (*path, name),
                    f"move '{name}' into 'record'{_IN_RECORD[name]}",
                )
        if message.sent_at is not None:
            try:
                datetime.fromisoformat(message.sent_at)
            except ValueError:
                self._add(f"'{message.sent_at}' is no time", (*path, "sent_at"))

    def _check_expected(self, test: spec.Test, path: Path) -> None:
        expected = _given(test, *_OF_ITEMS)
        if len(expected) > 1:
            first, second, *_ = expected
            self._add(f"a test has only one of '{first}' and '{second}'", path)
        expected += _given(test, "write")
        if expected and test.outcome != "written":
            self._add(
                f"'{expected[0]}' cannot be where the outcome is '{test.outcome}'",
                path,
            )

    def _identify(
        self, table: str, items: Sequence[Mapping[str, Any]], path: Path
    ) -> dict[int, Identity]:
        """Return what identifies each item, by its index.

        An item that no table can hold is a finding.
        """
        found: dict[int, Identity] = {}
        for index, item in enumerate(items):
            where = (*path, index)
            try:
                self.types.encode(table, item)
                identity = self.types.identify(table, item)
            except Rejection as rejection:
                self._add(f"table '{table}': {rejection.reason}", where)
                continue
            if identity in found.values():
                self._add(f"table '{table}': two items have the same key", where)
            found[index] = identity
        return found

    def _add(self, sentence: str, path: Path) -> None:
        self.findings.add(TEST_SHAPE, sentence, path)

    def _add_key(self, sentence: str, path: Path, advice: str = "") -> None:
        self.findings.add(TEST_SHAPE, sentence, path, key=True, suggestion=advice)


def _given(test: spec.ReceivedMessage, *names: str) -> list[str]:
    """Return those of some keys that a test or a message has."""
    return [name for name in names if getattr(test, name) != _DEFAULTS.get(name)]
