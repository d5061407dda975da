"""Makes the functions of `typed` for a route with hooks: one before the hooks of messages, one before those of items.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from router.runtime.engine.engine import TypedSteps
from router.runtime.engine.writes import WriteConfig
from router.runtime.program.attribute import Getter
from router.runtime.program.typed import TypedPlace, TypedSource, missing, sources

_SCALARS = frozenset(("boolean", "integer", "null", "number", "string"))


def plan_in_steps(
    getters: Sequence[Getter], config: WriteConfig, content: Any, *, with_item: bool
) -> tuple[TypedSteps, ...]:
    """Return what does as `plan_typed`, in two steps; `with_item` for hooks of items.

    Then none does if an attribute may be a list or a map: a hook could change it in place.
    """
    plans = []
    for source in sources(getters, config, content, in_steps=True):
        functions, item = source.functions, "None"
        lines = [*source.writing]
        if with_item:
            if not all(map(_is_scalar, getters, source.places)):
                break
            lines += _item_lines(source, getters)
            item = "item"
        functions.add("validate(body)", [*source.validation, "return data"])
        functions.add("write(config, data, message)", [*lines, f"return {source.write}, {item}"])
        write = functions.compile("write")
        is_flat = all(map(_is_member, getters, source.places))
        plans.append(TypedSteps(functions.variables["validate"], write, is_flat))
    return tuple(plans)


def _is_member(getter: Getter, place: TypedPlace) -> bool:
    """Whether a value is a member of the data itself, and no list or map; or of no data."""
    return len(getter.path) < 2 and _is_scalar(getter, place)


def _is_scalar(getter: Getter, place: TypedPlace) -> bool:
    """Whether a value is no list and no map; one without a path is looked at when its text is written."""
    kinds = place.value.kinds
    return not getter.path or (bool(kinds) and kinds <= _SCALARS)


def _item_lines(source: TypedSource, getters: Sequence[Getter]) -> list[str]:
    """Return the lines that make the item of the values that are written."""
    entries = []
    lines = []
    for number, (getter, place) in enumerate(zip(getters, source.places, strict=True)):
        name, key = f"v{number}", source.functions.variable(getter.name)
        entries.append(f"{key}: {name}")
        for word, value in missing(getter, place):
            if value is UNSET:
                lines.append(f"if {name} is {word}: del item[{key}]")
            elif word == "UNSET":
                lines.append(f"if {name} is UNSET: item[{key}] = None")
    return [f"item = {{{', '.join(entries)}}}", *lines]
