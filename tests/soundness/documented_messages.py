"""Makes the messages of a documented config: valid ones, near ones, and values at the edges."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from tests.soundness.documented_configs import DocumentedConfig, places_of
from tests.soundness.documented_schemas import NUMBERS, ODD, TEXTS, Shape
from tests.soundness.spelled import encoded

BASES = 12
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ROOTS: tuple[Any, ...] = ({}, [], "x", 1, None)
_MISSING = object()
_OF_EACH_TYPE: tuple[Any, ...] = (_MISSING, None, True, 1, 1.5, "x", "", [], ["a"], {}, {"a": 1})


class DocumentedMessages:
    """Makes messages of a config. `is_valid` is the validator of its schema.

    `refused` are the messages that it does not take.
    """

    def __init__(self, config: DocumentedConfig, chance: Random, is_valid: Callable[[Any], bool]) -> None:
        self._shape = config.shape
        self._chance = chance
        self._is_valid = is_valid
        self._paths = [*config.case.paths] or [steps for steps, _ in places_of(config.shape)]
        self._taken: dict[str, None] = {}
        self.refused: dict[str, None] = {}

    def make(self, count: int, more: Sequence[Any] = (), values: Sequence[str] = ()) -> list[str]:
        """Return up to `count` different valid messages as JSON.

        `more` are messages to begin with, and `values` are tried at the paths that the config reads.
        """
        bases = [self._shape.make(self._chance) for _ in range(BASES)]
        for message in (*more, *_ROOTS, *bases):
            self._add(message)
        good = [message for message in bases if encoded(message) in self._taken] or bases
        for message in self._varied(good, values, 4 * count):
            if len(self._taken) >= count:
                break
            self._add(message)
        return [*self._taken][:count]

    def _add(self, message: Any) -> None:
        text = encoded(message)
        try:
            content = _DECODER.decode(text)
        except msgspec.DecodeError:  # of a number that cannot be decoded
            self.refused[text] = None
            return
        taken = self._taken if self._is_valid(content) else self.refused
        taken[text] = None

    def _varied(self, bases: Sequence[Any], values: Sequence[str], most: int) -> Iterator[Any]:
        for path in self._paths[:8] if bases else ():
            yield from (_changed(bases[0], path, value, self._chance) for value in (*_OF_EACH_TYPE, *values[:8]))
        for _ in range(most):
            message = self._shape.make(self._chance) if self._chance.random() < 0.4 else self._chance.choice(bases)
            for _ in range(self._chance.choice((0, 1, 1, 2))):
                message = self._edited(message)
            yield message

    def _edited(self, message: Any) -> Any:
        path = self._chance.choice(self._paths)
        where = _shape_at(self._shape, path)
        value = where.make(self._chance) if where is not None and self._chance.random() < 0.6 else self._odd()
        if self._chance.random() < 0.04:
            path = (self._chance.choice(("", "extra", "a b", "expires", "pk")),)
        path = path[: self._chance.choice((len(path), len(path), 1))]
        return _changed(message, path, value, self._chance)

    def _odd(self) -> Any:
        return self._chance.choice((_MISSING, *TEXTS, *NUMBERS, *ODD))


def _shape_at(shape: Shape, path: Sequence[str | None]) -> Shape | None:
    found: Shape | None = shape
    for step in path:
        if found is not None:
            found = found.element if step is None else found.properties.get(step)
    return found


def _changed(content: Any, path: Sequence[str | None], value: Any, chance: Random | None = None) -> Any:
    """Return a copy with the value at a path replaced, added or removed."""
    if not path:
        return None if value is _MISSING else value
    step, rest = path[0], path[1:]
    if step is None:
        if not isinstance(content, list) or not content or chance is None:
            return content
        copy = [*content]
        index = chance.randrange(len(copy))
        copy[index] = _changed(copy[index], rest, value, chance)
        return copy
    inside = {**content} if isinstance(content, dict) else {}
    if not rest and value is _MISSING:
        inside.pop(step, None)
    else:
        inside[step] = _changed(inside.get(step), rest, value, chance)
    return inside
