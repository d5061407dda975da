"""Plain data into the typed config: one walk over the description and the data, which notes every fault of shape."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import inspect

from router.config import spec
from router.config.findings import Findings, any_of, closest, describe, quote
from router.config.kinds import (
    bare,
    branches_of,
    fields_of,
    holds_structs,
    is_any,
    only_choice,
    python_type,
    rule_of,
    words_for,
)
from router.config.merge import without_dependents
from router.model import META_NAMES, Code, Path
from router.sources import SOURCES

RT101 = Code("RT101", "unknown key", "A key that nothing reads is a setting that somebody believes to be in force.")
RT102 = Code(
    "RT102", "missing key", "Without it there is nothing sensible to do, and no default that all would expect."
)
RT103 = Code("RT103", "wrong kind of value", "Nothing is converted by guessing: text is text, and a number a number.")
RT104 = Code("RT104", "not one of the choices", "The choices are few and fixed; another word means nothing.")
RT105 = Code("RT105", "wrong form", "The value is of the right kind, and cannot be used as it is written.")
RT106 = Code("RT106", "not exactly one source", "An attribute has one value, so it comes from one place.")

_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    Decimal: "a number",
    float: "a number",
    list: "a list",
    dict: "a map",
}
_Part = TypeVar("_Part", spec.Config, spec.Included)
_FAULT: Any = object()
"""Stands for a value with a fault that is noted; it never leaves this module."""


def parse_config(data: Any, findings: Findings) -> spec.Config | None:
    """The typed config, with a finding for each fault of shape; ask `findings.failed` whether there was one.

    So that compiling can find its faults in the same run, what has no fault is kept:

    - a misspelt key or choice with one near is taken for that one; an unknown key is passed over;
    - an optional setting with a fault has its default;
    - a queue, table, route, attribute or test with a fault in what it cannot do without is left out;
    - so is a route that names a queue or table that is left out, or whose table or `write` names an attribute that
      is: nothing is reported that is only there because something was left out.

    None if the root has no routes that are a map with entries, and includes no files that may have some.
    """
    config, left_out = parse_part(spec.Config, data, findings)
    return None if config is None else without_dependents(config, left_out)


def parse_part(cls: type[_Part], data: Any, findings: Findings) -> tuple[_Part | None, set[Path]]:
    """One file of a config, and the paths of what is left out of it because it has faults."""
    walk = _Walk(findings)
    part = walk.read(inspect.type_info(cls), data, ())
    return None if part is _FAULT else part, walk.left_out


class _Walk:
    """One walk; `left_out` are the paths of entries that have a fault and are not in the result."""

    def __init__(self, findings: Findings) -> None:
        self.left_out: set[Path] = set()
        self._findings = findings

    def read(self, kind: inspect.Type, value: Any, path: Path) -> Any:
        """The value as its kind says, or _FAULT."""
        if is_any(kind):
            return value
        branches = branches_of(kind)
        for branch in branches:
            if type(value) is python_type(branch):
                return _READERS[type(bare(branch))](self, branch, value, path)
        wanted = any_of([words_for(branch) for branch in branches])
        found = "but it has no value" if value is None else f"not {_KINDS[type(value)]}"
        sentence = f"{describe(path)} must be {wanted}, {found}"
        self._findings.add(RT103, sentence, path, suggestion=_mend({python_type(branch) for branch in branches}, value))
        return _FAULT

    def text(self, kind: Any, value: str, path: Path, key: bool = False) -> Any:
        """Text, of the length and form that its kind says."""
        inside = bare(kind)
        if len(value) < (inside.min_length or 0):
            self._findings.add(RT105, f"{describe(path)} must not be empty", path, key=key)
            return _FAULT
        if inside.pattern and not re.fullmatch(inside.pattern, value):
            near = closest(value, META_NAMES) if "attribute" in inside.pattern else None
            found = "" if key else f", not {quote(value)}"
            sentence = f"{describe(path)} must be {rule_of(kind)}{found}"
            self._findings.add(RT105, sentence, path, key=key, suggestion=_did_you_mean(near))
            return _FAULT
        return value

    def whole(self, kind: Any, value: int, path: Path) -> Any:
        """A whole number, of the range that its kind says in words too."""
        inside = bare(kind)
        if (inside.ge is not None and value < inside.ge) or (inside.le is not None and value > inside.le):
            self._findings.add(RT105, f"{describe(path)} must be {rule_of(kind)}, not {quote(value)}", path)
            return _FAULT
        return value

    def flag(self, kind: Any, value: Any, path: Path) -> Any:
        """A value that is right as soon as it is of its kind."""
        return value

    def choice(self, kind: Any, value: Any, path: Path) -> Any:
        """One of a few values; a misspelt one is taken for the one that is near."""
        choices = bare(kind).values
        if value in choices:
            return value
        near = closest(value, choices) if isinstance(value, str) else None
        sentence = f"{describe(path)} must be {words_for(kind)}, not {quote(value)}"
        self._findings.add(RT104, sentence, path, suggestion=_did_you_mean(near))
        return near or _FAULT

    def list_(self, kind: Any, value: list[Any], path: Path) -> Any:
        """A list; one with structs is kept without those that have faults."""
        kind = bare(kind)
        read = [self.read(kind.item_type, child, (*path, index)) for index, child in enumerate(value)]
        if not self._has_length(kind, len(read), path):
            return _FAULT
        if not holds_structs(kind.item_type):
            return _FAULT if _FAULT in read else tuple(read)
        return tuple(child for child in read if child is not _FAULT)

    def map_(self, kind: Any, value: dict[str, Any], path: Path) -> Any:
        """A map with keys of the file's own; one with structs is kept without those that have faults."""
        kind = bare(kind)
        if not self._has_length(kind, len(value), path):
            return _FAULT
        read = {}
        for name, child in value.items():
            where = (*path, name)
            named = self.text(kind.key_type, name, where, key=True)
            entry = self.read(kind.value_type, child, where)
            read[name] = entry if named is not _FAULT else _FAULT
        faulty = [name for name, child in read.items() if child is _FAULT]
        if faulty and not holds_structs(kind.value_type):
            return _FAULT
        for name in faulty:
            self.left_out.add((*path, name))
            del read[name]
        return read

    def _has_length(self, kind: Any, length: int, path: Path) -> bool:
        least, most = kind.min_length or 0, kind.max_length
        if length >= least and (most is None or length <= most):
            return True
        wanted = "not be empty" if most is None else f"have {any_of(map(str, range(least, most + 1)))} entries"
        self._findings.add(RT105, f"{describe(path)} must {wanted}", path)
        return False

    def struct(self, kind: Any, value: dict[str, Any], path: Path) -> Any:
        """A map with known keys."""
        cls = bare(kind).cls
        fields = fields_of(cls)
        named, unknown = self._known_keys(fields, value, path)
        read: dict[str, Any] = {}
        for name, key in named.items():
            field = fields[name]
            read[name] = self.read(field.type, value[key], (*path, key))
        for name, field in fields.items():
            if field.required and read.get(name, _FAULT) is _FAULT:
                if name not in named:
                    sentence = f"missing key {name!r} in {describe(path)}"
                    self._findings.add(RT102, sentence, path, key=True, suggestion=f"add '{name}: …'")
                read[name] = next(iter(only_choice(field.type)), _FAULT)
        if not path:
            self.left_out |= {(name,) for name, child in read.items() if child is _FAULT}
        rule = _RULES.get(cls)
        if rule and not rule(self._findings, read, named, unknown, path):
            return _FAULT
        if any(fields[name].required and child is _FAULT for name, child in read.items()):
            return _FAULT
        return cls(**{fields[name].name: child for name, child in read.items() if child is not _FAULT})

    def _known_keys(
        self, fields: dict[str, inspect.Field], value: dict[str, Any], path: Path
    ) -> tuple[dict[str, str], bool]:
        """Field names, each with the key that it is written with, and whether there are keys of no field.

        An optional key without a value counts as not given, but where null is a value like any other.
        """
        named = {}
        unknown = []
        for key, child in value.items():
            if key not in fields:
                unknown.append(key)
            elif child is not None or fields[key].required or is_any(fields[key].type):
                named[key] = key
        lost = False
        for key in unknown:
            near = closest(key, [name for name in fields if name not in value and name not in named])
            advice = _did_you_mean(near) or f"it takes {', '.join(fields)}"
            self._findings.add(
                RT101, f"unknown key {quote(key)} in {describe(path)}", (*path, key), key=True, suggestion=advice
            )
            if near:
                named[near] = key
            else:
                lost = True
        return named, lost


