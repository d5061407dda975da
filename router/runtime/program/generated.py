"""Generates the function that maps a message to the put of its item in one pass, as most messages need it.

It does what `map_item` and then the mode `put` do, without a loop over the attributes, and makes the JSON of the
request at once. As in dataclasses, the source is made of numbers only: names, fields and callables of the config are
variables of the function, so that no text of a config or message is ever part of it. Routes of one shape share the
compiled code.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, Struct

from router.model import Message
from router.runtime.engine.attributes import (
    MAX_INTEGER,
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
)
from router.runtime.engine.decode import MAX_NESTING, bound_nesting
from router.runtime.engine.engine import FastPath, MapOne, MapTyped
from router.runtime.engine.item_text import SCALARS, UNESCAPED
from router.runtime.engine.writes import Write, WriteConfig
from router.runtime.program.attribute import Getter

if TYPE_CHECKING:
    from router.runtime.program.typed import FieldShape

COMPILE_AFTER = 50
"""So many messages of a route are mapped in the general way: a cold start does without compiling."""
MAX_ATTRIBUTES = 80
"""Items of more are mapped in the general way, which needs no code for each."""
MAX_NAMES = 4 * MAX_ATTRIBUTES
"""Names in all paths together: each is a line of code."""
MAX_SHARED = 8
"""So many attributes may read the same part of a message: its text is written for each before the item is weighed."""

_WRITE = 'Write(config.route, table, config.mode, identity, None, size, None, "", None, (), None, {request})'
Fail = Callable[[str, Exception], Exception]
"""From the name of an attribute and what its source raised to the exception for the message."""


class SourceShape(Struct, frozen=True):
    """What the source depends on: for each attribute the number of names in its path, 0 for another source; the keys.

    A key is the number of its attribute, and whether its value is a number. `shared` are the attributes that read what
    another one reads too, whole or in part.
    """

    paths: tuple[int, ...]
    keys: tuple[tuple[int, bool], ...]
    shared: frozenset[int] = frozenset()


class TypedShape(Struct, frozen=True):
    """What the source of a typed function depends on: the field of each attribute, None for one that reads no data.

    `checked` are the fields of which the struct does not check all; their bounds and patterns are variables. The keys
    are those of a SourceShape.
    """

    fields: "tuple[FieldShape | None, ...]"
    checked: "tuple[FieldShape, ...]"
    keys: tuple[tuple[int, bool], ...]


def make_fast_path(
    getters: Sequence[Getter], config: WriteConfig, fail: Fail, schema: Any = None
) -> FastPath | None:
    """Return the fast path of a route without hooks that maps one item of each message; None if it has none.

    `schema` is what messages are validated with, None if that is nothing or has references. The mode puts items as they
    are. The size of an item decides nothing up to its limit: it is not counted.
    """
    names, table = [getter.name for getter in getters], config.table
    is_bounded = (
        len(shared_parts(getters)) <= MAX_SHARED
        and sum(len(getter.path) for getter in getters) <= MAX_NAMES
    )
    is_put = (
        config.mode.stores == "item" and config.mode.batched == "always" and not table.write_units
    )
    is_short = (
        0 < len(names) <= MAX_ATTRIBUTES
        and max(map(len, names)) * 4 <= MAX_NAME_BYTES
        and "" not in names
    )
    is_keyed = {name for name, _ in table.key} <= {*names} and all(
        kind != "B" for _, kind in table.key
    )
    if not (is_put and is_short and is_bounded and is_keyed):
        return None

    def make() -> tuple[MapOne, MapTyped | None]:
        return generate(getters, table.key, fail), None if schema is None else generate_typed(
            getters, table.key, schema
        )

    return FastPath(make, COMPILE_AFTER)


def shared_parts(getters: Sequence[Getter]) -> frozenset[int]:
    """Return the attributes whose path begins another one's path, or is begun by one."""
    paths = sorted((getter.path, number) for number, getter in enumerate(getters) if getter.path)
    shared = set()
    for place, (path, number) in enumerate(paths):
        for other, of_other in paths[place + 1 :]:
            if other[: len(path)] != path:
                break
            shared |= {number, of_other}
    return frozenset(shared)


