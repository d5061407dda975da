"""Makes the messages of a config: valid ones by construction, and variants of them at the paths that it reads."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from time import process_time
from typing import Any

import msgspec

from tests.soundness.cases import TrialConfig
from tests.soundness.instances import Impossible, Maker, variant, with_value, without

BASES = 17
"""Messages that are made by construction; the others are variants of them."""
SECONDS = 2.0
"""Of processor time, so that the messages do not depend on the load of the machine."""
_FAILURES = 300
"""So many messages one after another that are not new, or not valid: there are hardly more."""
_ROOTS: tuple[Any, ...] = ({}, [], "x", 1, None)
"""Messages that a schema without a type at its root takes."""
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class MessageMaker:
    """Makes messages of a config; `is_valid` is the validator of its schema."""

    def __init__(self, case: TrialConfig, chance: Random, is_valid: Callable[[Any], bool]) -> None:
        self._case = case
        self._chance = chance
        self._is_valid = is_valid
        self._seen: dict[str, None] = {}
        self._bases: list[Any] = []

    def make(self, count: int, more: Sequence[Any] = (), values: Sequence[str] = ()) -> list[str]:
        """Return up to `count` different messages as JSON.

        `more` are messages to begin with, and `values` are tried at each path, if they are valid.
        """
        until = process_time() + SECONDS
        self._bases = [message for message in (*more, *_ROOTS) if self._accept(message)]
        for makers, most in ((self._made(), BASES), (self._given(values), count), (self._varied(40 * count), count)):
            failed = 0
            for message in makers:
                new = self._accept(message)
                failed = 0 if new else failed + 1
                if new and most == BASES:
                    self._bases.append(message)
                if len(self._seen) >= most or failed > _FAILURES or process_time() > until:
                    break
        return list(self._seen)

    def _accept(self, message: Any) -> bool:
        """Keep a message that is new and valid, as the router decodes it; return whether it is."""
        body = _ENCODER.encode(message)
        text = body.decode()
        if text in self._seen or not self._is_valid(_DECODER.decode(body)):
            return False
        self._seen[text] = None
        return True

    def _made(self) -> Iterator[Any]:
        maker = Maker(self._case.schema, self._chance, self._case.paths)
        for _ in range(10 * BASES):
            try:
                message = maker.message()
                if self._case.chosen is not None and self._chance.random() < 0.6:
                    message = with_value(message, *self._case.chosen)
            except Impossible:
                continue
            yield message

    def _given(self, values: Sequence[str]) -> Iterator[Any]:
        paths = [path for path in self._case.paths if None not in path]
        for base in self._bases[-2:]:
            yield from (with_value(base, path, each) for path in paths for each in values)

    def _varied(self, most: int) -> Iterator[Any]:
        """Yield variants: first each path missing in some messages, then random ones."""
        if not self._bases or not self._case.paths:
            return
        paths = [path[:end] for path in self._case.paths for end in range(len(path), 0, -1)]
        removals = [(base, path) for base in self._bases[-4:] for path in paths]
        for number in range(most):
            try:
                if number < len(removals):
                    yield without(*removals[number], self._chance)
                else:
                    base, path = self._chance.choice(self._bases), self._chance.choice(self._case.paths)
                    yield variant(base, path, self._chance)
            except Impossible:
                continue
