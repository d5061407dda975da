"""What `router test --update` changes: the expectations of tests, to what was observed."""

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct

from router.config import spec
from router.dev.compare import Observed, same
from router.model import REMOVE

DELETE: Any = object()
"""Instead of a value: the key is to go."""
_OF_ITEMS = ("item", "item_contains", "items")


class Change(Struct, frozen=True):
    """A key of a test, as it is written now (UNSET if it is not), and as it is to be."""

    key: str
    old: Any
    new: Any


class Kept(Exception):
    """A test stays as it is, though it fails; the text says why."""


def changes_of(test: spec.Test, written: Mapping[str, Any], observed: Observed, outcomes: bool = False) -> list[Change]:
    """What is to change in a test, `written` as the file has it, before variables are put in.

    Expectations that hold are left alone. A test that expects nothing gets the items that its route writes. With
    `outcomes`, a test whose outcome differs is changed too. Raises Kept.
    """
    found: dict[str, Any] = {}
    kind = observed.outcome.kind
    if kind == "written" and not observed.items and (test.outcome != kind or _expects_written(test)):
        raise Kept("its message is not written by this route; change its message, or what it expects, by hand")
    if kind != test.outcome:
        if not outcomes:
            raise Kept(f"its outcome is '{kind}', not '{test.outcome}'; --update-outcomes changes that too")
        found["outcome"] = DELETE if kind == "written" else kind
        gone = ("code", "reason") if kind == "written" else (*_OF_ITEMS, "write")
        found |= {name: DELETE for name in gone if name in written}
    if kind == "written":
        found |= _of_items(test, written, observed)
    else:
        if observed.outcome.code != test.code and (test.code is not UNSET or "outcome" in found):
            found["code"] = observed.outcome.code
        if test.reason not in (UNSET, observed.outcome.reason):
            found["reason"] = _escape(observed.outcome.reason)
    return [Change(key, written.get(key, UNSET), new) for key, new in found.items()]


def _expects_written(test: spec.Test) -> bool:
    return (test.item, test.item_contains, test.items, test.write) == (UNSET,) * 4


def _of_items(test: spec.Test, written: Mapping[str, Any], observed: Observed) -> dict[str, Any]:
    found: dict[str, Any] = {}
    items = list(observed.items)
    name = next((name for name in _OF_ITEMS if getattr(test, name) is not UNSET), "")
    if name == "items":
        found[name] = merge(written.get(name), [*getattr(test, name)], items)
    elif name and len(items) != 1:
        raise Kept(f"its route writes {len(items)} items; '{name}' is for one: use 'items'")
    elif name:
        expected = getattr(test, name)
        shown = items[0] if name == "item" else {key: items[0][key] for key in expected if key in items[0]}
        found[name] = merge(written.get(name), expected, shown)
    elif test.write is UNSET and not {"outcome", "code", "reason"} & written.keys():
        found |= {"item": as_yaml(items[0])} if len(items) == 1 else {"items": as_yaml(items)}
    if test.write is not UNSET:
        if len(observed.requests) != 1:
            raise Kept(f"its route makes {len(observed.requests)} requests; 'write' is for one")
        found["write"] = merge(written.get("write"), test.write, observed.requests[0])
    return {key: new for key, new in found.items() if not (key in written and _equal(written[key], new))}


def merge(written: Any, expected: Any, found: Any) -> Any:
    """What is to be written: where `found` is as expected, what is `written` now, variables and all."""
    if same(expected, found):
        return written
    if isinstance(found, dict) and isinstance(expected, dict) and isinstance(written, dict):
        order = [*(name for name in expected if name in found), *(name for name in found if name not in expected)]
        return {
            name: merge(written.get(name), expected[name], found[name]) if name in expected else as_yaml(found[name])
            for name in order
        }
    if isinstance(found, list) and isinstance(expected, list) and isinstance(written, list):
        pairs = zip(written, expected, found, strict=False)
        return [merge(*each) for each in pairs] + [as_yaml(each) for each in found[len(expected) :]]
    return as_yaml(found)


def as_yaml(value: Any) -> Any:
    """A value of an item as tests write it: sets as sorted lists, binary as base64, `${` as `$${`."""
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
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value.adjusted()) < 38:
        return int(value)
    return value


def _escape(text: str) -> str:
    return text.replace("${", "$${")


def _equal(one: Any, other: Any) -> bool:
    """Whether they are the same data in the same order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_equal(one[name], other[name]) for name in one)
    return same(one, other)
