"""Finds the queues and tables of a config, for the plan of a template."""

import re
from collections.abc import Mapping

from msgspec import structs

from router.aws.references import is_fifo, is_name, match_key, queue_name, table_name
from router.check.rules.queues import retention_of
from router.config import spec
from router.config_types import parse_duration
from router.errors import UsageError
from router.model import Path
from router.ops.template.expressions import ACCOUNT, PARTITION, REGION
from router.ops.template.names import logical_id
from router.ops.template.plan import Batching, Plan, Queue, Table
from router.ops.template.substitutions import Texts
from router.program.load import Program

MAX_QUEUE_NAME = 80
"""Characters: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"""
MAX_RECEIVE_COUNT = 5
WORKER_VISIBILITY = 60
"""Seconds; the worker renews it while it works on a message."""
ADVISED_TIMEOUTS = 6
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
_BATCH, _BATCH_FIFO, _WINDOW = 100, 10, 1
_FIFO = ".fifo"
_LETTERS = "-dlq"
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def make_plan(program: Program, texts: Texts, worker: bool = False) -> Plan:
    """The plan of a config; raises UsageError for what cannot be made."""
    finder = _Finder(program, texts, worker)
    plan = Plan(program, texts, finder.queues(), _tables(program.config, texts), worker)
    plan.check()
    return plan


class _Finder:
    """Finds queues: those that are read, in the order of the config, each with its dead-letter queue."""

    def __init__(self, program: Program, texts: Texts, worker: bool) -> None:
        self._config, self._texts, self._worker = program.config, texts, worker
        self._names = tuple(program.engine.queues)
        compiled = program.engine.queues.values()
        self._taken = {queue_name(name) for queue in compiled for name in (queue.reference, queue.dead_letter)}
        self._takers = {queue.dead_letter for queue in self._config.queues.values()}
        self._readers: dict[str, list[str]] = {name: [] for name in self._names}
        for name, route in self._config.routes.items():
            self._readers[route.queue].append(name)

    def queues(self) -> Mapping[str, Queue]:
        """The queues, by logical id."""
        found: dict[str, Queue] = {}
        for name in self._names:
            settings = self._config.queues.get(name, spec.Queue())
            queue = self._read_queue(name, settings)
            letters = self._letters(name, settings, queue)
            if letters:
                queue = structs.replace(queue, letters=letters.id)
            for each in (queue, letters):
                if each:
                    found[each.id] = _merged(found[each.id], each) if each.id in found else each
        return found

    def _read_queue(self, name: str, settings: spec.Queue) -> Queue:
        flows = tuple(self._readers[name])
        queue = self._queue(name, ("routes", flows[0], "queue"), settings, ("queues", name))
        count, batching = settings.max_receive_count, _batching(settings.lambda_, queue.fifo)
        advised = ADVISED_TIMEOUTS * parse_duration(self._config.function.timeout) + batching.window
        return structs.replace(
            queue,
            flows=flows,
            name_in_config=name,
            max_receive_count=count if isinstance(count, int) else MAX_RECEIVE_COUNT,
            visibility=WORKER_VISIBILITY if self._worker else advised,
            batching=batching,
        )

    def _letters(self, name: str, settings: spec.Queue, queue: Queue) -> Queue | None:
        """Its dead-letter queue; one that nobody names is there for a queue that is made."""
        letter = settings.dead_letter
        # Without settings of its own it is like its queue.
        like = spec.Queue(managed=queue.made, kms_key=settings.kms_key)
        if letter in self._config.queues:
            found = self._queue(letter, (), self._config.queues[letter], ("queues", letter), takes_letters=True)
        elif letter:
            found = self._queue(letter, ("queues", name, "dead_letter"), like, ("queues", name), takes_letters=True)
        elif queue.made:
            found = self._unnamed_letters(queue, name)
        else:
            return None
        return structs.replace(found, flows=queue.flows, sources=(queue.arn,))

    def _unnamed_letters(self, queue: Queue, name: str) -> Queue:
        end = _FIFO if queue.fifo else ""
        shown = f"{queue.shown.removesuffix(end)}{_LETTERS}{end}"
        if len(shown) > MAX_QUEUE_NAME or not queue.name.endswith(end) or shown in self._taken:
            raise UsageError(
                f"no name can be made for the dead-letter queue of '{name}'; add 'dead_letter:' to the queue"
            )
        text = f"{queue.name.removesuffix(end)}{_LETTERS}{end}"
        like = spec.Queue(managed=True)
        return structs.replace(self._described(shown, text, like, takes_letters=True), kms_key=queue.kms_key)

    def _queue(
        self, name: str, referred: Path, settings: spec.Queue, entry: Path, *, takes_letters: bool = False
    ) -> Queue:
        """A queue by its key, or by what a path of the config refers to it with; its key of KMS is that of an entry."""
        own = self._config.queues.get(name)
        reference = (own.name if own else "") or name
        text = self._texts.at(("queues", name, "name") if own else referred, reference)
        queue = self._described(reference, text, settings, takes_letters=takes_letters or name in self._takers)
        key = self._texts.at((*entry, "kms_key"), settings.kms_key) if settings.kms_key else ""
        return structs.replace(queue, kms_key=key)

    def _described(self, reference: str, text: str, settings: spec.Queue, *, takes_letters: bool) -> Queue:
        name, arn = _queue_texts(reference, text)
        return Queue(
            id=logical_id("Queue", name if is_name(reference) else arn),
            name=name,
            arn=arn,
            shown=queue_name(reference),
            made=settings.managed and is_name(reference),
            fifo=is_fifo(reference),
            retention=retention_of(settings, is_dead_letter=takes_letters),
        )


