"""Converts a file of a config to typed structs, and reports what its JSON Schema does
not accept.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import reduce
from operator import getitem
from typing import Any, TypeVar

import msgspec
from jsonschema_rs import ValidationError
from jsonschema_rs import ValidationErrorKind as Kind

from router.model import Path
from router.runtime.config import spec
from router.runtime.config.findings import (
    ConfigFault,
    Findings,
    closest,
    describe,
    quote,
    stopped,
)
from router.runtime.config.schema import (
    RT101,
    RT102,
    RT106,
    WHOLE,
    Node,
    branches,
    exact_schema,
    near_choice,
    node_at,
    takes,
    validator,
    wrong_choice,
    wrong_form,
    wrong_type,
)
from router.runtime.sources import SOURCES

_DIGITS = 18
"""The most digits of a whole number that is written with a fraction of zero."""
_Part = TypeVar("_Part", spec.Config, spec.Included)
_EMPTY = "\0empty\0"
"""Replaces the key `""` in the copy that is repaired: `instance_path` of jsonschema-rs
omits empty keys.
"""


def parse_part(cls: type[_Part], data: Any, findings: Findings) -> tuple[_Part | None, set[Path]]:
    """Return one file of a config, and the paths of its entries that are left out.

    Each fault of shape is a finding. The rest is kept, so that compilation can find its
    own faults in the same run:

    - A misspelt key or choice is replaced by the one that it resembles.
    - Any other unknown key is removed.
    - An optional setting with a fault gets its default.
    - A queue, table, route, attribute or test is left out if something that it cannot
      do without has a fault.

    The file is None if its root is not a map, or if it is a config in which `routes` as
    a whole has a fault.
    """
    if validator(cls).is_valid(data):
        return msgspec.convert(data, cls), set()
    repair = _Repair(cls, data, findings)
    usable = repair.run()
    return msgspec.convert(repair.data, cls) if usable else None, repair.left_out


def without_empty_keys(
    cls: type[spec.Config | spec.Included], data: dict[str, Any]
) -> dict[str, Any]:
    """Return data of the right shape without the optional keys that have no value.

    `msgspec.convert` does not accept such a key, so that a start would go through the
    schema.
    """
    if validator(cls).is_valid(data):
        return data
    repair = _Repair(cls, data, stopped(()))
    repair.settle_keys()
    cleaned: dict[str, Any] = _copy(repair.data, _EMPTY, "")
    return cleaned


class _Repair:
    """Reports the faults of one file, and removes them from a copy of its data.

    The copy can then be converted.
    """

    def __init__(
        self,
        cls: type[spec.Config | spec.Included],
        data: Any,
        findings: Findings,
    ) -> None:
        self.data = _copy(data, "", _EMPTY)
        self.left_out: set[Path] = set()
        self._schema = exact_schema(cls)
        self._validator = validator(cls)
        self._findings = findings
        # Renamed keys, each by its new path, as the file has them.
        self._written: dict[Path, str] = {}
        # Maps from which an unknown key was removed: it may be a misspelling of any key
        # that they lack.
        self._uncertain: set[Path] = set()
        self._dropped: set[Path] = set()
        self._replaced: dict[Path, Any] = {}

    def run(self) -> bool:
        """Report and remove the faults; return whether the rest can be converted."""
        self.settle_keys()
        for error in self._errors():
            self._report(error)
        if () in self._dropped:
            return False
        for path, value in self._replaced.items():
            self._value(path[:-1])[path[-1]] = value
        # What is inside comes before what is around it, and a list is emptied from its
        # end: what follows a removed element gets another index.
        for path in sorted(self._dropped, reverse=True):
            del self._value(path[:-1])[path[-1]]
        self.data = _copy(self.data, _EMPTY, "")
        return True

    def settle_keys(self) -> None:
        """Remove optional keys without a value, and rename or remove unknown keys."""
        # Once more after a change: what a renamed key holds has not been validated yet.
        while sum(self._settle_keys(error) for error in list(self._errors())):
            pass

    def _errors(self) -> Iterator[ValidationError]:
        """Yield the errors of the schema.

        Of alternatives, those of the one that takes values of this type.
        """
        for error in self._validator.iter_errors(self.data):
            yield from self._narrow(error)

    def _narrow(self, error: ValidationError) -> Iterator[ValidationError]:
        if isinstance(error.kind, Kind.AnyOf):
            value = self._value(self._path(error))
            alternatives = branches(self._schema, self._node(error))
            found = zip(alternatives, error.kind.context, strict=False)
            for branch, inside in found:
                if takes(branch, value):
                    for each in inside:
                        yield from self._narrow(each)
                    return
        yield error

    def _settle_keys(self, error: ValidationError) -> bool:
        """Settle the keys that an error is about, or a whole number such as `2.0`.

        Return whether it is about any.
        """
        path = self._path(error)
        if error.kind.name == WHOLE:
            is_number = isinstance(error.instance, float)
            return is_number and self._make_whole(path)
        if isinstance(error.kind, Kind.AdditionalProperties):
            unknown = set(error.kind.unexpected)
            for key in [key for key in self._value(path) if key in unknown]:
                self._settle_unknown(key, path)
            return True
        if path and error.instance is None and self._is_optional(path):
            self._value(path[:-1]).pop(path[-1], None)
            return True
        return False

    def _make_whole(self, path: Path) -> bool:
        """Replace a number with a fraction of zero by a whole number.

        Return whether it is one.
        """
        value = Decimal(self._value(path))
        is_short = value.is_finite() and value.adjusted() < _DIGITS
        if not is_short or value != value.to_integral_value():
            return False
        self._value(path[:-1])[path[-1]] = int(value)
        return True

    def _settle_unknown(self, key: str, path: Path) -> None:
        holder = self._value(path)
        known = node_at(self._schema, self.data, path)["properties"]
        near = closest(key, [name for name in known if name not in holder])
        where = (*path, key)
        name = quote(self._as_written(where)[-1])
        advice = f"did you mean {near!r}?" if near else f"it takes {', '.join(known)}"
        self._add(
            ConfigFault(
                RT101,
                f"unknown key {name} in {describe(self._as_written(path))}",
                advice,
            ),
            where,
            key=True,
        )
        value = holder.pop(key)
        if near:
            holder[near] = value
            self._written[*path, near] = key
        else:
            self._uncertain.add(path)

    def _is_optional(self, path: Path) -> bool:
        around = node_at(self._schema, self.data, path[:-1])
        return "properties" in around and path[-1] not in around["required"]

    def _report(self, error: ValidationError) -> None:
        path = self._path(error)
        match error.kind:
            case Kind.Required(property=key):
                fault = ConfigFault(
                    RT102,
                    f"missing key {key!r} in {describe(self._as_written(path))}",
                    f"add '{key}: …'",
                )
                self._add(fault, path, key=True)
                self._drop((*path, key))
            case Kind.OneOfNotValid() | Kind.OneOfMultipleValid():
                self._report_sources(path)
            case Kind.PropertyNames(error=inside):
                name = str(inside.instance)
                where = (*path, name)
                shown = self._as_written(where)
                node = self._node(error)
                fault = wrong_form(inside.kind.name, node, name, shown, key=True)
                self._add(fault, where, key=True)
                self._drop(where)
            case kind:
                self._report_value(path, kind.name, self._node(error))

    def _report_value(self, path: Path, keyword: str, node: Node) -> None:
        if path in self._written:
            # Its key is misspelt, which is reported: whether the value is wrong too
            # depends on what the key should be.
            self._drop(path)
            return
        value = self._value(path)
        where = self._as_written(path)
        alternatives = branches(self._schema, node)
        if not any(takes(branch, value) for branch in alternatives):
            self._add(wrong_type(alternatives, value, where), path)
        elif keyword == "enum":
            self._add(wrong_choice(node["enum"], value, where), path)
            near = near_choice(value, node["enum"])
            if near:
                self._replaced[path] = near
                return
        else:
            self._add(wrong_form(keyword, node, value, where), path)
        self._drop(path)

    def _report_sources(self, path: Path) -> None:
        attribute = describe(self._as_written(path))
        given = [name for name in SOURCES if name in self._value(path)]
        if not given and path not in self._uncertain:
            self._add(
                ConfigFault(
                    RT106,
                    f"{attribute} has no source",
                    f"give it one of {', '.join(SOURCES)}",
                ),
                path,
                key=True,
            )
        for second in given[1:]:
            fault = ConfigFault(
                RT106,
                f"{attribute} has two sources, {given[0]!r} and {second!r}",
                "keep one; 'default' is for when there is no value",
            )
            self._add(fault, (*path, second), key=True)
        self._drop(path)

    def _drop(self, path: Path) -> None:
        """Mark what is at a path for removal.

        Or the smallest part around it that can be left out.
        """
        if not path:
            self._dropped.add(path)
            return
        parent = path[:-1]
        step = path[-1]
        around = node_at(self._schema, self.data, parent)
        is_fixed = "properties" in around
        if is_fixed:
            choices = around["properties"][step].get("enum", ())
            if len(choices) == 1:
                self._replaced[path] = choices[0]
                return
            is_removable = step not in self._essential(around, self._value(parent))
        else:
            key = "items" if isinstance(step, int) else "additionalProperties"
            inside = branches(self._schema, around[key])
            is_removable = any("properties" in branch for branch in inside)
        if not is_removable:
            self._drop(parent)
            return
        self._dropped.add(path)
        # An entry of a map has a name that others may refer to.
        if not parent or (not is_fixed and isinstance(step, str)):
            self.left_out.add(path)

    def _essential(self, node: Node, value: dict[str, Any]) -> set[str]:
        """Return the keys without which a map cannot be used.

        It may lack them.
        """
        keys = set(node["required"])
        if node is self._schema and "include" in node["properties"]:
            has_routes = "routes" in value or "include" not in value
            keys.add("routes" if has_routes else "include")
        elif node["title"] == "Queue":
            keys |= {"dead_letter", "s3_pointer"}
            if "s3_pointer" in value:
                keys.add("envelope")
        elif node["title"] == "Attribute":
            keys |= set(SOURCES)
        return keys

    def _add(self, fault: ConfigFault, path: Path, key: bool = False) -> None:
        self._findings.add(
            fault.code,
            fault.sentence,
            self._as_written(path),
            key=key,
            suggestion=fault.suggestion,
        )

    def _as_written(self, path: Path) -> Path:
        """Return a path with the keys that the file has."""
        written: list[str | int] = []
        for depth, step in enumerate(path):
            key = self._written.get(path[: depth + 1], step)
            written.append("" if key == _EMPTY else key)
        return tuple(written)

    def _node(self, error: ValidationError) -> Node:
        """Return the node with the keyword that an error is about."""
        node: Node = _follow(self._schema, error.schema_path[:-1])
        return node

    def _path(self, error: ValidationError) -> Path:
        """Return the path of an error.

        Jsonschema-rs reports a key that is a number, such as "7", as an index.
        """
        value = self.data
        path: list[str | int] = []
        for step in error.instance_path:
            key = step
            if isinstance(value, dict) and isinstance(step, int):
                key = _key_of(value, step)
            path.append(key)
            if len(path) < len(error.instance_path):
                value = value[key]
        return tuple(path)

    def _value(self, path: Path) -> Any:
        return _follow(self.data, path)


def _follow(data: Any, path: Iterable[str | int]) -> Any:
    return reduce(getitem, path, data)


def _copy(value: Any, old: str, new: str) -> Any:
    """Copy data with a key renamed, and separate the values that aliases share."""
    if isinstance(value, list):
        return [_copy(child, old, new) for child in value]
    if not isinstance(value, dict):
        return value
    copied = {}
    for name, child in value.items():
        copied[new if name == old else name] = _copy(child, old, new)
    return copied


def _key_of(value: dict[str, Any], number: int) -> str:
    return next(key for key in value if key.removeprefix("+").isdecimal() and int(key) == number)
