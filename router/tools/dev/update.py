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
from router.tools.dev.compare import Observed, same
from router.tools.dev.run_tests import Suite, Verdict
from router.tools.dev.stateful import StoredTable, expected_items
from router.tools.dev.yaml_edit import CannotUpdate, YamlFile

DELETE: Any = object()
"""The new value of a key that is removed."""
_OF_ITEMS = ("item", "item_contains", "items")
_EXPECTATIONS = (*_OF_ITEMS, "write", "outcome", "code", "reason")


class KeyChange(Struct, frozen=True):
    """A change of a key: its old value in the file (UNSET if it has none), and its new one."""

    key: str
    old: Any
    new: Any


def changes_of(
    test: spec.Test,
    written: Mapping[str, Any],
    observed: Observed,
    table: StoredTable,
    outcomes: bool = False,
) -> list[KeyChange]:
    """Return the changes of a test; `written` is the test in the file, with its references to variables.

    Expectations that are met do not change. A test without expectations gets the items that its route writes, or what
    its table holds if that matters. With `outcomes`, a test whose outcome differs is changed too. Raises CannotUpdate.
    """
    if test.messages:
        found = _of_messages(test, written, observed, outcomes)
    elif observed.outcome.kind == "written" and not observed.items:
        found = _of_nothing(test, written, outcomes)
    else:
        found = _of_outcome(test, written, observed.outcome, outcomes)
        if observed.outcome.kind == "written":
            found |= _of_items(test, written, observed)
    if observed.stored is not None:
        found |= _of_table(test, written, observed.stored, table, filled=bool(found))
    return [KeyChange(key, written.get(key, UNSET), new) for key, new in found.items()]


