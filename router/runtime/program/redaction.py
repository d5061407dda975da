"""Compiles `redact` of a queue: its key and paths, and what its routes do with a dead
letter that has masks in it.

A route that may need a redacted value rejects such a message: its condition, mapping,
idempotency key or a plugin reads the value, or its schema does not accept each value of
its type.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, UnsetType, structs

from router import codes
from router.codes import declare
from router.errors import Rejection
from router.model import Item, Message, Path
from router.runtime.config import spec
from router.runtime.config.environment import REDACT_KEY, RT005
from router.runtime.config.findings import Findings
from router.runtime.engine.engine import Budget, CompiledRoute
from router.runtime.envelopes import ENVELOPES, EnvelopeFormat
from router.runtime.program.context import Environment
from router.runtime.program.expressions import Names, paths_read
from router.runtime.program.expressions.compile import (
    InvalidExpression,
    Trees,
    is_plain_path,
    parse_expression,
)
from router.runtime.program.mapping import merge_of
from router.runtime.program.masking import (
    EACH,
    EVERY,
    IDENTITY,
    MIN_KEY,
    Masker,
    Place,
    RedactedPath,
    Redaction,
    is_mask,
    metadata_path,
)
from router.runtime.program.schemas.compile import Check, Invalid
from router.runtime.program.schemas.documents import steps_of
from router.runtime.sources import expressions_of, meta_of

BAD_REDACTION = declare(
    "RT236",
    "`redact` that cannot be applied",
    "A value that cannot be found, or an envelope that cannot be put together again, "
    "could reach a dead letter as it "
    "is; with a short key, the values could be found from the masks.",
)

_NEEDS = "the route needs {}, which is redacted in this dead letter"
_STEP = re.compile(
    r'(?P<each>\[\*\])|(?:^|\.)(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<quoted>"(?:[^"\\]|\\.)+")|(?P<every>\*))'
)


def parse_path(text: str) -> RedactedPath | None:
    """Return a path of names with dots between, `[*]` for each element and `*` for each
    value; None if it is none.
    """
    steps: list[str | int] = []
    end = 0
    while end < len(text) and text != "@":
        match = _STEP.match(text, end)
        if match is None:
            return None
        end = match.end()
        if match["quoted"]:
            try:
                steps.append(msgspec.json.decode(match["quoted"], type=str))
            except msgspec.MsgspecError:
                return None
        else:
            steps.append(
                EACH if match["each"] else EVERY if match["every"] else match["name"]
            )
    return RedactedPath(text, tuple(steps))


class Redacted(Struct, frozen=True):
    """What `redact` of a queue names: paths, and message attributes by name.

    `faulty` are entries that are neither.
    """

    paths: tuple[RedactedPath, ...]
    attributes: frozenset[str]
    faulty: tuple[int, ...] = ()


def read_redact(settings: spec.Queue) -> Redacted:
    """Return what the `redact` of a queue names."""
    parsed = [
        (given, parse_path(given) if isinstance(given, str) else None)
        for given in settings.redact
    ]
    return Redacted(
        tuple(path for _, path in parsed if path is not None),
        frozenset(
            given.meta.removeprefix("attribute.")
            for given, _ in parsed
            if not isinstance(given, str)
        ),
        tuple(
            index
            for index, (given, path) in enumerate(parsed)
            if isinstance(given, str) and path is None
        ),
    )


def compile_redaction(
    settings: spec.Queue,
    layers: tuple[EnvelopeFormat, ...],
    fetch_at: int | None,
    environment: Environment,
    findings: Findings,
    path: Path,
) -> Redaction:
    """Return the redaction of a queue; its faults are added to the findings."""
    where = (*path, "redact")
    secret = environment.variables.get(REDACT_KEY, "")
    if not secret:
        advice = f"set it to {MIN_KEY} characters or more, the same wherever masks are compared"
        code = structs.replace(RT005, severity=environment.unset)
        findings.add(
            code,
            f"environment variable '{REDACT_KEY}' is not set",
            where,
            key=True,
            suggestion=advice,
        )
    elif len(secret) < MIN_KEY:
        sentence = f"the value of '{REDACT_KEY}' has fewer than {MIN_KEY} characters"
        findings.add(
            BAD_REDACTION,
            sentence,
            where,
            key=True,
            suggestion="use a random one, as of openssl rand -hex 32",
        )
    redacted = read_redact(settings)
    for index in redacted.faulty:
        advice = (
            "write names with dots between, [*] for each element of a list, and * "
            "for each value of an object"
        )
        sentence = f"'{settings.redact[index]}' is no path of names"
        findings.add(BAD_REDACTION, sentence, (*where, index), suggestion=advice)
    for layer in layers:
        if layer.replace is None and layer.wrap is None:
            sentence = (
                f"the envelope '{layer.name}' has no inverse, so that nothing inside "
                "of it can be redacted"
            )
            advice = (
                "register the envelope with 'wrap', or send the dead letters "
                "elsewhere without 'redact'"
            )
            findings.add(BAD_REDACTION, sentence, where, key=True, suggestion=advice)
    own_reasons = any(layer.name not in ENVELOPES for layer in layers)
    masker = Masker(secret.encode(errors="surrogateescape"))
    return Redaction(
        masker,
        redacted.paths,
        redacted.attributes,
        layers,
        settings.encoding,
        fetch_at,
        own_reasons,
    )


class Needs(Struct, frozen=True):
    """What a route may read of what is redacted.

    Paths are named by their text, and message attributes by their name. `early` is read
    before the message is validated. `mapped` are the attributes of `item` that may have
    a redacted value in them, or one computed from it; None for all of them. `settings`
    are the paths that `for_each`, `merge` and `once_key` read, each by its name; they
    are in `mapping` too. `metadata` are the ids that the sender chose, by the names of
    IDENTITY.
    """

    early: frozenset[str]
    mapping: frozenset[str]
    attributes: frozenset[str]
    mapped: frozenset[str] | None
    settings: Mapping[str, frozenset[str]] = {}
    metadata: frozenset[str] = frozenset()

    @property
    def derived(self) -> frozenset[str] | None:
        """The attributes of its items that may have a redacted value in them.

        None for all of them.
        """
        return None if self.settings.get("merge") else self.mapped


def find_needs(
    route: spec.RouteSettings, redacted: Redacted, trees: Trees, *, plugins: bool
) -> Needs:
    """Return what a route may read of what is redacted.

    With `plugins`, any hook may read all of it.
    """
    if plugins:
        every = frozenset(path.text for path in redacted.paths)
        return Needs(
            every, every, redacted.attributes, None, metadata=frozenset(IDENTITY)
        )
    reader = _Reader(route, redacted.paths, trees)
    early = (
        frozenset()
        if isinstance(route.when, UnsetType)
        else reader.read_of_message(route.when)
    )
    settings = {"for_each": reader.listed()}
    if (merge := merge_of(route)) is not None:
        settings["merge"] = reader.read(merge.from_)
    if not isinstance(route.write.once_key, UnsetType):
        settings["once_key"] = reader.read_of_message(route.write.once_key)
    mapping = frozenset[str]().union(*settings.values())
    if isinstance(route.item, UnsetType):
        return Needs(
            early, mapping | reader.whole(), frozenset(), reader.whole_derived()
        )
    read = {
        name: reader.read_by(given, redacted.attributes)
        for name, given in route.item.items()
    }
    mapping |= frozenset[str]().union(*(paths for paths, _ in read.values()))
    attributes = frozenset[str]().union(*(carried for _, carried in read.values()))
    mapped = frozenset(name for name, found in read.items() if any(found))
    metadata = frozenset(IDENTITY).intersection(_metadata(route.item.values()))
    return Needs(early, mapping, attributes, mapped, settings, metadata)


def _metadata(item: Iterable[str | spec.Attribute]) -> set[str]:
    given = (spec.long_form(each) for each in item)
    return {name for attribute in given for name in meta_of(attribute)}


class _Reader:
    """Finds what expressions of a route may read of the redacted paths."""

    def __init__(
        self, route: spec.RouteSettings, paths: Sequence[RedactedPath], trees: Trees
    ) -> None:
        self._paths = paths
        self._trees = trees
        self._lists = (
            None
            if isinstance(route.for_each, UnsetType)
            else self.names(route.for_each)
        )
        self._plain = not isinstance(route.for_each, UnsetType) and is_plain_path(
            route.for_each
        )

    def names(self, text: str) -> list[Names]:
        """Return what an expression reads of its input, each as the names of a path.

        () is the whole input.
        """
        if is_plain_path(text):
            return [tuple(text.split("."))]
        try:
            return paths_read(parse_expression(text, self._trees))
        except InvalidExpression:  # it is a finding
            return []

    def read(self, text: str) -> frozenset[str]:
        """Return the paths that an expression of the mapping may read."""
        names = self.names(text)
        if self._lists is None:
            return _overlapping(names, self._paths)
        found: list[Names] = []
        for each in names:
            if each[:1] == ("message",):
                found.append(each[1:])
            elif each[:1] == ("element",):
                found += [
                    (*base, *each[1:]) if self._plain else base for base in self._lists
                ]
            elif not each:
                found.append(())
        return _overlapping(found, self._paths)

    def read_of_message(self, text: str) -> frozenset[str]:
        """Return the paths that an expression over the message may read."""
        return _overlapping(self.names(text), self._paths)

    def read_by(
        self, given: str | spec.Attribute, attributes: frozenset[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Return the paths, and which of the message attributes, that an attribute of
        the item may be made of.
        """
        attribute = spec.long_form(given)
        read = frozenset[str]().union(
            *(self.read(use.text) for use in expressions_of(attribute))
        )
        metadata = meta_of(attribute)
        return read, frozenset(
            name for name in attributes if f"attribute.{name}" in metadata
        )

    def listed(self) -> frozenset[str]:
        """Return the paths that `for_each` itself may read: not those inside of the
        elements of a plain list.
        """
        if self._lists is None:
            return frozenset()
        found = _overlapping(self._lists, self._paths)
        if not self._plain:
            return found
        (base,) = self._lists
        return frozenset(
            path.text
            for path in self._paths
            if path.text in found and len(_names(path)) <= len(base)
        )

    def whole(self) -> frozenset[str]:
        """Return the paths that a route without `item` stores."""
        return _overlapping([()] if self._lists is None else self._lists, self._paths)

    def whole_derived(self) -> frozenset[str] | None:
        """Return the attributes of the items of a route without `item` that have a
        redacted value in them.
        """
        firsts = [_names(path)[:1] for path in self._paths]
        if self._lists is not None or any(first in ((), (EVERY,)) for first in firsts):
            return None
        return frozenset(str(first[0]) for first in firsts)


