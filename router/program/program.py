"""From a config that was read to a program."""

from collections.abc import Mapping
from pathlib import Path as FilePath

from msgspec import Struct

from router.aws.references import match_key, table_fault
from router.config import spec
from router.config.findings import Findings
from router.config.reading import Reading
from router.config_types import parse_duration
from router.engine.engine import Backoff, CompiledQueue, CompiledRoute, Engine
from router.model import Route, Table
from router.program.context import Context, Tables
from router.program.expressions.compile import NO_TREES, Trees
from router.program.hooks.plugins import Plugins, built_in
from router.program.queues import BAD_NAME, UNKNOWN_ENVELOPE, Queue, compile_queues
from router.program.route import UNKNOWN_PLUGIN, compile_route
from router.program.schemas.compile import SchemaStore
from router.program.transforms import UNKNOWN_TRANSFORM


class Program(Struct, frozen=True):
    """A config that can run: as it was written, and compiled; `folder` is what names of files are relative to."""

    config: spec.Config
    engine: Engine
    plugins: Plugins
    folder: FilePath = FilePath()

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of the queues, in the order of the file."""
        return tuple(self.engine.queues)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes, in the order of the file."""
        compiled = {route.route.name: route.route for queue in self.engine.queues.values() for route in queue.routes}
        return tuple(compiled[name] for name in self.config.routes)


class Loaded(Struct, frozen=True):
    """What loading came to: the program, unless there are errors, and the findings.

    `config`, `plugins` and `schemas` are there as far as loading came; what they hold may have been found faulty.
    """

    program: Program | None
    findings: Findings
    config: spec.Config | None = None
    plugins: Plugins | None = None
    schemas: SchemaStore | None = None


def compile_config(reading: Reading, schemas: SchemaStore, trees: Trees = NO_TREES) -> Loaded:
    """Compile a config with the plugins and schemas that it names; every fault is a finding, none is raised.

    `trees` are the trees of expressions by their text, as a compiled config holds them.
    """
    config, findings = reading.config, reading.findings
    if config is None:
        return Loaded(None, findings)
    plugins = _load_plugins(config, reading.folder, findings)
    if plugins.left_out or not reading.complete:
        # A name that seems unknown may be defined by a part that was left out.
        unsure = (UNKNOWN_TRANSFORM, UNKNOWN_ENVELOPE)
        findings = findings.without(unsure if reading.complete else (*unsure, UNKNOWN_PLUGIN))
    queues = compile_queues(config, plugins.envelopes, findings)
    context = Context(_compile_tables(config, findings), plugins, schemas, findings, trees)
    routes = [compile_route(name, route, context) for name, route in config.routes.items()]
    program = None
    compiled = [route for route in routes if route is not None]
    if not findings.failed and len(compiled) == len(routes):
        engine = _engine(queues, compiled)
        program = Program(config, engine, plugins, reading.folder)
    return Loaded(program, findings, config, plugins, schemas)


def _load_plugins(config: spec.Config, folder: FilePath, findings: Findings) -> Plugins:
    if not config.plugins:
        return built_in()
    # Who has no plugins does not pay for what loads them.
    from router.program.hooks.registry import load_plugins

    return load_plugins(config.plugins, folder, findings)


def _compile_tables(config: spec.Config, findings: Findings) -> Tables:
    tables = {}
    for name, table in config.tables.items():
        reference = table.name or name
        fault = table_fault(reference)
        if fault:
            path = ("tables", name, "name") if table.name else ("tables", name)
            findings.add(BAD_NAME, f"'{reference}' {fault}", path, key=not table.name)
        tables[name] = Table(reference, tuple(table.key.items()))
    return Tables(tables, {name: table.ttl for name, table in config.tables.items()})


def _engine(queues: Mapping[str, Queue], routes: list[CompiledRoute]) -> Engine:
    by_queue: dict[str, list[CompiledRoute]] = {name: [] for name in queues}
    for route in routes:
        by_queue[route.route.queue].append(route)
    compiled = {
        name: CompiledQueue(
            name=name,
            reference=queue.reference,
            fifo=queue.fifo,
            decode=queue.decode,
            routes=tuple(by_queue[name]),
            first_only=queue.settings.match == "first",
            unmatched=queue.settings.unmatched,
            dead_letter=queue.dead_letter,
            atomic=queue.settings.atomic,
            backoff=_backoff(queue.settings.retry),
            pointers=queue.pointers,
        )
        for name, queue in queues.items()
    }
    return Engine(compiled, {match_key(queue.reference): compiled[name] for name, queue in queues.items()})


def _backoff(retry: spec.Retry) -> Backoff:
    return Backoff(parse_duration(retry.base), retry.factor, parse_duration(retry.cap), retry.lambda_)
