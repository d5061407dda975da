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
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct, UnsetType, structs

from router import codes
from router.codes import declare
from router.errors import Rejection
from router.model import Item, Message, Path, Severity
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
    Steps,
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

_STEP = re.compile(
    r"(?P<each>\[\*\])"
    r"|(?:^|\.)(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)+")'
    r"|(?P<every>\*))"
)


def parse_path(text: str) -> RedactedPath | None:
    """Return a path of names with dots between; None if the text is none.

    `[*]` stands for each element of a list, `*` for each value of an object.
    """
    steps: list[str | int] = []
    end = 0
    while end < len(text) and text != "@":
        match = _STEP.match(text, end)
        if match is None:
            return None
        end = match.end()
        if match["each"]:
            steps.append(EACH)
        elif match["every"]:
            steps.append(EVERY)
        elif match["name"]:
            steps.append(match["name"])
        else:
            try:
                steps.append(msgspec.json.decode(match["quoted"], type=str))
            except msgspec.MsgspecError:
                return None
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
    paths: list[RedactedPath] = []
    attributes: set[str] = set()
    faulty: list[int] = []
    for index, given in enumerate(settings.redact):
        if not isinstance(given, str):
            attributes.add(given.meta.removeprefix("attribute."))
            continue
        path = parse_path(given)
        if path is None:
            faulty.append(index)
        else:
            paths.append(path)
    return Redacted(tuple(paths), frozenset(attributes), tuple(faulty))


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
    _check_secret(secret, environment.unset, findings, where)
    redacted = read_redact(settings)
    for index in redacted.faulty:
        findings.add(
            BAD_REDACTION,
            f"'{settings.redact[index]}' is no path of names",
            (*where, index),
            suggestion="write names with dots between, [*] for each element of a list, and * "
            "for each value of an object",
        )
    for layer in layers:
        if layer.replace is None and layer.wrap is None:
            findings.add(
                BAD_REDACTION,
                f"the envelope '{layer.name}' has no inverse, so that nothing inside "
                "of it can be redacted",
                where,
                key=True,
                suggestion="register the envelope with 'wrap', or send the dead letters "
                "elsewhere without 'redact'",
            )
    return Redaction(
        masker=Masker(secret.encode(errors="surrogateescape")),
        paths=redacted.paths,
        attributes=redacted.attributes,
        layers=layers,
        encoding=settings.encoding,
        fetch_at=fetch_at,
        own_reasons=any(layer.name not in ENVELOPES for layer in layers),
    )


def _check_secret(secret: str, unset: Severity, findings: Findings, path: Path) -> None:
    """Add a finding if the key of the masks is missing or too short."""
    if not secret:
        code = structs.replace(RT005, severity=unset)
        sentence = f"environment variable '{REDACT_KEY}' is not set"
        advice = f"set it to {MIN_KEY} characters or more, the same wherever masks are compared"
    elif len(secret) < MIN_KEY:
        code = BAD_REDACTION
        sentence = f"the value of '{REDACT_KEY}' has fewer than {MIN_KEY} characters"
        advice = "use a random one, as of openssl rand -hex 32"
    else:
        return
    findings.add(code, sentence, path, key=True, suggestion=advice)


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
    route: spec.RouteSettings,
    redacted: Redacted,
    trees: Trees,
    *,
    plugins: bool,
) -> Needs:
    """Return what a route may read of what is redacted.

    With `plugins`, any hook may read all of it.
    """
    if plugins:
        every = frozenset(path.text for path in redacted.paths)
        identity = frozenset(IDENTITY)
        return Needs(every, every, redacted.attributes, None, metadata=identity)
    reader = _Reader(route, redacted.paths, trees)
    early: frozenset[str] = frozenset()
    if not isinstance(route.when, UnsetType):
        early = reader.read_of_message(route.when)
    settings = {"for_each": reader.listed()}
    merge = merge_of(route)
    if merge is not None:
        settings["merge"] = reader.read(merge.from_)
    if not isinstance(route.write.once_key, UnsetType):
        settings["once_key"] = reader.read_of_message(route.write.once_key)
    mapping = set[str]().union(*settings.values())
    if isinstance(route.item, UnsetType):
        mapping |= reader.whole()
        derived = reader.whole_derived()
        return Needs(early, frozenset(mapping), frozenset(), derived)
    mapped: set[str] = set()
    metadata: set[str] = set()
    for name, given in route.item.items():
        attribute = spec.long_form(given)
        paths = reader.read_by(attribute)
        read = set(meta_of(attribute))
        if paths or not read.isdisjoint(map("attribute.{}".format, redacted.attributes)):
            mapped.add(name)
        mapping |= paths
        metadata |= read
    carried = [name for name in redacted.attributes if f"attribute.{name}" in metadata]
    return Needs(
        early=early,
        mapping=frozenset(mapping),
        attributes=frozenset(carried),
        mapped=frozenset(mapped),
        settings=settings,
        metadata=frozenset(IDENTITY).intersection(metadata),
    )


