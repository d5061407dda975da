"""What a route does with a dead letter that has redacted values.

A route that may need a redacted value rejects such a message: its condition, mapping,
idempotency key or a plugin reads the value, or its schema does not accept each value of
its type.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from itertools import chain
from typing import Any

from msgspec import Struct, structs

from router import codes
from router.errors import Rejection
from router.model import Item, Message
from router.runtime.config import spec
from router.runtime.engine.engine import Budget, CompiledRoute
from router.runtime.program.expressions import Names, paths_read
from router.runtime.program.expressions.compile import (
    InvalidExpression,
    Trees,
    is_plain_path,
    parse_expression,
)
from router.runtime.program.redaction import (
    EACH,
    EVERY,
    IDENTITY,
    Place,
    Redacted,
    RedactedPath,
    Redaction,
    Steps,
    is_redacted,
    metadata_path,
)
from router.runtime.program.route_expressions import (
    RouteExpression,
    Setting,
    expressions_of_route,
    metadata_of_route,
)
from router.runtime.program.schemas.compile import Check, Invalid
from router.runtime.program.schemas.documents import steps_of, walk_steps


class Needs(Struct, frozen=True):
    """What a route may read of what is redacted.

    `paths` are the texts of the paths that each setting reads. `attributes` are the
    message attributes, and `metadata` the ids that the sender chose, by the names of
    IDENTITY. `mapped` are the attributes of `item` that may have a redacted value in
    them, or one computed from it; None for all of them.
    """

    paths: Mapping[Setting, frozenset[str]]
    attributes: frozenset[str]
    mapped: frozenset[str] | None
    metadata: frozenset[str] = frozenset()

    @property
    def early(self) -> frozenset[str]:
        """The paths that are read before the message is validated."""
        return self.paths.get("when", frozenset())

    @property
    def mapping(self) -> frozenset[str]:
        """The paths that are read after that."""
        read = [paths for setting, paths in self.paths.items() if setting != "when"]
        return frozenset[str]().union(*read)


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
        return Needs({"when": every, "item": every}, redacted.attributes, None, identity)
    reader = _Reader(route, redacted.paths, trees)
    paths: dict[Setting, frozenset[str]] = {}
    mapped: set[str] = set()
    for each in expressions_of_route(route):
        read = reader.read(each)
        paths[each.setting] = read | paths.get(each.setting, frozenset())
        if read and each.setting == "item":
            mapped.add(each.attribute)
    if route.item is None:
        paths["item"] = reader.whole()
        return Needs(paths, frozenset(), reader.whole_derived())
    carried = {f"attribute.{name}": name for name in redacted.attributes}
    metadata = metadata_of_route(route)
    mapped.update(name for name, names in metadata.items() if not names.isdisjoint(carried))
    all_read = frozenset[str]().union(*metadata.values())
    attributes = frozenset(carried[name] for name in all_read & carried.keys())
    return Needs(paths, attributes, frozenset(mapped), all_read & IDENTITY.keys())


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
        if route.for_each is not None:
            self._lists = self._names(route.for_each)
            self._is_plain = is_plain_path(route.for_each)

    def read(self, expression: RouteExpression) -> frozenset[str]:
        """Return the paths that an expression may read.

        Of `for_each`, those inside of the elements of a plain list are not among them.
        """
        names = self._names(expression.text)
        if self._lists is not None and not expression.reads_message:
            names = [found for each in names for found in self._in_message(each, self._lists)]
        found = self._overlapping(names)
        if expression.setting == "for_each" and self._is_plain:
            (base,) = names
            above = [path.text for path in self._paths if len(_names(path)) <= len(base)]
            return found.intersection(above)
        return found

    def whole(self) -> frozenset[str]:
        """Return the paths that a route without `item` stores."""
        return self._overlapping([()] if self._lists is None else self._lists)

    def whole_derived(self) -> frozenset[str] | None:
        """Return the redacted attributes of the items of a route without `item`.

        None if any may be one.
        """
        firsts = [_names(path)[:1] for path in self._paths]
        if self._lists is not None or () in firsts or (EVERY,) in firsts:
            return None
        return frozenset(str(name) for (name,) in firsts)

    def _names(self, text: str) -> list[Names]:
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

    def _in_message(self, names: Names, lists: list[Names]) -> list[Names]:
        """Return what is read of the message by a path in the input of `for_each`."""
        match names:
            case ():
                return [()]
            case ("message", *below):
                return [tuple(below)]
            case ("element", *below):
                # Only in the elements of a plain list is it known what is read.
                return [(*base, *below) if self._is_plain else base for base in lists]
        return []

    def _overlapping(self, read: Iterable[Names]) -> frozenset[str]:
        """Return the paths to what is read, to a part of it, or to what it is a part of."""
        found: set[str] = set()
        for names in read:
            found.update(path.text for path in self._paths if _overlaps(names, _names(path)))
        return frozenset(found)


def _names(path: RedactedPath) -> Steps:
    """Return the steps of a path, without those into lists, as expressions name it."""
    return tuple(step for step in path.steps if step != EACH)


def _overlaps(names: Names, steps: Steps) -> bool:
    """Whether one of two paths may be the beginning of the other."""
    pairs = zip(names, steps, strict=False)
    return all(step in (name, EVERY) for name, step in pairs)


def guard_route(compiled: CompiledRoute, needs: Needs, redaction: Redaction) -> CompiledRoute:
    """Return a route that rejects a message with a redacted value where it needs the value."""
    check: Check | None = compiled.validate
    when = compiled.when
    map_items = compiled.map_items
    early = needs.early
    mapping = needs.mapping

    def holds(data: Any) -> bool:
        # Whether it holds is not known: the route takes the message, and rejects it.
        if _redacted(redaction, data, early):
            return True
        return when is not None and when(data)

    def validate(data: Any) -> Invalid | None:
        root = [data]
        places = redaction.redacted_places(root)
        _refuse(places.keys() & early)
        if check is None:
            return None
        if places:
            return probe(check, root, [*chain.from_iterable(places.values())])
        return check(data)

    def map_guarded(message: Message, budget: Budget) -> Iterable[Item]:
        _refuse(_redacted(redaction, message.data, mapping))
        for name in needs.attributes:
            if is_redacted(message.attributes.get(name)):
                raise _rejection(f"the attribute '{name}'")
        for name in needs.metadata:
            if is_redacted(message.system.get(IDENTITY[name])):
                raise _rejection(f"'{metadata_path(name)}'")
        return map_items(message, budget)

    return structs.replace(
        compiled,
        when=when and holds,
        validate=validate if early or check is not None else None,
        map_items=map_guarded,
    )


def _redacted(redaction: Redaction, data: Any, paths: Collection[str]) -> Collection[str]:
    """Return those of some paths at which a message has a redacted value."""
    return redaction.redacted_places([data]).keys() & paths if paths else ()


def _refuse(paths: Collection[str]) -> None:
    if paths:
        raise _rejection(f"'{min(paths)}'")


def _rejection(what: str) -> Rejection:
    reason = f"the route needs {what}, which is redacted in this dead letter"
    return Rejection(codes.REDACTED, reason)


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


def probe(check: Check, root: list[Any], redacted: Sequence[Place]) -> Invalid | None:
    """Return why a message with redacted values fails its schema, or None.

    Raises Rejection if that depends on a redacted value. The schema must take different
    values of the type that replaces each, which no other constraint takes all of.
    """
    for number in range(3):
        changed, places = deepcopy((root, list(redacted)))
        for holder, key in places:
            kind = holder[key].split(":")[1]
            holder[key] = _PROBES[kind][number]
        invalid = check(changed[0])
        if invalid is None:
            continue
        at_redacted = [(id(holder), key) for holder, key in places]
        if number == 0 and _at(changed, invalid.pointer) not in at_redacted:
            # The schema does not take the message, whatever its redacted values were.
            return invalid
        reason = "the schema needs a value that is redacted in this dead letter"
        raise Rejection(codes.REDACTED, reason, invalid.pointer)
    return None


def _at(root: list[Any], pointer: str) -> tuple[int, Any]:
    """Return the place of the value at a JSON Pointer, or of the nearest above it.

    A place is the identity of the list or object, and the index or name in it.
    """
    found: tuple[int, Any] = id(root), 0
    for holder, key, _ in walk_steps(root[0], steps_of(pointer)):
        found = id(holder), key
    return found
