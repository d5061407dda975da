"""One message, stage by stage: what `router explain` shows."""

import time
from typing import Any

from msgspec import Struct, UnsetType

from router.dev.requests import show_requests
from router.dev.run_tests import rehearse_record
from router.engine.engine import CompiledQueue, CompiledRoute
from router.engine.writes import Write
from router.errors import ExpressionError
from router.model import WRITTEN, Outcome, Record
from router.program.expressions.compile import compile_expression
from router.program.load import Loaded, Program
from router.program.schemas.compile import Check, Invalid
from router.program.schemas.documents import pointer


class Stage(Struct, frozen=True):
    """A stage that the message passed: its route ("" before there is one), its value, its time in µs."""

    route: str
    stage: str
    value: Any
    micros: float


class Condition(Struct, frozen=True):
    """Whether a route takes the message: `result` is True, False, or None where the engine did not ask; `why` if so."""

    route: str
    when: str
    result: bool | None
    why: str = ""


class Fault(Struct, frozen=True):
    """One thing by which the message fails its schema: the keyword, its place in the schema, that in the message."""

    schema: str
    keyword: str
    at: str
    pointer: str
    sentence: str


class Explanation(Struct, frozen=True):
    """What becomes of a message, and how; `failed_at` is the stage that decided it, "" where it is written."""

    queue: str
    outcome: Outcome
    stages: tuple[Stage, ...]
    conditions: tuple[Condition, ...]
    requests: tuple[dict[str, Any], ...] = ()
    failed_at: str = ""
    faults: tuple[Fault, ...] = ()


def explain(loaded: Loaded, program: Program, queue: str, record: Record) -> Explanation:
    """Run a record through the engine, and keep what was seen."""
    compiled = program.engine.queues[queue]
    # Once before, so that what only happens the first time is not in the times.
    rehearse_record(program, queue, record)
    stages: list[Stage] = []
    began = time.perf_counter_ns()

    def trace(route: str, stage: str, value: Any) -> None:
        nonlocal began
        stages.append(Stage(route, stage, _frozen(value), (time.perf_counter_ns() - began) / 1000))
        began = time.perf_counter_ns()

    ticket = rehearse_record(program, queue, record, trace)
    outcome = ticket.outcome or WRITTEN
    return Explanation(
        queue,
        outcome,
        tuple(stages),
        tuple(_conditions(program, compiled, stages)),
        tuple(show_requests(ticket.writes, compiled.atomic)),
        _failed_at(compiled, stages, outcome),
        tuple(dict.fromkeys(_faults(loaded, compiled, stages))),
    )


def _frozen(value: Any) -> Any:
    """A copy that later stages, which may change a message in place, do not reach; an outcome stays what it is."""
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return [_frozen(each) for each in value] if isinstance(value, list) else value


def _conditions(program: Program, queue: CompiledQueue, stages: list[Stage]) -> list[Condition]:
    data = next((stage.value for stage in stages if stage.stage == "decode"), None)
    asked = {stage.route: stage.value for stage in stages if stage.stage == "when"}
    taken = {stage.route for stage in stages if stage.route and stage.value is not False}
    conditions = []
    for route in queue.routes:
        name = route.route.name
        when = program.config.routes[name].when
        if not stages:
            conditions.append(Condition(name, _text(when), None, "the message could not be decoded"))
        elif isinstance(when, UnsetType):
            before = queue.first_only and taken - {name} and not any(each.route == name for each in stages)
            conditions.append(Condition(name, "", None if before else True, _FIRST if before else ""))
        elif name in asked:
            why = "" if asked[name] else _why_not(when, data)
            conditions.append(Condition(name, when, bool(asked[name]), why))
        else:
            conditions.append(Condition(name, when, None, _FIRST))
    return conditions


_FIRST = "an earlier route took the message (match: first)"


def _text(when: str | UnsetType) -> str:
    return "" if isinstance(when, UnsetType) else when


def _why_not(when: str, data: Any) -> str:
    """Why an expression does not hold, if it is because it failed."""
    try:
        compile_expression(when)(data)
    except ExpressionError as error:
        return str(error)
    return ""


def _failed_at(queue: CompiledQueue, stages: list[Stage], outcome: Outcome) -> str:
    """The stage after the last one that was passed on the route that decided."""
    if outcome.kind == "written":
        return ""
    if not stages:
        return "decode"
    route = next((each for each in queue.routes if each.route.name == outcome.route), None)
    if route is None:
        return "when"
    passed = [stage for stage in stages if stage.route == outcome.route]
    if passed and passed[-1].stage == "validate" and passed[-1].value is not None:
        return "validate"
    order = _order(route)
    at = order.index(passed[-1].stage) + 1 if passed else 0
    # After the write of one item comes the next item.
    return order[at] if at < len(order) else order[order.index("map") + 1]


def _order(route: CompiledRoute) -> list[str]:
    stages = {
        "when": route.when,
        "validate": route.validate,
        "transform message": route.transform_message,
        "map": True,
        "transform item": route.transform_item,
        "write": True,
    }
    return [name for name, has in stages.items() if has]


def _faults(loaded: Loaded, queue: CompiledQueue, stages: list[Stage]) -> list[Fault]:
    """Everything that the schema has against the message, where the engine stops at the first."""
    checks: dict[str, Check | None] = {route.route.name: route.validate for route in queue.routes}
    found = []
    for stage in stages:
        check = checks.get(stage.route)
        if stage.stage == "validate" and isinstance(stage.value, Invalid) and check and loaded.schemas:
            found += _errors(loaded.schemas.validations[check], stages[0].value)
    return sorted(found, key=lambda fault: (fault.pointer, fault.at))


def _errors(validation: Any, data: Any) -> list[Fault]:
    documents = validation.documents
    first = next(iter(documents.values()))
    found = []
    for error in validation.validator.iter_errors(data):
        uri = (error.absolute_keyword_location or "").partition("#")[0]
        document = documents.get(uri, first)
        keyword = "false" if error.kind.name == "falseSchema" else error.kind.name
        at, where = pointer(error.schema_path), pointer(error.instance_path)
        found.append(Fault(document.name, keyword, at, where, error.message))
    return found


def show_value(stage: Stage) -> Any:
    """The value of a stage, as it is shown."""
    if isinstance(stage.value, Write):
        (request,) = show_requests([stage.value], False)
        return {"bytes": stage.value.size, **request}
    if stage.stage == "validate":
        return "valid" if stage.value is None else {"reason": stage.value.reason, "pointer": stage.value.pointer}
    return stage.value