def _of_outcome(
    message: spec.ReceivedMessage,
    written: Mapping[str, Any],
    outcome: Outcome,
    outcomes: bool,
    subject: str = "its outcome",
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kind = outcome.kind
    if kind != message.outcome:
        if not outcomes:
            sentence = f"{subject} is '{kind}', not '{message.outcome}'"
            raise CannotUpdate(f"{sentence}; --update-outcomes changes that too")
        found["outcome"] = DELETE if kind == "written" else kind
        gone = ("code", "reason") if kind == "written" else (*_OF_ITEMS, "write")
        found |= {name: DELETE for name in gone if name in written}
    if kind != "written":
        if outcome.code != message.code and (message.code is not None or "outcome" in found):
            found["code"] = outcome.code
        if message.reason not in (None, outcome.reason):
            found["reason"] = _escape(outcome.reason)
    return found


def _of_messages(
    test: spec.Test, written: Mapping[str, Any], observed: Observed, outcomes: bool
) -> dict[str, Any]:
    """Return the new `messages`, if the outcome of one differs."""
    new = []
    for index, message in enumerate(test.messages):
        outcome, given = observed.outcomes[index], written["messages"][index]
        if outcome.kind == "written" and not observed.writes[index] and test.table is None:
            raise CannotUpdate(
                f"messages[{index}] is not written by this route; change it or its outcome by hand"
            )
        values = given | _of_outcome(
            message, given, outcome, outcomes, f"the outcome of messages[{index}]"
        )
        new.append({key: value for key, value in values.items() if value is not DELETE})
    return {} if new == written["messages"] else {"messages": new}


def _of_table(
    test: spec.Test,
    written: Mapping[str, Any],
    stored: Sequence[Item],
    table: StoredTable,
    *,
    filled: bool,
) -> dict[str, Any]:
    """Return the new `table` if it differs, or if the test has no expectations and is not `filled`."""
    if test.table is None:
        own = (written, *written.get("messages", ()))
        expects = any(name in each for each in own for name in _EXPECTATIONS)
        return {} if expects or filled else {"table": as_yaml(stored)}
    differences = table.compare(test, stored)
    if not differences:
        return {}
    found = table.by_identity(stored)
    if not isinstance(test.table, tuple) and any(
        each in found for each in table.by_identity(test.table.absent)
    ):
        raise CannotUpdate(
            "its table holds an item that is expected to be absent; change it by hand"
        )
    expected, whole = expected_items(test.table)
    before = written["table"]
    key = "" if isinstance(test.table, tuple) else "items" if whole else "contains"
    new = []
    for (identity, item), given in zip(
        table.by_identity(expected).items(), before[key] if key else before, strict=True
    ):
        now = found.pop(identity, None)
        if now is not None:
            new.append(
                merge(
                    given, item, now if whole else {name: now[name] for name in item if name in now}
                )
            )
    new += as_yaml([*found.values()]) if whole else []
    return {"table": {**before, key: new} if key else new}


def _of_nothing(test: spec.Test, written: Mapping[str, Any], outcomes: bool) -> dict[str, Any]:
    """Return the changes of a test whose message other routes write, and its own does not."""
    expects_write = (test.item, test.item_contains, test.items, test.write, test.table) == (
        None,
    ) * 5
    if not outcomes:
        if test.outcome != "written" or expects_write:
            raise CannotUpdate(
                "its message is not written by this route; change its message or its expectations by hand"
            )
        return _of_items(test, written, Observed((WRITTEN,)))
    of_outcome = () if test.outcome == "written" else ("outcome", "code", "reason")
    found = {
        name: DELETE for name in (*of_outcome, "item", "item_contains", "write") if name in written
    }
    return found if test.items == () or test.table is not None else {**found, "items": []}


def _of_items(test: spec.Test, written: Mapping[str, Any], observed: Observed) -> dict[str, Any]:
    found: dict[str, Any] = {}
    items = list(observed.items)
    name = next((name for name in _OF_ITEMS if getattr(test, name) is not None), "")
    if name == "items":
        found[name] = merge(written.get(name), [*getattr(test, name)], items)
    elif name and len(items) != 1:
        raise CannotUpdate(f"its route writes {len(items)} items; '{name}' is for one: use 'items'")
    elif name:
        expected = getattr(test, name)
        shown = (
            items[0]
            if name == "item"
            else {key: items[0][key] for key in expected if key in items[0]}
        )
        found[name] = merge(written.get(name), expected, shown)
    elif (
        test.write is None
        and not test.is_stateful
        and not {"outcome", "code", "reason"} & written.keys()
    ):
        found |= {"item": as_yaml(items[0])} if len(items) == 1 else {"items": as_yaml(items)}
    if test.write is not None:
        if len(observed.requests) != 1:
            raise CannotUpdate(
                f"its route makes {len(observed.requests)} requests; 'write' is for one"
            )
        found["write"] = merge(written.get("write"), test.write, observed.requests[0])
    return {
        key: new for key, new in found.items() if not (key in written and same(written[key], new))
    }


def merge(written: Any, expected: Any, found: Any) -> Any:
    """Return the new value: parts of `found` that are as expected stay as they are `written`, with variables."""
    if same(expected, found):
        return written
    if isinstance(found, dict) and isinstance(expected, dict) and isinstance(written, dict):
        order = [
            *(name for name in expected if name in found),
            *(name for name in found if name not in expected),
        ]
        return {
            name: merge(written.get(name), expected[name], found[name])
            if name in expected
            else as_yaml(found[name])
            for name in order
        }
    if isinstance(found, list) and isinstance(expected, list) and isinstance(written, list):
        pairs = zip(written, expected, found, strict=False)
        return [merge(*each) for each in pairs] + [as_yaml(each) for each in found[len(expected) :]]
    return as_yaml(found)


def as_yaml(value: Any) -> Any:
    """Return a value of an item as in tests: sets as sorted lists, binary as base64, `${` as `$${`, no secrets."""
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
    if (
        isinstance(value, Decimal)
        and value == value.to_integral_value()
        and abs(value.adjusted()) < 38
    ):
        return int(value)
    return value


def _escape(text: str) -> str:
    # A file that is committed gets references instead of secrets.
    return secret_values.WRITTEN.refer(text, lambda plain: plain.replace("${", "$${"))


class Updated(Struct, frozen=True):
    """The changes of a test in its file, or the reason why it was not changed."""

    verdict: Verdict
    place: str
    changes: tuple[KeyChange, ...] = ()
    kept: str = ""


def update(suite: Suite, verdicts: Iterable[Verdict], outcomes: bool = False) -> list[Updated]:
    """Change tests that fail, and fill in tests without expectations; raises UsageError."""
    files: dict[str, YamlFile] = {}
    changed: set[str] = set()
    done = []
    for verdict in verdicts:
        path: ConfigPath = ("routes", verdict.route, "tests", verdict.index)
        place = suite.loaded.findings.locate(path)
        if place.file not in files:
            files[place.file] = YamlFile(Path(place.file))
        file = files[place.file]
        try:
            changes = _changes(suite, verdict, file, path, outcomes)
            if changes:
                values = file.data(path) | {change.key: change.new for change in changes}
                file.change(
                    path, {key: value for key, value in values.items() if value is not DELETE}
                )
                changed.add(place.file)
                done.append(Updated(verdict, str(place), tuple(changes)))
        except CannotUpdate as error:
            done.append(Updated(verdict, str(place), kept=str(error)))
    for name in changed:
        files[name].save()
    return done


def _changes(
    suite: Suite, verdict: Verdict, file: YamlFile, path: ConfigPath, outcomes: bool
) -> list[KeyChange]:
    if verdict.observed is None:
        raise CannotUpdate("it could not run")
    settings = suite.program.config.routes[verdict.route].tests[verdict.index]
    # The same test of the config with its variables.
    program = suite.program_of(settings.env)
    test = program.config.routes[verdict.route].tests[verdict.index]
    return changes_of(
        test, file.data(path), verdict.observed, StoredTable(program, verdict.route), outcomes
    )
