"""Makes text that a regular expression finds."""

import re
from collections.abc import Iterator
from random import Random
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as regex  # type: ignore[attr-defined]
from typing import Any


class Impossible(Exception):
    """Raised if no value can be made; another attempt may succeed."""


def from_pattern(pattern: str, chance: Random) -> str:
    """Return text that a regular expression finds; raises Impossible."""
    try:
        tree = regex.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        raise Impossible from None
    return "".join(_parts(tree, chance))


def _parts(tree: Any, chance: Random) -> Iterator[str]:
    for kind, argument in tree:
        if kind is ops.LITERAL:
            yield chr(argument)
        elif kind is ops.ANY:
            yield chance.choice("ax0-")
        elif kind is ops.IN:
            yield _one_of(argument, chance)
        elif kind is ops.NOT_LITERAL:
            yield "b" if argument == ord("a") else "a"
        elif kind is ops.BRANCH:
            yield from _parts(chance.choice(argument[1]), chance)
        elif kind is ops.SUBPATTERN:
            yield from _parts(argument[-1], chance)
        elif kind in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            least, most, inner = argument
            for _ in range(min(int(most), least + chance.choice((0, 1, 3)), 200)):
                yield from _parts(inner, chance)
        elif kind is not ops.AT:
            raise Impossible


_CLASSES = {"DIGIT": "0123456789", "WORD": "aZ0_", "SPACE": " ", "NOT_DIGIT": "a-", "NOT_WORD": "- ", "NOT_SPACE": "a0"}


def _one_of(members: Any, chance: Random) -> str:
    if members[0][0] is ops.NEGATE:
        excluded = re.compile("[" + "".join(map(_written, members[1:])) + "]")
        fit = [char for char in "a0Z-_ .é/:\t" if not excluded.match(char)]
        if not fit:
            raise Impossible
        return chance.choice(fit)
    kind, argument = chance.choice(members)
    if kind is ops.RANGE:
        low, high = argument
        return chr(chance.choice((low, high, (low + high) // 2)))
    return chance.choice(_CLASSES[_class(argument)]) if kind is ops.CATEGORY else chr(argument)


def _class(category: Any) -> str:
    return str(category).rpartition("CATEGORY_")[2]


def _written(member: Any) -> str:
    kind, argument = member
    if kind is ops.RANGE:
        return f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
    if kind is ops.CATEGORY:
        return {"DIGIT": r"\d", "WORD": r"\w", "SPACE": r"\s"}.get(_class(argument), "")
    return re.escape(chr(argument))
