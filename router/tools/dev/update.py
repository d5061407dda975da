"""`router test --update`: changes the expectations of tests to what was observed."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from router.model import REMOVE, WRITTEN, Item, Outcome
from router.model import Path as ConfigPath
from router.runtime.config import secret_values, spec
from router.runtime.program.route_tests import Identity
from router.tools.dev.compare import Observed, same, says_of_items
from router.tools.dev.run_tests import Suite, Verdict, test_of
from router.tools.dev.stateful import StoredTable, expected_items, is_stateful
from router.tools.dev.yaml_edit import CannotUpdate, YamlFile

DELETE: Any = object()
"""The new value of a key that is removed."""
_OF_ITEMS = ("item", "item_contains", "items")
_OF_OUTCOME = ("outcome", "code", "reason")
_EXPECTATIONS = (*_OF_ITEMS, *_OF_OUTCOME, "write")
_MAX_DIGITS = 38
"""Of a number in DynamoDB."""
Written = Mapping[str, Any]
"""A test, or one of its messages, as it is in the file."""
NewValues = dict[str, Any]
"""The new values of the keys of a test; `DELETE` for one that is removed."""


class KeyChange(Struct, frozen=True):
    """A change of a key in the file."""

    key: str
    old: Any
    """Its old value, UNSET if it has none."""
    new: Any
    """Its new value, `DELETE` if it is removed."""


def changes_of(
    test: spec.Test,
    written: Written,
    observed: Observed,
    table: StoredTable,
    outcomes: bool = False,
) -> list[KeyChange]:
    """Return the changes of a test; `written` is the test in the file, with its references to
    variables.

    Expectations that are met do not change. A test without expectations gets the items that its
    route writes, or what its table holds if that matters. With `outcomes`, a test whose outcome
    differs is changed too. Raises CannotUpdate.
    """
    is_written = observed.outcome.kind == "written"
    if test.messages:
        found = _of_messages(test, written, observed, outcomes)
    elif is_written and not observed.items:
        found = _of_nothing(test, written, outcomes)
    else:
        found = _of_outcome(test, written, observed.outcome, outcomes)
        if is_written:
            found |= _of_items(test, written, observed)
    if observed.stored is not None:
        found |= _of_table(test, written, observed.stored, table, filled=bool(found))
    return [KeyChange(key, written.get(key, UNSET), new) for key, new in found.items()]


def _of_outcome(
    message: spec.ReceivedMessage,
    written: Written,
    outcome: Outcome,
    outcomes: bool,
    subject: str = "its outcome",
) -> NewValues:
    found: NewValues = {}
    if outcome.kind != message.outcome:
        if not outcomes:
            raise CannotUpdate(
                f"{subject} is '{outcome.kind}', not '{message.outcome}'; --update-outcomes changes that too"
            )
        found = _of_other_outcome(outcome, written)
    if outcome.kind == "written":
        return found
    if message.code != outcome.code and (message.code is not None or "outcome" in found):
        found["code"] = outcome.code
    if message.reason not in (None, outcome.reason):
        found["reason"] = _escape(outcome.reason)
    return found


def _of_other_outcome(outcome: Outcome, written: Written) -> NewValues:
    """Return the new outcome; expectations that make no sense with it are removed."""
    if outcome.kind == "written":
        # It is the default.
        found = {"outcome": DELETE}
        gone = ["code", "reason"]
    else:
        found = {"outcome": outcome.kind}
        gone = [*_OF_ITEMS, "write"]
    return found | {name: DELETE for name in gone if name in written}


def _of_messages(
    test: spec.Test,
    written: Written,
    observed: Observed,
    outcomes: bool,
) -> NewValues:
    """Return the new `messages`, if the outcome of one differs."""
    new = []
    for index, message in enumerate(test.messages):
        outcome = observed.outcomes[index]
        given = written["messages"][index]
        if outcome.kind == "written" and not observed.writes[index] and test.table is None:
            raise CannotUpdate(
                f"messages[{index}] is not written by this route; change it or its outcome by hand"
            )
        subject = f"the outcome of messages[{index}]"
        new.append(_changed(given, _of_outcome(message, given, outcome, outcomes, subject)))
    return {} if new == written["messages"] else {"messages": new}


def _changed(written: Written, new: NewValues) -> dict[str, Any]:
    """Return a map with new values, without the keys that are removed."""
    return {key: value for key, value in {**written, **new}.items() if value is not DELETE}


def _of_table(
    test: spec.Test,
    written: Written,
    stored: Sequence[Item],
    table: StoredTable,
    *,
    filled: bool,
) -> NewValues:
    """Return the new `table` if it differs, or if the test has no expectations and is not `filled`."""
    if test.table is None:
        keys = set(written).union(*written.get("messages", ()))
        return {} if filled or keys.intersection(_EXPECTATIONS) else {"table": as_yaml(stored)}
    if not table.compare(test, stored):
        return {}
    found = table.by_identity(stored)
    expected, whole = expected_items(test.table)
    before = written["table"]
    if isinstance(test.table, tuple):
        return {"table": _new_items(before, table.by_identity(expected), found, whole)}
    if found.keys() & table.by_identity(test.table.absent).keys():
        raise CannotUpdate(
            "its table holds an item that is expected to be absent; change it by hand"
        )
    key = "items" if whole else "contains"
    new = _new_items(before[key], table.by_identity(expected), found, whole)
    return {"table": {**before, key: new}}


def _new_items(
    written: Sequence[Any],
    expected: Mapping[Identity, Item],
    found: Mapping[Identity, Item],
    whole: bool,
) -> list[Any]:
    """Return the new items of a table in the order of the file; further ones follow if they must be
    all.
    """
    new = []
    for given, (identity, item) in zip(written, expected.items(), strict=True):
        stored = found.get(identity)
        if stored is not None:
            new.append(merge(given, item, stored if whole else _only(stored, item)))
    if whole:
        new += [as_yaml(item) for identity, item in found.items() if identity not in expected]
    return new


def _only(item: Item, names: Iterable[str]) -> Item:
    return {name: item[name] for name in names if name in item}


def _of_nothing(test: spec.Test, written: Written, outcomes: bool) -> NewValues:
    """Return the changes of a test whose message other routes write, and its own does not."""
    if not outcomes:
        if test.outcome != "written" or not says_of_items(test):
            raise CannotUpdate(
                "its message is not written by this route; change its message or its expectations by hand"
            )
        return _of_items(test, written, Observed((WRITTEN,)))
    gone = ["item", "item_contains", "write"]
    if test.outcome != "written":
        gone[:0] = _OF_OUTCOME
    found: NewValues = {name: DELETE for name in gone if name in written}
    if test.items != () and test.table is None:
        found["items"] = []
    return found


def _of_items(test: spec.Test, written: Written, observed: Observed) -> NewValues:
    """Return the new items and the new request of a test, if they differ."""
    found: NewValues = {}
    items = list(observed.items)
    expectation = next((name for name in _OF_ITEMS if getattr(test, name) is not None), "")
    if expectation == "items":
        found["items"] = merge(written.get("items"), list(test.items or ()), items)
    elif expectation:
        if len(items) != 1:
            raise CannotUpdate(
                f"its route writes {len(items)} items; '{expectation}' is for one: use 'items'"
            )
        expected = getattr(test, expectation)
        shown = items[0] if expectation == "item" else _only(items[0], expected)
        found[expectation] = merge(written.get(expectation), expected, shown)
    elif written.keys().isdisjoint(_OF_OUTCOME) and not is_stateful(test) and test.write is None:
        # The test says nothing yet.
        if len(items) == 1:
            found["item"] = as_yaml(items[0])
        else:
            found["items"] = as_yaml(items)
    if test.write is not None:
        if len(observed.requests) != 1:
            raise CannotUpdate(
                f"its route makes {len(observed.requests)} requests; 'write' is for one"
            )
        found["write"] = merge(written.get("write"), test.write, observed.requests[0])
    return {
        key: new for key, new in found.items() if key not in written or not same(written[key], new)
    }


def merge(written: Any, expected: Any, found: Any) -> Any:
    """Return the new value: parts of `found` that are as expected stay as they are `written`, with
    variables.
    """
    if same(expected, found):
        return written
    parts = (written, expected, found)
    if all(isinstance(part, dict) for part in parts):
        merged = {}
        # In the order of the file; what was not expected comes last.
        for name in {**expected, **found}:
            if name in expected and name in found:
                merged[name] = merge(written.get(name), expected[name], found[name])
            elif name in found:
                merged[name] = as_yaml(found[name])
        return merged
    if all(isinstance(part, list) for part in parts):
        known = [merge(*each) for each in zip(*parts, strict=False)]
        return known + [as_yaml(each) for each in found[len(expected) :]]
    return as_yaml(found)


def as_yaml(value: Any) -> Any:
    """Return a value of an item as in tests: sets as sorted lists, binary as base64, `${` as `$${`,
    no secrets.
    """
    if value is REMOVE:
        return None
    if isinstance(value, str):
        return _escape(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_yaml(each) for name, each in value.items()}
    if isinstance(value, set | frozenset):
        return [as_yaml(each) for each in sorted(value)]
    if isinstance(value, Sequence):
        return [as_yaml(each) for each in value]
    if isinstance(value, Decimal) and _is_short_integer(value):
        return int(value)
    return value


def _is_short_integer(value: Decimal) -> bool:
    return value == value.to_integral_value() and abs(value.adjusted()) < _MAX_DIGITS


def _escape(text: str) -> str:
    # A file that is committed gets references instead of secrets.
    return secret_values.WRITTEN.refer(text, lambda plain: plain.replace("${", "$${"))


class Updated(Struct, frozen=True):
    """A test that was changed in its file, or not."""

    verdict: Verdict
    place: str
    changes: tuple[KeyChange, ...] = ()
    kept: str = ""
    """Why it was not changed."""


def update(suite: Suite, verdicts: Iterable[Verdict], outcomes: bool = False) -> list[Updated]:
    """Change tests that fail, and fill in tests without expectations; raises UsageError."""
    files: dict[str, YamlFile] = {}
    changed: dict[str, YamlFile] = {}
    done = []
    for verdict in verdicts:
        path: ConfigPath = ("routes", verdict.route, "tests", verdict.index)
        place = suite.loaded.findings.locate(path)
        if place.file not in files:
            files[place.file] = YamlFile(Path(place.file))
        file = files[place.file]
        try:
            changes = _changes(suite, verdict, file.data(path), outcomes)
            if not changes:
                continue
            new = {change.key: change.new for change in changes}
            file.change(path, _changed(file.data(path), new))
        except CannotUpdate as error:
            done.append(Updated(verdict, str(place), kept=str(error)))
            continue
        changed[place.file] = file
        done.append(Updated(verdict, str(place), tuple(changes)))
    for file in changed.values():
        file.save()
    return done


def _changes(
    suite: Suite,
    verdict: Verdict,
    written: Written,
    outcomes: bool,
) -> list[KeyChange]:
    if verdict.observed is None:
        raise CannotUpdate("it could not run")
    env = test_of(suite.program, verdict.route, verdict.index).env
    # The same test of the config with its variables.
    program = suite.program_of(env)
    test = test_of(program, verdict.route, verdict.index)
    table = StoredTable(program, verdict.route)
    return changes_of(test, written, verdict.observed, table, outcomes)