def _tables(config: spec.Config, texts: Texts) -> dict[str, Table]:
    """The tables, by logical id; raises UsageError for one that is there under two names."""
    users: dict[str, dict[str, None]] = {name: {} for name in config.tables}
    for name, route in config.routes.items():
        users[route.table][name] = None
        if isinstance(route.write.once, str):
            users[route.write.once][name] = None
    found: dict[str, Table] = {}
    for name, settings in config.tables.items():
        reference = settings.name or name
        text = texts.at(("tables", name, "name"), reference)
        named = is_name(reference)
        table = Table(
            id=logical_id("Table", text),
            name=text if named else _last(text, "/", table_name(reference)),
            arn=f"arn:{PARTITION}:dynamodb:{REGION}:{ACCOUNT}:table/{text}" if named else text,
            shown=table_name(reference),
            made=settings.managed and named,
            kms_key=texts.at(("tables", name, "kms_key")) if settings.kms_key else "",
            flows=tuple(users[name]),
            name_in_config=name,
            settings=settings,
        )
        other = found.setdefault(table.id, table)
        if other is not table:
            raise UsageError(f"'{name}' and '{other.name_in_config}' are one table; use one of them for both")
    return found


def _batching(mapping: spec.EventSourceMapping, fifo: bool) -> Batching:
    size = mapping.batch_size if isinstance(mapping.batch_size, int) else (_BATCH_FIFO if fifo else _BATCH)
    window = _WINDOW if size > _BATCH_FIFO else 0
    if isinstance(mapping.window, str):
        window = parse_duration(mapping.window)
    maximum = mapping.maximum_concurrency if isinstance(mapping.maximum_concurrency, int) else 0
    return Batching(size, window, maximum)


def _queue_texts(reference: str, text: str) -> tuple[str, str]:
    """The name and the ARN of a queue, as texts, from what refers to it, and the same as a text."""
    if is_name(reference):
        return text, f"arn:{PARTITION}:sqs:{REGION}:{ACCOUNT}:{text}"
    if reference.startswith("arn:"):
        return _last(text, ":", queue_name(reference)), text
    # A URL: the name, before it the account, and before that the region, if AWS's own host name tells it.
    account, name = match_key(reference).rsplit(":", 1)
    return name, f"arn:{PARTITION}:sqs:{account if ':' in account else f'{REGION}:{account}'}:{name}"


def _last(text: str, separator: str, otherwise: str) -> str:
    """What stands behind the last separator of a text; `otherwise` if that is within a variable."""
    plain = _VARIABLE.sub(lambda found: "x" * len(found[0]), text)
    place = plain.rfind(separator)
    return text[place + 1 :] if place >= 0 else otherwise


def _merged(one: Queue, other: Queue) -> Queue:
    """A queue that is there for two reasons: read, or as the dead-letter queue of others."""
    main = other if other.name_in_config else one
    if one.made and other.made and one.kms_key != other.kms_key and not main.name_in_config:
        raise UsageError(
            f"queues with different keys of KMS share the dead-letter queue '{main.shown}'; give it an entry "
            "of its own in 'queues', with the key that it is to have"
        )
    return structs.replace(
        main,
        made=one.made or other.made,
        flows=tuple(dict.fromkeys((*one.flows, *other.flows))),
        sources=(*one.sources, *other.sources),
    )
