"""The page about the config."""

from msgspec import Struct, inspect

from docs.generate.config import config_page
from tests.support.config import spec


def structs_below(kind: object, found: list[type[Struct]]) -> list[type[Struct]]:
    """Return the structs of the specification that a type refers to."""
    if isinstance(kind, inspect.StructType):
        if kind.cls not in found:
            found.append(kind.cls)
            for field in kind.fields:
                structs_below(field.type, found)
        return found
    for name in ("type", "types", "item_type", "value_type"):
        inside = getattr(kind, name, ())
        for child in inside if isinstance(inside, tuple) else (inside,):
            structs_below(child, found)
    return found


def test_each_key_has_a_row() -> None:
    """No key of the specification is missing from the page."""
    keys_of_config = config_page().partition("## Built-in transforms")[0].splitlines()
    rows = [line.split("|")[1].strip() for line in keys_of_config if line.startswith("| `")]
    structs = structs_below(inspect.type_info(spec.Config), [])

    keys = [f"`{field.encode_name}`" for cls in structs for field in inspect.type_info(cls).fields]  # type: ignore[attr-defined]
    assert sorted(rows) == sorted(keys)
