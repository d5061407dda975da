"""The routes of a config, each with what is proved about the messages that reach its mapping."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from router.model import Path, Place, TransformFunction
from router.prover.budget import ProofBudget
from router.prover.conditions import (
    ALWAYS,
    Condition,
    condition_of,
    evaluated,
)
from router.prover.expressions import Scope, list_of, paths_in, tree_of
from router.prover.inference import Value, of_tree
from router.prover.predicates import (
    EACH,
    ENCODER,
    Schema,
    Steps,
    in_element,
    text_of,
    there,
    wherever,
)
from router.prover.scalars import validator_of
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import YES, SchemaProver
from router.prover.splitting import PropertySchema, split_by_property
from router.runtime.aws.references import is_fifo
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.runtime.engine.engine import MAX_ELEMENTS
from router.runtime.modes import MODES
from router.runtime.program.context import CompileContext
from router.runtime.program.expressions import Tree
from router.runtime.program.hooks import Plugins
from router.runtime.program.route_expressions import RouteExpression, expressions_of_settings
from router.runtime.program.schemas.compile import SchemaStore, Validation
from router.runtime.sources import ExpressionUse
from router.tools.check.analysis.earlier_routes import EarlierRoutes, Narrowing
from router.tools.check.analysis.proof_cache import (
    AttributeFacts,
    SharedAttributes,
    SharedParts,
    approximate_prover_of,
)
from router.tools.check.analysis.verdicts import Claim, ClaimKind

MAX_CONDITIONS = 16
"""The most conditions of earlier routes of `match: first` that are taken into account: more would
take seconds.
"""

# The paths in a route of what claims without an attribute are about.
_SETTINGS: Mapping[ClaimKind, Path] = {
    "when": ("when",),
    "for_each": ("for_each",),
    "mapping": (),
    "merge": ("merge",),
    "once_key": ("write", "once_key"),
    "size": ("item",),
    "elements": ("item",),
    "transaction": (),
    "pair": ("write",),
}
NO_SCHEMA = "the route has no schema"


class MessageSets(Struct, frozen=True, eq=False):
    """What is proved about the messages of a route.

    None without a schema, or if nothing can be proved.

    `taken` are those that its queue, `when` and schema let through, None too if a plugin changes
    messages before they are mapped. `mapped` are those of them that have an item: with `for_each`,
    an element. `by_schema` are those that its schema alone lets through, and that have an item,
    given where the conditions are not exact, and `schema` those in any case. `unknown` is why there
    is no `taken`, in words.
    """

    taken: SchemaProver | None = None
    mapped: SchemaProver | None = None
    by_schema: SchemaProver | None = None
    schema: SchemaProver | None = None
    unknown: str = ""
    impossible_schema: bool = False
    """No message satisfies the schema."""
    impossible_when: bool = False
    """Some messages satisfy the schema, but none of them satisfies `when`."""
    shadowed: bool = False
    """By `match: first`, every message that satisfies both goes to an earlier route."""
    no_elements: bool = False
    """No message has the list of `for_each`, or only an empty one."""

    @property
    def unreachable(self) -> bool:
        """Whether it is proved that no message reaches the mapping, so that what is claimed of each
        one holds.
        """
        return self.impossible_schema or self.impossible_when or self.shadowed


# Those of a route without a schema.
_NO_MESSAGES = MessageSets(unknown=NO_SCHEMA)


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
    shared: SharedAttributes
    """What is known of the attributes of all routes."""

    @property
    def transforms(self) -> Mapping[str, TransformFunction]:
        """The transforms by name, those of plugins too."""
        return self.context.plugins.transforms

    @property
    def path(self) -> Path:
        """The path of the route in the config."""
        return ("routes", self.name)

    @property
    def is_whole(self) -> bool:
        """Whether it stores a whole message, or element, and maps no attributes."""
        return self.route.item is None

    @property
    def deletes(self) -> bool:
        """Whether it stores nothing, and deletes the item."""
        return MODES[self.route.write.mode].stores == "nothing"

    @property
    def input(self) -> Steps | None:
        """The path of what is mapped: the message, or its elements; None if that is unknown."""
        return self.scope.element if self.scope.each else ()

    @property
    def fixed(self) -> int:
        """How many steps lead to what is mapped."""
        return len(self.scope.element or ())

    def claim(self, kind: ClaimKind, subject: str = "") -> Claim:
        """Return a claim about the route."""
        return Claim(self.name, kind, subject)

    def value_of(self, text: str) -> Value:
        """Infer the value of an expression on what is mapped."""
        return self.value_of_tree(tree_of(text))

    def value_of_tree(self, tree: Tree | None) -> Value:
        """Infer the value of an expression, given as a tree, on what is mapped."""
        return of_tree(self.mapped, self.scope, tree)

    def value_in_message(self, text: str) -> Value:
        """Infer the value of an expression on each message that the route takes."""
        return of_tree(self.messages.taken, Scope(), tree_of(text))

    def attribute_of(self, name: str) -> spec.Attribute:
        """Return how an attribute is mapped; without `item` it is a property of what is mapped."""
        found = self.attributes.get(name)
        if found is not None:
            return found
        quoted = ENCODER.encode(name).decode()
        return spec.Attribute(from_=f"element.{quoted}" if self.scope.each else quoted)

    @cached_property
    def fifo(self) -> bool:
        """Whether its queue is a FIFO queue."""
        return is_fifo(self.queue.name or self.route.queue)

    def messages_of(self, claim: Claim) -> SchemaProver | None:
        """Return what is proved about the messages that a claim is about."""
        if claim.kind == "when":
            return self.messages.schema
        return self.messages.taken if claim.of_message else self.mapped

    @property
    def mapped(self) -> SchemaProver | None:
        """What is proved about the messages that have an item."""
        return self.messages.mapped

    @cached_property
    def few(self) -> SchemaProver | None:
        """What is proved about the messages that are mapped and have no more elements than
        `for_each` takes.
        """
        steps = self.scope.element
        if self.mapped is None or steps is None or EACH in steps[:-1]:
            return self.mapped
        return self.mapped.narrow(
            wherever(steps[:-1], {"maxItems": MAX_ELEMENTS}), holds=lambda message: True
        )

    @cached_property
    def finds_few(self) -> bool:
        """Whether `for_each` is proved to find no more elements than it takes."""
        messages = self.messages.taken
        steps = self.value_in_message(str(self.route.for_each)).elements
        if messages is None or steps is None or EACH in steps[:-1]:
            return False
        return messages.holds_at(steps[:-1], at_most(MAX_ELEMENTS)) is YES

    @cached_property
    def attributes(self) -> Mapping[str, spec.Attribute]:
        """The attributes of `item`, all in their long form."""
        return self.route.item or {}

    @cached_property
    def with_facts(self) -> Sequence[tuple[str, spec.Attribute, AttributeFacts]]:
        """The attributes of `item` with what is known of each, for rules that look at all of them."""
        return [
            (name, attribute, self.facts(attribute)) for name, attribute in self.attributes.items()
        ]

    @cached_property
    def settings(self) -> Sequence[RouteExpression]:
        """The expressions of the route but those of its attributes, of which `uses` knows."""
        return expressions_of_settings(self.route)

    def uses(self, attribute: spec.Attribute) -> list[ExpressionUse]:
        """Return the expressions of an attribute."""
        return self.facts(attribute).uses

    def facts(self, attribute: spec.Attribute) -> AttributeFacts:
        """Return what is known of an attribute, also from other routes."""
        return self._facts.get(id(attribute)) or self._find_facts(attribute)

    def _find_facts(self, attribute: spec.Attribute) -> AttributeFacts:
        settings = None if self.scope.each else (self.fifo, self.route.when is not None)
        found = self._facts[id(attribute)] = self.shared.facts(attribute, self.mapped, settings)
        return found

    @cached_property
    def _facts(self) -> dict[int, AttributeFacts]:
        """Those of attributes by their identity, which they keep alive."""
        return {}

    def place(self, attribute: str, *part: str | int) -> Path:
        """Return the path in the config of an attribute, or of a part of it."""
        return ("routes", self.name, "item", attribute, *part)

    def path_of(self, claim: Claim, *part: str | int) -> Path:
        """Return the path in the config of what a claim is about, or of a part of its attribute."""
        name = claim.subject
        if not name or claim.kind == "pair":
            return (*self.path, *_SETTINGS.get(claim.kind, ()))
        if claim.kind == "type":
            return self.place(name, "type")
        if name in self.attributes:
            return self.place(name, *part)
        # Without `item`, what is stored under a name is a property of the message.
        return (*self.path, "schema")

    def require(self, steps: Steps | None, claim: Claim) -> str:
        """Suggest how the schema can guarantee a value for a claim: by the first step that it does
        not guarantee.
        """
        messages = self.messages_of(claim)
        if steps is None or messages is None or self.index is None:
            return ""
        level, gap = _first_gap(messages, steps)
        where = self.index.where(level)
        if gap == "type":
            return f"add 'type: object' {where}"
        if gap == "null":
            return f"remove null from the types {where}"
        return f"add '{gap}' to 'required' {where}"

    def constrain(self, value: Value, keyword: str) -> str:
        """Suggest where to add a keyword to the schema of a value.

        "" if the value is not taken from a path.
        """
        if value.origin is None or self.index is None:
            return ""
        return f"add '{keyword}' {self.index.where(value.origin)}"


def at_most(count: int) -> Schema:
    """Return a predicate of values that are no lists, or lists of at most so many elements."""
    return {"anyOf": [{"not": {"type": "array"}}, {"maxItems": count}]}


def _first_gap(messages: SchemaProver, steps: Steps) -> tuple[Steps, str]:
    """Return why a value may be missing: a path, and 'type', the name that is not required there,
    or 'null'.
    """
    for index in range(in_element(steps), len(steps)):
        level = steps[:index]
        name = steps[index]
        if messages.holds_at(level, {"type": "object"}) is not YES:
            return level, "type"
        if messages.holds_at(level, {"required": [name]}) is not YES:
            return level, str(name)
    return steps, "null"


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
    earlier = EarlierRoutes(config.routes.values(), MAX_CONDITIONS)
    known = dict[str, SchemaProver]()
    find_part = SharedParts().find
    shared = SharedAttributes()
    routes = []
    for name, route in config.routes.items():
        queue = config.queues.get(route.queue, spec.Queue())
        when, own = _own_condition(route)
        linked = None
        if route.schema is not None:
            linked = schemas.linked(route.schema, ("routes", name, "schema"))
        budget = budget_of(linked)
        by_schema = _by_schema(linked, budget, known, find_part)
        scope = Scope() if route.for_each is None else Scope(True, list_of(route.for_each))
        names = route.plugins
        left_out = [each for each in plugins.left_out if names is None or each in names]
        changes = ""
        if left_out:
            changes = "its plugins are not loaded"
        elif plugins.message_pipeline(names):
            changing = [
                each for each in names or plugins.message_steps if each in plugins.message_steps
            ]
            changes = f"plugin '{changing[0]}' changes the messages"
        routes.append(
            AnalyzedRoute(
                name=name,
                route=route,
                table=config.tables.get(route.table),
                queue=queue,
                when=when,
                messages=_message_sets(
                    by_schema, own, earlier.before(route, queue), scope, changes
                ),
                index=None if linked is None else SchemaIndex(linked, budget),
                scope=scope,
                final=not left_out and not plugins.item_pipeline(names),
                context=context,
                shared=shared,
            )
        )
    return tuple(routes)


def _by_schema(
    schema: Validation | None,
    budget: ProofBudget,
    known: dict[str, SchemaProver],
    find_part: Callable[[PropertySchema], SchemaProver | None],
) -> SchemaProver | None:
    """Return what follows from a schema; routes that share it, or parts of it, share what is
    proved.
    """
    if schema is None:
        return None
    uri = schema.root.uri
    if uri in known:
        return known[uri].again()
    parts = split_by_property(schema, find_part)
    known[uri] = approximate_prover_of(schema, budget, parts)
    return known[uri]


def _own_condition(route: spec.RouteSettings) -> tuple[Condition, list[Narrowing]]:
    """Return the condition of a route, and how it narrows the messages."""
    if route.when is None:
        return ALWAYS, []
    when = condition_of(route.when)
    return when, [Narrowing(when, evaluated(route.when, True), paths_in(route.when))]


def _message_sets(
    by_schema: SchemaProver | None,
    own: list[Narrowing],
    earlier: list[Narrowing],
    scope: Scope,
    changes: str,
) -> MessageSets:
    """Narrow the messages of a schema by `when`, by what `match: first` gives to earlier routes,
    and by `for_each`.

    `changes` is why nothing is known of the messages that are mapped, "" if they are those.
    """
    if by_schema is None:
        return _NO_MESSAGES
    accepted = _narrow(by_schema, own)
    # A message that satisfies `when` besides satisfies the schema.
    is_possible = accepted.exact and accepted.satisfiability == "yes"
    impossible_schema = not is_possible and by_schema.is_contradictory()
    impossible_when = not impossible_schema and accepted.is_contradictory(
        each for one in own for each in one.tested
    )
    accepted = _narrow(accepted, earlier)
    impossible = impossible_schema or impossible_when or accepted.impossible
    mapped = _with_elements(accepted, scope.element)
    no_elements = (
        not impossible
        and scope.element is not None
        and (mapped.impossible or mapped.excludes(scope.element))
    )
    return MessageSets(
        taken=None if changes or impossible else accepted,
        mapped=None if changes or impossible or no_elements else mapped,
        by_schema=None
        if changes or impossible_schema or accepted.exact
        else _with_elements(by_schema, scope.element),
        schema=by_schema,
        unknown=changes,
        impossible_schema=impossible_schema,
        impossible_when=impossible_when,
        shadowed=impossible and not impossible_schema and not impossible_when,
        no_elements=no_elements,
    )


def _with_elements(messages: SchemaProver, element: Steps | None) -> SchemaProver:
    """Narrow messages to those that have an element at a path."""
    if element is None:
        return messages
    predicate = there(element[:-1], {"type": "array", "minItems": 1})
    return messages.narrow(predicate, holds=validator_of(predicate))


def _narrow(messages: SchemaProver, narrowings: list[Narrowing]) -> SchemaProver:
    for each in narrowings:
        messages = messages.narrow(each.condition.predicate, each.condition.exact, each.holds)
    return messages


def named(value: Value) -> str:
    """Return the name of what may be missing, for a sentence."""
    return "a value" if value.lacking is None else f"'{text_of(value.lacking)}'"


def why_absent(route: AnalyzedRoute, steps: Steps) -> tuple[str, bool]:
    """Return a sentence about a path that no message of a route has, and whether the schema alone
    excludes it.
    """
    what = text_of(steps)
    if route.messages.schema is None or route.messages.schema.absent(steps) is YES:
        return f"no message that satisfies the schema has '{what}'", True
    causes = []
    if route.route.when is not None:
        causes.append("its 'when'")
    if route.scope.each:
        causes.append("its 'for_each'")
    if route.queue.match == "first":
        causes.append("the routes before it")
    return f"no message that the route takes has '{what}', by {' and '.join(causes)}", False


def why_missing(value: Value) -> str:
    """Return why a value may be missing, for a sentence."""
    return value.gap or f"the schema does not guarantee {named(value)}"