def generate(getters: Sequence[Getter], keys: Sequence[tuple[str, str]], fail: Fail) -> MapOne:
    """Return the function of a route, which raises what the general way raises."""
    names = [getter.name for getter in getters]
    shape = SourceShape(
        tuple(len(getter.path) for getter in getters),
        tuple((names.index(name), kind == "N") for name, kind in keys),
        shared_parts(getters),
    )

    def in_general(config: WriteConfig, message: Message, values: Sequence[Any]) -> Write:
        """Plan, or reject, what the fast path does not know."""
        item = {
            name: value for name, value in zip(names, values, strict=True) if value is not UNSET
        }
        return config.mode.plan(config, item, message, 0)

    variables = _variables(getters) | {
        "fail": fail,
        "in_general": in_general,
        "take_nothing": take_nothing,
    }
    exec(_compile(shape), variables)  # noqa: S102 — made of numbers only
    write: MapOne = variables["write"]
    return write


def _variables(getters: Sequence[Getter]) -> dict[str, Any]:
    """Return the variables of a function: those of each attribute end with its number."""
    variables: dict[str, Any] = {
        "UNSET": UNSET,
        "Raw": Raw,
        "Write": Write,
        "SCALARS": SCALARS,
        "UNESCAPED": UNESCAPED,
    }
    start = '{"PutRequest":{"Item":{'
    for number, getter in enumerate(getters):
        name = start + msgspec.json.encode(getter.name).decode() + ":"
        start = ","
        variables |= {
            f"name_{number}": getter.name,
            f"head_{number}": name,
            f"text_head_{number}": name + '{"S":"',
            f"number_head_{number}": name + '{"N":"',
            f"get_{number}": getter.get,
            f"absent_{number}": getter.absent,
            **{f"field_{number}_{place}": field for place, field in enumerate(getter.path)},
        }
    return variables


def take_nothing(field: str) -> None:
    """Return None: the field of data that is no object."""


def generate_typed(
    getters: Sequence[Getter], keys: Sequence[tuple[str, str]], content: Any
) -> MapTyped | None:
    """Return the function of a route that decodes and validates by a struct too; None if the schema has no struct.

    It has none either if an attribute needs more of the data than a field of the struct.
    """
    # A cold start, and a route without a simple schema, do without it.
    from router.runtime.program.typed import typed_schema

    schema = typed_schema(content)
    if schema is None or any(
        each.reads_data and each.path not in schema.fields for each in getters
    ):
        return None
    names, fields = [getter.name for getter in getters], schema.fields
    checked = [each for each in fields.values() if each.is_checked]
    shape = TypedShape(
        tuple(fields[getter.path].shape if getter.path in fields else None for getter in getters),
        tuple(each.shape for each in checked),
        tuple((names.index(name), kind == "N") for name, kind in keys),
    )
    variables = _variables(getters) | {
        "decode": schema.decode,
        "bound_nesting": bound_nesting,
        "NOTHING": {},
    }
    variables["Decimal"] = Decimal
    for number, field in enumerate(checked):
        variables |= {
            f"low_{number}": field.low,
            f"high_{number}": field.high,
            f"matches_{number}": field.matches,
        }
    exec(_compile(shape), variables)  # noqa: S102 — made of numbers only
    write: MapTyped = variables["write"]
    return write


@lru_cache(maxsize=64)
def _compile(shape: SourceShape | TypedShape) -> CodeType:
    lines = source_lines(shape) if isinstance(shape, SourceShape) else typed_source_lines(shape)
    return compile("\n".join(lines), "<the fast path of a route>", "exec")


