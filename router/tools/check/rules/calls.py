"""Reports functions of expressions that fail on values that the schema allows."""

from collections.abc import Iterator
from functools import partial

from msgspec import Struct, structs

from router.codes import declare
from router.model import Path
from router.prover.expressions import Scope, tree_of
from router.prover.inference import NO, YES, Value, of_path, of_tree
from router.prover.predicates import EACH, SOME_VALUE, TRUTHY, Steps, in_words, there
from router.prover.schema_prover import SchemaProver
from router.runtime.program.expressions import Tree
from router.runtime.program.expressions.functions import FUNCTIONS, Types
from router.runtime.program.route_expressions import RouteExpression
from router.runtime.sources import ExpressionUse
from router.tools.check.analysis.routes import AnalyzedRoute, why_missing
from router.tools.check.analysis.verdicts import Claim
from router.tools.check.rule import Found, Subject, rule

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
_PROJECTIONS = ("projection", "filter_projection", "value_projection")
_THEN = ("subexpression", "pipe", "index_expression")
"""Nodes whose first child is evaluated on the input, and each other one on the value before it."""
_NULL_ON_NULL = ("multi_select_list", "multi_select_dict")
"""Nodes that are not evaluated on null."""
_BY_KEY = ("sort_by", "max_by", "min_by")
_KEYS = ("number", "string")


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
            # Others call nothing. A `merge` has claims of its own.
            if "(" in each.text and each.setting != "merge":
                found = _of_setting(route, each)
                # A condition that fails is false: it may be intended that it fails for some messages.
                is_intended = each.setting == "when" and found and found.code != NEVER_ACCEPTED
                if found and not is_intended:
                    yield found
        for name, _, facts in route.with_facts:
            if any("(" in use.text for use in facts.uses):  # others call nothing
                yield from facts.unless_nothing(
                    "calls", partial(_of_attribute, route, name, facts.uses)
                )


def _of_setting(route: AnalyzedRoute, given: RouteExpression) -> Found | None:
    """Return the first failure of an expression over the message."""
    assert given.setting != "item"  # an attribute has claims of its own
    claim = route.claim(given.setting)
    return _first_failure(route, claim, Scope(), given.text, (*route.path, *given.path))


def _first_failure(
    route: AnalyzedRoute, claim: Claim, scope: Scope, text: str, where: Path
) -> Found | None:
    tree, messages = tree_of(text), route.messages_of(claim)
    for argument in () if tree is None or messages is None else _arguments(messages, scope, tree):
        if found := _judge(route, claim, argument, where):
            return structs.replace(found, refutes=claim)
    return None


def _of_attribute(route: AnalyzedRoute, name: str, uses: list[ExpressionUse]) -> Iterator[Found]:
    for use in uses:
        claim = route.claim("mapping", name)
        found = _first_failure(route, claim, route.scope, use.text, route.place(name, *use.place))
        if found is not None:
            yield found


def _arguments(messages: SchemaProver, scope: Scope, tree: Tree) -> Iterator[_Argument]:
    """Yield the arguments of the functions that are certainly called for some message, or for some element."""
    kind, children = tree["type"], tree["children"]
    if kind in ("and_expression", "or_expression"):
        yield from _guarded(messages, scope, tree)
        return
    if kind in (*_PROJECTIONS, *_THEN):
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
    if tree["type"] in _THEN:
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
    name, children = tree["value"], tree["children"]
    function = FUNCTIONS[name]
    values = [of_tree(messages, scope, child) for child in children]
    for index, (child, value) in enumerate(zip(children, values, strict=True)):
        takes = function.takes[min(index, len(function.takes) - 1)]
        if child["type"] != "expref":
            yield _Argument(name, takes, value, messages)
            continue
        elements = next((each.elements for each in values if each.elements is not None), None)
        if elements is not None:
            inside, body = _Elements(base=elements), child["children"][0]
            yield from _arguments(messages, inside, body)
            if name in _BY_KEY:
                yield _Argument(name, _KEYS, of_tree(messages, inside, body), messages)


def _judge(route: AnalyzedRoute, claim: Claim, argument: _Argument, where: Path) -> Found | None:
    """Return the finding about an argument, if there is one."""
    value, takes = argument.value, argument.takes
    lists = tuple(each.removeprefix("array-") for each in takes if each.startswith("array-"))
    kinds = (
        *(each for each in takes if not each.startswith("array-")),
        *(("array",) if lists else ()),
    )
    accepts, unfit = (
        f"{argument.function}() accepts {in_words(kinds)}" if kinds else "",
        value.other_than(kinds),
    )
    if not kinds:
        return None
    if value.types and value.can_be(kinds) is NO:
        possible = [kind for kind, answer in value.types.items() if answer is not NO]
        advice = "choose another function, or convert the argument first"
        return Found(
            NEVER_ACCEPTED, f"{accepts}, and its argument is {in_words(possible)}", where, advice
        )
    if unfit and not value.untyped:
        advice = route.constrain(value, f"type: {kinds[0]}")
        return Found(
            NOT_ALWAYS_ACCEPTED,
            f"{accepts}, and its argument may be {in_words(unfit)}",
            where,
            advice,
        )
    if value.missing is YES:
        sentence = f"{accepts}, and its argument may be missing: {why_missing(value)}"
        return Found(NOT_ALWAYS_ACCEPTED, sentence, where, route.require(value.lacking, claim))
    if lists and (found := _unfit_elements(argument, lists)):
        plural = " or of ".join({"number": "numbers", "string": "texts"}[kind] for kind in lists)
        sentence = (
            f"{argument.function}() accepts a list of {plural}, and its elements may be {found}"
        )
        advice = route.constrain(of_path(argument.messages, value.elements), f"type: {lists[0]}")
        return Found(NOT_ALWAYS_ACCEPTED, sentence, where, advice)
    return None


def _unfit_elements(argument: _Argument, kinds: tuple[str, ...]) -> str:
    """Return what elements of a list can be that a function does not accept, in words; "" if nothing."""
    value, messages = argument.value, argument.messages
    element = of_path(messages, value.elements)
    unfit = element.other_than(kinds)
    if value.elements is None or element.untyped:
        return ""
    if (
        not unfit
        and value.origin is not None
        and messages.holds_at((*value.origin, EACH), SOME_VALUE) is NO
    ):
        return "null"
    return in_words(unfit) if unfit else ""
