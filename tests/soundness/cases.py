"""A config of one route over a schema, and the paths that a schema declares."""

import json
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from msgspec import Struct, structs

from tests.soundness.instances import Impossible, Maker, Steps
from tests.soundness.spelled import encoded

MAX_PATHS = 300
"""The most paths of a schema that mappings choose from."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONSTANTS: Mapping[str, Any] = {"S": {"value": "k"}, "N": {"value": 1}, "B": {"value": "aw==", "type": "B"}}
"""Keys of each type that no message decides."""


class DeclaredPath(Struct, frozen=True):
    """A path that a schema declares, the types that it seems to have there, and whether it seems to be required."""

    steps: Steps
    kinds: tuple[str, ...]
    sure: bool
    schema: Any


class TrialConfig(Struct, frozen=True):
    """A config of one route: its schema, its table, the other settings of the route, and the paths that it reads."""

    label: str
    schema: dict[str, Any]
    table: dict[str, Any]
    route: dict[str, Any]
    paths: tuple[Steps, ...] = ()
    chosen: tuple[Steps, Any] | None = None
    """A path that `when` reads, and a value with which it may hold."""

    def text(self) -> tuple[str, dict[int, str]]:
        """Return the YAML, and what stands in its lines: `item.NAME`, or a key of the route."""
        lines = ["version: 1", "queues: {q: {dead_letter: q-dlq}}", "tables:"]
        subjects: dict[int, str] = {}
        lines += (
            [f"  items: {encoded(self.table)}", "  seen: {key: {k: S}, ttl: t}"]
            if "once" in self.write
            else [f"  items: {encoded(self.table)}"]
        )
        lines += ["routes:", "  r:", "    queue: q", "    table: items"]
        for key, value in {"schema": "schema.json", **self.route}.items():
            if key == "item":
                lines.append("    item:")
                for name, attribute in value.items():
                    lines.append(f"      {encoded(name)}: {encoded(attribute)}")
                    subjects[len(lines)] = f"item.{name}"
            elif key == "write":
                lines.append("    write:")
                for name, setting in value.items():
                    lines.append(f"      {name}: {encoded(setting)}")
                    subjects[len(lines)] = f"write.{name}"
            else:
                lines.append(f"    {key}: {encoded(value)}")
                subjects[len(lines)] = key
        return "\n".join(lines) + "\n", subjects

    def alone(self, name: str) -> "TrialConfig":
        """Return the config with one attribute, or with `merge` alone, so that nothing else rejects its messages.

        Keys are constants, and so are all attributes beside `merge`, which takes none of their names. It takes each
        message: that they satisfy the schema is known, and reading a large one takes seconds.
        """
        keys = {each: _CONSTANTS[kind] for each, kind in self.table["key"].items()}
        if name == "merge":
            item = {each: {"value": 1} for each in self.route["item"]} | keys
            kept = {key: value for key, value in self.route.items() if key != "write"}
            return structs.replace(self, schema={}, route={**kept, "item": item})
        beside = [each for each in ("u", "v") if name in ("u", "v") and each in self.route["item"]]
        # The other one of them could be what rejects a message.
        item = keys | {each: {"value": 1} for each in beside} | {name: self.route["item"][name]}
        left_out = ("merge",) if name in ("u", "v") else ("merge", "write")
        if "write" in left_out and isinstance(item[name], dict) and item[name].get("missing") == "remove":
            item[name] = {**item[name], "missing": "omit"}  # only an update removes
        kept = {key: value for key, value in self.route.items() if key not in left_out}
        if "write" in kept:
            kept["write"] = {key: value for key, value in self.write.items() if key != "once_key"}
        return structs.replace(self, schema={}, route={**kept, "item": item})

    @property
    def write(self) -> Mapping[str, Any]:
        """The settings of the write."""
        return self.route.get("write", {})  # type: ignore[no-any-return]


class _Walk:
    """Finds the paths that a schema declares."""

    def __init__(self, schema: Any, chance: Random) -> None:
        self._maker = Maker(schema, chance)
        self.found: dict[Steps, DeclaredPath] = {}
        waiting: list[tuple[Any, Steps, bool]] = [(schema, (), True)]
        while waiting and len(self.found) < MAX_PATHS:
            content, steps, sure = waiting.pop(0)
            if len(steps) < 8:
                waiting += self._below(content, steps, sure)

    def _below(self, content: Any, steps: Steps, sure: bool) -> Iterator[tuple[Any, Steps, bool]]:
        try:
            flat = self._maker.flatten(content)
        except Impossible:
            return
        properties = flat.get("properties")
        required = flat.get("required")
        required = required if isinstance(required, list) else []
        for name, inside in properties.items() if isinstance(properties, dict) else ():
            yield from self._add(inside, (*steps, name), sure and name in required)
        items = flat.get("items")
        if isinstance(items, dict) and None not in steps:
            yield from self._add(items, (*steps, None), sure)

    def _add(self, content: Any, steps: Steps, sure: bool) -> Iterator[tuple[Any, Steps, bool]]:
        if steps in self.found or len(self.found) >= MAX_PATHS:
            return
        try:
            flat = self._maker.flatten(content)
        except Impossible:
            return
        kinds = flat.get("type", ())
        kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        if not kinds:
            values = flat.get("enum", [flat["const"]] if "const" in flat else [])
            kinds = tuple(dict.fromkeys(_kind(value) for value in values))
        kinds = tuple("number" if kind == "integer" else kind for kind in kinds)
        self.found[steps] = DeclaredPath(steps, kinds, sure, flat)
        yield content, steps, sure


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    return {str: "string", int: "number", float: "number", list: "array", dict: "object"}.get(type(value), "number")


def places_of(schema: Any, chance: Random) -> list[DeclaredPath]:
    """Return the paths that a schema declares, the shortest first."""
    return list(_Walk(schema, chance).found.values())


def expression(steps: Steps) -> str:
    """Return a path of names as JMESPath."""
    return ".".join(step if _NAME.match(step) else json.dumps(step, ensure_ascii=False) for step in map(str, steps))
