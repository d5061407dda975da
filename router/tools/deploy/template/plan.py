"""Plans a stack: the queues and tables of a config, created by the stack or only referred to."""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, structs

from router.errors import UsageError
from router.model import Path
from router.runtime.aws.references import is_fifo, is_name, match_key, queue_name, table_name
from router.runtime.config import spec
from router.runtime.program.load import Program
from router.tools.check.owners import owners_of
from router.tools.check.rules.queues import batch_of, retention_of, visibility_of
from router.tools.control_plane.resource_changes import Tags
from router.tools.deploy.template.expressions import (
    ACCOUNT,
    PARTITION,
    REGION,
    VARIABLE_TEXT,
    Expression,
    Substitutions,
    attribute,
    logical_id,
    sub,
)

MAX_QUEUE_NAME = 80
"""Characters: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"""
WORKER_VISIBILITY = 60
"""Seconds; the worker renews it while it works on a message."""
FIFO_END = ".fifo"
"""The end of the name of a FIFO queue."""
_ACCOUNT_OF_QUEUE = re.compile(
    r"arn:(?:\$\{[^}]*\}|[^:$])+:sqs:(?:\$\{[^}]*\}|[^:$])+:((?:\$\{[^}]*\}|[^:$])+):"
)
_LETTERS = "-dlq"


class PlannedResource(Struct, frozen=True, kw_only=True):
    """A queue or table: its logical id, and its name, ARN and KMS keys, that of now and the previous one, as texts.

    `label` is its name with the values of variables in this environment, `name_in_config` is its key there, or what
    routes read it as, `routes` are the routes that use it, `owner` is its own, or that of all its routes.
    """

    id: str
    name: str
    arn: str
    label: str
    made: bool
    name_in_config: str = ""
    kms_key: str = ""
    kms_key_previous: str = ""
    routes: tuple[str, ...] = ()
    owner: str = ""
    description: str = ""
    tags: Tags = {}
    """Tags; their values, and the description, are texts."""

    @property
    def arn_expression(self) -> Expression:
        """An expression for its ARN."""
        return attribute(self.id, "Arn") if self.made else sub(self.arn)


class PlannedQueue(PlannedResource, frozen=True, kw_only=True):
    """A queue, with its settings in the config or the default ones; times are in seconds.

    If routes read it, it has `name_in_config`, `visibility`, `batch_size`, `window`, and `dead_letter`, the id of its
    dead-letter queue or "". `sources` are the ARNs, as texts, of the queues that it is the dead-letter queue of,
    `senders` the texts of those that its settings name.
    """

    fifo: bool
    settings: spec.Queue
    retention: int
    dead_letter: str = ""
    sources: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    visibility: int = 0
    batch_size: int = 0
    window: int = 0

    @property
    def account(self) -> str:
        """The account in its ARN, as a text; that of the stack if the config does not say which."""
        found = _ACCOUNT_OF_QUEUE.match(self.arn)
        return found[1] if found else ACCOUNT


class PlannedTable(PlannedResource, frozen=True, kw_only=True):
    """A table, with its settings in the config."""

    settings: spec.TableSettings


class StackPlan(Struct, frozen=True):
    """The queues and tables of a stack, by logical id, in the order of the config."""

    program: Program
    substitutions: Substitutions
    queues: Mapping[str, PlannedQueue]
    tables: Mapping[str, PlannedTable]
    worker: bool = False

    @property
    def config(self) -> spec.Config:
        """The config of the program."""
        return self.program.config

    @property
    def section(self) -> Literal["function", "worker"]:
        """Where the config has the settings of what runs."""
        return "worker" if self.worker else "function"

    @property
    def read(self) -> tuple[PlannedQueue, ...]:
        """The queues that routes read."""
        return tuple(queue for queue in self.queues.values() if queue.name_in_config)

    def dead_letter_queue_of(self, queue: PlannedQueue) -> PlannedQueue | None:
        """Return the dead-letter queue of a queue."""
        return self.queues.get(queue.dead_letter)

    def table_of(self, name: str) -> PlannedTable:
        """Return a table by its name in the config."""
        return next(table for table in self.tables.values() if table.name_in_config == name)

    def check(self) -> None:
        """Raise UsageError if the template would create one resource twice, with two logical ids."""
        for kind, resources in (("queue", self.queues), ("table", self.tables)):
            seen: dict[str, PlannedResource] = {}
            for resource in resources.values():
                other = seen.setdefault(resource.label, resource) if resource.made else resource
                if other is not resource:
                    raise UsageError(
                        f"the {kind} '{resource.label}' has two names in the config: "
                        f"'{other.name}' and '{resource.name}'; write both the same way"
                    )