def _one_source(findings: Findings, read: dict[str, Any], named: dict[str, str], unknown: bool, path: Path) -> bool:
    """Whether an attribute has exactly one source, and one without a fault."""
    given = [name for name in SOURCES if name in named]
    if not given and not unknown:
        advice = f"give it one of {', '.join(SOURCES)}"
        findings.add(RT106, f"{describe(path)} has no source", path, key=True, suggestion=advice)
    for second in given[1:]:
        sentence = f"{describe(path)} has two sources, {given[0]!r} and {second!r}"
        advice = "keep one; 'default' is for when there is no value"
        findings.add(RT106, sentence, (*path, named[second]), key=True, suggestion=advice)
    return len(given) == 1 and read[given[0]] is not _FAULT


def _queue(findings: Findings, read: dict[str, Any], named: dict[str, str], unknown: bool, path: Path) -> bool:
    """Whether it is known where a queue's rejected messages go, and how its pointers are followed, or not said."""
    pointers = read.get("s3_pointer")
    unsure = pointers is _FAULT or (pointers is not None and read.get("envelope") is _FAULT)
    return read.get("dead_letter") is not _FAULT and not unsure


def _routes(findings: Findings, read: dict[str, Any], named: dict[str, str], unknown: bool, path: Path) -> bool:
    """Whether a config has routes, or includes files that may have them."""
    if "routes" not in named and "include" not in named:
        findings.add(RT102, f"missing key 'routes' in {describe(path)}", path, key=True, suggestion="add 'routes: …'")
    return read.get("routes", read.get("include", _FAULT)) is not _FAULT


_RULES: dict[type, Callable[[Findings, dict[str, Any], dict[str, str], bool, Path], bool]] = {
    spec.Attribute: _one_source,
    spec.Queue: _queue,
    spec.Config: _routes,
}
_READERS: dict[type, Callable[[_Walk, Any, Any, Path], Any]] = {
    inspect.StrType: _Walk.text,
    inspect.IntType: _Walk.whole,
    inspect.BoolType: _Walk.flag,
    inspect.LiteralType: _Walk.choice,
    inspect.VarTupleType: _Walk.list_,
    inspect.DictType: _Walk.map_,
    inspect.StructType: _Walk.struct,
}


def _did_you_mean(near: str | None) -> str:
    return f"did you mean {near!r}?" if near else ""


def _mend(wanted: set[type], value: Any) -> str:
    """What to do about a value of the wrong kind, where that is clear."""
    if value is None:
        return "give it one, or remove the key"
    if str in wanted and not isinstance(value, list | dict):
        return "put it in quotes"
    if list in wanted and isinstance(value, str):
        return f"make it a list: [{value}]"
    if isinstance(value, str) and wanted & {int, bool}:
        return "write it without quotes"
    return ""
