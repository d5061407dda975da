"""A config and what is deployed of it, and a rule about the calls that failed, whose results are
unknown.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from router.codes import declare
from router.model import Path
from router.runtime.config import spec
from router.runtime.engine.engine import CompiledQueue
from router.tools.check.rule import Found, RuleSet
from router.tools.control_plane.deployed import (
    DeployedFunction,
    DeployedMapping,
    DeployedQueue,
    DeployedState,
    Unanswered,
)

_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


class DeployedConfig(Struct, frozen=True):
    """A config and what is deployed of it; `function` is the one given by --function, or ""."""

    config: spec.Config
    queues: Mapping[str, CompiledQueue]
    seen: DeployedState
    function: str = ""

    def queue_path(self, name: str) -> Path:
        """Return the path of a queue in the config: its entry, else the first route that reads it."""
        if name in self.config.queues:
            return ("queues", name)
        return next(
            ("routes", each, "queue")
            for each, route in self.config.routes.items()
            if route.queue == name
        )

    def dead_letter_path(self, name: str) -> Path:
        """Return the path of the dead-letter queue of a queue in the config."""
        return (*self.queue_path(name), "dead_letter")

    def queue_of(self, name: str) -> DeployedQueue | None:
        """Return a queue that is read; None if it is unknown."""
        deployed = self.seen.queues.get(self.queues[name].reference)
        return deployed if isinstance(deployed, DeployedQueue) else None

    def mapped(
        self, name: str
    ) -> tuple[tuple[DeployedMapping, DeployedFunction | Unanswered | None], ...]:
        """Return the mappings of a queue, each with its function; None for an unknown one."""
        mappings = self.seen.mappings.get(name, ())
        if isinstance(mappings, Unanswered):
            return ()
        return tuple((mapping, self.seen.functions.get(mapping.function)) for mapping in mappings)


LIVE_RULES: RuleSet[DeployedConfig] = RuleSet("router.tools.check.live")
live_rule = LIVE_RULES.register
"""Registers a rule of `router check --live`: `@live_rule(CODE)`."""


def duration(seconds: int) -> str:
    """Return seconds in the largest unit of which they are a whole number greater than one."""
    for unit, name in _UNITS:
        if seconds % unit == 0 and seconds > unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


NOT_PERMITTED = declare(
    "RT751",
    "a call that the caller lacks the permission for",
    "Its result is unknown, so that nothing is reported about it, neither good nor bad.",
    severity="warning",
)
NO_ANSWER = declare(
    "RT752",
    "a call that AWS did not answer",
    "Its result is unknown, so that the comparison is incomplete.",
)
NOT_SIMULATED = declare(
    "RT754",
    "permissions that are unknown",
    "IAM simulates the policies of users and roles; the permissions of other callers, such as a federated user, are "
    "unknown.",
    severity="warning",
)

NOT_COMPARED = declare(
    "RT756",
    "a config that was not compared with what is deployed",
    "It has errors, so that the resources that it names may be the wrong ones. AWS was not called.",
    severity="warning",
)


@live_rule(NOT_PERMITTED, NO_ANSWER, NOT_SIMULATED)
def check_answers(deployment: DeployedConfig) -> Iterator[Found]:
    """Report each call that was denied or failed, at the path of its resource."""
    seen = deployment.seen
    for name, table in seen.tables.items():
        path: Path = ("tables", name)
        yield from _not_known(table, path)
        if not isinstance(table, Unanswered):
            yield from _not_known(table.ttl, path)
    for name, queue in deployment.queues.items():
        path = deployment.queue_path(name)
        yield from _not_known(seen.queues.get(queue.reference), path)
        if queue.dead_letter:
            yield from _not_known(
                seen.queues.get(queue.dead_letter), deployment.dead_letter_path(name)
            )
        deployed = deployment.queue_of(name)
        if deployed:
            yield from _not_known(seen.queues.get(deployed.redrive_to), path)
        yield from _not_known(seen.mappings.get(name), path)
    for subscriptions in seen.subscriptions.values():
        yield from _not_known(subscriptions, ())
    for function in seen.functions.values():
        yield from _not_known(function, ())
        if not isinstance(function, Unanswered):
            yield from _not_known(function.reserved, ())
    for answer in (seen.principal, *seen.decisions):
        if isinstance(answer, Unanswered) and answer.denied:
            yield _not_permitted(answer, ())
        elif isinstance(answer, Unanswered):
            yield Found(
                NOT_SIMULATED,
                _not_answered(answer),
                (),
                "name the function with --function, or run this as its role",
            )


def _not_known(answer: object, path: Path) -> Iterator[Found]:
    if not isinstance(answer, Unanswered) or answer.absent:
        return
    if answer.denied:
        yield _not_permitted(answer, path)
    else:
        yield Found(NO_ANSWER, _not_answered(answer), path, "try again")


def _not_permitted(answer: Unanswered, path: Path) -> Found:
    return Found(
        NOT_PERMITTED,
        f"{answer.action} of '{answer.resource}' is not permitted ({answer.code})",
        path,
        f"allow {answer.action}, or check with another profile",
    )


def _not_answered(answer: Unanswered) -> str:
    return f"{answer.action} of '{answer.resource}' was not answered ({answer.code})"
