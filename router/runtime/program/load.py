"""Loads `routes.yaml`, or a compiled config, as a program.

`router check`, the worker, the Lambda handler and the test runner call it.
"""

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct, structs

from router.errors import ConfigError, UsageError
from router.model import Route, Severity, Table, names_file, plugin_name
from router.runtime.aws.references import (
    match_key,
    queue_name,
    table_fault,
    table_name,
)
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.runtime.config.merge import NO_UNSAVED, Reading, Unsaved
from router.runtime.conversions import JSON_ENCODER
from router.runtime.engine.engine import (
    CompiledQueue,
    CompiledRoute,
    Engine,
    RouteIndex,
)
from router.runtime.engine.writes import WriteConfig
from router.runtime.filesystem import read_regular
from router.runtime.program.attribute import UNKNOWN_TRANSFORM
from router.runtime.program.context import CompileContext, Environment
from router.runtime.program.expressions.compile import NO_TREES, Trees
from router.runtime.program.hooks import Plugins
from router.runtime.program.precompiled import is_precompiled, read_config
from router.runtime.program.queues import (
    BAD_NAME,
    UNKNOWN_ENVELOPE,
    compile_queues,
)
from router.runtime.program.route import UNKNOWN_PLUGIN, compile_route
from router.runtime.program.schemas.compile import SchemaStore, Validation

HASH_LENGTH = 16
"""Hexadecimal digits of the SHA-256 of a config: enough to tell all configs of a team
apart.
"""
GC_THRESHOLD = 20_000
"""Net allocations that start a collection of the youngest generation; Python's default
is 700. A batch allocates thousands of objects that are freed with it, with hardly a
reference cycle among them.
"""
MIN_INDEXED = 4
"""The conditions of fewer routes are evaluated one after the other."""


