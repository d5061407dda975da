"""Creates the queues and tables of a config on the embedded AWS, as a stack would in an account."""

from collections.abc import Collection, Mapping

from msgspec import structs

from router.model import Table
from router.runtime.aws.references import is_name, queue_name, table_name
from router.runtime.config import spec
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import Program
from router.tools.check.rules.queues import receives_of, retention_of
from router.tools.deploy.template.plan import (
    FIFO_END,
    MAX_QUEUE_NAME,
    WORKER_VISIBILITY,
    letters_name,
)
from router.tools.deploy.template.resources import table_definition
from router.tools.dev.emulator import (
    LocalAws,
    QueueSettings,
    clients,
    create_queues,
    create_table,
)


def provision(
    program: Program,
    local: LocalAws,
    tables: Collection[str] = (),
    queues: Collection[str] = (),
) -> None:
    """Create the tables and queues of the config, except those whose names in AWS are given.

    A queue that exists and is not given gets the settings of the config.
    """
    dynamodb, sqs = clients(local)
    # Two tables of a config may be one in AWS.
    named = {
        table_name(settings.name or key): settings
        for key, settings in program.config.tables.items()
    }
    for name, settings in named.items():
        if name not in tables:
            key = Table(name, tuple(settings.key.items()))
            create_table(dynamodb, key, settings.ttl, table_definition(settings))
    read = program.engine.queues.values()
    taken = {queue_name(each) for queue in read for each in (queue.reference, queue.dead_letter)}
    dead_letters = {
        queue.reference: _dead_letter_queue(program.config, queue, taken)
        for queue in read
        if queue_name(queue.reference) not in queues
    }
    create_queues(sqs, dead_letters, _settings(program, dead_letters))


def _dead_letter_queue(config: spec.Config, queue: CompiledQueue, taken: Collection[str]) -> str:
    """Return the dead-letter queue of a queue, or "": a queue that a stack creates always has one."""
    own = config.queues.get(queue.name, spec.Queue())
    if queue.dead_letter or not (own.managed and is_name(queue.reference)):
        return queue.dead_letter
    name = letters_name(queue.reference, FIFO_END if queue.fifo else "")
    return "" if name in taken or len(name) > MAX_QUEUE_NAME else name


def _settings(program: Program, dead_letters: Mapping[str, str]) -> dict[str, QueueSettings]:
    """Return the settings of queues, and of their dead-letter queues, by their names in AWS."""
    queues = program.config.queues
    settings = {
        queue_name(dead_letter): QueueSettings(
            retention=retention_of(spec.Queue(), is_dead_letter=True)
        )
        for dead_letter in dead_letters.values()
    }
    keys = {queue.dead_letter for queue in queues.values()}
    # What has an entry, or is read, has settings of its own.
    for key in dict.fromkeys((*queues, *program.engine.queues)):
        own = queues.get(key, spec.Queue())
        made = QueueSettings(
            receives=receives_of(own), retention=retention_of(own, is_dead_letter=key in keys)
        )
        if key in program.engine.queues:
            made = structs.replace(made, visibility=WORKER_VISIBILITY)
        settings[queue_name(own.name or key)] = made
    return settings
