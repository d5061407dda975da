"""The routes of a version as values that are equal where the routes behave the same, and the pairs of old and new."""

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct, structs

from router.model import Code, Path, Table, names_file, plugin_name
from router.prover.budget import ProofBudget
from router.prover.conditions import ALWAYS, ANYTHING, Condition, condition_of, opposite_of
from router.prover.expressions import tree_of
from router.prover.predicates import exact
from router.prover.schema_prover import YES, SchemaProver
from router.runtime.aws.references import match_key
from router.runtime.config import spec
from router.runtime.engine.engine import CompiledQueue, CompiledRoute
from router.runtime.engine.writes import WriteConfig
from router.runtime.envelopes import ENVELOPES
from router.runtime.program.route_expressions import metadata_of_route
from router.runtime.program.route_index import Required, required_texts
from router.runtime.program.schemas.compile import Validation
from router.runtime.transforms import TRANSFORMS
from router.tools.change.report import ConfigChange
from router.tools.change.versions import ConfigVersion
from router.tools.check.analysis.claims import claims_of
from router.tools.check.analysis.proof_cache import prover_of, prover_without_schema
from router.tools.check.analysis.routes import AnalyzedRoute, analyze_routes
from router.tools.check.analysis.verdicts import ClaimKind
from router.tools.dev.records import queue_settings

SECONDS = 1.0
"""The time for proofs about one version of a route; nearly all take milliseconds."""
_MOST_EARLIER = 16
"""Conditions of earlier routes that are taken into account, as by `router check`."""
_NEVER = Condition({"not": {}}, True)
"""The condition of messages that an earlier route without `when` leaves."""


class RouteVersion(Struct, frozen=True, eq=False, dict=True):
    """A route of a version, with all that decides what becomes of its messages."""

    version: ConfigVersion
    name: str
    settings: spec.RouteSettings
    queue: CompiledQueue
    compiled: CompiledRoute

    @property
    def path(self) -> Path:
        """The path of the route in its config."""
        return ("routes", self.name)

    @property
    def write(self) -> WriteConfig:
        """How it writes items."""
        return self.compiled.write

    @property
    def table(self) -> Table:
        """Its table in AWS."""
        return self.write.table

    @property
    def queue_settings(self) -> spec.Queue:
        """The settings of its queue."""
        return queue_settings(self.version.program, self.settings.queue)

    @property
    def queue_path(self) -> Path:
        """The path of its queue in the config."""
        known = self.settings.queue in self.version.config.queues
        return ("queues", self.settings.queue) if known else (*self.path, "queue")

    @property
    def table_settings(self) -> spec.TableSettings:
        """The settings of its table."""
        return self.version.config.tables[self.settings.table]

    @property
    def table_path(self) -> Path:
        """The path of its table in the config."""
        return ("tables", self.settings.table)

    @cached_property
    def schema(self) -> Validation | None:
        """Its schema; None if it takes every message."""
        schema = self.settings.schema
        if schema is None:
            return None
        return self.version.schemas.linked(schema, (*self.path, "schema"))

    @cached_property
    def budget(self) -> ProofBudget:
        """What may be spent on proofs about it."""
        return ProofBudget(SECONDS)

    @cached_property
    def prover(self) -> SchemaProver | None:
        """What follows from its schema; None without one, or if the library does not support it."""
        return None if self.schema is None else prover_of(self.schema, self.budget)

    @cached_property
    def messages(self) -> SchemaProver:
        """The messages that pass `when`, the earlier routes and the schema, or more than them."""
        found = self.prover or prover_without_schema()
        if self.schema is not None and self.prover is None:
            return found
        conditions = [when_of(self.settings.when)]
        if len(self.earlier) <= _MOST_EARLIER:
            conditions += [_NEVER if each is None else opposite_of(each) for each in self.earlier]
        for condition in conditions:
            if condition is not ALWAYS and condition is not ANYTHING:
                found = found.narrow(condition.predicate, condition.exact)
        return found

    @cached_property
    def attributes(self) -> Mapping[str, spec.Attribute] | None:
        """The attributes of `item`; None if the whole message is stored."""
        return self.settings.item

    @cached_property
    def earlier(self) -> tuple["str | None", ...]:
        """The conditions of the routes that take messages before this one, by `match: first`."""
        if not self.queue.first_only:
            return ()
        routes = self.version.config.routes
        return tuple(routes[each.route.name].when for each in self._earlier_routes)

    @property
    def _earlier_routes(self) -> Sequence[CompiledRoute]:
        """The routes before this one in its queue."""
        return self.queue.routes[: self.queue.routes.index(self.compiled)]

    @cached_property
    def parts(self) -> Mapping[str, bytes]:
        """What decides about its messages, by stage, as text that is equal where the stages are."""
        return {name: exact(value) for name, value in _parts(self).items()}

    @cached_property
    def analyzed(self) -> AnalyzedRoute:
        """What is proved about its messages, by itself."""
        config = structs.replace(self.version.config, routes={self.name: self.settings})
        return analyze_routes(config, self.version.program.plugins, self.version.schemas)[0]

    @cached_property
    def doubts(self) -> Mapping[tuple[ClaimKind, str], Sequence[str]]:
        """Why the claims of `router check` about it, by itself, are not proved, by kind and subject."""
        claims = claims_of(self.analyzed, [self.analyzed])
        return {(each.claim.kind, each.claim.subject): each.doubts for each in claims}

    @cached_property
    def isolated(self) -> CompiledQueue:
        """Its queue as if no later route were there; by `match: all`, no other route at all."""
        earlier = self._earlier_routes if self.queue.first_only else ()
        return structs.replace(self.queue, routes=(*earlier, self.compiled), index=None)


