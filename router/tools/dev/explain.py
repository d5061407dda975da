"""Explains what becomes of one message, stage by stage, for `router explain`: as values, and as a page to share.

The page is one HTML file that holds no script and loads nothing.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
from msgspec import Struct

from router.errors import ExpressionError, UsageError
from router.model import WRITTEN, Outcome, Record
from router.runtime.config import spec
from router.runtime.config.environment import copy_plain
from router.runtime.engine.engine import CompiledQueue, CompiledRoute, plan
from router.runtime.engine.writes import Write
from router.runtime.printable import printable
from router.runtime.program.expressions.compile import compile_expression
from router.runtime.program.load import Loaded, Program
from router.runtime.program.schemas.compile import Invalid
from router.runtime.program.schemas.json_pointers import pointer
from router.tools.dev.compare import to_json
from router.tools.dev.graph import graph_of, select_queue
from router.tools.dev.graph_picture import draw
from router.tools.dev.records import holds_record, read_record, record_with, wrap_text
from router.tools.dev.run_tests import show_request, show_requests


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


def require_names(program: Program, queue: str, route: str | None) -> None:
    """Raise UsageError unless routes read the queue, and the route, if one is given, is one of them."""
    names = [each.route.name for each in program.queue(queue).routes]
    if route is not None and route not in names:
        raise UsageError(
            f"no route '{route}' reads the queue '{queue}'; there are {', '.join(names)}"
        )


def read_message(program: Program, queue: str, content: bytes, raw: bool) -> Record:
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
        settings = program.config.queues.get(queue) or spec.Queue()
        text = wrap_text(without_mark, settings, program.plugins.envelopes)
    elif holds_record(given := _json(without_mark)):
        return read_record(given)
    return record_with(text)


def _json(text: str) -> Any:
    """Return the value of a JSON text, or None."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def explain(loaded: Loaded, program: Program, queue: str, record: Record) -> Explanation:
    """Run a record through the engine, and record the stages."""
    compiled = program.engine.queues[queue]
    # A first run warms up, so that the times of the second exclude one-time work.
    plan(compiled, record)
    stages: list[Stage] = []
    began = time.perf_counter_ns()

    def trace(route: str, stage: str, value: Any) -> None:
        nonlocal began
        # Later stages may change a message in place.
        stages.append(
            Stage(route, stage, copy_plain(value), (time.perf_counter_ns() - began) / 1000)
        )
        began = time.perf_counter_ns()

    planned = plan(compiled, record, trace)
    outcome = planned.outcome or WRITTEN
    return Explanation(
        queue,
        outcome,
        tuple(stages),
        tuple(_conditions(program, compiled, stages)),
        tuple(show_requests(planned.writes, compiled.atomic)),
        _failed_at(compiled, stages, outcome),
        tuple(dict.fromkeys(_faults(loaded, stages))),
    )


def _conditions(
    program: Program, queue: CompiledQueue, stages: list[Stage]
) -> list[RouteCondition]:
    data = next((stage.value for stage in stages if stage.stage == "decode"), None)
    evaluated = {stage.route: stage.value for stage in stages if stage.stage == "when"}
    taken = {stage.route for stage in stages if stage.route and stage.value is not False}
    conditions = []
    for route in queue.routes:
        name = route.route.name
        when = program.config.routes[name].when or None
        if not stages:
            conditions.append(
                RouteCondition(name, when or "", None, "the message could not be decoded")
            )
        elif when is None:
            before = (
                queue.first_only
                and taken - {name}
                and not any(each.route == name for each in stages)
            )
            conditions.append(
                RouteCondition(name, "", None if before else True, _FIRST if before else "")
            )
        elif name in evaluated:
            why = "" if evaluated[name] else _why_not(when, data)
            conditions.append(RouteCondition(name, when, bool(evaluated[name]), why))
        else:
            conditions.append(RouteCondition(name, when, None, _FIRST))
    return conditions