@contextmanager
def without_garbage_collector() -> Iterator[None]:
    """Pause cyclic garbage collection: it takes three quarters of the time of building
    many nodes, and frees none.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class LoadedRouter(Struct, frozen=True):
    """The `Router` that hooks get: it does not lead to the plugins, so that a plugin
    that keeps it can be freed.
    """

    queues: tuple[str, ...]
    routes: tuple[Route, ...]


class Program(Struct, frozen=True, dict=True, weakref=True):
    """A config without errors, parsed and compiled.

    Names of files in it are relative to `folder`. `documents` are its schemas by their
    names.
    """

    config: spec.Config
    engine: Engine
    plugins: Plugins
    folder: FilePath = FilePath()
    documents: Mapping[str, Any] = {}

    @cached_property
    def hash(self) -> str:
        """The hash of the config as it runs, with the values of its variables, its
        schema files and plugin files.

        Dead letters, logs, metrics and `/healthz` name the config by it. It is the same
        for the YAML and for the compiled form. `tests` and `ignore`, which a compiled
        config does not have, do not count, and neither does how the YAML is written;
        the order of queues and routes does.
        """
        routes = {
            name: structs.asdict(route) | {"tests": ()}
            for name, route in self.config.routes.items()
        }
        without = {"routes": routes, "ignore": (), "include": ()}
        digest = hashlib.sha256(JSON_ENCODER.encode(structs.asdict(self.config) | without))
        for name in sorted(self.documents):
            digest.update(JSON_ENCODER.encode((name, self.documents[name])))
        for plugin in filter(names_file, self.config.plugins):
            with suppress(OSError):  # loaded, and gone since
                digest.update(read_regular(self.folder / plugin))
        return digest.hexdigest()[:HASH_LENGTH]

    @property
    def counts_routes(self) -> bool:
        """Whether outcomes are counted by route, and write units of all tables."""
        return self.config.telemetry.metrics == "route"

    @property
    def tables_by_reference(self) -> dict[str, str]:
        """The names of the tables in the config, by their names or ARNs in calls.

        An embedded AWS knows them by their names alone.
        """
        names: dict[str, str] = {}
        for name, table in self.config.tables.items():
            reference = table.name or name
            names |= {reference: name, table_name(reference): name}
        return names

    @property
    def fetches(self) -> bool:
        """Whether payloads of some queue are objects of S3."""
        return any(queue.pointers is not None for queue in self.engine.queues.values())

    @property
    def router(self) -> LoadedRouter:
        """What hooks get."""
        return LoadedRouter(self.queues, self.routes)

    def queue(self, name: str) -> CompiledQueue:
        """Return a queue by its name in the config.

        Raises UsageError if no route reads it.
        """
        if name not in self.engine.queues:
            raise UsageError(
                f"no route reads the queue '{name}'; there are {', '.join(self.engine.queues)}"
            )
        return self.engine.queues[name]

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of the queues, in the order of the file."""
        return tuple(self.engine.queues)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes, in the order of the file."""
        compiled = {
            route.route.name: route.route
            for queue in self.engine.queues.values()
            for route in queue.routes
        }
        return tuple(compiled[name] for name in self.config.routes)


class Loaded(Struct, frozen=True):
    """The result of loading: the findings, and the program unless one of them is an
    error.

    `config`, `plugins` and `schemas` are None if loading stopped before them, and may
    have faults.
    """

    program: Program | None
    findings: Findings
    config: spec.Config | None = None
    plugins: Plugins | None = None
    schemas: SchemaStore | None = None

    def require(self) -> Program:
        """Return the program.

        Raises ConfigError with the findings if one of them is an error.
        """
        if self.program is None:
            raise ConfigError(tuple(self.findings))
        return self.program

    def validation(self, route: str) -> Validation | None:
        """Return what validates the messages of a route.

        None without a schema, or if it has errors.
        """
        schema = self.config.routes[route].schema if self.config else None
        if self.schemas is None or schema is None:
            return None
        return self.schemas.linked(schema, ("routes", route, "schema"))


def compile_config(
    reading: Reading,
    schemas: SchemaStore,
    environment: Environment,
    trees: Trees = NO_TREES,
    *,
    with_plugins: bool = True,
) -> Loaded:
    """Compile a config with the plugins and schemas that it names.

    Every fault is a finding, none is raised. `trees` are the trees of expressions by
    their text, as a compiled config holds them. Without plugins, none is imported, and
    all are left out.
    """
    config = reading.config
    findings = reading.findings
    if config is None:
        return Loaded(None, findings)
    if with_plugins:
        plugins = _load_plugins(config, reading.folder, findings)
    else:
        plugins = Plugins(left_out=tuple(map(plugin_name, config.plugins)))
    if plugins.left_out or not reading.complete:
        # A name that seems unknown may be defined by a part that was left out.
        unsure = (UNKNOWN_TRANSFORM, UNKNOWN_ENVELOPE)
        findings = findings.without(unsure if reading.complete else (*unsure, UNKNOWN_PLUGIN))
    queues = compile_queues(config, plugins.envelopes, environment, findings)
    ttl = {name: table.ttl for name, table in config.tables.items()}
    context = CompileContext(
        _compile_tables(config, findings),
        ttl,
        plugins,
        schemas,
        findings,
        trees,
    )
    routes = [
        compile_route(name, route, context, queues[route.queue])
        for name, route in config.routes.items()
    ]
    if any(route.tests for route in config.routes.values()):
        # A compiled config has no tests, and starts without the module that checks
        # them.
        from router.runtime.program.route_tests import check_tests

        check_tests(config, context.tables, findings)
    program = None
    compiled = [route for route in routes if route is not None]
    if not findings.failed and len(compiled) == len(routes):
        program = Program(
            config,
            _engine(config, queues, compiled, trees),
            plugins,
            reading.folder,
            schemas.documents,
        )
    return Loaded(program, findings, config, plugins, schemas)


def _load_plugins(config: spec.Config, folder: FilePath, findings: Findings) -> Plugins:
    if not config.plugins:
        return Plugins()
    # A config without plugins is loaded without the modules that load plugins.
    from router.runtime.program.hooks.registry import load_plugins

    return load_plugins(config.plugins, folder, findings)


def _compile_tables(config: spec.Config, findings: Findings) -> dict[str, Table]:
    tables = {}
    for name, table in config.tables.items():
        reference = table.name or name
        fault = table_fault(reference)
        if fault:
            path = ("tables", name, "name") if table.name else ("tables", name)
            findings.add(BAD_NAME, f"'{reference}' {fault}", path, key=not table.name)
        tables[name] = Table(
            reference,
            tuple(table.key.items()),
            (table.write_units or 0.0) / table.share,
            config.telemetry.metrics == "route",
        )
    return tables


def _engine(
    config: spec.Config,
    queues: Mapping[str, CompiledQueue],
    routes: list[CompiledRoute],
    trees: Trees,
) -> Engine:
    by_queue: dict[str, list[CompiledRoute]] = {name: [] for name in queues}
    for route in routes:
        by_queue[route.route.queue].append(route)
    compiled = {
        name: structs.replace(
            queue,
            routes=tuple(by_queue[name]),
            index=_index(config, queue, by_queue[name], trees),
        )
        for name, queue in queues.items()
    }
    return Engine(
        compiled,
        {match_key(queue.reference): queue for queue in compiled.values()},
    )


def _index(
    config: spec.Config,
    queue: CompiledQueue,
    routes: list[CompiledRoute],
    trees: Trees,
) -> RouteIndex | None:
    # A route takes each message with a redacted value where its condition reads: its text says
    # nothing then.
    if len(routes) < MIN_INDEXED or queue.redaction is not None:
        return None
    # Most queues have few routes, and start without the module.
    from router.runtime.program.route_index import index_routes

    return index_routes([config.routes[route.route.name].when for route in routes], trees)


def load(
    path: FilePath,
    env: Mapping[str, str],
    unset: Severity = "error",
    unsaved: Unsaved = NO_UNSAVED,
    *,
    with_plugins: bool = True,
) -> Loaded:
    """Read, parse and compile a config with the files that it includes.

    Every fault is a finding, none is raised.

    `unset` is how bad it is if a variable of the environment is not set and has no
    default. If that is no error, the program has placeholders, and is only for
    inspection. A file in `unsaved` is read from there. Without plugins, no code of the
    config is run. Raises UsageError for a compiled config.
    """
    if is_precompiled(path):
        raise UsageError(f"{path} is a compiled config: name the YAML file that it was made from")
    return _load_yaml(path, env, unset, unsaved, with_plugins=with_plugins)


def load_program(path: FilePath | str, env: Mapping[str, str]) -> Program:
    """Return the program of a config, in YAML or compiled.

    Raises ConfigError with the findings if it has errors, UsageError if it was compiled
    by another version.
    """
    return load_any(FilePath(path), env).require()


def load_any(
    path: FilePath,
    env: Mapping[str, str],
    unset: Severity = "error",
    any_version: bool = False,
) -> Loaded:
    """Load a config as `load` does, in YAML or compiled.

    In a compiled one a variable that is not set is an error. With `any_version`,
    another version of the router may have compiled it: for inspection, not to run.
    """
    if not is_precompiled(path):
        return _load_yaml(path, env, unset)
    with without_garbage_collector():
        reading, opened = read_config(path, env, any_version)
        return compile_config(
            reading,
            SchemaStore(reading.folder, opened.schemas),
            Environment(env),
            opened.trees,
        )


def _load_yaml(
    path: FilePath,
    env: Mapping[str, str],
    unset: Severity,
    unsaved: Unsaved = NO_UNSAVED,
    *,
    with_plugins: bool = True,
) -> Loaded:
    # A compiled config is loaded without the modules that read YAML.
    from router.runtime.config import source

    with without_garbage_collector():
        reading = source.read_config(path, env, unset, unsaved)
        return compile_config(
            reading,
            SchemaStore(reading.folder, unsaved=unsaved),
            Environment(env, unset),
            with_plugins=with_plugins,
        )


def with_bare_names(program: Program) -> Program:
    """Return the program with its queues and tables named without account and region.

    A config with ARNs and URLs of real accounts then runs on an embedded AWS, which has
    one account and one region.
    """
    queues = {name: _bare_queue(queue) for name, queue in program.engine.queues.items()}
    return structs.replace(program, engine=Engine(queues, program.engine.by_reference))


def _bare_queue(queue: CompiledQueue) -> CompiledQueue:
    routes = tuple(structs.replace(route, write=_bare_write(route.write)) for route in queue.routes)
    return structs.replace(
        queue,
        reference=queue_name(queue.reference),
        dead_letter=queue_name(queue.dead_letter),
        routes=routes,
    )


def _bare_write(write: WriteConfig) -> WriteConfig:
    once = write.once and structs.replace(write.once, table=_bare_table(write.once.table))
    return structs.replace(write, table=_bare_table(write.table), once=once)


def _bare_table(table: Table) -> Table:
    return structs.replace(table, name=table_name(table.name))
