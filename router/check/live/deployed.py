"""A config and what is deployed of it: the subject of the rules of `router check --live`."""

from collections.abc import Mapping

from msgspec import Struct

from router.aws.deployed import DeployedFunction, DeployedMapping, DeployedQueue, DeployedState, Unanswered
from router.check.rule import RuleSet
from router.config import spec
from router.engine.engine import CompiledQueue
from router.model import Path

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
        return next(("routes", each, "queue") for each, route in self.config.routes.items() if route.queue == name)

    def dead_letter_path(self, name: str) -> Path:
        """Return the path of the dead-letter queue of a queue in the config."""
        return (*self.queue_path(name), "dead_letter")

    def queue_of(self, name: str) -> DeployedQueue | None:
        """Return a queue that is read; None if it is unknown."""
        deployed = self.seen.queues.get(self.queues[name].reference)
        return deployed if isinstance(deployed, DeployedQueue) else None

    def mapped(self, name: str) -> tuple[tuple[DeployedMapping, DeployedFunction | Unanswered | None], ...]:
        """Return the mappings of a queue, each with its function; None for an unknown one."""
        mappings = self.seen.mappings.get(name, ())
        if isinstance(mappings, Unanswered):
            return ()
        return tuple((mapping, self.seen.functions.get(mapping.function)) for mapping in mappings)


LIVE_RULES: RuleSet[DeployedConfig] = RuleSet("router.check.live")
live_rule = LIVE_RULES.register
"""Registers a rule of `router check --live`: `@live_rule(CODE)`."""


def duration(seconds: int) -> str:
    """Return seconds in the largest unit of which they are a whole number greater than one."""
    return next(
        (f"{seconds // unit} {name}" for unit, name in _UNITS if seconds % unit == 0 and seconds > unit), f"{seconds} s"
    )
