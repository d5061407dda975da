"""Lets a config with ARNs and URLs of real accounts run on an embedded AWS, which has one account and one region."""

from msgspec import structs

from router.aws.references import queue_name, table_name
from router.engine.engine import CompiledQueue, CompiledRoute, Engine
from router.engine.writes import MarkerShape
from router.program.load import Program


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
    table = route.shape.table
    shape = structs.replace(route.shape, table=structs.replace(table, name=table_name(table.name)), once=_once(route))
    return structs.replace(route, shape=shape)


def _once(route: CompiledRoute) -> MarkerShape | None:
    once = route.shape.once
    if once is None:
        return None
    return structs.replace(once, table=structs.replace(once.table, name=table_name(once.table.name)))
