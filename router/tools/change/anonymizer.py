"""Anonymizes the values of recorded messages, so that each keeps its shape and what the config decides about it.

Nothing of a value stays but what the config itself names, the signs of ASCII, and the form of a whole text. Equal
values of one recording are replaced alike, wherever they are, and different ones differently. What replaces them
depends on a random key that is not kept.
"""

import hashlib
from collections.abc import Callable, Collection
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from string import ascii_lowercase
from typing import Any

from msgspec import Struct

from router.prover.predicates import Steps
from router.runtime.config.environment import parts
from router.tools.change.anonymous_numbers import (
    Number,
    NumberScale,
    is_comparable,
    other_number,
    render,
    scale_of,
)
from router.tools.change.anonymous_texts import Draw, draws, other_text

_ATTEMPTS = 200
_TRIALS = 24
"""After so many equal replacements, a value has no other one."""
_OTHERS = 20
"""After so many attempts, a replacement may be a real value, as of short ones each may be."""
_MOST_LONGER = 20
_BLOCK_BYTES = 128
_Value = str | Fraction | Decimal
"""A text or a number by its value; one that is too large to compute with as it is written."""
_Make = Callable[[Draw, int], _Value]
"""Returns a replacement of a value, or one with some more characters or digits."""


class Kept(Struct, frozen=True, dict=True):
    """What is not replaced: constants and numbers that the config names, names of properties, and values at paths.

    `factors` are the numbers of `multipleOf`: what is a multiple of one is replaced by another multiple.
    """

    constants: Collection[str] = ()
    names: Collection[str] = ()
    paths: Collection[Steps] = ()
    numbers: Collection[Number] = ()
    factors: Collection[Number] = ()

    @cached_property
    def scale(self) -> NumberScale:
        """The order of the numbers that the config names."""
        return scale_of(filter(is_comparable, self.numbers), filter(is_comparable, self.factors))

    def is_constant(self, value: Any) -> bool:
        """Return whether the config itself names a value."""
        if isinstance(value, str):
            return value in self.constants
        return not isinstance(value, bool) and value in self.numbers


class Anonymizer:
    """Anonymizes the messages of one recording. `collisions` is how many values could not be told apart from others."""

    def __init__(self, key: bytes, kept: Kept) -> None:
        self._key = key
        self._kept = kept
        self._replacements: dict[_Value, _Value] = {}
        self._values: dict[_Value, _Value] = {}
        """The value of each replacement."""
        self._reserved: set[_Value] = {*kept.constants, *kept.names, *kept.scale.named}
        self._seen: set[_Value] = set()
        """The real values so far: a replacement should not be another one's value."""
        self._unchanged: set[_Value] = set()
        """The values that have no other replacement than themselves."""
        self._round = 0
        self.collisions = 0

    def anonymized(self, message: Any, restored: Collection[Steps] = ()) -> Any:
        """Return a message with its values replaced, except those at the paths `restored`."""
        self._see(message)
        return self._value(message, (), restored)

    def is_replaced(self, value: Any) -> bool:
        """Return whether a value of an anonymized message is replaced; one of few values may be so by itself."""
        if _tells_little(value) or self._kept.is_constant(value):
            return False
        return value not in self._unchanged

    def known(self) -> int:
        """Return how many values have a replacement."""
        return len(self._replacements)

    def forget(self, known: int) -> None:
        """Forget all replacements but the first ones, so that the other values get others the next time."""
        while len(self._replacements) > known:
            value, replacement = self._replacements.popitem()
            if self._values.get(replacement) == value:
                del self._values[replacement]
            else:
                self.collisions -= 1
        self._round += 1

    def _see(self, value: Any) -> None:
        if isinstance(value, dict):
            self._seen.update(value)
        elif isinstance(value, str):
            self._seen.add(value)
        elif isinstance(value, int | Decimal):
            self._seen.add(_value_of(value))
        for _, part in parts(value):
            self._see(part)

    def _value(self, value: Any, steps: Steps, restored: Collection[Steps]) -> Any:
        if isinstance(value, dict):
            return {
                self._name(name): self._value(each, (*steps, name), restored)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._value(each, (*steps, None), restored) for each in value]
        if steps in self._kept.paths or steps in restored:
            return value
        if _tells_little(value) or self._kept.is_constant(value):
            return value
        return self._text(value) if isinstance(value, str) else self._number(value)

    def _name(self, name: str) -> str:
        is_kept = name in self._kept.names or name in self._kept.constants
        return name if is_kept else self._text(name)

    def _text(self, text: str) -> str:
        def make(draw: Draw, longer: int) -> str:
            made = other_text(text, draw)
            return made + "".join(ascii_lowercase[draw(26)] for _ in range(longer))

        return str(self._unique(text, make))

    def _number(self, number: Number) -> Number:
        def make(draw: Draw, longer: int) -> Fraction | Decimal:
            return _value_of(other_number(number, self._kept.scale, draw, longer))

        found = self._unique(_value_of(number), make)
        return found if isinstance(found, Decimal) else render(Fraction(found), number)

    def _unique(self, value: _Value, make: _Make) -> _Value:
        """Return the replacement of a value: that which it has already, or one that no other value has."""
        if value not in self._replacements:
            self._replacements[value] = self._free(value, make)
            self._values.setdefault(self._replacements[value], value)
        return self._replacements[value]

    def _free(self, value: _Value, make: _Make) -> _Value:
        """Return a replacement that no other value has, and that the config does not name."""

        def attempt(number: int, longer: int = 0) -> _Value:
            return make(self._draw(f"{self._round} {number} {longer} {value}"), longer)

        made = attempt(0)
        if made == value and all(attempt(number) == value for number in range(1, _TRIALS)):
            # A text without letters and digits, for example.
            self._unchanged.add(value)
            return value
        for number in range(1, _ATTEMPTS):
            is_of_another = made != value and made in self._seen
            if self._is_free(made) and (number > _OTHERS or not is_of_another):
                return made
            made = attempt(number)
        if value not in self._values:
            self._unchanged.add(value)
            return value
        for longer in range(1, _MOST_LONGER + 1):
            # All replacements of this shape are taken: that values can be told apart counts more than their shape.
            made = attempt(0, longer)
            if self._is_free(made):
                return made
        self.collisions += 1
        return made

    def _is_free(self, replacement: _Value) -> bool:
        return replacement not in self._values and replacement not in self._reserved

    def _draw(self, seed: str) -> Draw:
        def read(block: int) -> bytes:
            data = self._key + f"{block} {seed}".encode(errors="surrogatepass")
            return hashlib.shake_256(data).digest(_BLOCK_BYTES)

        return draws(read)


def _tells_little(value: Any) -> bool:
    """Return whether a value is null, true, false or zero, which decides about most."""
    return value is None or isinstance(value, bool) or value == 0


def _value_of(number: Number) -> Fraction | Decimal:
    return Fraction(number) if is_comparable(number) else Decimal(number)