def source_lines(shape: SourceShape) -> list[str]:
    """Return the source of the function `write`.

    The text of an attribute is `h`, its name and what is before its value, `t`, the value, and `e`, what is after it.
    Its defaults for `h` and `e` are those of a text that needs no escapes.
    """
    numbers = range(len(shape.paths))
    defaults = ", ".join(f"h{number}=text_head_{number}, e{number}='\"}}'" for number in numbers)
    values = "".join(f"v{number}, " for number in numbers)
    parts = "".join(f"h{number}, t{number}, e{number}, " for number in numbers)
    identity = "".join(
        f", str(v{key})" if is_number else f", v{key}" for key, is_number in shape.keys
    )
    return [
        f"def write(config, data, message, texts, str=str, UNSET=UNSET, {defaults}):",
        '    at = ""',
        "    try:",
        "        take = data.get if isinstance(data, dict) else take_nothing",
        *(line for number, names in enumerate(shape.paths) for line in _value_lines(number, names)),
        "    except Exception as error:",
        "        raise fail(at, error) from error.__cause__",
        f"    if not ({_key_condition(shape.keys)}):",
        f"        return in_general(config, message, ({values}))",
        "    plain = str if texts is UNESCAPED else None",
        "    try:",
        # Lists and maps that several attributes share are counted as they are written: in the general way.
        *(
            line
            for number in numbers
            for line in _text_lines(number, shape.paths[number] > 0, number in shape.shared)
        ),
        f"        text = ''.join(({parts}'}}}}}}'))",
        "        size = len(text)",
        # No character has more than four bytes in UTF-8.
        f"        if size > {MAX_ITEM_BYTES // 4} and len(text.encode()) > {MAX_ITEM_BYTES}:",
        f"            return in_general(config, message, ({values}))",
        "        request = Raw(text)",
        "    except Exception:",
        f"        return in_general(config, message, ({values}))",
        "    table = config.table",
        f"    identity = (table.name{identity})",
        f"    return {_WRITE.format(request='request')}",
    ]


def _value_lines(number: int, names: int) -> list[str]:
    """Return the lines that find the value of an attribute."""
    value = f"v{number}"
    if names:
        lines = [f"{value} = take(field_{number}_0)"]
        lines += [
            f"{value} = {value}.get(field_{number}_{place}) if isinstance({value}, dict) else None"
            for place in range(1, names)
        ]
    else:
        lines = [f"at = name_{number}", f"{value} = get_{number}(data, message)"]
    lines += [
        f"if {value} is None:",
        f"    at = name_{number}",
        f"    {value} = absent_{number}(data)",
    ]
    return [f"        {line}" for line in lines]


def _text_lines(number: int, is_path: bool, is_shared: bool) -> list[str]:
    """Return the lines that write the value of an attribute."""
    value, texts = f"v{number}", "texts" if is_path and not is_shared else "SCALARS"
    first = (
        [f"if {value}.__class__ is plain:", f"    t{number} = {value}", "elif"]
        if is_path
        else ["if"]
    )
    omitted = "raise ValueError" if number == 0 else f"h{number} = t{number} = e{number} = ''"
    lines = [
        *first[:-1],
        f"{first[-1]} {value} is UNSET:",
        f"    {omitted}",
        "else:",
        f"    h{number}, t{number}, e{number} = head_{number}, {texts}[{value}.__class__]({value}, 1), ''",
    ]
    return [f"        {line}" for line in lines]


