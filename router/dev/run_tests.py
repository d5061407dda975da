"""Runs the `tests:` of the routes, each with its own environment."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from router.config import spec
from router.dev.compare import Difference, Observed, compare
from router.dev.reach import Reach
from router.dev.records import make_record
from router.dev.requests import show_request
from router.engine.attributes import decode_item
from router.engine.engine import Trace, plan
from router.engine.writes import Ticket
from router.errors import ConfigError, UsageError
from router.model import WRITTEN, Record
from router.program.load import Loaded, Program, load

Chosen = Callable[[str, str], bool]
"""Whether a test is to run, by its route and its name."""


class Verdict(Struct, frozen=True):
    """What a test came to; it passed if there are no differences.

    `index` is its place among the tests of its route; `observed` is None where it could not run.
    """

    route: str
    name: str
    differences: tuple[Difference, ...] = ()
    index: int = 0
    observed: Observed | None = None

    @property
    def passed(self) -> bool:
        """Whether all is as the test says."""
        return not self.differences


class Rehearsal:
    """The tests of one config; raises ConfigError if it has errors.

    `env` is the environment. A test with an `env` of its own runs on the config as it is with those variables; it is
    loaded once for each distinct one.
    """

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._path = path
        self._env = env
        self._loaded: dict[frozenset[tuple[str, str]], Loaded] = {}
        self.program = self.program_of({})

    def program_of(self, env: Mapping[str, str]) -> Program:
        """The program with more variables; raises ConfigError."""
        loaded = self._load(env)
        if loaded.program is None:
            raise ConfigError(tuple(loaded.findings))
        return loaded.program

    def names(self) -> list[tuple[str, str, int]]:
        """The tests in the order of the file: route, name, place among the route's tests."""
        return [
            (route, test_name(test, index), index)
            for route, settings in self.program.config.routes.items()
            for index, test in enumerate(settings.tests)
        ]

    def run(self, chosen: Chosen = lambda route, name: True) -> list[Verdict]:
        """Run the tests that are chosen, in the order of the file."""
        return [self.run_one(route, index) for route, name, index in self.names() if chosen(route, name)]

    def run_one(self, route: str, index: int, reach: Reach | None = None) -> Verdict:
        """Run one test, by its route and place; `reach` is told where messages get in the schemas."""
        test = self.program.config.routes[route].tests[index]
        try:
            loaded = self._load(test.env)
            program = self.program_of(test.env)
        except ConfigError as error:
            fault = Difference("env", "a config without errors", str(error.findings[0]))
            return Verdict(route, test_name(test, index), (fault,), index)
        # The same test, with those variables in it too.
        test = program.config.routes[route].tests[index]
        trace = reach.trace_of(loaded) if reach else None
        return run_test(program, route, test, index, trace)

    @property
    def loaded(self) -> Loaded:
        """The config in the environment alone."""
        return self._load({})

    def _load(self, env: Mapping[str, str]) -> Loaded:
        key = frozenset(env.items())
        if key not in self._loaded:
            self._loaded[key] = load(self._path, {**self._env, **env})
        return self._loaded[key]


def rehearse(path: Path, env: Mapping[str, str]) -> list[Verdict]:
    """Run all tests of a config; raises ConfigError."""
    return Rehearsal(path, env).run()


def test_name(test: spec.Test, index: int) -> str:
    """What a test is called: by its name, or its number."""
    return test.name or f"test {index + 1}"


def run_test(program: Program, route: str, test: spec.Test, index: int = 0, trace: Trace | None = None) -> Verdict:
    """Run one test of a route on a program."""
    queue = program.config.routes[route].queue
    name = test_name(test, index)
    try:
        settings = program.config.queues.get(queue) or spec.Queue()
        record = make_record(test, settings, program.plugins.envelopes, program.folder)
    except UsageError as error:
        return Verdict(route, name, (Difference("message", "one that can be read", str(error)),), index)
    observed = observe(program, route, rehearse_record(program, queue, record, trace))
    return Verdict(route, name, compare(test, observed), index, observed)


def observe(program: Program, route: str, ticket: Ticket) -> Observed:
    """What a ticket means for one of the routes."""
    atomic = program.engine.queues[program.config.routes[route].queue].atomic
    writes = [write for write in ticket.writes if write.route == route]
    requests = [show_request(write, atomic) for write in writes]
    return Observed(ticket.outcome or WRITTEN, [decode_item(write.item) for write in writes], requests)


def rehearse_record(program: Program, queue: str, record: Record, trace: Trace | None = None) -> Ticket:
    """What the engine plans for a record of a queue."""
    return plan(program.engine.queues[queue], record, trace)
