"""The jobs that run a message, and the tests of routes, while a config is edited."""

import os
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType

from router.errors import UsageError
from router.model import JsonObject, Outcome
from router.runtime.config import spec
from router.runtime.engine.decode import JSON
from router.runtime.engine.writes import Write
from router.runtime.program.load import Program
from router.tools.console.checking import Draft
from router.tools.console.files import as_unsaved
from router.tools.dev.compare import Difference, cell, to_json
from router.tools.dev.explain import (
    Explanation,
    RouteCondition,
    Stage,
    Violation,
    explain,
    read_message,
    require_names,
    show_value,
)
from router.tools.dev.records import holds_record
from router.tools.dev.run_tests import Suite, Verdict, observe
from router.tools.dev.stateful import StoredTable
from router.tools.dev.update import as_yaml, changes_of
from router.tools.dev.yaml_edit import CannotUpdate, YamlFile
from router.tools.memory.decoding import decode_item


class MessageOfDraft(Draft, frozen=True):
    """A message for a queue of a draft; if it is `raw`, it is a body as SQS has it, or a record."""

    queue: str = ""
    message: str = ""
    raw: bool = False
    route: str = ""
    """For a new test: its route."""
    name: str = ""
    """For a new test: its name."""


class PageItem(Struct, frozen=True):
    """An item that is written: as in tests, and as DynamoDB stores it; both are JSON."""

    route: str
    table: str
    operation: str
    bytes: int
    plain: str
    stored: str


class RunReport(Struct, frozen=True):
    """What becomes of a message; requests, and the values of stages, are JSON."""

    outcome: Outcome
    failed_at: str
    stages: list[Stage]
    conditions: tuple[RouteCondition, ...]
    faults: tuple[Violation, ...]
    items: list[PageItem]
    requests: list[str]


class PageTest(Struct, frozen=True):
    """The result of a test, and its place; values of differences are JSON."""

    route: str
    name: str
    passed: bool
    differences: list[Difference]
    file: str
    line: int


def run_message(given: MessageOfDraft) -> RunReport:
    """Run a message as `router explain` does; raises RouterError."""
    loaded = given.load()
    program = loaded.require()
    require_names(program, given.queue, None)
    record = read_message(
        program,
        given.queue,
        given.message.encode(errors="surrogatepass"),
        given.raw,
    )
    return _run(explain(loaded, program, given.queue, record))


def _run(explained: Explanation) -> RunReport:
    writes = [stage.value for stage in explained.stages if isinstance(stage.value, Write)]
    return RunReport(
        explained.outcome,
        explained.failed_at,
        [
            Stage(
                stage.route,
                stage.stage,
                to_json(show_value(stage), indent=2),
                round(stage.micros, 1),
            )
            for stage in explained.stages
            if stage.stage != "when"
        ],
        explained.conditions,
        explained.faults,
        [
            PageItem(
                write.route,
                write.table.name,
                write.mode.operation.name,
                write.size,
                to_json(decode_item(write.item), indent=2),
                to_json(write.item, indent=2),
            )
            for write in writes
        ],
        [to_json(request, indent=2) for request in explained.requests],
    )


def run_tests(given: MessageOfDraft) -> list[PageTest]:
    """Run the tests of the routes of a queue, or of all without one, as `router test` does; raises
    RouterError.
    """
    suite = Suite(Path(given.config), os.environ, as_unsaved(given.unsaved), given.load())
    routes = suite.program.config.routes
    return [
        _test(suite, suite.run_one(route, index))
        for route, _, index in suite.names()
        if given.queue in ("", routes[route].queue)
    ]


def _test(suite: Suite, verdict: Verdict) -> PageTest:
    place = suite.loaded.findings.locate(("routes", verdict.route, "tests", verdict.index))
    differences = [
        Difference(each.what, cell(each.expected), cell(each.found)) for each in verdict.differences
    ]
    return PageTest(
        verdict.route,
        verdict.name,
        verdict.passed,
        differences,
        place.file,
        place.line,
    )


class NewTest(Struct, frozen=True):
    """A file with one more test, which is not saved."""

    file: str
    text: str


def add_test(given: MessageOfDraft) -> NewTest:
    """Return the file of a route with one more test, which expects what happens now; raises
    RouterError.
    """
    loaded = given.load()
    program = loaded.require()
    if given.route not in program.config.routes:
        raise UsageError(f"there is no route '{given.route}'")
    source = _message(given)
    file = loaded.findings.locate(("routes", given.route)).file
    unsaved = given.unsaved.get(file)
    edited = YamlFile(Path(file), None if unsaved is None else unsaved.encode())
    try:
        _append(edited, program, given, source)
    except CannotUpdate as error:
        raise UsageError(f"the test cannot be added to '{file}': {error}") from None
    return NewTest(file, edited.content.decode("utf-8-sig").replace("\r\n", "\n"))


def _append(
    file: YamlFile,
    program: Program,
    asked: MessageOfDraft,
    source: JsonObject,
) -> None:
    test = msgspec.convert(source, spec.Test)
    observed = observe(program, asked.route, test)
    found = changes_of(test, source, observed, StoredTable(program, asked.route), outcomes=True)
    entry = {"name": asked.name, **as_yaml(source), **{each.key: each.new for each in found}}
    path = ("routes", asked.route)
    before = file.data(path)
    if before.get("tests"):
        file.change((*path, "tests"), [*before["tests"], entry])
    else:
        file.change(path, {**before, "tests": [entry]})


def _message(asked: MessageOfDraft) -> JsonObject:
    """Return what a test has of a message."""
    try:
        value = JSON.decode(asked.message.strip())
    except (msgspec.DecodeError, UnicodeError, RecursionError, ArithmeticError):
        value = UNSET
    if asked.raw:
        return {"record": value} if holds_record(value) else {"body": asked.message.strip()}
    if isinstance(value, UnsetType):
        raise UsageError("the message is not JSON: mark it as raw to have it in a test as it is")
    return {"message": value}