def _key_condition(keys: Sequence[tuple[int, bool]]) -> str:
    """Return the condition that the key is a valid one by a look: not empty, and not too long by its characters."""
    limits = (MAX_PARTITION_KEY_BYTES // 4, MAX_SORT_KEY_BYTES // 4)
    return " and ".join(
        f"v{key}.__class__ is int and -{MAX_INTEGER} < v{key} < {MAX_INTEGER}"
        if is_number
        else f"v{key}.__class__ is str and 0 < len(v{key}) <= {limit}"
        for (key, is_number), limit in zip(keys, limits, strict=False)
    )


def typed_source_lines(shape: TypedShape) -> list[str]:
    """Return the source of the typed function `write`: any exception leaves the message to the others."""
    identity = "".join(
        f", str(v{key})" if is_number else f", v{key}" for key, is_number in shape.keys
    )
    parts = "".join(
        _parts(number, field) or f"p{number}, " for number, field in enumerate(shape.fields)
    )
    # A field for numbers is of type Any: it could nest deeper than the stack of a thread takes.
    bound = f"if body.count('[') + body.count('{{') > {MAX_NESTING}:\n        bound_nesting(body)"
    lines = [
        *([bound] if any(field.kind == "number" for field in shape.checked) else ()),
        "data = decode(body)",
        *(
            line
            for number, field in enumerate(shape.checked)
            for line in _check_lines(number, field)
        ),
        *(
            line
            for number, field in enumerate(shape.fields)
            for line in _typed_lines(number, field)
        ),
        f"if not ({_key_condition(shape.keys)}):",
        "    raise ValueError",
        f"text = ''.join(({parts}'}}}}}}'))",
        "size = len(text)",
        f"if size > {MAX_ITEM_BYTES // 4} and len(text.encode()) > {MAX_ITEM_BYTES}:",
        "    raise ValueError",
        "table = config.table",
        f"identity = (table.name{identity})",
        f"return {_WRITE.format(request='Raw(text)')}",
    ]
    return ["def write(config, body, message):", *(f"    {line}" for line in lines)]


def _parts(number: int, field: "FieldShape | None") -> str:
    """Return the parts of the text of an attribute that is always a text or an integer; "" for others."""
    if field is None or field.optional or field.kind not in ("text", "integer"):
        return ""
    kind, value = ("text", f"v{number}") if field.kind == "text" else ("number", f"str(v{number})")
    return f"{kind}_head_{number}, {value}, '\"}}', "


def _read_lines(name: str, field: "FieldShape") -> list[str]:
    """Return the lines that read a field of the struct; UNSET if it is absent."""
    if not field.optional:
        return [f"{name} = data{''.join(f'.f{place}' for place in field.places)}"]
    first, *others = field.places
    return [
        f"{name} = data.f{first}",
        *(f"{name} = {name}.f{place} if {name} is not UNSET else UNSET" for place in others),
    ]


def _check_lines(number: int, field: "FieldShape") -> list[str]:
    """Return the lines that check what the struct does not."""
    condition = (
        f"matches_{number}(value)"
        if field.kind == "text"
        else f"low_{number} <= value <= high_{number}"
    )
    if field.kind == "number":
        condition = f"(value.__class__ is int or value.__class__ is Decimal) and {condition}"
    absent = "value is UNSET or " if field.optional else ""
    return [*_read_lines("value", field), f"if not ({absent}{condition}):", "    raise ValueError"]


def _typed_lines(number: int, field: "FieldShape | None") -> list[str]:
    """Return the lines that read the value of an attribute, and write it unless its parts are known."""
    value, texts = f"v{number}", "SCALARS" if field is None else "UNESCAPED"
    lines = (
        [f"{value} = get_{number}(None, message)"] if field is None else _read_lines(value, field)
    )
    if _parts(number, field):
        return lines
    if field is None or field.optional:
        absent = "None" if field is None else "UNSET"
        lines += [f"if {value} is {absent}:", f"    {value} = absent_{number}(NOTHING)"]
    written = f"p{number} = head_{number} + {texts}[{value}.__class__]({value}, 1)"
    if field is not None and not field.optional:
        return [*lines, written]
    omitted = "raise ValueError" if number == 0 else f"p{number} = ''"
    return [*lines, f"if {value} is UNSET:", f"    {omitted}", "else:", f"    {written}"]
