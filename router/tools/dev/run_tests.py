"""Runs the `tests:` of the routes, each with its own environment variables, and formats the results as JUnit XML."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct, structs

from router.errors import ConfigError, UsageError
from router.model import WRITTEN, Record
from router.runtime.config import spec
from router.runtime.config.merge import NO_UNSAVED, Unsaved
from router.runtime.engine.attributes import decode_item
from router.runtime.engine.engine import Trace, plan
from router.runtime.engine.writes import PlannedMessage, Write
from router.runtime.program.load import Loaded, Program, load
from router.tools.dev.compare import Difference, Observed, compare
from router.tools.dev.records import make_records
from router.tools.dev.schema_coverage import SchemaCoverage
from router.tools.dev.stateful import StoredTable, given_tables, write_together

_NOT_WORDS = ("and", "or", "not", "(", ")", "'", '"')
"""Operators, and quotes that are not closed."""
_TOKEN = re.compile(r"""[()]|'[^']*'|"[^"]*"|[^\s()'"]+|['"]""")


def select_tests(expression: str) -> Callable[[str, str], bool]:
    """Return a function that selects tests by route and name; raises UsageError.

    A word matches if it is part of `route: name`, in upper or lower case. `and`, `or`, `not` and parentheses combine
    words; a word with spaces is quoted. An empty expression selects all tests.
    """
    if not expression.strip():
        return lambda route, name: True
    words: dict[str, str] = {}
    tokens = []
    for token in _TOKEN.findall(expression):
        # The operators are those of Python, whose parser reads the expression with a name for each word.
        tokens.append(token if token in _NOT_WORDS else f"word{len(words)}")
        words[tokens[-1]] = (token[1:-1] if token[0] in "'\"" else token).lower()
    try:
        matches = _compile(ast.parse(" ".join(tokens), mode="eval").body, words)
    except SyntaxError:
        raise UsageError(
            f"'{expression}' does not select tests: it must be words joined by and, or, not and parentheses"
        ) from None
    return lambda route, name: matches(f"{route}: {name}".lower())


def _compile(node: ast.expr, words: Mapping[str, str]) -> Callable[[str], bool]:
    match node:
        case ast.Name(id=name):
            word = words[name]
            return lambda text: word in text
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inside = _compile(operand, words)
            return lambda text: not inside(text)
        case ast.BoolOp(op=operator, values=values):
            parts = [_compile(value, words) for value in values]
            join = all if isinstance(operator, ast.And) else any
            return lambda text: join(part(text) for part in parts)
        case _:
            raise SyntaxError


def show_request(write: Write, atomic: bool = False) -> dict[str, Any]:
    """Return the request of one write: the operation and its parameters.

    BatchWriteItem has its one entry, and the transaction of an atomic queue only the part of this write.
    """
    if atomic or write.idempotency_key:
        return _transaction([write])
    if write.call is None:
        return {"BatchWriteItem": {"RequestItems": {write.table.name: [write.batch_request()]}}}
    operation, parameters = write.action()
    return {f"{operation}Item": parameters}


def show_requests(writes: Sequence[Write], atomic: bool) -> list[dict[str, Any]]:
    """Return the requests of a message: one for each write, or one for all on an atomic queue."""
    if atomic and writes:
        return [_transaction(writes)]
    return [show_request(write) for write in writes]


def _transaction(writes: Sequence[Write]) -> dict[str, Any]:
    actions: list[dict[str, Any]] = []
    for write in writes:
        if write.idempotency_key:
            actions.append({"Put": write.idempotency_key.call})
        operation, parameters = write.action()
        actions.append({operation: parameters})
    return {"TransactWriteItems": {"TransactItems": actions}}


class Verdict(Struct, frozen=True):
    """The result of a test, which passed if there are no differences.

    `index` is its index among the tests of its route; `observed` is None if it could not run.
    """

    route: str
    name: str
    differences: tuple[Difference, ...] = ()
    index: int = 0
    observed: Observed | None = None

    @property
    def passed(self) -> bool:
        """Whether there are no differences."""
        return not self.differences


class Suite:
    """The tests of one config; raises ConfigError if it has errors.

    `env` is the environment. The config is loaded once more for each distinct `env` of the tests, with those variables.
    A file in `unsaved` is read from there. `loaded` is the config, if it is loaded already.
    """

    def __init__(
        self,
        path: Path,
        env: Mapping[str, str],
        unsaved: Unsaved = NO_UNSAVED,
        loaded: Loaded | None = None,
    ) -> None:
        self._path = path
        self._env = env
        self._unsaved = unsaved
        self._loaded: dict[frozenset[tuple[str, str]], Loaded] = (
            {frozenset(): loaded} if loaded else {}
        )
        self.program = self.program_of({})

    def program_of(self, env: Mapping[str, str]) -> Program:
        """Return the program with additional variables; raises ConfigError."""
        return self._load(env).require()

    def names(self) -> list[tuple[str, str, int]]:
        """Return the tests in the order of the file: route, name, index among the route's tests."""
        return [
            (route, test_name(test, index), index)
            for route, settings in self.program.config.routes.items()
            for index, test in enumerate(settings.tests)
        ]

    def run(self) -> list[Verdict]:
        """Run all tests, in the order of the file."""
        return [self.run_one(route, index) for route, _, index in self.names()]

    def run_one(self, route: str, index: int, coverage: SchemaCoverage | None = None) -> Verdict:
        """Run one test, by its route and index; `coverage` records which parts of the schemas its message reaches."""
        test = self.program.config.routes[route].tests[index]
        try:
            loaded = self._load(test.env)
            program = self.program_of(test.env)
        except ConfigError as error:
            fault = Difference("env", "a config without errors", str(error.findings[0]))
            return Verdict(route, test_name(test, index), (fault,), index)
        # The same test of the config with its variables.
        test = program.config.routes[route].tests[index]
        trace = coverage.trace(loaded) if coverage else None
        return run_test(program, route, test, index, trace)

    @property
    def loaded(self) -> Loaded:
        """The config without additional variables."""
        return self._load({})

    def _load(self, env: Mapping[str, str]) -> Loaded:
        key = frozenset(env.items())
        if key not in self._loaded:
            self._loaded[key] = load(self._path, {**self._env, **env}, unsaved=self._unsaved)
        return self._loaded[key]