class _Reader:
    """Finds what expressions of a route may read of the redacted paths."""

    def __init__(
        self,
        route: spec.RouteSettings,
        paths: Sequence[RedactedPath],
        trees: Trees,
    ) -> None:
        self._paths = paths
        self._trees = trees
        # What `for_each` reads; None without it.
        self._lists: list[Names] | None = None
        self._is_plain = False
        if not isinstance(route.for_each, UnsetType):
            self._lists = self.names(route.for_each)
            self._is_plain = is_plain_path(route.for_each)

    def names(self, text: str) -> list[Names]:
        """Return what an expression reads of its input, each as the names of a path.

        () is the whole input.
        """
        if is_plain_path(text):
            return [tuple(text.split("."))]
        try:
            return paths_read(parse_expression(text, self._trees))
        except InvalidExpression:
            # It is a finding.
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
                # Only in the elements of a plain list is it known what is read.
                below = each[1:] if self._is_plain else ()
                found += [(*base, *below) for base in self._lists]
            elif not each:
                found.append(())
        return _overlapping(found, self._paths)

    def read_of_message(self, text: str) -> frozenset[str]:
        """Return the paths that an expression over the message may read."""
        return _overlapping(self.names(text), self._paths)

    def read_by(self, attribute: spec.Attribute) -> frozenset[str]:
        """Return the paths that an attribute of the item may be made of."""
        uses = expressions_of(attribute)
        return frozenset[str]().union(*(self.read(use.text) for use in uses))

    def listed(self) -> frozenset[str]:
        """Return the paths that `for_each` itself may read.

        Those inside of the elements of a plain list are not among them.
        """
        if self._lists is None:
            return frozenset()
        found = _overlapping(self._lists, self._paths)
        if not self._is_plain:
            return found
        (base,) = self._lists
        above = [path.text for path in self._paths if len(_names(path)) <= len(base)]
        return found.intersection(above)

    def whole(self) -> frozenset[str]:
        """Return the paths that a route without `item` stores."""
        return _overlapping([()] if self._lists is None else self._lists, self._paths)

    def whole_derived(self) -> frozenset[str] | None:
        """Return the redacted attributes of the items of a route without `item`.

        None if any may be one.
        """
        firsts = [_names(path)[:1] for path in self._paths]
        if self._lists is not None or () in firsts or (EVERY,) in firsts:
            return None
        return frozenset(str(name) for (name,) in firsts)


def _names(path: RedactedPath) -> Steps:
    """Return the steps of a path, without those into lists, as expressions name it."""
    return tuple(step for step in path.steps if step != EACH)


def _overlapping(read: Iterable[Names], paths: Sequence[RedactedPath]) -> frozenset[str]:
    """Return the paths to what is read, to a part of it, or to what it is a part of."""
    found: set[str] = set()
    for names in read:
        found.update(path.text for path in paths if _overlaps(names, _names(path)))
    return frozenset(found)


def _overlaps(names: Names, steps: Steps) -> bool:
    """Whether one of two paths may be the beginning of the other."""
    pairs = zip(names, steps, strict=False)
    return all(step in (name, EVERY) for name, step in pairs)


def guard_route(compiled: CompiledRoute, needs: Needs, redaction: Redaction) -> CompiledRoute:
    """Return a route that rejects a message with a mask where it needs the value."""
    check: Check | None = compiled.validate
    when, map_items = (
        compiled.when,
        compiled.map_items,
    )

    def holds(data: Any) -> bool:
        # Whether it holds is not known: the route takes the message, and rejects it.
        if _masked(redaction, data, needs.early):
            return True
        return when is not None and when(data)

    def validate(data: Any) -> Invalid | None:
        root = [data]
        masks = redaction.masked_paths(root)
        _refuse(masks.keys() & needs.early)
        if check is None:
            return None
        if masks:
            return probe(check, root, [*chain.from_iterable(masks.values())])
        return check(data)

    def map_guarded(message: Message, budget: Budget) -> Iterable[Item]:
        _refuse(_masked(redaction, message.data, needs.mapping))
        for name in needs.attributes:
            if is_mask(message.attributes.get(name)):
                raise _rejection(f"the attribute '{name}'")
        for name in needs.metadata:
            if is_mask(message.system.get(IDENTITY[name])):
                raise _rejection(f"'{metadata_path(name)}'")
        return map_items(message, budget)

    return structs.replace(
        compiled,
        when=when and holds,
        validate=validate if needs.early or check is not None else None,
        map_items=map_guarded,
    )


def _masked(redaction: Redaction, data: Any, paths: Collection[str]) -> Collection[str]:
    """Return those of some paths at which a message has a mask."""
    return redaction.masked_paths([data]).keys() & paths if paths else ()


def _refuse(masked: Collection[str]) -> None:
    if masked:
        raise _rejection(f"'{min(masked)}'")


def _rejection(what: str) -> Rejection:
    return Rejection(
        codes.REDACTED,
        f"the route needs {what}, which is redacted in this dead letter",
    )


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
            kind = holder[key].split(":")[1]
            holder[key] = _PROBES[kind][number]
        invalid = check(changed[0])
        if invalid is not None:
            at_masks = [(id(holder), key) for holder, key in placed]
            if number == 0 and _at(changed, invalid.pointer) not in at_masks:
                # The schema does not take the message, whatever is behind the masks.
                return invalid
            raise Rejection(
                codes.REDACTED,
                "the schema needs a value that is redacted in this dead letter",
                invalid.pointer,
            )
    return None


def _at(root: list[Any], pointer: str) -> tuple[int, Any]:
    """Return the place of the value at a JSON Pointer, or of the nearest above it.

    A place is the identity of the list or object, and the index or name in it.
    """
    found: tuple[int, Any] = id(root), 0
    data = root[0]
    for name in steps_of(pointer):
        is_index = isinstance(data, list) and name.isdecimal()
        key: Any = int(name) if is_index else name
        try:
            below = data[key]
        except (KeyError, IndexError, TypeError):
            return found
        found, data = (id(data), key), below
    return found
