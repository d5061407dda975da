"""The cases: what is broken, where and how, all of them and a selection in which each pair of choices occurs."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Literal, NamedTuple, get_args

Program = Literal["function", "worker"]
Channel = Literal["plain", "TLS 1.2", "TLS 1.3"]
Operation = Literal[
    "BatchWriteItem",
    "PutItem",
    "UpdateItem",
    "TransactWriteItems",
    "SendMessageBatch",
    "GetObject",
    "DeleteMessageBatch",
    "ReceiveMessage",
]
Kind = Literal["copy", "older", "into next", "bytes", "408", "long", "half", "drip", "cut"]
"""How a call is broken:

- copy: its answer is sent once more.
- older: the answer before it on the connection is sent once more.
- into next: its answer is sent once more after the next request was received.
- bytes: bytes that are no answer follow.
- 408: an answer that says that no request came in time follows.
- long: its answer is longer than its header says.
- half: its answer stops.
- drip: its answer comes so slowly that it never ends.
- cut: its answer stops, and the connection is closed.
"""
Ending = Literal["others", "timeout", "deadline", "-"]
"""Until when an answer stops or drips: until the calls for all other messages are made; until the program gives the
call up; until the invocation is over."""
Point = Literal["head", "body", "last byte", "-"]
"""What comes of an answer: half of its head, its head and half of its body, or all but its last byte."""
AFTER: tuple[Kind, ...] = ("copy", "older", "into next", "bytes", "408", "long")
"""Those that break what comes after an answer."""
MANY = 10_000
BATCHED = {"BatchWriteItem": 25, "SendMessageBatch": 10, "DeleteMessageBatch": 10, "ReceiveMessage": 10}
"""How many messages a call is for."""


class Case(NamedTuple):
    """One choice of each kind; "-" and -1 where there is none.

    `delay` is in milliseconds, after the answer or the next request. `ids` is whether answers have request ids, `made`
    whether the call is made of which no whole answer comes, `calls` which of the calls are broken.
    """

    program: Program
    channel: Channel
    size: int
    operation: Operation
    kind: Kind
    delay: int
    ids: bool
    point: Point
    made: bool
    calls: Literal["first", "last", "some"]
    ending: Ending

    @property
    def name(self) -> str:
        """Its choices as text."""
        return ", ".join(f"{name} {value}" for name, value in self._asdict().items())

    @property
    def seconds(self) -> float:
        """About how long it takes on a quiet machine."""
        waits = {"others": 0.1, "timeout": 1.2, "deadline": 1.2, "-": 0.1}[self.ending]
        return waits + self.size / 10_000 + (0.1 if self.program == "worker" else 0.0)


_EVERYWHERE: Mapping[str, Sequence[object]] = {
    "program": get_args(Program),
    "channel": get_args(Channel),
    "size": (1, 100, MANY),
    "operation": get_args(Operation),
    "calls": ("first", "last", "some"),
}
_FOLLOWING: Mapping[str, Sequence[object]] = {
    "kind": AFTER,
    "delay": (0, 1, 5, 30, 50),
    "ids": (True, False),
    "point": ("-",),
    "made": (True,),
    "ending": ("-",),
}
_STOPPING: Mapping[str, Sequence[object]] = {
    "kind": ("half", "drip", "cut"),
    "delay": (-1,),
    "ids": (True,),
    "point": ("head", "body", "last byte"),
    "made": (True, False),
    "ending": get_args(Ending),
}


def all_cases() -> Iterator[Case]:
    """Yield all cases that can be."""
    for more in (_FOLLOWING, _STOPPING):
        choices = {**_EVERYWHERE, **more}
        for chosen in product(*choices.values()):
            case = Case(**dict(zip(choices, chosen, strict=True)))  # type: ignore[arg-type]
            if _can_be(case):
                yield case


def _can_be(case: Case) -> bool:
    # Lambda receives and deletes by itself.
    if case.program == "function" and case.operation in ("DeleteMessageBatch", "ReceiveMessage"):
        return False
    if case.size == 1 and case.calls != "first":
        return False
    return _can_follow(case) if case.kind in AFTER else _can_stop(case)


def _can_follow(case: Case) -> bool:
    if case.kind == "into next":
        return case.ids and case.delay > 0
    if case.kind == "long":
        return case.delay == 0
    if case.kind in ("copy", "older") and not case.ids and case.delay > 0:
        # Nothing tells a copy that comes while the next request is under way from the answer to that request.
        return case.program == "function" and case.size == 1
    return True


def _can_stop(case: Case) -> bool:
    if case.kind == "cut":
        return case.ending == "-"
    if case.kind == "drip" and case.point == "last byte":
        return False
    if case.program == "worker":
        return case.ending == "timeout"
    if case.ending == "deadline":
        # With many messages a short deadline would say how busy the machine is.
        return case.size < MANY
    # The last call of several holds no other one.
    return case.ending != "-" and (case.ending != "others" or case.calls != "last")


TOGETHER = (("operation", "kind", "program"), ("kind", "size", "ending"), ("operation", "size", "ending"))
"""Choices that occur together in the selection, besides each pair."""

_CONSIDERED = 3000
"""The random cases that are considered: in so many, all that occurs together in any case does."""

_Part = tuple[tuple[str, object], ...]


def select(seed: int) -> list[Case]:
    """Select cases with each pair of choices that can be, and each of TOGETHER; cheap ones, if there are several."""
    chance = random.Random(seed)
    having: dict[_Part, list[Case]] = {}
    for case in chance.sample([*all_cases()], _CONSIDERED):
        for part in _parts(case):
            having.setdefault(part, []).append(case)
    # The rarest first: the cases for them have many of the others too.
    left = dict.fromkeys(sorted(having, key=lambda part: len(having[part])))

    def worth(case: Case) -> float:
        new = [part for part in _parts(case) if part in left]
        return len(new) / (0.3 + case.seconds)

    selected = []
    while left:
        rarest = having[next(iter(left))]
        best = max(chance.sample(rarest, min(len(rarest), 60)), key=worth)
        selected.append(best)
        for part in _parts(best):
            left.pop(part, None)
    return selected


def _parts(case: Case) -> list[_Part]:
    choices = case._asdict()
    names = [*combinations(choices, 2), *TOGETHER]
    return [tuple((name, choices[name]) for name in together) for together in names]