_FIRST = "an earlier route took the message (match: first)"


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


def _faults(loaded: Loaded, stages: list[Stage]) -> list[Violation]:
    """Return all violations of the schema, where the engine stops at the first."""
    found = []
    for stage in stages:
        if stage.stage != "validate" or not isinstance(stage.value, Invalid):
            continue
        if validation := loaded.validation(stage.route):
            found += _errors(validation, stages[0].value)
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
        return (
            "valid"
            if stage.value is None
            else {"reason": stage.value.reason, "pointer": stage.value.pointer}
        )
    return stage.value


_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 60rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
pre { padding: .75rem; overflow-x: auto; border: 1px solid #81818180; border-radius: 6px; font-size: 13px; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; vertical-align: top; }
svg { max-width: 100%; height: auto; }
.good { color: light-dark(#1a7f37, #3fb950); } .bad { color: light-dark(#b1161f, #ff7b72); }
.micros { font-weight: normal; opacity: .75; }
"""
_ANSWERS = {True: "yes", False: "no", None: "not evaluated"}


def as_page(explained: Explanation, config: spec.Config, only: str | None) -> str:
    """Return the page of a message; `only` is the route to show, or None for all.

    Each text of the message and of the config is the text of an element, so that none of it is markup.
    """
    root = Element("html", lang="en")
    head, body = SubElement(root, "head"), SubElement(root, "body")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    title = f"A message of queue {printable(explained.queue)}"
    SubElement(head, "title").text = title
    SubElement(head, "style").text = _STYLE
    SubElement(body, "h1").text = title
    _outcome(body, explained)
    body.append(draw(select_queue(graph_of(config), explained.queue)))
    shown = [each for each in explained.conditions if only in (None, each.route)]
    rows = [[each.route, each.when or "always", _ANSWERS[each.result], each.why] for each in shown]
    _table(body, "Routes", ["route", "when", "takes it", "why"], rows)
    for stage in explained.stages:
        if stage.stage != "when" and (only in (None, stage.route) or not stage.route):
            heading = SubElement(body, "h2")
            heading.text = printable(
                f"{stage.route}: {stage.stage}" if stage.route else stage.stage
            )
            SubElement(heading, "span", {"class": "micros"}).text = f" {stage.micros:.1f} µs"
            SubElement(body, "pre").text = to_json(show_value(stage), indent=2)
    if explained.requests:
        SubElement(body, "h2").text = "Requests to DynamoDB"
        for request in explained.requests:
            SubElement(body, "pre").text = to_json(request, indent=2)
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"


def _outcome(body: Element, explained: Explanation) -> None:
    outcome = explained.outcome
    good = outcome.kind in ("written", "dropped")
    SubElement(body, "p", {"class": "good" if good else "bad"}).text = f"Outcome: {outcome.kind}"
    details = [("code", outcome.code), ("reason", outcome.reason), ("route", outcome.route)]
    details += [("stage", explained.failed_at), ("place in the message", outcome.pointer)]
    rows = [[label, text] for label, text in details if text]
    _table(body, "", [], rows)
    faults = [
        [each.schema, each.keyword, each.at, each.pointer, each.sentence]
        for each in explained.faults
    ]
    _table(
        body,
        "Violations of the schema",
        ["schema", "keyword", "at", "place in the message", ""],
        faults,
    )


def _table(
    body: Element, heading: str, columns: Sequence[str], rows: Iterable[Iterable[Any]]
) -> None:
    """Add a table with a heading; nothing if it has no rows."""
    listed = list(rows)
    if not listed:
        return
    if heading:
        SubElement(body, "h2").text = heading
    table = SubElement(body, "table")
    if columns:
        head = SubElement(table, "tr")
        for column in columns:
            SubElement(head, "th", scope="col").text = column
    for row in listed:
        line = SubElement(table, "tr")
        for cell in row:
            SubElement(line, "td").text = printable(cell)
