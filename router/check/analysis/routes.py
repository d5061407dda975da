"""The routes of a config, each with what is proved about the messages that reach its mapping."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, UnsetType

from router.aws.references import is_fifo
from router.check.analysis.budget import ProofBudget
from router.check.analysis.conditions import ALWAYS, ANYTHING, Condition, condition_of, evaluated, opposite_of
from router.check.analysis.entailment import Entailment, entailment_of
from router.check.analysis.expressions import Scope, list_of
from router.check.analysis.inference import Value
from router.check.analysis.predicates import Steps, text_of
from router.check.analysis.schema_index import SchemaIndex
from router.check.analysis.verdicts import Claim, ClaimKind
from router.config import spec
from router.config.findings import Findings
from router.model import Path, Place, Transform
from router.program.context import CompileContext
from router.program.hooks import Plugins
from router.program.schemas.compile import SchemaStore, Validation

MAX_CONDITIONS = 16
"""The most conditions of earlier routes of `match: first` that are taken into account: more would take seconds."""

NO_SCHEMA = "the route has no schema"


class Narrowing(Struct, frozen=True):
    """A condition that messages satisfy, and its evaluation on one."""

    condition: Condition
    holds: Callable[[Any], bool]


class MessageSets(Struct, frozen=True, eq=False):
    """What is proved about the messages of a route; None without a schema, or if nothing can be proved.

    `mapped` are those that its queue, `when` and schema let through, None too if a plugin changes messages before they
    are mapped. `by_schema` are those that its schema alone lets through, given where the conditions are not exact, and
    `schema` those in any case. `unknown` is why there is no `mapped`, in words.
    """

    mapped: Entailment | None = None
    by_schema: Entailment | None = None
    schema: Entailment | None = None
    unknown: str = ""
    impossible_schema: bool = False
    """No message satisfies the schema."""
    impossible_when: bool = False
    """Some messages satisfy the schema, but none of them satisfies `when`."""
    shadowed: bool = False
    """By `match: first`, every message that satisfies both goes to an earlier route."""

    @property
    def unreachable(self) -> bool:
        """Whether it is proved that no message reaches the mapping, so that what is claimed of each one holds."""
        return self.impossible_schema or self.impossible_when or self.shadowed


NO_MESSAGES = MessageSets(unknown=NO_SCHEMA)
"""Those of a route without a schema."""


class AnalyzedRoute(Struct, frozen=True, eq=False, dict=True):
    """A route with its table, its queue and what is proved about its messages."""

    name: str
    route: spec.RouteSettings
    table: spec.TableSettings | None
    queue: spec.Queue
    when: Condition
    messages: MessageSets
    index: SchemaIndex | None
    scope: Scope
    final: bool
    """No plugin changes items after they are mapped."""
    context: CompileContext
    """What a part of the route is compiled with; findings about it are those of loading already."""

    @property
    def transforms(self) -> Mapping[str, Transform]:
        """The transforms by name, those of plugins too."""
        return self.context.plugins.transforms

    @property
    def path(self) -> Path:
        """The path of the route in the config."""
        return ("routes", self.name)

    def claim(self, kind: ClaimKind, subject: str = "") -> Claim:
        """Return a claim about the route."""
        return Claim(self.name, kind, subject)

    @property
    def fifo(self) -> bool:
        """Whether its queue is a FIFO queue."""
        return is_fifo(self.queue.name or self.route.queue)

    @property
    def mapped(self) -> Entailment | None:
        """What is proved about the messages that are mapped."""
        return self.messages.mapped

    @cached_property
    def inferred(self) -> dict[int, tuple[spec.Attribute, Any]]:
        """A cache of what is inferred of an attribute, by its identity."""
        return {}

    @cached_property
    def sizes(self) -> dict[str, float]:
        """A cache of the most bytes of an attribute, by its name."""
        return {}

    @cached_property
    def attributes(self) -> Mapping[str, spec.Attribute]:
        """The attributes of `item`, all in their long form."""
        item = {} if isinstance(self.route.item, UnsetType) else self.route.item
        return {name: spec.short_form(each) if isinstance(each, str) else each for name, each in item.items()}

    def place(self, attribute: str, *part: str | int) -> Path:
        """Return the path in the config of an attribute, or of a part of it; the short form has no parts."""
        item = {} if isinstance(self.route.item, UnsetType) else self.route.item
        whole: Path = (*self.path, "item", attribute)
        return whole if isinstance(item.get(attribute), str) else (*whole, *part)

    def require(self, steps: Steps | None) -> str:
        """Suggest how the schema can guarantee a value at a path: by the first step that it does not guarantee."""
        if steps is None or self.mapped is None or self.index is None:
            return ""
        level, gap = self.mapped.first_gap(steps)
        where = self.index.where(level)
        if gap == "type":
            return f"add 'type: object' {where}"
        return f"remove null from the types {where}" if gap == "null" else f"add '{gap}' to 'required' {where}"

    def constrain(self, value: Value, keyword: str) -> str:
        """Suggest where to add a keyword to the schema of a value; "" if the value is not taken from a path."""
        if value.origin is None or self.index is None:
            return ""
        return f"add '{keyword}' {self.index.where(value.origin)}"


def analyze_routes(
    config: spec.Config,
    plugins: Plugins,
    schemas: SchemaStore,
    budget_of: Callable[[Validation | None], ProofBudget] = lambda schema: ProofBudget(),
) -> tuple[AnalyzedRoute, ...]:
    """Return the routes of a config, in its order, with what is proved about their messages.

    `budget_of` returns what may be spent on a schema.
    """
    context = CompileContext({}, {}, plugins, schemas, Findings(lambda path, key: Place("")), {})
    earlier: dict[str, list[Narrowing]] = {}
    known: dict[str, Entailment] = {}
    routes = []
    for name, route in config.routes.items():
        queue = config.queues.get(route.queue, spec.Queue())
        before = earlier.setdefault(route.queue, []) if queue.match == "first" else []
        when, own = _own_condition(route)
        linked = _linked(schemas, name, route)
        budget = budget_of(linked)
        by_schema = _by_schema(linked, budget, known)
        names = None if isinstance(route.plugins, UnsetType) else route.plugins
        changed = bool(plugins.left_out) or bool(plugins.message_pipeline(names))
        routes.append(
            AnalyzedRoute(
                name=name,
                route=route,
                table=config.tables.get(route.table),
                queue=queue,
                when=when,
                messages=NO_MESSAGES if by_schema is None else _message_sets(by_schema, own, before, changed),
                index=None if linked is None else SchemaIndex(linked, budget),
                scope=_scope(route),
                final=not plugins.left_out and not plugins.item_pipeline(names),
                context=context,
            )
        )
        if not isinstance(route.when, UnsetType):
            before.append(Narrowing(opposite_of(route.when), evaluated(route.when, False)))
    return tuple(routes)


def _linked(schemas: SchemaStore, name: str, route: spec.RouteSettings) -> Validation | None:
    return None if isinstance(route.schema, UnsetType) else schemas.linked(route.schema, ("routes", name, "schema"))


def _by_schema(schema: Validation | None, budget: ProofBudget, known: dict[str, Entailment]) -> Entailment | None:
    """Return what follows from a schema; routes that share it share what is proved."""
    if schema is None:
        return None
    uri = schema.root.uri
    if uri in known:
        return known[uri].again()
    found = entailment_of(schema, budget, approximate=True)
    assert found is not None  # it is approximate
    known[uri] = found
    return found


def _own_condition(route: spec.RouteSettings) -> tuple[Condition, list[Narrowing]]:
    """Return the condition of a route, and how it narrows the messages."""
    if isinstance(route.when, UnsetType):
        return ALWAYS, []
    when = condition_of(route.when)
    return when, [Narrowing(when, evaluated(route.when, True))]


def _message_sets(by_schema: Entailment, own: list[Narrowing], earlier: list[Narrowing], changed: bool) -> MessageSets:
    """Narrow the messages of a schema by `when`, and by what `match: first` gives to earlier routes."""
    accepted = _narrow(by_schema, own)
    possible, impossible_schema = not accepted.impossible, by_schema.impossible
    if len(earlier) > MAX_CONDITIONS:
        all_ = tuple(earlier)
        earlier = [Narrowing(ANYTHING, lambda message: all(each.holds(message) for each in all_))]
    accepted = _narrow(accepted, earlier)
    impossible = accepted.impossible
    return MessageSets(
        mapped=None if changed or impossible else accepted,
        by_schema=None if changed or impossible_schema or accepted.exact else by_schema,
        schema=by_schema,
        unknown="a plugin changes the messages" if changed else "",
        impossible_schema=impossible_schema,
        impossible_when=not possible and not impossible_schema,
        shadowed=possible and impossible,
    )


def _narrow(messages: Entailment, narrowings: list[Narrowing]) -> Entailment:
    for each in narrowings:
        messages = messages.narrow(each.condition.predicate, each.condition.exact, each.holds)
    return messages


def _scope(route: spec.RouteSettings) -> Scope:
    return Scope() if isinstance(route.for_each, UnsetType) else Scope(True, list_of(route.for_each))


def is_set(value: Any) -> bool:
    """Whether a setting is given in the config."""
    return not isinstance(value, UnsetType)


def named(value: Value) -> str:
    """Return the name of what may be missing, for a sentence."""
    return "a value" if value.lacking is None else f"'{text_of(value.lacking)}'"


def why_missing(value: Value) -> str:
    """Return why a value may be missing, for a sentence."""
    return value.gap or f"the schema does not guarantee {named(value)}"
