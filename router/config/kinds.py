"""What the description of the config says about a kind of value, in Python's terms and in a person's."""

from functools import cache
from typing import Any

from msgspec import Struct, inspect

from router.config.findings import any_of, quote

_PYTHON: dict[type, type] = {
    inspect.StrType: str,
    inspect.BoolType: bool,
    inspect.IntType: int,
    inspect.DictType: dict,
    inspect.StructType: dict,
    inspect.VarTupleType: list,
}
_WORDS = {str: "text", bool: "true or false", int: "a whole number", dict: "a map", list: "a list"}


@cache
def fields_of(cls: type[Struct]) -> dict[str, inspect.Field]:
    """The fields of a struct by their keys in the file."""
    return {field.encode_name: field for field in inspect.type_info(cls).fields}  # type: ignore[attr-defined]


def bare(kind: Any) -> Any:
    """The kind without what is only said about it."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def rule_of(kind: Any) -> str:
    """What a pattern or a range asks for, in words."""
    while isinstance(kind, inspect.Metadata):
        if kind.extra:
            return str(kind.extra["rule"])
        kind = kind.type
    raise LookupError("a pattern or range in the description of the config has no rule in words")


def branches_of(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a kind; one that has none is its own."""
    inside = bare(kind)
    return inside.types if isinstance(inside, inspect.UnionType) else (kind,)


def python_type(kind: Any) -> type:
    """The type that plain data of a kind has."""
    inside = bare(kind)
    return type(inside.values[0]) if isinstance(inside, inspect.LiteralType) else _PYTHON[type(inside)]


def words_for(kind: Any) -> str:
    """What a value of a kind is called: `text`, `a list`, `'first' or 'all'`."""
    inside = bare(kind)
    return any_of(map(quote, inside.values)) if isinstance(inside, inspect.LiteralType) else _WORDS[python_type(inside)]


def is_any(kind: Any) -> bool:
    """Whether every value will do, null too."""
    return isinstance(bare(kind), inspect.AnyType)


def holds_structs(kind: Any) -> bool:
    """Whether a value of the kind is, or may be, a map with known keys."""
    return any(isinstance(bare(branch), inspect.StructType) for branch in branches_of(kind))


def only_choice(kind: Any) -> tuple[Any, ...]:
    """The value that was meant, where there is only one that it could be; else nothing."""
    inside = bare(kind)
    return inside.values if isinstance(inside, inspect.LiteralType) and len(inside.values) == 1 else ()
