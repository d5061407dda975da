"""Reports conditions that compare with a field, or that no message satisfies, and routes that no
message reaches.
"""

from collections.abc import Iterator, Sequence

from router.codes import declare
from router.prover.expressions import tree_of
from router.prover.schema_prover import YES, SchemaProver
from router.runtime.program.expressions import Tree, nodes, path_of
from router.tools.check.analysis.proof_cache import prover_without_schema
from router.tools.check.analysis.routes import MAX_CONDITIONS, AnalyzedRoute
from router.tools.check.rule import Found, Subject, place_claim, rule

FIELD_COMPARISON = declare(
    "RT402",
    "comparison with a field",
    'In JMESPath "x" in double quotes is the field x of the message. Compared with it, a field nearly always '
    "differs, so that the route matches no message, or the attribute never has the intended value.",
    "warning",
)
NEVER_TAKEN = declare(
    "RT211",
    "a `when` that no valid message satisfies",
    "Every message that satisfies `when` fails the schema, so that the route never writes anything.",
)
SHADOWED = declare(
    "RT212",
    "a route behind one that takes all its messages",
    "With `match: first` a message goes to the first route whose `when` it satisfies.",
)


@rule(FIELD_COMPARISON)
def check_comparisons(subject: Subject) -> Iterator[Found]:
    """Report names in double quotes in a `when`, where a text in single quotes is nearly always
    intended.
    """
    for name, route in subject.config.routes.items():
        # Most conditions have no quotes.
        if route.when is None or '"' not in route.when:
            continue
        for field in _fields_compared(tree_of(route.when)):
            yield Found(
                FIELD_COMPARISON,
                f"'{route.when}' compares with the field \"{field}\", not with text",
                ("routes", name, "when"),
                f"write '{field}' in single quotes if it is text",
            )


def _fields_compared(tree: Tree | None) -> Iterator[str]:
    """Yield the names in double quotes that an expression compares with anything but a literal."""
    for node, _ in () if tree is None else nodes(tree):
        if node["type"] != "comparator" or node["value"] not in ("eq", "ne"):
            continue
        left, right = node["children"]
        if "literal" in (left["type"], right["type"]):
            continue
        # One of two fields: the right one is what a text would be compared as.
        for side in (right, left):
            if side.get("quoted"):
                yield side["value"]
                break


@rule(NEVER_TAKEN)
def check_conditions(subject: Subject) -> Iterator[Found]:
    """Report routes whose `when` contradicts their schema."""
    for route in subject.routes:
        if route.messages.impossible_when:
            advice = (
                _parentheses(str(route.route.when))
                or "compare it with what the schema allows there"
            )
            yield place_claim(route, "when").refuted(
                NEVER_TAKEN,
                f"no message that satisfies the schema satisfies '{route.route.when}'",
                advice,
            )


def _parentheses(when: str) -> str:
    """Suggest parentheses for `!a.b`, which is `(!a).b`; "" for others."""
    tree = tree_of(when.removeprefix("!"))
    names = None if tree is None or when[:1] != "!" else path_of(tree)
    if names and len(names) > 1:
        return f"write '!({when[1:]})': '!' negates only the first name"
    return ""


@rule(SHADOWED)
def check_shadows(subject: Subject) -> Iterator[Found]:
    """Report routes whose messages all go to earlier routes."""
    anything = prover_without_schema()
    for routes in subject.by_queue.values():
        unconditional: AnalyzedRoute | None = None
        for index, route in enumerate(routes) if routes[0].queue.match == "first" else ():
            earlier = unconditional
            if route.route.when is None:
                unconditional = unconditional or route
            elif earlier is None:
                before = routes[max(0, index - MAX_CONDITIONS) : index]
                earlier = _earlier(before, route, anything)
            if earlier is not None:
                yield Found(
                    SHADOWED,
                    f"the earlier route '{earlier.name}' takes all messages of route '{route.name}'",
                    route.path,
                    f"put it before '{earlier.name}'",
                    refutes=route.claim("when"),
                )
            elif route.messages.shadowed:
                yield Found(
                    SHADOWED,
                    f"earlier routes take all messages that satisfy the schema of route '{route.name}'",
                    route.path,
                    "put it before them",
                    refutes=route.claim("when"),
                )


def _earlier(
    before: Sequence[AnalyzedRoute], route: AnalyzedRoute, anything: SchemaProver
) -> AnalyzedRoute | None:
    """Return the first route that takes all messages of a later one; None if there is none."""
    messages = anything.narrow(route.when.predicate, route.when.exact)
    return next((each for each in before if _takes_all(each, route, messages)), None)


def _takes_all(earlier: AnalyzedRoute, route: AnalyzedRoute, messages: SchemaProver) -> bool:
    condition = tree_of(str(earlier.route.when))
    if condition is not None and condition == tree_of(str(route.route.when)):
        return True
    return (
        earlier.when.exact
        and not messages.impossible
        and messages.entails(earlier.when.predicate) is YES
    )
