"""Hostile messages among good ones, in waves, and what must become of them."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from tests.faults.fault_model import QueueMessages, Watch
from tests.faults.fault_proxy import Call
from tests.faults.hostile.messages import HOSTILE, good_body


class HostileModel:
    """The messages sent so far: in each wave the whole corpus, among good messages."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._wave = 0
        self.sent = 0
        self._good: set[str] = set()
        self._codes: dict[str, tuple[str, ...]] = {}

    def wave(self, size: int) -> Iterator[QueueMessages]:
        """Yield the next wave, about `size` messages in all."""
        self._wave += 1
        share = size // len(HOSTILE)
        cases = self._random.sample(sorted(HOSTILE), len(HOSTILE))
        for case in cases:
            queue, body, codes = HOSTILE[case]
            ids = [f"a{self._wave}-{cases.index(case)}-{number}" for number in range(share - 1)]
            bodies = [good_body(queue, id_) for id_ in ids]
            self._good.update(ids)
            self._codes[body] = codes
            self.sent += share
            place = self._random.randrange(share)
            # Each large one in a call of its own.
            yield queue, bodies[:place], []
            yield queue, [body], []
            yield queue, bodies[place:], []

    def watch(self, rig: Any) -> Watch:
        """Return a watch of nothing."""
        return Watch(rig)

    def count_lost(self, rig: Any) -> int:
        """Count the good messages that were not written, and the hostile ones without their end."""
        stored = {item["id"] for item in rig.items("items")}
        ends: dict[str, set[str]] = {}
        for letter in rig.letters("dead"):
            code = json.loads(letter["MessageAttributes"]["router"]["StringValue"])["code"]
            ends.setdefault(letter["Body"], set()).add(code)
        expected = {body: set(codes) - {""} for body, codes in self._codes.items()}
        return len(self._good - stored) + sum(
            bool(codes) and not ends.get(body, set()) & codes for body, codes in expected.items()
        )

    def count_duplicates(self, rig: Any) -> int:
        """Return 0: a put has no second effect."""
        return 0

    def find_disorder(self, calls: Sequence[Call]) -> list[str]:
        """Return nothing: there are no message groups."""
        return []
