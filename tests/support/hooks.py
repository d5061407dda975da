"""What a hook of a plugin may do, by name, and what it has seen; for tests that compare two ways of planning."""

import copy
import pickle
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec import structs

from router import Drop, Item, Message, Reject, Retry
from router.codes import BAD_ITEM
from router.errors import Rejection


class Text(str):
    """A text of a type of its own."""

    __slots__ = ()


class Odd(dict[str, Any]):
    """A dict whose members differ from those that one finds in it."""

    def items(self) -> Any:
        """Return others."""
        return [("id", "another")]

    def __deepcopy__(self, memo: Any) -> "Odd":
        return Odd(self)


class Nothing:
    """A value that is no JSON."""

    def __repr__(self) -> str:
        return "nothing"


ODD: list[Any] = [
    1,
    True,
    1.0,
    Decimal(1),
    Decimal("1.0"),
    Fraction(1),
    None,
    "x",
    '"',
    "\\",
    "\x7f",
    Text("x"),
    b"x",
    [],
    ["x"],
    ("x",),
    {"x"},
    {},
    {"a": "x"},
    Odd(a="x"),
    datetime(2026, 1, 2, tzinfo=UTC),
    float("nan"),
    10**40,
    Nothing(),
]
"""Values of all kinds, of which some are equal to those of other types."""
SIGNALS: list[BaseException] = [
    Drop("not needed"),
    Reject("bad"),
    Retry("later", 5),
    Drop(5),  # type: ignore[arg-type]
    ValueError("x"),
    Rejection(BAD_ITEM, "x"),
    SystemExit(),
]


class Hooks:
    """Two hooks that do what is to be done, one step for each message; and what they have got."""

    def __init__(self, of_messages: list[tuple[Any, ...]], of_items: list[tuple[Any, ...]]) -> None:
        self._steps = {"message": of_messages, "item": of_items}
        self._calls = {"message": 0, "item": 0}
        self._got: list[Any] = []

    def on_message(self, message: Message, *rest: Any) -> Any:
        """Return what a `router_transform_message` hook returns."""
        self._got.append(message)
        name, *given = self._next("message")
        return MESSAGES[name](self, message, *given)

    def on_item(self, item: Item, message: Message, *rest: Any) -> Any:
        """Return what a `router_transform_item` hook returns."""
        self._got += [item, message]
        name, *given = self._next("item")
        return ITEMS[name](self, item, message, *given)

    def seen(self) -> list[Any]:
        """Return all messages and items as they are now, with the types of their values."""
        return [_exact(each) for each in self._got]

    def earlier(self) -> list[Any]:
        """Return what hooks have got before."""
        return self._got[:-1]

    def note(self, value: Any) -> None:
        """Remember how a value is at this moment."""
        self._got.append(repr(_exact(value)))

    def _next(self, kind: str) -> tuple[Any, ...]:
        steps, number = self._steps[kind], self._calls[kind]
        self._calls[kind] += 1
        step = steps[number % len(steps)] if steps else ("keep",)
        # A value may be changed in place afterwards.
        return step if step[0] == "raise" else copy.deepcopy(step)


CURRENT: list[Hooks] = []
"""The last one is what the hooks of `PLUGINS` do."""
_OF_MESSAGES = """
@hookimpl
def router_transform_message(message, route):
    return CURRENT[-1].on_message(message)
"""
_OF_ITEMS = """
@hookimpl
def router_transform_item(item, message):
    return CURRENT[-1].on_item(item, message)
"""
_IMPORTS = "from router import hookimpl\nfrom tests.support.hooks import CURRENT\n"
PLUGINS = {
    "messages": _IMPORTS + _OF_MESSAGES,
    "items": _IMPORTS + _OF_ITEMS,
    "both": _IMPORTS + _OF_MESSAGES + _OF_ITEMS,
}
"""The sources of plugins."""


def _exact(value: Any) -> Any:
    if isinstance(value, Message):
        fields = [value.data, value.id, value.queue, value.attributes, value.system]
        return ["Message", *map(_exact, fields)]
    if isinstance(value, dict):
        return [type(value), [(_exact(name), _exact(each)) for name, each in dict.items(value)]]
    if isinstance(value, list | tuple):
        return [type(value), [_exact(each) for each in value]]
    return [type(value), repr(value)]


def _raise(error: BaseException) -> Any:
    raise error


def _change(mapping: Any, name: str, value: Any) -> None:
    if isinstance(mapping, dict):
        mapping[name] = value


def _forget(mapping: Any, name: str) -> None:
    if isinstance(mapping, dict):
        mapping.pop(name, None)


