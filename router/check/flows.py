"""The routes of a config as proofs see them: each with what is sure of the messages that reach its mapping."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, UnsetType

from router.aws.references import is_fifo
from router.check.conditions import ALWAYS, ANYTHING, Condition, condition_of, opposite_of
from router.check.entailment import Facts, facts_of
from router.check.expressions import Scope, list_of
from router.check.schema_index import Declared
from router.config import spec
from router.model import Path, Transform
from router.program.hooks.plugins import Plugins
from router.program.schemas.compile import SchemaStore

MOST_NARROWED = 16
"""Routes before one of `match: first` whose conditions are reasoned with; more would make a check slow."""


class Flow(Struct, frozen=True, eq=False):
    """A route with what surrounds it.

    `facts` are of the messages that it takes and its schema lets through; None without a schema, or if nothing can be
    proved of it. `mapped` are the same facts, unless a plugin changes messages before they are mapped: then None.
    `alone` are those of the schema by itself, where `when` or a route before says more than can be reasoned with.
    """

    name: str
    path: Path
    route: spec.Route
    table: spec.Table | None
    queue: spec.Queue
    fifo: bool
    when: Condition
    facts: Facts | None
    declared: Declared | None
    mapped: Facts | None
    alone: Facts | None
    scope: Scope
    hopeless: bool
    """The schema takes no message at all."""
    contradicted: bool
    """No message that the schema takes fulfils `when`, though it takes some."""
    shadowed: bool
    """Each message that fulfils both goes to a route before, by `match: first`."""
    finished: bool
    """No plugin changes items after they are mapped."""
    transforms: Mapping[str, Transform]

    @property
    def attributes(self) -> Mapping[str, spec.Attribute]:
        """The attributes of `item`, all in their long form."""
        item = {} if isinstance(self.route.item, UnsetType) else self.route.item
        return {name: spec.short_form(each) if isinstance(each, str) else each for name, each in item.items()}

    def place(self, attribute: str, *part: str | int) -> Path:
        """The path in the config of an attribute, or of a part of it; the short form has no parts."""
        item = {} if isinstance(self.route.item, UnsetType) else self.route.item
        whole: Path = (*self.path, "item", attribute)
        return whole if isinstance(item.get(attribute), str) else (*whole, *part)


def survey(config: spec.Config, plugins: Plugins, schemas: SchemaStore) -> tuple[Flow, ...]:
    """The flows of a config, in the order of its routes."""
    before: dict[str, list[Condition]] = {}
    flows = []
    for name, route in config.routes.items():
        queue = config.queues.get(route.queue, spec.Queue())
        earlier = before.setdefault(route.queue, []) if queue.match == "first" else []
        flows.append(_flow(name, route, queue, config, plugins, schemas, earlier))
        if not isinstance(route.when, UnsetType):
            earlier.append(opposite_of(route.when))
    return tuple(flows)


def _flow(
    name: str,
    route: spec.Route,
    queue: spec.Queue,
    config: spec.Config,
    plugins: Plugins,
    schemas: SchemaStore,
    earlier: list[Condition],
) -> Flow:
    path: Path = ("routes", name)
    when = ALWAYS if isinstance(route.when, UnsetType) else condition_of(route.when)
    linked = None if isinstance(route.schema, UnsetType) else schemas.linked(route.schema, (*path, "schema"))
    facts = before = None if linked is None else facts_of(linked)
    if facts is not None and when is not ALWAYS:
        facts = facts.narrow(when.claim, when.exact)
    possible = facts is not None and not facts.impossible
    hopeless = before is not None and before.impossible
    contradicted = before is not None and not possible and not hopeless
    for condition in earlier if len(earlier) <= MOST_NARROWED else [ANYTHING]:
        facts = facts and facts.narrow(condition.claim, condition.exact)
    unsure = facts is not None and not facts.exact
    names = None if isinstance(route.plugins, UnsetType) else route.plugins
    changed = bool(plugins.left_out) or bool(plugins.message_pipeline(names))
    each = not isinstance(route.for_each, UnsetType)
    return Flow(
        name=name,
        path=path,
        route=route,
        table=config.tables.get(route.table),
        queue=queue,
        fifo=is_fifo(queue.name or route.queue),
        when=when,
        facts=facts,
        declared=None if linked is None else Declared(linked),
        mapped=None if changed or facts is None or facts.impossible else facts,
        alone=None if changed or hopeless or not unsure else before,
        scope=Scope(each, None if isinstance(route.for_each, UnsetType) else list_of(route.for_each)),
        hopeless=hopeless,
        contradicted=contradicted,
        shadowed=possible and facts is not None and facts.impossible,
        finished=not plugins.left_out and not plugins.item_pipeline(names),
        transforms=plugins.transforms,
    )


def is_set(value: Any) -> bool:
    """Whether something is written in the config."""
    return not isinstance(value, UnsetType)