def make_plan(program: Program, substitutions: Substitutions, worker: bool = False) -> StackPlan:
    """Return the plan of a config; raises UsageError for a resource that cannot be created."""
    queues = _QueuePlanner(program, substitutions, worker).queues()
    plan = StackPlan(program, substitutions, queues, _tables(program.config, substitutions), worker)
    plan.check()
    return plan


class _QueuePlanner:
    """Plans the queues that routes read, in the order of the config, each with its dead-letter queue."""

    def __init__(self, program: Program, substitutions: Substitutions, worker: bool) -> None:
        self._config, self._compiled = program.config, program.engine.queues
        self._text, self._worker = substitutions.at, worker
        self._owners = owners_of(program.config)
        self._dead_letter_keys = {queue.dead_letter for queue in self._config.queues.values()}
        compiled = self._compiled.values()
        references = [each for queue in compiled for each in (queue.reference, queue.dead_letter)]
        self._taken = {*map(queue_name, references)}

    def queues(self) -> Mapping[str, PlannedQueue]:
        """Return the queues, by logical id."""
        found: dict[str, PlannedQueue] = {}
        for name in self._compiled:
            queue = self._read_queue(name)
            dead_letters = self._dead_letter_queue(queue)
            if dead_letters:
                queue = structs.replace(queue, dead_letter=dead_letters.id)
            for each in (queue, dead_letters):
                if each:
                    found[each.id] = _merged(found[each.id], each) if each.id in found else each
        return found

    def _read_queue(self, name: str) -> PlannedQueue:
        routes = tuple(
            route for route, settings in self._config.routes.items() if settings.queue == name
        )
        settings = self._config.queues.get(name)
        if settings:
            path = ("queues", name)
            text = self._name(name)
        else:
            # A queue without settings has the name and the tags of its first route.
            settings = spec.Queue()
            path = ("routes", routes[0])
            text = self._text((*path, "queue"), name)
        reference = self._compiled[name].reference
        queue = _queue(reference, text, settings, name in self._dead_letter_keys)
        size, window = batch_of(settings, name)
        return structs.replace(
            queue,
            routes=routes,
            name_in_config=name,
            **key_texts(self._text, "queues", name, settings),
            senders=self._senders(name, settings),
            owner=self._owners.queues[name],
            description=self._text(("queues", name, "description")),
            tags=_tags(self._text, path, self._config),
            visibility=WORKER_VISIBILITY if self._worker else visibility_of(self._config, name),
            batch_size=size,
            window=window,
        )

    def _dead_letter_queue(self, queue: PlannedQueue) -> PlannedQueue | None:
        """Return the dead-letter queue of a queue; a queue that the stack creates always has one."""
        name, key = queue.name_in_config, queue.settings.dead_letter
        # Without settings of its own it is managed, retained, encrypted and tagged as its queue is.
        settings = spec.Queue(managed=queue.made, deletion_policy=queue.settings.deletion_policy)
        keys = {"kms_key": queue.kms_key, "kms_key_previous": queue.kms_key_previous}
        tags = queue.tags
        reference = self._compiled[name].dead_letter
        if key in self._config.queues:
            settings = self._config.queues[key]
            keys = key_texts(self._text, "queues", key, settings)
            tags = _tags(self._text, ("queues", key), self._config)
            text = self._name(key)
        elif key:
            text = self._text(("queues", name, "dead_letter"), key)
        elif queue.made:
            reference, text = self._default_dead_letter_queue(queue)
        else:
            return None
        found = _queue(reference, text, settings, is_dead_letter=True)
        return structs.replace(
            found,
            **keys,
            senders=self._senders(key, settings),
            routes=queue.routes,
            sources=(queue.arn,),
            owner=self._owners.queues.get(key) or queue.owner,
            description=self._text(("queues", key, "description")),
            tags=tags,
        )

    def _default_dead_letter_queue(self, queue: PlannedQueue) -> tuple[str, str]:
        """Return the name of a dead-letter queue that the config does not name, and the name as a text."""
        end = FIFO_END if queue.fifo else ""
        name, text = (letters_name(each, end) for each in (queue.label, queue.name))
        if len(name) > MAX_QUEUE_NAME or not queue.name.endswith(end) or name in self._taken:
            raise UsageError(
                f"there is no valid name for a dead-letter queue of '{queue.name_in_config}'; "
                "add 'dead_letter:' to the queue"
            )
        return name, text

    def _name(self, key: str) -> str:
        return self._text(("queues", key, "name"), key)

    def _senders(self, key: str, settings: spec.Queue) -> tuple[str, ...]:
        return tuple(
            self._text(("queues", key, "senders", index), sender)
            for index, sender in enumerate(settings.senders)
        )


