"""Runs the `tests:` of the routes, each with its own environment variables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from router.errors import ConfigError, UsageError
from router.model import WRITTEN, Record
from router.runtime.config import spec
from router.runtime.config.merge import NO_UNSAVED, Unsaved
from router.runtime.engine.engine import Trace, plan
from router.runtime.engine.writes import PlannedMessage, Write
from router.runtime.program.load import Loaded, Program, load
from router.tools.dev.compare import Difference, Observed, compare, table
from router.tools.dev.json_faults import payload_fault
from router.tools.dev.plugin_errors import watching
from router.tools.dev.records import records_of
from router.tools.dev.requests import show_request
from router.tools.dev.schema_coverage import SchemaCoverage
from router.tools.dev.starting import start_plugins
from router.tools.dev.stateful import StoredTable, given_tables, is_stateful
from router.tools.memory.decoding import decode_item
from router.tools.memory.deliveries import write_together


class Verdict(Struct, frozen=True):
    """The result of a test. It passed if there are no differences."""

    route: str
    name: str
    differences: tuple[Difference, ...] = ()
    index: int = 0
    """Its index among the tests of its route."""
    observed: Observed | None = None
    """What became of its messages, None if it could not run."""
    traceback: str = ""
    """What plugins raised, with its lines in them; "" if they raised nothing."""
    undecoded: str = ""
    """Where and why a message is not JSON, in a test that did not pass; "" if none is."""

    @property
    def passed(self) -> bool:
        """Whether there are no differences."""
        return not self.differences

    @property
    def label(self) -> str:
        """The route and the name, as people know the test."""
        return f"{self.route}: {self.name}"

    @property
    def text(self) -> str:
        """The differences as a table, and what plugins raised; "" if it passed."""
        if self.passed:
            return ""
        return "\n".join(filter(None, [*table(self.differences), self.undecoded, self.traceback]))

    @property
    def subjects(self) -> str:
        """What differs, as a list in a sentence."""
        return ", ".join(each.what for each in self.differences)


class Suite:
    """The tests of one config; raises ConfigError if it has errors.

    `env` is the environment. The config is loaded once more for each distinct `env` of the tests,
    with those variables. A file in `unsaved` is read from there. `loaded` is the config, if it is
    loaded already.
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
        self._loaded: dict[frozenset[tuple[str, str]], Loaded] = {}
        if loaded:
            self._loaded[frozenset()] = loaded
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
        """Run one test, by its route and index; `coverage` records which parts of the schemas its
        message reaches.
        """
        test = test_of(self.program, route, index)
        try:
            loaded = self._load(test.env)
            program = loaded.require()
        except ConfigError as error:
            fault = Difference("env", "a config without errors", str(error.findings[0]))
            return Verdict(route, test_name(test, index), (fault,), index)
        trace = coverage.trace(loaded) if coverage else None
        # The same test of the config with its variables.
        return run_test(program, route, test_of(program, route, index), index, trace)

    @property
    def loaded(self) -> Loaded:
        """The config without additional variables."""
        return self._load({})

    def _load(self, env: Mapping[str, str]) -> Loaded:
        key = frozenset(env.items())
        if key not in self._loaded:
            self._loaded[key] = load(self._path, {**self._env, **env}, unsaved=self._unsaved)
        return self._loaded[key]


def test_of(program: Program, route: str, index: int) -> spec.Test:
    """Return a test of a route."""
    return program.config.routes[route].tests[index]


def test_name(test: spec.Test, index: int) -> str:
    """Return the name of a test, or its number if it has none."""
    return test.name or f"test {index + 1}"


def run_test(
    program: Program,
    route: str,
    test: spec.Test,
    index: int = 0,
    trace: Trace | None = None,
) -> Verdict:
    """Run one test of a route on a program."""
    name = test_name(test, index)
    raised: list[str] = []
    try:
        observed = observe(program, route, test, watching(raised, trace))
    except UsageError as error:
        fault = Difference("message", "one that can be read", str(error))
        return Verdict(route, name, (fault,), index)
    differences = compare(test, observed)
    if observed.stored is not None:
        differences += StoredTable(program, route).compare(test, observed.stored)
    places = _undecoded(program, route, test, observed) if differences else ""
    return Verdict(route, name, differences, index, observed, "\n".join(raised), places)


def _undecoded(program: Program, route: str, test: spec.Test, observed: Observed) -> str:
    queue = program.config.routes[route].queue
    places = [
        payload_fault(program, queue, record, outcome)
        for record, outcome in zip(records_of(program, route, test), observed.outcomes, strict=True)
    ]
    return "\n".join(filter(None, places))


def observe(
    program: Program,
    route: str,
    test: spec.Test,
    trace: Trace | None = None,
) -> Observed:
    """Return the outcomes of a test's messages and the items of its table; raises UsageError for an
    invalid message.
    """
    return observe_records(program, route, test, records_of(program, route, test), trace)


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
    start_plugins(program)
    queue = program.engine.queues[program.config.routes[route].queue]
    if not is_stateful(test):
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
    writes: list[Write] = []
    is_written = []
    for message in planned:
        own = [write for write in message.writes if write.route == route]
        writes += own
        is_written.append(bool(own))
    return Observed(
        outcomes=tuple(each.outcome or WRITTEN for each in planned),
        items=[decode_item(write.item) for write in writes],
        requests=[show_request(write, atomic) for write in writes],
        writes=tuple(is_written),
    )
