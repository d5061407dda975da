"""How a config that is too large for one stack can be split: parts of its routes, each of which fits.

Routes of one queue, or of one dead-letter queue, stay together. A table may have routes in several parts.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.aws.references import is_name
from router.runtime.config import spec
from router.runtime.program.load import without_garbage_collector
from router.runtime.program.precompiled import File
from router.tools.check.owners import owners_of
from router.tools.deploy.template.alias import with_alias
from router.tools.deploy.template.document import DeployableConfig, Document, make_document
from router.tools.deploy.template.limits import MAX_RESOURCES, TemplateTooLargeError

MANY_NAMES = 6
"""Names of a part that are shown."""
FIRST_GUESS = 64
"""Units of the part that is tried first: some 80 flows with a queue and a table fill a stack."""
_Unit = tuple[str, tuple[str, ...]]
"""A name, and its routes."""
_Make = Callable[[DeployableConfig], Document]
"""Makes the template of a config."""


class Part(Struct, frozen=True):
    """Routes that fit into one stack: the names of the files, owners or queues that they are of."""

    names: tuple[str, ...]
    routes: tuple[str, ...]
    resources: int

    def __str__(self) -> str:
        """The part as a line for people."""
        shown = ", ".join(self.names[:MANY_NAMES])
        left = len(self.names) - MANY_NAMES
        more = f" and {left} more" if left > 0 else ""
        routes = f"{len(self.routes)} route{'' if len(self.routes) == 1 else 's'}"
        return f"{shown}{more}: {routes}, {self.resources} resources"


_Units = Sequence[_Unit]
_PartOf = Callable[[_Units], Part | None]
"""Makes the part of units; None if it is too large."""


class Split(Struct, frozen=True):
    """The parts, by file, owner or queue, and the tables of which several have routes."""

    by: str
    parts: tuple[Part, ...]
    shared: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """The split as lines for people."""
        found = [
            f"by {self.by}, these {len(self.parts)} parts fit, each with a --stack of its own:"
        ]
        found += [f"  {number}. {part}" for number, part in enumerate(self.parts, 1)]
        if self.shared:
            found.append(
                f"several parts write to {', '.join(self.shared)}: write 'managed: false' on a table in all parts but "
                "the first that has it"
            )
        return found


def make_fitting(config: DeployableConfig, make: _Make) -> Document:
    """Return the template of a config; raises UsageError with a split that fits, if it is too large."""
    with without_garbage_collector():
        try:
            return make(config)
        except TemplateTooLargeError as error:
            split = find_split(config, make) if error.counted else None
            if split is None:
                raise
            raise UsageError("\n".join([str(error), *split.lines])) from None


def require_room(config: DeployableConfig, make: _Make) -> None:
    """Raise what `make_fitting` raises, if a count of queues and tables shows that the template is too large."""
    program = config.program
    # Each queue that is read has a mapping of the function, or a policy by which the service scales.
    count = len(program.engine.queues)
    for queue in program.engine.queues.values():
        settings = program.config.queues.get(queue.name, spec.Queue())
        count += settings.managed and is_name(queue.reference)
    for name, table in program.config.tables.items():
        count += table.managed and is_name(table.name or name)
    if count > MAX_RESOURCES:
        make_fitting(config, make)


def find_split(config: DeployableConfig, make: _Make) -> Split | None:
    """Return parts that fit: by the files of the config, else by owner, else by queue; None if there are none."""
    whole = config.program.config
    for by, names in _namings(config):
        units = _units(whole, names)
        parts = _parts(units, partial(_part, config, make)) if len(units) > 1 else None
        if parts:
            return Split(by, tuple(parts), _shared(whole, parts))
    return None


def make_template(as_worker: bool) -> _Make:
    """Return what makes the template that router deploy deploys of a config."""

    def make(config: DeployableConfig) -> Document:
        document = make_document(config, as_worker)
        return document if as_worker else with_alias(document)

    return make


def _namings(config: DeployableConfig) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield each way to name parts, with the names of the routes; names of one route each say nothing."""
    routes = config.program.config.routes
    yield "file", {name: file.name for file in config.files for name in file.data.get("routes", ())}
    owners = owners_of(config.program.config).routes
    yield "owner", {name: owner or "(no owner)" for name, owner in owners.items()}
    yield "queue", {name: route.queue for name, route in routes.items()}