def test_name(test: spec.Test, index: int) -> str:
    """Return the name of a test, or its number if it has none."""
    return test.name or f"test {index + 1}"


def run_test(
    program: Program, route: str, test: spec.Test, index: int = 0, trace: Trace | None = None
) -> Verdict:
    """Run one test of a route on a program."""
    name = test_name(test, index)
    try:
        observed = observe(program, route, test, trace)
    except UsageError as error:
        return Verdict(
            route, name, (Difference("message", "one that can be read", str(error)),), index
        )
    differences = compare(test, observed)
    if observed.stored is not None:
        differences += StoredTable(program, route).compare(test, observed.stored)
    return Verdict(route, name, differences, index, observed)


def observe(program: Program, route: str, test: spec.Test, trace: Trace | None = None) -> Observed:
    """Return the outcomes of a test's messages and the items of its table; raises UsageError for an invalid message."""
    settings = program.config.queues.get(program.config.routes[route].queue) or spec.Queue()
    records = make_records(test, settings, program.plugins.envelopes, program.folder)
    return observe_records(program, route, test, records, trace)


def observe_records(
    program: Program,
    route: str,
    test: spec.Test,
    records: Sequence[Record],
    trace: Trace | None = None,
) -> Observed:
    """Return what becomes of the records of a test's messages, and of the route's table.

    If what tables hold matters, each message is written before the next one is planned.
    """
    queue = program.engine.queues[program.config.routes[route].queue]
    if not test.is_stateful:
        return observe_planned(program, route, [plan(queue, record, trace) for record in records])
    tables = given_tables(program, test.given)
    planned = []
    for record in records:
        message = plan(queue, record, trace)
        outcome = write_together([message], tables, queue.atomic)[message]
        planned.append(structs.replace(message, outcome=outcome))
    stored = tables.items(StoredTable(program, route).name)
    return structs.replace(observe_planned(program, route, planned), stored=stored)


def observe_planned(program: Program, route: str, planned: Sequence[PlannedMessage]) -> Observed:
    """Return the outcomes of messages, and the items and requests of one of its routes."""
    atomic = program.engine.queues[program.config.routes[route].queue].atomic
    writes = [[write for write in each.writes if write.route == route] for each in planned]
    return Observed(
        tuple(each.outcome or WRITTEN for each in planned),
        [decode_item(write.item) for write in chain(*writes)],
        [show_request(write, atomic) for write in chain(*writes)],
        tuple(map(bool, writes)),
    )


Described = tuple[Verdict, float, str]
"""A verdict, its duration in seconds, and its differences as text."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets"""


def as_junit(described: Iterable[Described]) -> bytes:
    """Return results as JUnit XML, with a suite for each route in the order of the tests.

    There is no standard; these elements are common to all readers: https://github.com/testmoapp/junitxml
    """
    root = Element("testsuites", name="router test")
    for route, group in groupby(described, key=lambda each: each[0].route):
        _suite(root, route, list(group))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.6f}")
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _suite(root: Element, route: str, described: list[Described]) -> None:
    failed = [verdict for verdict, _, _ in described if not verdict.passed]
    suite = SubElement(
        root, "testsuite", name=route, tests=str(len(described)), failures=str(len(failed))
    )
    suite.set("errors", "0")
    suite.set("skipped", "0")
    suite.set("time", f"{sum(seconds for _, seconds, _ in described):.6f}")
    for verdict, seconds, words in described:
        case = SubElement(
            suite, "testcase", classname=route, name=_clean(verdict.name), time=f"{seconds:.6f}"
        )
        if not verdict.passed:
            count = len(verdict.differences)
            message = f"{count} difference{'s' * (count > 1)}: {', '.join(each.what for each in verdict.differences)}"
            SubElement(case, "failure", message=_clean(message), type="difference").text = _clean(
                words
            )


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
