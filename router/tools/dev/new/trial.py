"""Runs sample messages through the routes that were made from them, on tables in memory: each is
stored, and none erases what one of another type stored.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from router.model import Outcome
from router.runtime.program.load import Program
from router.tools.dev.new.fields import Message, Names, values_at
from router.tools.dev.new.plan import NewRoute
from router.tools.dev.records import ENCODER, META
from router.tools.memory.pairs import Items, PairMessage, run_alone, run_pair


def losses_of(
    program: Program, routes: Sequence[NewRoute], progress: Callable[[int], None]
) -> list[str]:
    """Return what is lost of the samples of new routes, and the options that keep it, for people.

    `progress` gets the number of samples that were tried.
    """
    routes = [route for route in routes if route.one_of is None]
    lost: list[str] = []
    done = 0
    for route in routes:
        for number, message in enumerate(route.shape.messages, 1):
            lost += _loss_alone(program, route, number, message)
            done += 1
            progress(done)
    if lost:
        return lost
    for one, other in combinations(routes, 2):
        if one.settings["table"] == other.settings["table"]:
            lost += _lost_together(program, one, other)
    return [*lost, _way_out(routes[0])] if lost else []


def _way_out(route: NewRoute) -> str:
    field = ".".join(route.discriminator)
    key = ".".join(next(iter(route.key.values())))
    return (
        f"give --mode update, by which each {field} sets attributes of its own, or --key {key},{field}, "
        "by which each has items of its own"
    )


def _loss_alone(program: Program, route: NewRoute, number: int, message: Message) -> Iterator[str]:
    """Yield what is lost of one sample."""
    outcome, items = run_alone(program, _pair_message(route, message, "first"))
    if outcome.kind != "written":
        yield f"sample {number} of route '{route.name}' is {_report(outcome)}"
    elif not items:
        yield f"sample {number} of route '{route.name}' stores nothing"


def _report(outcome: Outcome) -> str:
    return f"{outcome.kind}: {outcome.code} {outcome.reason}"


def _pair_message(route: NewRoute, message: Message, id_: str) -> PairMessage:
    text = ENCODER.encode(message).decode()
    return PairMessage(route.settings["queue"], text, message_id=id_, system=META)


def _lost_together(program: Program, one: NewRoute, other: NewRoute) -> Iterator[str]:
    """Yield what is lost when the largest samples of two routes are about one key."""
    first, second = _largest(one), _largest(other)
    second = _with_key(second, first, one, other)
    run = run_pair(
        program, _pair_message(one, first, "first"), _pair_message(one, second, "second")
    )
    first_alone = run.first_then_second.before
    second_alone = run.second_then_first.before
    for order, names in (
        (run.first_then_second, (one.name, other.name)),
        (run.second_then_first, (other.name, one.name)),
    ):
        lost = _missing(first_alone, order.after, second_alone)
        lost |= _missing(second_alone, order.after, first_alone)
        if lost:
            yield (
                f"a message of route '{names[0]}' and then one of route '{names[1]}' for one key "
                f"lose {', '.join(sorted(lost))}"
            )


def _largest(route: NewRoute) -> Message:
    return max(route.shape.messages, key=lambda message: len(ENCODER.encode(message)))


def _with_key(message: Message, source: Message, one: NewRoute, other: NewRoute) -> Message:
    """Return a message with the key of another one, but for the field that tells their types
    apart.
    """
    for name, path in other.key.items():
        if path and path != other.discriminator:
            [value] = values_at([source], one.key[name])
            message = _replace(message, path, value)
    return message


def _replace(message: Message, path: Names, value: Any) -> Message:
    name, *rest = path
    return {**message, name: _replace(message[name], tuple(rest), value) if rest else value}


def _missing(alone: Items, after: Items, other: Items) -> set[str]:
    """Return the attributes that a message stores alone, and that are not there after both, or have
    another value though only this message stores them.
    """
    lost = set()
    for identity, item in alone.items():
        found = after.get(identity, {})
        others = other.get(identity, {})
        for name, value in item.items():
            if name not in found or (name not in others and found[name] != value):
                lost.add(name)
    return lost