def _names(path: RedactedPath) -> tuple[str | int, ...]:
    return tuple(step for step in path.steps if step != EACH)


def _overlapping(
    read: Iterable[Names], paths: Iterable[RedactedPath]
) -> frozenset[str]:
    """Return the paths to what is read, to a part of it, or to what it is a part of."""
    return frozenset(
        path.text
        for path in paths
        for names in read
        if all(
            step in (name, EVERY)
            for name, step in zip(names, _names(path), strict=False)
        )
    )


def guard_route(
    compiled: CompiledRoute, needs: Needs, redaction: Redaction
) -> CompiledRoute:
    """Return a route that rejects a message with a mask where it needs the value."""
    when, check, map_items = compiled.when, compiled.validate, compiled.map_items

    def holds(data: Any) -> bool:
        # Whether it holds is not known: the route takes the message, and rejects it.
        return bool(_masked(redaction, [data], needs.early)) or (
            when is not None and when(data)
        )

    def validate(data: Any) -> Invalid | None:
        root = [data]
        masks = redaction.masked_paths(root)
        if masks:
            _refuse(masks.keys() & needs.early)
            places = [place for each in masks.values() for place in each]
            return None if check is None else probe(check, root, places)
        return None if check is None else check(data)

    def map_guarded(message: Message, budget: Budget) -> Iterable[Item]:
        if needs.mapping:
            _refuse(_masked(redaction, [message.data], needs.mapping))
        for name in needs.attributes:
            if is_mask(message.attributes.get(name)):
                raise Rejection(
                    codes.REDACTED, _NEEDS.format(f"the attribute '{name}'")
                )
        for name in needs.metadata:
            if is_mask(message.system.get(IDENTITY[name])):
                raise Rejection(
                    codes.REDACTED, _NEEDS.format(f"'{metadata_path(name)}'")
                )
        return map_items(message, budget)

    return structs.replace(
        compiled,
        when=when and holds,
        validate=validate if needs.early or check is not None else None,
        map_items=map_guarded,
        short=None,
    )


