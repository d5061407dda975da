"""Shares what is found of attributes: equal ones of routes whose messages have equal parts have equal values."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from router.check.analysis.entailment import Entailment
from router.check.analysis.expressions import properties_in
from router.check.analysis.separation import SchemaPart
from router.config import spec
from router.sources import ExpressionUse, expressions_of

_T = TypeVar("_T")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class _Read(Struct, frozen=True):
    """The expressions of an attribute, and the properties of messages that they read; None if that may be all."""

    uses: list[ExpressionUse]
    properties: frozenset[str] | None


class AttributeFacts:
    """What is known of an attribute of a route; `known` is that of equal ones, too."""

    def __init__(self, read: _Read, messages: Entailment | None, known: dict[Hashable, Any]) -> None:
        self._read = read
        self._messages = messages
        self._known = known

    @property
    def uses(self) -> list[ExpressionUse]:
        """The expressions of the attribute."""
        return self._read.uses

    def once(self, what: Hashable, find: Callable[[], _T]) -> _T:
        """Return what is known by a name, or else what is found."""
        if what in self._known:
            found: _T = self._known[what]
            return found
        found = find()
        if not self._is_for_all:
            self._known = self._known.copy()
        self._known[what] = found
        return found

    def unless_nothing(self, what: Hashable, find: Callable[[], Iterable[_T]]) -> tuple[_T, ...]:
        """Return what is found, with names of the route in it; that it is nothing is known of equal attributes."""
        if what in self._known:
            return ()
        found = tuple(find())
        if not found and self._is_for_all:
            self._known[what] = found
        return found

    def unless_none(self, what: Hashable, find: Callable[[], _T | None]) -> _T | None:
        """Return what is known by a name, or else what is found; that nothing is found is of this route only."""
        known: _T | None = self._known.get(what)
        if known is not None:
            return known
        found = find()
        if found is not None and self._is_for_all:
            self._known[what] = found
        return found

    @property
    def _is_for_all(self) -> bool:
        """Whether equal attributes have the answer too: there was time for it, and all was decided.

        Where one of two schemas with an equal part has no message that is easy to find, the other may have one.
        """
        messages = self._messages
        return messages is None or (messages.has_time and messages.not_shared.isdisjoint(self._read.properties or ()))


class SharedAttributes:
    """What is known of the attributes of all routes of a config.

    `compiled` is a cache of how attributes are mapped without others, by their content.
    """

    def __init__(self) -> None:
        self.compiled: dict[bytes, Any] = {}
        self._read: dict[bytes, _Read] = {}
        self._known: dict[Hashable, dict[Hashable, Any]] = {}

    def facts(
        self, attribute: spec.Attribute, messages: Entailment | None, settings: tuple[Hashable, ...] | None
    ) -> AttributeFacts:
        """Return what is known of an attribute, and of equal ones that read equal parts of messages.

        `settings` are those of the route that matter besides; with None, nothing is shared.
        """
        content = _ENCODER.encode(attribute)
        read = self._read.get(content)
        if read is None:
            uses = expressions_of(attribute)
            read = self._read[content] = _Read(uses, properties_in(use.text for use in uses))
        parts = None if settings is None else _parts(read, messages)
        known = {} if parts is None else self._known.setdefault((content, parts, settings), {})
        return AttributeFacts(read, messages, known)


def _parts(read: _Read, messages: Entailment | None) -> tuple[SchemaPart, ...] | None:
    """Return the parts of the schema that an attribute reads; None if they cannot be taken out."""
    if messages is None:
        return ()
    if read.properties is None:
        return None
    found = [messages.part(name) for name in sorted(read.properties)]
    return None if None in found else tuple(part for part in found if part is not None)
