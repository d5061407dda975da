"""Tells messages of one key apart by the members that they have, where no field has their type."""

from collections.abc import Sequence
from typing import Any

from router.tools.dev.new.fields import Messages, Names, keys_of
from router.tools.dev.new.mapping import free_name, names_in
from router.tools.dev.new.shapes import Shape, Shapes, labels_of

_OTHER = "other"
"""The label of messages without a member of their own."""
_MAX_OPTIONAL = 0.2
"""The part of all members that messages of one type may have or not."""


def find_members(messages: Messages, key: Sequence[Names]) -> Shapes:
    """Group messages by a member that no message of another group has.

    There is one group unless a later message of a key erases members of an earlier one, and these
    are many of all.
    """
    whole = Shapes([Shape(messages)])
    erased = erased_members(messages, key) if key else set[str]()
    if len(erased) <= _MAX_OPTIONAL * len(names_in(messages)):
        return whole
    marks = _marks(messages, erased)
    if len(marks) < 2:
        return whole
    # No member has the name of the messages without one.
    other = free_name(_OTHER, marks)
    labels = labels_of([*marks, other])
    shapes = []
    for name in marks:
        group = [each for each in messages if _has(each, name)]
        shapes.append(Shape(group, name, labels[name], having=name))
    others = [each for each in messages if not _has_any(each, marks)]
    if others:
        shapes.append(Shape(others, other, labels[other], lacking=marks))
    return Shapes(shapes)


def erased_members(messages: Messages, key: Sequence[Names]) -> set[str]:
    """Return the members that a later message of a key erases, since it does not have them."""
    by_key: dict[Any, list[frozenset[str]]] = {}
    for values, message in zip(keys_of(messages, key), messages, strict=True):
        by_key.setdefault(values, []).append(frozenset(filter(None, message)))
    erased: set[str] = set()
    for members in by_key.values():
        every = frozenset.union(*members)
        # Messages of which one has all members are of one type.
        if every not in members:
            erased |= every - frozenset.intersection(*members)
    return erased


def _marks(messages: Messages, names: set[str]) -> list[str]:
    """Return members of which no message has two: those first that most others come with."""
    found: dict[frozenset[int], list[str]] = {}
    for name in names_in(messages):
        having = frozenset(index for index, each in enumerate(messages) if _has(each, name))
        if name in names and having:
            found.setdefault(having, []).append(name)
    taken: set[int] = set()
    marks = []
    for having in sorted(found, key=lambda each: (-len(found[each]), len(each))):
        if taken.isdisjoint(having):
            taken |= having
            marks.append(found[having][0])
    return marks


def _has(message: Any, name: str) -> bool:
    return message.get(name) is not None


def _has_any(message: Any, names: Sequence[str]) -> bool:
    return any(_has(message, name) for name in names)
