"""What a template is about: the queues and tables of a config, made by it or only referred to."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from router.config import spec
from router.errors import UsageError
from router.ops.template.expressions import Expression, attribute, sub
from router.ops.template.substitutions import Texts
from router.program.load import Program


class Thing(Struct, frozen=True, kw_only=True):
    """A queue or table: its logical id, and its name, ARN and key as texts.

    `shown` is its name in the environment in which the template is made, `flows` the routes that it is there for.
    """

    id: str
    name: str
    arn: str
    shown: str
    made: bool
    kms_key: str = ""
    flows: tuple[str, ...] = ()

    @property
    def place(self) -> Expression:
        """Its ARN."""
        return attribute(self.id, "Arn") if self.made else sub(self.arn)


class Batching(Struct, frozen=True):
    """How Lambda reads a queue; the window is in seconds, and without maximum it is 0."""

    size: int
    window: int
    maximum: int


class Queue(Thing, frozen=True, kw_only=True):
    """A queue; times are in seconds.

    If routes read it, it has a `name_in_config`, `batching`, and in `letters` the id of its dead-letter queue or "".
    `sources` are the ARNs, as texts, of the queues whose dead letters it takes.
    """

    fifo: bool
    retention: int
    name_in_config: str = ""
    letters: str = ""
    sources: tuple[str, ...] = ()
    max_receive_count: int = 0
    visibility: int = 0
    batching: Batching = Batching(1, 0, 0)


class Table(Thing, frozen=True, kw_only=True):
    """A table; `name_in_config` is its key there."""

    name_in_config: str
    settings: spec.Table


class Plan(Struct, frozen=True):
    """All queues and tables, by logical id, in the order of the config."""

    program: Program
    texts: Texts
    queues: Mapping[str, Queue]
    tables: Mapping[str, Table]
    worker: bool = False

    @property
    def config(self) -> spec.Config:
        """The config."""
        return self.program.config

    @property
    def read(self) -> tuple[Queue, ...]:
        """The queues that routes read."""
        return tuple(queue for queue in self.queues.values() if queue.name_in_config)

    def letters_of(self, queue: Queue) -> Queue | None:
        """The dead-letter queue of a queue."""
        return self.queues.get(queue.letters)

    def table_of(self, name: str) -> Table:
        """A table by its name in the config."""
        return next(table for table in self.tables.values() if table.name_in_config == name)

    def check(self) -> None:
        """Raise UsageError if one thing in AWS would be made twice, under two ids."""
        kinds: tuple[tuple[str, Iterable[Thing]], ...] = (
            ("queue", self.queues.values()),
            ("table", self.tables.values()),
        )
        for kind, things in kinds:
            seen: dict[str, Thing] = {}
            for thing in things:
                other = seen.setdefault(thing.shown, thing) if thing.made else thing
                if other is not thing:
                    raise UsageError(
                        f"the {kind} '{thing.shown}' has two names in the config: "
                        f"'{other.name}' and '{thing.name}'; write both alike"
                    )
