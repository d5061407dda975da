"""Explains what becomes of one message, stage by stage."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from router.codes import NOT_ATOMIC, REFUSED
from router.errors import ExpressionError, UsageError
from router.model import WRITTEN, Outcome, Record
from router.runtime.config.environment import copy_plain
from router.runtime.engine.engine import CompiledQueue, CompiledRoute, plan
from router.runtime.engine.writes import Write
from router.runtime.program.expressions.compile import compile_expression
from router.runtime.program.load import Loaded, Program
from router.runtime.program.schemas.compile import Invalid, Validation
from router.runtime.program.schemas.documents import pointer
from router.tools.dev.indexed_writes import IndexedWrite, indexes_of
from router.tools.dev.json_faults import payload_fault
from router.tools.dev.plugin_errors import watching
from router.tools.dev.records import holds_record, read_record, record_with, wrapped_record
from router.tools.dev.requests import show_request, show_requests
from router.tools.dev.starting import start_plugins
from router.tools.dev.stored_effect import StoredEffect, effect_after


class Stage(Struct, frozen=True):
    """A stage that the message passed."""

    route: str
    """"" before routing."""
    stage: str
    value: Any
    micros: float
    """The time that it took, in µs."""


class RouteCondition(Struct, frozen=True):
    """Whether a route takes the message."""

    route: str
    when: str
    result: bool | None
    """None if it was not evaluated."""
    why: str = ""
    """The reason, if it does not take the message."""


class Violation(Struct, frozen=True):
    """A violation of a schema."""

    schema: str
    keyword: str
    at: str
    """The pointer of the keyword, in the schema."""
    pointer: str
    """The pointer of the value, in the message."""
    sentence: str


class Explanation(Struct, frozen=True):
    """What becomes of a message."""

    queue: str
    outcome: Outcome
    stages: Sequence[Stage]
    conditions: tuple[RouteCondition, ...]
    requests: Sequence[dict[str, Any]] = ()
    failed_at: str = ""
    """The stage that failed, "" if the message is written."""
    faults: tuple[Violation, ...] = ()
    stored: StoredEffect | None = None
    """What becomes of it after other messages, if there are any."""
    traceback: str = ""
    """What a plugin raised, with its lines in it; "" if none raised anything."""
    indexes: Sequence[IndexedWrite] = ()
    """What becomes of its items in the indexes of their tables."""
    undecoded: str = ""
    """Where and why the payload is not JSON, without its values; "" if it is."""

    @property
    def is_acknowledged(self) -> bool:
        """Whether it ends without a dead letter and without another try."""
        return self.outcome.kind not in ("rejected", "retry")


def require_names(program: Program, queue: str, route: str | None) -> None:
    """Raise UsageError unless routes read the queue, and the route, if one is given, is one of
    them.
    """
    names = [each.route.name for each in program.queue(queue).routes]
    if route is not None and route not in names:
        raise UsageError(
            f"no route '{route}' reads the queue '{queue}'; there are {', '.join(names)}"
        )


def read_message(
    program: Program,
    queue: str,
    content: bytes,
    raw: bool,
) -> Record:
    """Return the record of a message, wrapped in the queue's envelopes; raises UsageError.

    If it is `raw`, it is a body as SQS has it, a record, or an event with one.
    """
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        raise UsageError("the message is not UTF-8 text, which SQS requires") from None
    # An editor may have put a byte order mark before a message or a record; one in a body is a part of it.
    without_mark = text.removeprefix("\ufeff").strip()
    if not raw:
        return wrapped_record(program, queue, without_mark)
    given: Any = None
    # A body need not be JSON.
    with suppress(msgspec.DecodeError, RecursionError):
        given = msgspec.json.decode(without_mark)
    return read_record(given) if holds_record(given) else record_with(text)


def explain(
    loaded: Loaded,
    program: Program,
    queue: str,
    record: Record,
    earlier: Sequence[tuple[str, Record]] = (),
) -> Explanation:
    """Run a record through the engine, and record the stages.

    `earlier` messages, each with its queue, are written before it: the outcome is the one after them.
    """
    compiled = program.engine.queues[queue]
    start_plugins(program)
    # A first run warms up, so that the times of the second exclude one-time work.
    plan(compiled, record)
    stages: list[Stage] = []
    raised: list[str] = []
    began = time.perf_counter_ns()

    def trace(route: str, stage: str, value: Any) -> None:
        nonlocal began
        micros = (time.perf_counter_ns() - began) / 1000
        # Later stages may change a message in place.
        stages.append(Stage(route, stage, copy_plain(value), micros))
        began = time.perf_counter_ns()

    planned = plan(compiled, record, watching(raised, trace))
    outcome = planned.outcome or WRITTEN
    failed_at = _failed_at(compiled, stages, outcome)
    indexes = [*indexes_of(program, planned.writes)]
    refused = next((each for each in indexes if each.refused), None)
    if refused and outcome.kind == "written":
        reason = f"table '{refused.table}' refuses the item for its index '{refused.index}': {refused.why}"
        outcome, failed_at = Outcome("rejected", REFUSED.id, reason, refused.route), "write"
    stored = effect_after(program, earlier, queue, record) if earlier else None
    if stored and stored.outcome.kind != outcome.kind:
        outcome, failed_at = stored.outcome, "write"
    conditions = [
        _condition(each.route.name, program, compiled, stages) for each in compiled.routes
    ]
    return Explanation(
        queue=queue,
        outcome=outcome,
        stages=stages,
        conditions=tuple(conditions),
        requests=show_requests(planned.writes, compiled.atomic),
        failed_at=failed_at,
        faults=tuple(_faults(loaded, stages)),
        stored=stored,
        traceback="\n".join(raised),
        indexes=indexes,
        undecoded="" if stages else payload_fault(program, queue, record, outcome),
    )


_UNDECODED = "the message could not be decoded"
_FIRST = "an earlier route took the message (match: first)"


def _condition(
    name: str,
    program: Program,
    queue: CompiledQueue,
    stages: Sequence[Stage],
) -> RouteCondition:
    """Return whether a route took the message, and why not."""
    when = program.config.routes[name].when or ""
    if not stages:
        return RouteCondition(name, when, None, _UNDECODED)
    reached = {stage.route for stage in stages}
    if not when:
        taken = any(stage.route and stage.value is not False for stage in stages)
        if queue.first_only and taken and name not in reached:
            return RouteCondition(name, "", None, _FIRST)
        return RouteCondition(name, "", True)
    if name not in reached:
        return RouteCondition(name, when, None, _FIRST)
    results = {stage.route: stage.value for stage in stages if stage.stage == "when"}
    if results[name]:
        return RouteCondition(name, when, True)
    return RouteCondition(name, when, False, _why_not(when, stages[0].value))


def _why_not(when: str, data: Any) -> str:
    """Return the error of an expression, or "" if it is false without one."""
    try:
        compile_expression(when)(data)
    except ExpressionError as error:
        return str(error)
    return ""


def _failed_at(queue: CompiledQueue, stages: list[Stage], outcome: Outcome) -> str:
    """Return the stage after the last one that the message passed on the route of the outcome."""
    if outcome.kind == "written":
        return ""
    if not stages:
        return "decode"
    if outcome.code == NOT_ATOMIC.id:
        return "write"  # of all routes together
    routes = [each for each in queue.routes if each.route.name == outcome.route]
    if not routes:
        return "when"
    order = _stages_of(routes[0])
    passed = [stage for stage in stages if stage.route == outcome.route]
    if not passed:
        return order[0]
    last = passed[-1]
    if last.stage == "validate" and last.value is not None:
        return "validate"
    # The write of one item is followed by the mapping of the next.
    before = "map" if last.stage == order[-1] else last.stage
    return order[order.index(before) + 1]


def _stages_of(route: CompiledRoute) -> list[str]:
    """Return the stages of a route in their order."""
    stages = {
        "when": route.when,
        "validate": route.validate,
        "transform message": route.transform_message,
        "map": True,
        "transform item": route.transform_item,
        "write": True,
    }
    return [name for name, is_there in stages.items() if is_there]


def _faults(loaded: Loaded, stages: Sequence[Stage]) -> list[Violation]:
    """Return all violations of the schema, where the engine stops at the first."""
    found: dict[Violation, None] = {}
    for stage in stages:
        if stage.stage != "validate" or not isinstance(stage.value, Invalid):
            continue
        validation = loaded.validation(stage.route)
        data = stages[0].value
        if validation and not validation.takes_long(data):
            found |= dict.fromkeys(_violations(validation, data))
    return sorted(found, key=lambda fault: (fault.pointer, fault.at))


def _violations(validation: Validation, data: Any) -> Iterator[Violation]:
    for error in validation.validator.iter_errors(data):
        uri, _, _ = (error.absolute_keyword_location or "").partition("#")
        keyword = "false" if error.kind.name == "falseSchema" else error.kind.name
        yield Violation(
            schema=validation.documents.get(uri, validation.root).name,
            keyword=keyword,
            at=pointer(error.schema_path),
            pointer=pointer(error.instance_path),
            sentence=error.message,
        )


def show_value(stage: Stage) -> Any:
    """Return the value of a stage for display."""
    if isinstance(stage.value, Write):
        return {"bytes": stage.value.size, **show_request(stage.value)}
    if stage.stage != "validate":
        return stage.value
    if stage.value is None:
        return "valid"
    return {"reason": stage.value.reason, "pointer": stage.value.pointer}