def _masked(
    redaction: Redaction, root: list[Any], paths: Collection[str]
) -> Collection[str]:
    return redaction.masked_paths(root).keys() & paths if paths else ()


def _refuse(masked: Collection[str]) -> None:
    if masked:
        name = min(masked)
        raise Rejection(codes.REDACTED, _NEEDS.format(f"'{name}'"))


_LONG = "x" * 20_000
_PROBES: Mapping[str, tuple[Any, Any, Any]] = {
    "string": ("", _LONG, "redacted"),
    "integer": (0, -(10**30) - 7, 10**30 + 7),
    "number": (Decimal("0.5"), Decimal("-1E+30"), Decimal("1E+30")),
    "boolean": (True, False, True),
    "array": ([], [None] * 100, [{}, ""]),
    "object": ({}, {"": None}, {name: [] for name in "abc"}),
    "binary": ("", _LONG, "redacted"),
}
"""Values of each type that no constraint but `type` takes all of."""


def probe(check: Check, root: list[Any], masks: Sequence[Place]) -> Invalid | None:
    """Return why a message with masks fails its schema, or None.

    Raises Rejection if that depends on a masked value. The schema must take different
    values of the type that each mask names, which no other constraint takes all of.
    """
    for number in range(3):
        changed, placed = deepcopy((root, list(masks)))
        for holder, key in placed:
            holder[key] = _PROBES[holder[key].split(":")[1]][number]
        invalid = check(changed[0])
        if invalid is not None:
            found = _at(changed, invalid.pointer)
            if number == 0 and not any(
                found == (id(holder), key) for holder, key in placed
            ):
                return invalid
            reason = "the schema needs a value that is redacted in this dead letter"
            raise Rejection(codes.REDACTED, reason, invalid.pointer)
    return None


def _at(root: list[Any], pointer: str) -> tuple[int, Any]:
    """Return the identity of the holder and the key of the value at a JSON Pointer, or
    of what is nearest above it.
    """
    found: tuple[int, Any] = id(root), 0
    data = root[0]
    for name in steps_of(pointer):
        key: Any = int(name) if isinstance(data, list) and name.isdecimal() else name
        try:
            found, data = (id(data), key), data[key]
        except (KeyError, IndexError, TypeError):
            return found
    return found