Routes = Mapping[str, RouteVersion]
"""Routes by name."""


def when_of(text: str | None) -> Condition:
    """Return the condition of a `when`, which may not be set."""
    return ALWAYS if text is None else condition_of(text)


def change_of(
    old: RouteVersion, new: RouteVersion, code: Code, sentence: str, *path: str, **more: Any
) -> ConfigChange:
    """Return a change of a route; `path` is that in the settings of the route."""
    return ConfigChange(code, sentence, (*new.path, *path), (*old.path, *path), new.name, **more)


def _parts(route: RouteVersion) -> dict[str, Any]:
    settings, queue, table = route.settings, route.queue_settings, route.table
    once = route.write.once
    plugins, transforms = _pipeline(route), _transform_plugins(route)
    return {
        "queue": match_key(route.queue.reference),
        "decode": [queue.envelope, queue.encoding, queue.s3_pointer, _envelope_plugins(route)],
        "when": settings.when,
        "earlier": sorted(exact(each).decode() for each in route.earlier),
        "schema": documents_of(route.schema),
        "plugins": [
            plugins,
            settings.options,
            transforms,
            _files_beside(route, [*plugins, *transforms]),
        ],
        **{name: getattr(settings, name) for name in PLAIN_KEYS},
        "merge": settings.merge,
        "item": settings.item,
        "names": names_written(route),
        # A table is that of its ARN, or that of its name in the region of the router.
        "table": [table.name, table.key, route.table_settings.ttl],
        "indexes": {
            name: definition_of(index) for name, index in route.table_settings.indexes.items()
        },
        "write": [
            structs.replace(settings.write, once=None),
            once and [once.table.name, once.ttl],
        ],
        "refused": [settings.on_invalid, queue.unmatched, match_key(route.queue.dead_letter)],
        "settings": [getattr(queue, name) for name in QUEUE_KEYS],
        "rate": [getattr(route.table_settings, name) for name in RATE_KEYS],
    }


_WITH_A_PART = (
    "queue",
    "table",
    "when",
    "schema",
    "plugins",
    "options",
    "item",
    "merge",
    "write",
    "on_invalid",
)
"""The keys of a route that parts name, or that are a part of one."""
_WITHOUT_EFFECT = ("tests", "owner", "description", "tags")
_NOT_PLAIN = (*_WITH_A_PART, *_WITHOUT_EFFECT)
PLAIN_KEYS = tuple(name for name in spec.RouteSettings.__struct_fields__ if name not in _NOT_PLAIN)
"""All other keys, each of which is a part. A change of one may change what is written, and what is refused."""
QUEUE_KEYS = ("atomic", "retry", "outlast", "redact")
"""The keys of a queue that decide how its messages are written and kept."""
RATE_KEYS = ("write_units", "share", "capacity")
"""The keys of a table that decide how fast is written to it."""
ACCEPTING = ("decode", "when", "earlier", "schema")
"""The stages that decide whether a route takes a message."""
MAPPING = (
    "plugins",
    *PLAIN_KEYS,
    "merge",
    "item",
    "names",
    "table",
    "indexes",
    "write",
    "settings",
)
"""The stages that decide what is written for a message that it takes."""


def definition_of(index: spec.TableIndex) -> Any:
    """Return what an index is; the order of its key attributes counts."""
    return [*index.key.items()], index.partition, index.projection


def documents_of(schema: Validation | None) -> Any:
    """Return the documents of a schema by their names from the folder of the first, which has none."""
    if schema is None:
        return None
    folder = posixpath.dirname(schema.root.uri)
    contents = {}
    for uri, document in schema.documents.items():
        is_root = uri == schema.root.uri
        contents["" if is_root else posixpath.relpath(uri, folder)] = document.content
    return contents


def names_written(route: RouteVersion) -> dict[str, str]:
    """Return the names of the config that items or idempotency keys of a route have in them, or that plugins get."""
    names = {"route": route.name, "queue": route.settings.queue, "table": route.settings.table}
    if _pipeline(route):
        return names
    read = set[str]().union(*metadata_of_route(route.settings).values())
    if route.write.once is not None:
        read.add("route")
    return {name: names[name] for name in ("route", "queue") if name in read}


Hashes = list[tuple[str, str]]
"""Plugins or files, each with the hash of its content."""