def _units(config: spec.Config, names: Mapping[str, str]) -> list[_Unit]:
    """Return the smallest parts: routes with the same name, and those that share a queue or dead-letter queue."""
    units: list[tuple[set[tuple[str, str]], list[str]]] = []
    for route, settings in config.routes.items():
        queue = config.queues.get(settings.queue, spec.Queue())
        keys = {("name", names[route]), ("queue", settings.queue)}
        if queue.dead_letter:
            keys.add(("queue", queue.dead_letter))
        joined = [unit for unit in units if not keys.isdisjoint(unit[0])]
        units = [unit for unit in units if keys.isdisjoint(unit[0])]
        routes = []
        for known, others in joined:
            keys |= known
            routes += others
        units.append((keys, [*routes, route]))
    found = []
    for _, routes in units:
        of_unit = dict.fromkeys(names[route] for route in routes)
        found.append((" + ".join(of_unit), tuple(routes)))
    return found


def _parts(left: _Units, part_of: _PartOf) -> list[Part] | None:
    """Return parts of as many units as fit, in order; None if one unit does not fit."""
    parts: list[Part] = []
    guess = FIRST_GUESS
    while left:
        part = _largest_part(left, part_of, guess)
        if part is None:
            return None
        parts.append(part)
        guess = len(part.names)
        left = left[guess:]
    return parts


def _largest_part(units: _Units, part_of: _PartOf, guess: int) -> Part | None:
    """Return the part of as many of the first units as fit; None if none fits.

    A part mostly has as many units as the one before, which is the guess: from there on, steps double until one is
    known that fits and one that does not. The number is then found by halving.
    """
    found = None
    fitting, too_many = 0, len(units) + 1
    count = min(guess, len(units))
    step = 1
    while fitting < count < too_many:
        part = part_of(units[:count])
        if part is None:
            too_many = count
        else:
            fitting, found = count, part
        if fitting and too_many <= len(units):
            count = (fitting + too_many) // 2
        elif fitting:
            count = min(fitting + step, len(units))
        else:
            count = max(too_many - step, 1)
        step *= 2
    return found


def _part(config: DeployableConfig, make: _Make, units: _Units) -> Part | None:
    """Return a part of these units, or None if it is too large."""
    routes = tuple(route for _, of_unit in units for route in of_unit)
    try:
        document = make(_restricted(config, frozenset(routes)))
    except TemplateTooLargeError:
        return None
    return Part(tuple(name for name, _ in units), routes, len(document.body["Resources"]))


def _restricted(config: DeployableConfig, names: frozenset[str]) -> DeployableConfig:
    """Return a config with some of its routes, and with what these need."""
    program = config.program
    whole = program.config
    routes = {name: route for name, route in whole.routes.items() if name in names}
    read = set()
    written = set()
    for route in routes.values():
        read.add(route.queue)
        written |= {route.table, route.write.once}
    letters = {whole.queues[name].dead_letter for name in read if name in whole.queues}
    queues = {name: each for name, each in whole.queues.items() if name in read | letters}
    tables = {name: each for name, each in whole.tables.items() if name in written}
    part = structs.replace(whole, routes=routes, queues=queues, tables=tables)
    compiled = {name: each for name, each in program.engine.queues.items() if name in read}
    engine = structs.replace(program.engine, queues=compiled)
    kept = {"routes": names, "queues": frozenset(queues), "tables": frozenset(tables)}
    return structs.replace(
        config,
        program=structs.replace(program, config=part, engine=engine),
        files=tuple(_restricted_file(file, kept) for file in config.files),
    )


def _restricted_file(file: File, kept: Mapping[str, frozenset[str]]) -> File:
    """Return a file without the variables of what is not in the part."""
    references = []
    for path in file.references:
        names = kept.get(str(path[0]))
        if names is None or path[1] in names:
            references.append(path)
    return structs.replace(file, references=tuple(references))


def _shared(config: spec.Config, parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the managed tables of which several parts have routes."""
    users = Counter[str]()
    for part in parts:
        users.update(dict.fromkeys(config.routes[name].table for name in part.routes).keys())
    return tuple(name for name, count in users.items() if count > 1 and config.tables[name].managed)