def letters_name(name: str, end: str) -> str:
    """Return the name of the dead-letter queue that a queue gets if the config names none.

    `end` is `.fifo` for a FIFO queue, else "".
    """
    return f"{name.removesuffix(end)}{_LETTERS}{end}"


def key_texts(
    text_at: Callable[[Path], str],
    section: str,
    name: str,
    settings: spec.Queue | spec.TableSettings,
) -> dict[str, str]:
    """Return the KMS keys of a queue or table as texts, by setting; "" for one that there is not."""
    keys = {"kms_key": settings.kms_key, "kms_key_previous": settings.kms_key_previous}
    return {
        setting: text_at((section, name, setting)) if key else "" for setting, key in keys.items()
    }


def _tags(
    text_at: Callable[[Path, str], str], path: tuple[str, str], config: spec.Config
) -> dict[str, str]:
    """Return the tags of a queue, table or route by its path, with their values as texts."""
    section, name = path
    return {
        tag: text_at((*path, "tags", tag), value)
        for tag, value in getattr(config, section)[name].tags.items()
    }


def _queue(reference: str, text: str, settings: spec.Queue, is_dead_letter: bool) -> PlannedQueue:
    """Return a queue by its name, ARN or URL, and that as a text."""
    name, arn = _queue_texts(reference, text)
    return PlannedQueue(
        id=logical_id("Queue", name if is_name(reference) else arn),
        name=name,
        arn=arn,
        label=queue_name(reference),
        made=settings.managed and is_name(reference),
        fifo=is_fifo(reference),
        settings=settings,
        retention=retention_of(settings, is_dead_letter=is_dead_letter),
    )


def _tables(config: spec.Config, substitutions: Substitutions) -> dict[str, PlannedTable]:
    """Return the tables, by logical id; raises UsageError for one with two names."""
    users: dict[str, dict[str, None]] = {name: {} for name in config.tables}
    for name, route in config.routes.items():
        users[route.table][name] = None
        if isinstance(route.write.once, str):
            users[route.write.once][name] = None
    found: dict[str, PlannedTable] = {}
    owners = owners_of(config)
    for name, settings in config.tables.items():
        reference = settings.name or name
        text = substitutions.at(("tables", name, "name"), reference)
        named = is_name(reference)
        table = PlannedTable(
            id=logical_id("Table", text),
            name=text if named else _last(text, "/", table_name(reference)),
            arn=f"arn:{PARTITION}:dynamodb:{REGION}:{ACCOUNT}:table/{text}" if named else text,
            label=table_name(reference),
            made=settings.managed and named,
            **key_texts(substitutions.at, "tables", name, settings),
            routes=tuple(users[name]),
            owner=owners.tables[name],
            tags=_tags(substitutions.at, ("tables", name), config),
            name_in_config=name,
            settings=settings,
        )
        other = found.setdefault(table.id, table)
        if other is not table:
            raise UsageError(
                f"'{name}' and '{other.name_in_config}' are the same table; use one name for both"
            )
    return found


def _queue_texts(reference: str, text: str) -> tuple[str, str]:
    """Return the name and the ARN of a queue as texts, from its reference and that as a text."""
    if is_name(reference):
        return text, f"arn:{PARTITION}:sqs:{REGION}:{ACCOUNT}:{text}"
    if reference.startswith("arn:"):
        return _last(text, ":", queue_name(reference)), text
    # A URL has the account and the name, and AWS's own host names have the region.
    account, name = match_key(reference).rsplit(":", 1)
    place = account if ":" in account else f"{REGION}:{account}"
    return name, f"arn:{PARTITION}:sqs:{place}:{name}"


def _last(text: str, separator: str, otherwise: str) -> str:
    """Return the part of a text after the last separator; `otherwise` if that is within a variable."""
    plain = VARIABLE_TEXT.sub(lambda found: "x" * len(found[0]), text)
    place = plain.rfind(separator)
    return text[place + 1 :] if place >= 0 else otherwise


def _merged(one: PlannedQueue, other: PlannedQueue) -> PlannedQueue:
    """Merge two plans of one queue: one that routes read, or the dead-letter queue of others."""
    main = other if other.name_in_config else one
    if one.made and other.made and one.kms_key != other.kms_key and not main.name_in_config:
        raise UsageError(
            f"queues with different KMS keys share the dead-letter queue '{main.label}'; add an entry "
            "for it in 'queues', with its kms_key"
        )
    return structs.replace(
        main,
        made=one.made or other.made,
        routes=tuple(dict.fromkeys((*one.routes, *other.routes))),
        sources=(*one.sources, *other.sources),
    )
