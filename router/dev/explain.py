"""Explains what becomes of one message, stage by stage, for `router explain`."""

import time
from typing import Any

from msgspec import Struct, UnsetType

from router.dev.run_tests import plan_record, show_request, show_requests
from router.engine.engine import CompiledQueue, CompiledRoute
from router.engine.writes import Write
from router.errors import ExpressionError
from router.model import WRITTEN, Outcome, Record
from router.program.expressions.compile import compile_expression
from router.program.load import Loaded, Program
from router.program.schemas.compile import Check, Invalid
from router.program.schemas.documents import pointer


class Stage(Struct, frozen=True):
    """A stage that the message passed: its route (empty before routing), its value, its time in µs."""

    route: str
    stage: str
    value: Any
    micros: float


class RouteCondition(Struct, frozen=True):
    """Whether a route takes the message: `result` is True, False, or None if it was not evaluated, with the reason."""

    route: str
    when: str
    result: bool | None
    why: str = ""


class Violation(Struct, frozen=True):
    """A violation of the schema: the keyword, its pointer in the schema, and the value's in the message."""

    schema: str
    keyword: str
    at: str
    pointer: str
    sentence: str


class Explanation(Struct, frozen=True):
    """The outcome of a message, and its stages; `failed_at` is the stage that failed, empty if it is written."""

    queue: str
    outcome: Outcome
    stages: tuple[Stage, ...]
    conditions: tuple[RouteCondition, ...]
    requests: tuple[dict[str, Any], ...] = ()
    failed_at: str = ""
    faults: tuple[Violation, ...] = ()


def explain(loaded: Loaded, program: Program, queue: str, record: Record) -> Explanation:
    """Run a record through the engine, and record the stages."""
    compiled = program.engine.queues[queue]
    # A first run warms up, so that the times of the second exclude one-time work.
    plan_record(program, queue, record)
    stages: list[Stage] = []
    began = time.perf_counter_ns()

    def trace(route: str, stage: str, value: Any) -> None:
        nonlocal began
        stages.append(Stage(route, stage, _frozen(value), (time.perf_counter_ns() - began) / 1000))
        began = time.perf_counter_ns()

    planned = plan_record(program, queue, record, trace)
    outcome = planned.outcome or WRITTEN
    return Explanation(
        queue,
        outcome,
        tuple(stages),
        tuple(_conditions(program, compiled, stages)),
        tuple(show_requests(planned.writes, compiled.atomic)),
        _failed_at(compiled, stages, outcome),
        tuple(dict.fromkeys(_faults(loaded, compiled, stages))),
    )


def _frozen(value: Any) -> Any:
    """Return a copy of maps and lists, since later stages may change a message in place."""
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return [_frozen(each) for each in value] if isinstance(value, list) else value


def _conditions(program: Program, queue: CompiledQueue, stages: list[Stage]) -> list[RouteCondition]:
    data = next((stage.value for stage in stages if stage.stage == "decode"), None)
    evaluated = {stage.route: stage.value for stage in stages if stage.stage == "when"}
    taken = {stage.route for stage in stages if stage.route and stage.value is not False}
    conditions = []
    for route in queue.routes:
        name = route.route.name
        when = program.config.routes[name].when
        if not stages:
            conditions.append(RouteCondition(name, _text(when), None, "the message could not be decoded"))
        elif isinstance(when, UnsetType):
            before = queue.first_only and taken - {name} and not any(each.route == name for each in stages)
            conditions.append(RouteCondition(name, "", None if before else True, _FIRST if before else ""))
        elif name in evaluated:
            why = "" if evaluated[name] else _why_not(when, data)
            conditions.append(RouteCondition(name, when, bool(evaluated[name]), why))
        else:
            conditions.append(RouteCondition(name, when, None, _FIRST))
    return conditions


_FIRST = "an earlier route took the message (match: first)"


def _text(when: str | UnsetType) -> str:
    return "" if isinstance(when, UnsetType) else when


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
    route = next((each for each in queue.routes if each.route.name == outcome.route), None)
    if route is None:
        return "when"
    passed = [stage for stage in stages if stage.route == outcome.route]
    if passed and passed[-1].stage == "validate" and passed[-1].value is not None:
        return "validate"
    order = _order(route)
    at = order.index(passed[-1].stage) + 1 if passed else 0
    # The write of one item is followed by the mapping of the next.
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


def _faults(loaded: Loaded, queue: CompiledQueue, stages: list[Stage]) -> list[Violation]:
    """Return all violations of the schema, where the engine stops at the first."""
    checks: dict[str, Check | None] = {route.route.name: route.validate for route in queue.routes}
    found = []
    for stage in stages:
        check = checks.get(stage.route)
        if stage.stage == "validate" and isinstance(stage.value, Invalid) and check and loaded.schemas:
            found += _errors(loaded.schemas.validations[check], stages[0].value)
    return sorted(found, key=lambda fault: (fault.pointer, fault.at))


def _errors(validation: Any, data: Any) -> list[Violation]:
    documents = validation.documents
    first = next(iter(documents.values()))
    found = []
    for error in validation.validator.iter_errors(data):
        uri = (error.absolute_keyword_location or "").partition("#")[0]
        document = documents.get(uri, first)
        keyword = "false" if error.kind.name == "falseSchema" else error.kind.name
        at, where = pointer(error.schema_path), pointer(error.instance_path)
        found.append(Violation(document.name, keyword, at, where, error.message))
    return found


def show_value(stage: Stage) -> Any:
    """Return the value of a stage for display."""
    if isinstance(stage.value, Write):
        return {"bytes": stage.value.size, **show_request(stage.value)}
    if stage.stage == "validate":
        return "valid" if stage.value is None else {"reason": stage.value.reason, "pointer": stage.value.pointer}
    return stage.value