def _pipeline(route: RouteVersion) -> Hashes:
    """Return the plugins whose hooks run for a route, each with the hash of its file."""
    plugins, names = route.version.program.plugins, route.settings.plugins
    if names is None:
        names = plugins.names
    hooked = plugins.message_steps.keys() | plugins.item_steps.keys()
    hashes = route.version.plugin_hashes
    return [(name, hashes[name]) for name in names if name in hooked]


def _transform_plugins(route: RouteVersion) -> Hashes:
    """Return all plugins, with their hashes, if a transform of the route is not built in: any may register it."""
    steps = [step for each in (route.attributes or {}).values() for step in each.transform]
    return _all_plugins(route) if set[str]().union(*steps) - TRANSFORMS.keys() else []


def _envelope_plugins(route: RouteVersion) -> Hashes:
    if ENVELOPES.keys() >= set(route.queue_settings.envelope):
        return []
    plugins = _all_plugins(route)
    return [*plugins, *_files_beside(route, plugins)]


def _all_plugins(route: RouteVersion) -> Hashes:
    return sorted(route.version.plugin_hashes.items())


def _files_beside(route: RouteVersion, plugins: Hashes) -> Hashes:
    """Return the other files that these plugins may read or import, with their hashes: a package has them, too."""
    if not plugins:
        return []
    names = dict(plugins)
    own = set()
    for entry in route.version.config.plugins:
        if names_file(entry) and plugin_name(entry) in names:
            own.add(posixpath.normpath(entry))
    packed = route.version.packed_files
    return [(name, digest) for name, digest in packed.items() if name not in own]


def routes_of(version: ConfigVersion) -> dict[str, RouteVersion]:
    """Return the routes of a version by name, in the order of the file."""
    found = dict[str, RouteVersion]()
    for queue in version.program.engine.queues.values():
        for each in queue.routes:
            name = each.route.name
            found[name] = RouteVersion(version, name, version.config.routes[name], queue, each)
    return {name: found[name] for name in version.config.routes}


class RoutePairs(Struct, frozen=True):
    """The routes of two versions: those in both, the old first, and those in one of them only."""

    both: tuple[tuple[RouteVersion, RouteVersion], ...]
    removed: tuple[RouteVersion, ...]
    added: tuple[RouteVersion, ...]

    @property
    def changed(self) -> list[tuple[RouteVersion, RouteVersion]]:
        """Those in both that do not behave the same."""
        return [(old, new) for old, new in self.both if old.parts != new.parts]


def pair(old: Routes, new: Routes) -> RoutePairs:
    """Pair routes by name, and those whose name alone changed; the order is that of the new version."""
    gone = [route for name, route in old.items() if name not in new]
    come = [route for name, route in new.items() if name not in old]
    was = renamed(_behaviours(gone), _behaviours(come))
    both = []
    for name, route in new.items():
        before = old.get(was.get(name, name))
        if before:
            both.append((before, route))
    return RoutePairs(
        tuple(both),
        tuple(route for route in gone if route.name not in was.values()),
        tuple(route for route in come if route.name not in was),
    )


def replacements(pairs: RoutePairs) -> Iterator[tuple[RouteVersion, RouteVersion]]:
    """Yield the removed routes with each new one that may write the same messages to the same table."""
    added: dict[tuple[bytes, str], list[tuple[RouteVersion, Required]]] = {}
    for route in pairs.added:
        added.setdefault(_way(route), []).append((route, _required(route)))
    for before in pairs.removed:
        required = _required(before)
        for after, also_required in added.get(_way(before), ()):
            # Of a thousand routes that a field tells apart, a million pairs: no proof is needed for them.
            if _exclude(required, also_required):
                continue
            others = {"not": when_of(after.settings.when).predicate}
            if before.messages.entails(others) is not YES:
                yield before, after


def _required(route: RouteVersion) -> Required:
    """Return the texts that a route requires of its messages, by path."""
    tree = tree_of(route.settings.when or "")
    return {} if tree is None else required_texts(tree)


def _exclude(required: Required, others: Required) -> bool:
    """Return whether no message has both what one route requires and what another one does."""
    return any(
        path in others and texts.isdisjoint(others[path]) for path, texts in required.items()
    )


def _way(route: RouteVersion) -> tuple[bytes, str]:
    """Return the queue and the table of a route, as in AWS."""
    return route.parts["queue"], route.table.name


def _behaviours(routes: Sequence[RouteVersion]) -> dict[str, bytes]:
    """Return all that decides about the messages of routes, but their names, by name."""
    found = {}
    for route in routes:
        parts = {**route.parts, "names": b"", "earlier": b""}
        found[route.name] = b"\n".join(parts.values())
    return found


def renamed(gone: Mapping[str, bytes], come: Mapping[str, bytes]) -> dict[str, str]:
    """Return the old name by each new one, where exactly one thing that is gone equals exactly one that has come."""
    before, after = Counter(gone.values()), Counter(come.values())
    names = {text: name for name, text in gone.items()}
    return {name: names[text] for name, text in come.items() if before[text] == after[text] == 1}
