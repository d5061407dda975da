"""A config beside what is deployed, as the rules of `router check --live` see them."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from router.aws.deployed import DeployedState, FunctionFacts, MappingFacts, QueueFacts, Unanswered
from router.check.rule import Found
from router.config import spec
from router.engine.engine import CompiledQueue
from router.model import Path

_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


class Deployment(Struct, frozen=True):
    """A config beside what was seen of it; `function` is the one asked about, or ""."""

    config: spec.Config
    queues: Mapping[str, CompiledQueue]
    seen: DeployedState
    function: str = ""

    def queue_path(self, name: str) -> Path:
        """Where the config names a queue that is read: its entry, else the first route that reads it."""
        if name in self.config.queues:
            return ("queues", name)
        return next(("routes", each, "queue") for each, route in self.config.routes.items() if route.queue == name)

    def at_queue(self, name: str) -> tuple[Path, bool]:
        """That place, and whether it is a key."""
        return self.queue_path(name), name in self.config.queues

    def dead_letter_path(self, name: str) -> Path:
        """Where the config names the dead-letter queue of a queue."""
        return (*self.queue_path(name), "dead_letter")

    def facts_of(self, name: str) -> QueueFacts | None:
        """What is known of a queue that is read."""
        facts = self.seen.queues.get(self.queues[name].reference)
        return facts if isinstance(facts, QueueFacts) else None

    def mapped(self, name: str) -> tuple[tuple[MappingFacts, FunctionFacts | Unanswered | None], ...]:
        """The mappings of a queue, each with its function as far as that is known."""
        mappings = self.seen.mappings.get(name, ())
        if isinstance(mappings, Unanswered):
            return ()
        return tuple((mapping, self.seen.functions.get(mapping.function)) for mapping in mappings)


LiveRule = Callable[[Deployment], Iterable[Found]]
"""A rule of `router check --live`."""


def duration(seconds: int) -> str:
    """Seconds in the largest unit of which they are a whole number, more than one."""
    return next(
        (f"{seconds // unit} {name}" for unit, name in _UNITS if seconds % unit == 0 and seconds > unit), f"{seconds} s"
    )
