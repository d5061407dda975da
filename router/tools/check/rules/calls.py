"""Reports functions of expressions that fail on values that the schema allows."""

from collections.abc import Iterator
from functools import partial

from msgspec import Struct

from router.codes import declare
from router.prover.expressions import BY_KEY, CHAINS, OF_FIRST_CHILD, Scope, tree_of
from router.prover.inference import Value, of_path, of_tree
from router.prover.predicates import EACH, SOME_VALUE, TRUTHY, Steps, in_words, there
from router.prover.schema_prover import NO, YES, SchemaProver
from router.runtime.program.expressions import Tree
from router.runtime.program.expressions.functions import FUNCTIONS, Types
from router.runtime.sources import ExpressionUse
from router.tools.check.analysis.routes import AnalyzedRoute, why_missing
from router.tools.check.analysis.values import has_nulls, kinds_of, possible
from router.tools.check.rule import Found, PlacedClaim, Subject, place_claim, rule

NEVER_ACCEPTED = declare(
    "RT429",
    "a function that never accepts its argument",
    "By the schema the argument always has a type that the function does not accept, so that the expression fails and "
    "every message is rejected.",
)
NOT_ALWAYS_ACCEPTED = declare(
    "RT430",
    "a function that does not accept every value that the schema allows",
    "A function fails on a value of another type, and most do where there is none: a message that satisfies its schema "
    "can be rejected nevertheless.",
    "warning",
)
# Nodes that are not evaluated on null.
_NULL_ON_NULL = ("multi_select_list", "multi_select_dict")
_KEYS = ("number", "string")
_PLURALS = {"number": "numbers", "string": "texts"}


class _Elements(Scope, frozen=True):
    """The input of an expression is what is at a path of the message: an element of a list."""

    base: Steps = ()

    def steps(self, names: Steps) -> Steps | None:
        """Return the path in the message of a path in the input."""
        return (*self.base, *names)


class _Argument(Struct, frozen=True):
    """An argument of a function: the types that it may have, and what is inferred of it."""

    function: str
    takes: Types
    value: Value
    messages: SchemaProver


@rule(NEVER_ACCEPTED, NOT_ALWAYS_ACCEPTED)
def check_calls(subject: Subject) -> Iterator[Found]:
    """Report the first function of an expression that fails."""
    for route in subject.routes:
        for each in route.settings:
            assert each.setting != "item"  # an attribute has claims of its own
            # Others call nothing, and a `merge` has claims of its own.
            if "(" not in each.text or each.setting == "merge":
                continue
            for found in _first_failure(place_claim(route, each.setting), Scope(), each.text):
                # A condition that fails is false: it may be intended that it fails for some messages.
                if each.setting != "when" or found.code == NEVER_ACCEPTED:
                    yield found
        for name, _, facts in route.with_facts:
            if facts.may_call:
                yield from facts.unless_nothing(
                    "calls", partial(_of_attribute, route, name, facts.uses)
                )


def _first_failure(placed: PlacedClaim, scope: Scope, text: str) -> Iterator[Found]:
    """Yield the finding about the first argument that a function may not accept, if there is one."""
    tree = tree_of(text)
    messages = placed.route.messages_of(placed.claim)
    if tree is not None and messages is not None:
        for argument in _arguments(messages, scope, tree):
            found = _judge(placed, argument)
            if found is not None:
                yield found
                return


def _of_attribute(route: AnalyzedRoute, name: str, uses: list[ExpressionUse]) -> Iterator[Found]:
    for use in uses:
        yield from _first_failure(
            place_claim(route, "mapping", name, *use.place), route.scope, use.text
        )


def _arguments(messages: SchemaProver, scope: Scope, tree: Tree) -> Iterator[_Argument]:
    """Yield the arguments of the functions that are certainly called for some message, or for some
    element.
    """
    kind = tree["type"]
    children = tree["children"]
    if kind in ("and_expression", "or_expression"):
        yield from _guarded(messages, scope, tree)
        return
    if kind in OF_FIRST_CHILD:
        yield from _arguments(messages, scope, children[0])
        yield from _on_result(messages, scope, tree)
        return
    for child in children:
        if isinstance(child, dict) and child["type"] != "expref":
            yield from _arguments(messages, scope, child)
    if kind == "function_expression":
        yield from _of_call(messages, scope, tree)


