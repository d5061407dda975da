"""Lets a config with ARNs and URLs of real accounts run on the embedded AWS, which has one account and one region."""

from msgspec import structs

from router.compile.load import Program
from router.compile.references import queue_name, table_name
from router.engine.engine import CompiledQueue, CompiledRoute, Engine


def with_bare_names(program: Program) -> Program:
    """The same program, calling its queues and tables by name alone."""
    queues = {name: _queue(queue) for name, queue in program.engine.queues.items()}
    return structs.replace(program, engine=Engine(queues, program.engine.by_reference))


def _queue(queue: CompiledQueue) -> CompiledQueue:
    return structs.replace(
        queue,
        reference=queue_name(queue.reference),
        dead_letter=queue_name(queue.dead_letter),
        routes=tuple(map(_route, queue.routes)),
    )


def _route(route: CompiledRoute) -> CompiledRoute:
    return structs.replace(route, table=structs.replace(route.table, name=table_name(route.table.name)))