def _change_and_restore(mapping: Any, name: str, value: Any) -> None:
    if isinstance(mapping, dict) and name in mapping:
        before = mapping[name]
        mapping[name] = value
        mapping[name] = before


def _deepest(value: Any) -> Any:
    """Return the last object or list inside of a value."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    parts = [each for each in inside if isinstance(each, dict | list)]
    return _deepest(parts[-1]) if parts else value


def _change_inside(value: Any, new: Any) -> None:
    inside = _deepest(value)
    if isinstance(inside, dict):
        inside["a"] = new
    elif isinstance(inside, list):
        inside.append(new)


def _change_earlier(hooks: Hooks, name: str, value: Any) -> None:
    for each in hooks.earlier():
        _change(each.data if isinstance(each, Message) else each, name, value)


def _swap(mapping: Any, name: str, value: Any) -> Any:
    if not isinstance(mapping, dict):
        return mapping
    return {each: value if each == name else old for each, old in mapping.items()}


MESSAGES: dict[str, Callable[..., Any]] = {
    "keep": lambda hooks, message: None,
    "same": lambda hooks, message: message,
    "look": lambda hooks, message: hooks.note(message),
    "compare": lambda hooks, message: hooks.note(message == Message(message.data, message.id)),
    "show": lambda hooks, message: hooks.note(repr(message)),
    "copy": lambda hooks, message: copy.copy(message),
    "deep copy": lambda hooks, message: copy.deepcopy(message),
    "pickle": lambda hooks, message: pickle.loads(pickle.dumps(message)),
    "rename": lambda hooks, message: structs.replace(message, id="another"),
    "in place": lambda hooks, message, name, value: _change(message.data, name, value),
    "delete": lambda hooks, message, name, value: _forget(message.data, name),
    "and back": lambda hooks, message, name, value: _change_and_restore(message.data, name, value),
    "inside": lambda hooks, message, name, value: _change_inside(message.data, value),
    "by a copy": lambda hooks, message, name, value: _change(structs.replace(message, id="x").data, name, value),
    "other": lambda hooks, message, name, value: message.with_data(_swap(message.data, name, value)),
    "odd": lambda hooks, message, name, value: message.with_data(value),
    "system": lambda hooks, message, name, value: _change(message.system, "SentTimestamp", value),
    "no system": lambda hooks, message: _forget(message.system, "SentTimestamp"),
    "group": lambda hooks, message: _change(message.system, "MessageGroupId", "g"),
    "attributes": lambda hooks, message, name, value: _change(message.attributes, name, value),
    "earlier": lambda hooks, message, name, value: _change_earlier(hooks, name, value),
    "wrong": lambda hooks, message, name, value: value,
    "raise": lambda hooks, message, error: _raise(error),
}
"""What a hook of messages may do. All but `keep` and so on are given the name of a member, and a value."""
ITEMS: dict[str, Callable[..., Any]] = {
    "keep": lambda hooks, item, message: None,
    "same": lambda hooks, item, message: item,
    "copy": lambda hooks, item, message: {**item},
    "reversed": lambda hooks, item, message: dict(reversed(item.items())),
    "ordered": lambda hooks, item, message: OrderedDict(item),
    "subclass": lambda hooks, item, message: Odd(item),
    "empty": lambda hooks, item, message: {},
    "look": lambda hooks, item, message: hooks.note([item, message]),
    "in place": lambda hooks, item, message, name, value: _change(item, name, value),
    "delete": lambda hooks, item, message, name, value: _forget(item, name),
    "and back": lambda hooks, item, message, name, value: _change_and_restore(item, name, value),
    "inside": lambda hooks, item, message, name, value: _change_inside(item, value),
    "other": lambda hooks, item, message, name, value: _swap(item, name, value),
    "add": lambda hooks, item, message, name, value: {**item, "more": value},
    "odd name": lambda hooks, item, message, name, value: {Text(each): old for each, old in item.items()},
    "no name": lambda hooks, item, message, name, value: {**item, 5: value},
    "message": lambda hooks, item, message, name, value: _change(message.data, name, value),
    "inside the message": lambda hooks, item, message, name, value: _change_inside(message.data, value),
    "system": lambda hooks, item, message, name, value: _change(message.system, "SentTimestamp", value),
    "earlier": lambda hooks, item, message, name, value: _change_earlier(hooks, name, value),
    "wrong": lambda hooks, item, message, name, value: value,
    "raise": lambda hooks, item, message, error: _raise(error),
}
"""What a hook of items may do."""
SIMPLE = ("keep", "same", "look", "compare", "show", "copy", "deep copy", "pickle", "rename", "no system", "group")
SIMPLE_OF_ITEMS = ("keep", "same", "copy", "reversed", "ordered", "subclass", "empty", "look")
"""What needs no name and value."""