def _guarded(messages: SchemaProver, scope: Scope, tree: Tree) -> Iterator[_Argument]:
    """Yield the arguments of `a && f(b)`, where the second is evaluated only if the first is true."""
    left, right = tree["children"]
    yield from _arguments(messages, scope, left)
    steps = scope.path(left)
    if steps is not None and EACH not in steps:
        holds = there(steps, TRUTHY)
        guard = holds if tree["type"] == "and_expression" else {"not": holds}
        yield from _arguments(messages.narrow(guard), scope, right)


def _on_result(messages: SchemaProver, scope: Scope, tree: Tree) -> Iterator[_Argument]:
    """Yield the arguments in what is evaluated on the value of a path, or on its elements."""
    first, *others = tree["children"]
    base = scope.path(first)
    if base is None or tree["type"] == "value_projection":
        return
    if tree["type"] in CHAINS:
        while others and others[0]["type"] == "field":
            base = (*base, others.pop(0)["value"])
        others = others[:1]
    else:
        base = (*base, EACH)
        # What a filter selects is unknown, but its condition is evaluated on all.
        others = others[1:] or others
    for child in others:
        if child["type"] not in _NULL_ON_NULL:
            yield from _arguments(messages, _Elements(base=base), child)
        elif EACH not in base:
            yield from _arguments(
                messages.narrow(there(base, SOME_VALUE)), _Elements(base=base), child
            )
        elif messages.holds_at(base, SOME_VALUE) is YES:
            yield from _arguments(messages, _Elements(base=base), child)


def _of_call(messages: SchemaProver, scope: Scope, tree: Tree) -> Iterator[_Argument]:
    name = tree["value"]
    children = tree["children"]
    function = FUNCTIONS[name]
    values = [of_tree(messages, scope, child) for child in children]
    for index, (child, value) in enumerate(zip(children, values, strict=True)):
        takes = function.takes[min(index, len(function.takes) - 1)]
        if child["type"] != "expref":
            yield _Argument(name, takes, value, messages)
            continue
        elements = next((each.elements for each in values if each.elements is not None), None)
        if elements is not None:
            inside = _Elements(base=elements)
            body = child["children"][0]
            yield from _arguments(messages, inside, body)
            if name in BY_KEY:
                yield _Argument(name, _KEYS, of_tree(messages, inside, body), messages)


def _judge(placed: PlacedClaim, argument: _Argument) -> Found | None:
    """Return the finding about an argument, if there is one."""
    route = placed.route
    value = argument.value
    kinds, elements = kinds_of(argument.takes)
    if not kinds:
        return None
    accepts = f"{argument.function}() accepts {in_words(kinds)}"
    unfit = value.other_than(kinds)
    if value.types and value.can_be(kinds) is NO:
        return placed.refuted(
            NEVER_ACCEPTED,
            f"{accepts}, and its argument is {in_words(possible(value))}",
            "choose another function, or convert the argument first",
        )
    if unfit and not value.untyped:
        return placed.refuted(
            NOT_ALWAYS_ACCEPTED,
            f"{accepts}, and its argument may be {in_words(unfit)}",
            route.constrain(value, f"type: {kinds[0]}"),
        )
    if value.missing is YES:
        return placed.refuted(
            NOT_ALWAYS_ACCEPTED,
            f"{accepts}, and its argument may be missing: {why_missing(value)}",
            route.require(value.lacking, placed.claim),
        )
    found = _unfit_elements(argument, elements) if elements else ""
    if not found:
        return None
    plural = " or of ".join(_PLURALS[kind] for kind in elements)
    return placed.refuted(
        NOT_ALWAYS_ACCEPTED,
        f"{argument.function}() accepts a list of {plural}, and its elements may be {found}",
        route.constrain(of_path(argument.messages, value.elements), f"type: {elements[0]}"),
    )


def _unfit_elements(argument: _Argument, kinds: list[str]) -> str:
    """Return what elements of a list can be that a function does not accept, in words.

    "" if nothing.
    """
    value = argument.value
    messages = argument.messages
    element = of_path(messages, value.elements)
    unfit = element.other_than(kinds)
    if value.elements is None or element.untyped:
        return ""
    if not unfit and has_nulls(messages, value):
        return "null"
    return in_words(unfit) if unfit else ""
