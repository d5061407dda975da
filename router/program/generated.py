"""Generates the function that maps and encodes the item of a route in one pass: what most messages of most routes need.

It does what `map_item` and then `encode_item` do, without a loop over the attributes. As in dataclasses, the source is
made of numbers only: names, fields and callables of the config are variables of the function, so that no text of a
config or message is ever part of it. Routes of one shape share the compiled code.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

from msgspec import UNSET, Struct

from router.engine.attributes import (
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
    encode_attribute,
    over_limit,
)
from router.engine.writes import EncodedItem, PlanEncoded
from router.model import Message, Table
from router.program.attribute import Getter

WARM = 50
"""So many messages of a route are mapped in the general way: a cold start does without compiling."""
MAX_ATTRIBUTES = 100
"""Items of more are mapped and encoded in the general way, which needs no code for each."""

Encode = Callable[[Any, Message], EncodedItem]
Fail = Callable[[str, Exception], Exception]
"""From the name of an attribute and what its source raised to the exception for the message."""


class SourceShape(Struct, frozen=True):
    """What the source depends on: for each attribute whether it is a top-level field; and the numbers of the keys."""

    fields: tuple[bool, ...]
    keys: tuple[int, ...]


class GeneratedForm:
    """The short form of a route; `encode` is None until so many messages were seen that compiling it pays."""

    __slots__ = ("_fail", "_getters", "_left", "_table", "encode", "plan")

    def __init__(self, getters: Sequence[Getter], table: Table, fail: Fail, plan: PlanEncoded) -> None:
        self.encode: Encode | None = None
        self.plan = plan
        self._getters = getters
        self._table = table
        self._fail = fail
        self._left = WARM

    def count(self) -> None:
        """Count a message that was mapped in the general way."""
        self._left -= 1
        if self._left == 0:
            self.encode = generate(self._getters, self._table, self._fail)


def short_form(getters: Sequence[Getter], table: Table, fail: Fail, plan: PlanEncoded) -> GeneratedForm | None:
    """Return the short form of a route without hooks whose mode plans encoded items; None if it has none."""
    names = [getter.name for getter in getters]
    is_short = len(names) <= MAX_ATTRIBUTES and sum(map(len, names)) <= MAX_NAME_BYTES
    are_plain = all(name and name.isascii() for name in names) and {name for name, _ in table.key} <= {*names}
    return GeneratedForm(getters, table, fail, plan) if is_short and are_plain else None


def generate(getters: Sequence[Getter], table: Table, fail: Fail) -> Encode:
    """Return the function of a route: from data and message to the encoded item; raises Rejection, as `fail` says."""
    names = [getter.name for getter in getters]
    plain = all(kind == "S" for _, kind in table.key)
    shape = SourceShape(
        tuple(bool(getter.field) for getter in getters),
        tuple(names.index(name) for name, _ in table.key) if plain else (),
    )
    variables: dict[str, Any] = {
        "UNSET": UNSET,
        "fail": fail,
        "over_limit": over_limit,
        "encode_attribute": encode_attribute,
        "take_nothing": take_nothing,
        "table": table.name,
        "names_size": sum(map(len, names)),
    }
    for number, getter in enumerate(getters):
        variables |= {
            f"name_{number}": getter.name,
            f"bytes_{number}": len(getter.name),
            f"source_{number}": getter.field or getter.get,
            f"absent_{number}": getter.absent,
        }
    exec(_compile(shape), variables)  # noqa: S102 — made of numbers only
    encode: Encode = variables["encode"]
    return encode


def take_nothing(field: str) -> None:
    """Return None: the field of data that is no object."""


@lru_cache(maxsize=64)
def _compile(shape: SourceShape) -> CodeType:
    return compile("\n".join(source_lines(shape)), "<the short form of a route>", "exec")


def source_lines(shape: SourceShape) -> list[str]:
    """Return the source of the function `encode`."""
    lines = [
        "def encode(data, message, UNSET=UNSET, str=str, int=int, len=len, encode_attribute=encode_attribute):",
        "    size = names_size",
        '    at = ""',
        "    try:",
        "        take = data.get if isinstance(data, dict) else take_nothing",
    ]
    for number, is_field in enumerate(shape.fields):
        if is_field:
            lines.append(f"        v{number} = take(source_{number})")
        else:
            lines += [f"        at = name_{number}", f"        v{number} = source_{number}(data, message)"]
        lines += [
            f"        if v{number} is None:",
            f"            at = name_{number}",
            f"            v{number} = absent_{number}(data)",
            f"            if v{number} is UNSET:",
            f"                size -= bytes_{number}",
        ]
    lines += [
        "    except Exception as error:",
        "        raise fail(at, error) from error.__cause__",
        "    encoded = {}",
    ]
    for number in range(len(shape.fields)):
        lines += _encode_lines(number)
    lines += [f"    if size > {MAX_ITEM_BYTES}:", "        raise over_limit()"]
    return [*lines, *_identity_lines(shape.keys), "    return None, encoded, size"]


def _encode_lines(number: int) -> list[str]:
    value = f"v{number}"
    return [
        f"    if {value}.__class__ is str and {value}.isascii():",
        f'        encoded[name_{number}] = {{"S": {value}}}',
        f"        size += len({value})",
        f"    elif {value} is not UNSET:",
        f"        encoded[name_{number}], size = encode_attribute(name_{number}, {value}, size)",
    ]


def _identity_lines(keys: tuple[int, ...]) -> list[str]:
    """Return the lines that identify an item by texts, as most are; keys of other types are left to the plan."""
    if not keys:
        return []
    # No character has more than four bytes in UTF-8.
    limits = (MAX_PARTITION_KEY_BYTES // 4, MAX_SORT_KEY_BYTES // 4)
    fitting = [
        f"v{key}.__class__ is str and 0 < len(v{key}) <= {limit}" for key, limit in zip(keys, limits, strict=False)
    ]
    identity = ", ".join(["table", *(f"v{key}" for key in keys)])
    return [f"    if {' and '.join(fitting)}:", f"        return ({identity}), encoded, size"]
