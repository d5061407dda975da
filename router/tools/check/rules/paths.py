"""Reports paths of a mapping that lead to nothing, and attributes that reject a message for a
missing value.
"""

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache, partial

from msgspec import UNSET

from router.codes import declare
from router.prover.expressions import Scope, list_of, paths_in, tree_of
from router.prover.inference import Value
from router.prover.predicates import EACH, NO_VALUE, Steps, text_of, there
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import YES, SchemaProver
from router.runtime.config import spec
from router.runtime.sources import Computed, Evaluated, ExpressionUse
from router.tools.check.analysis.attributes import InferredAttribute, infer, infer_from
from router.tools.check.analysis.proof_cache import AttributeFacts
from router.tools.check.analysis.routes import AnalyzedRoute, why_absent, why_missing
from router.tools.check.rule import Found, PlacedClaim, Subject, place_claim, rule
from router.tools.check.typos import typo_of

IMPOSSIBLE_PATH = declare(
    "RT410",
    "a path that no message has",
    "The schema rejects every message with a value at this path, so that the value is always missing.",
)
UNDECLARED_PATH = declare(
    "RT411",
    "a path that looks like a typo",
    "It is not declared in the schema, but a similar one is. A message may contain it nevertheless, so this is not an "
    "error.",
    "warning",
)
NO_SCOPE = declare(
    "RT412",
    "a path of `for_each` that begins with neither `element` nor `message`",
    "The input of the expressions of `item` has only these two keys, so that the value is always missing.",
)
NO_LIST = declare(
    "RT422",
    "`for_each` over a value that may not be a list",
    "A message without the list is rejected; a schema that requires it tells the sender.",
    "warning",
)

_ROOTS = ("element", "message")
Used = Callable[[], Collection[Steps | None]]
"""Returns the paths of a route."""


@rule(IMPOSSIBLE_PATH, UNDECLARED_PATH, NO_SCOPE)
def check_paths(subject: Subject) -> Iterator[Found]:
    """Report paths in attributes that lead to nothing."""
    for route in subject.routes:
        checker = _checker(route, route.mapped)
        used = partial(_used, route)
        for name, attribute, facts in route.with_facts:
            if checker is None or route.scope.each or not checker.takes_all(facts):
                yield from _find_in_attribute(route, checker, name, attribute, used)
        if route.messages.taken is not route.mapped:
            checker = _checker(route, route.messages.taken)
        yield from _find_outside_items(route, checker)


def _used(route: AnalyzedRoute) -> set[Steps | None]:
    """Return the paths that the attributes of a route look up."""
    uses = [use for attribute in route.attributes.values() for use in route.uses(attribute)]
    return {route.scope.steps(names) for use in uses for names in paths_in(use.text)}


def _find_in_attribute(
    route: AnalyzedRoute,
    checker: "PathChecker | None",
    name: str,
    attribute: spec.Attribute,
    used: Used,
) -> Iterator[Found]:
    for use in route.uses(attribute):
        placed = place_claim(route, "mapping", name, *use.place)
        for names in paths_in(use.text):
            steps = route.scope.steps(names)
            if route.scope.each and names[0] not in _ROOTS:
                yield _out_of_scope(placed, names, use.text)
            elif steps and checker is not None:
                yield from checker.find(placed, steps, used)


@rule(NO_LIST)
def check_lists(subject: Subject) -> Iterator[Found]:
    """Report a `for_each` whose list the schema does not guarantee."""
    for route in subject.routes:
        text = route.route.for_each
        if text is None:
            continue
        messages = route.messages.taken
        checker = _checker(route, messages)
        if messages is None or checker is None:
            continue
        placed = place_claim(route, "for_each")
        steps = route.scope.element and route.scope.element[:-1]
        value = route.value_in_message(text)
        if steps and messages.absent(steps) is YES:
            yield from checker.find(placed, steps, tuple)
        elif value.missing is YES:
            what = text if value.lacking is None else text_of(value.lacking)
            yield placed.refuted(
                NO_LIST,
                f"the list '{what}' may be missing",
                route.require(value.lacking, placed.claim),
            )
        elif value.other_than(("array",)):
            advice = route.constrain(value, "type: array") if value.origin else ""
            yield placed.refuted(NO_LIST, f"'{text}' may not be a list", advice)


class PathChecker:
    """Checks paths against a schema."""

    def __init__(self, messages: SchemaProver, index: SchemaIndex) -> None:
        self.messages = messages
        self.index = index
        self._names = index.names(())
        self._known: dict[Steps, tuple[Steps, str, Steps]] = {}
        self._taken: dict[Steps, bool] = {}

    def takes_all(self, facts: AttributeFacts) -> bool:
        """Whether no path of an attribute is to be reported, as of equal ones beside properties of
        the same names.
        """
        return facts.once(
            ("paths", self.index.complete, self._names), lambda: all(map(self._takes, facts.uses))
        )

    def _takes(self, use: ExpressionUse) -> bool:
        return all(map(self._is_taken, paths_in(use.text)))

    def _is_taken(self, steps: Steps) -> bool:
        """Whether there is nothing to report of a path; several attributes may have it."""
        found = self._taken.get(steps)
        if found is None:
            is_alike = bool(self._undeclared(steps)[1])
            found = self._taken[steps] = not is_alike and self.messages.absent(steps) is not YES
        return found

    def find(self, placed: PlacedClaim, steps: Steps, used: Used) -> Iterator[Found]:
        """Report a path that no message has, or that looks like a typo; `used` are the paths of the
        route.
        """
        level, near, _ = self._undeclared(steps)
        typo = self.typo(steps, used)
        if self.messages.absent(steps) is YES:
            sentence, by_schema = why_absent(placed.route, steps)
            if near:
                advice = f"did you mean '{near}'?"
            elif by_schema:
                advice = f"see what is declared {self.index.where(level)}"
            else:
                advice = "leave it out, or change the condition"
            yield placed.refuted(IMPOSSIBLE_PATH, sentence, advice)
        elif typo is not None:
            yield Found(UNDECLARED_PATH, typo[0], placed.path, typo[1])

    def typo(self, steps: Steps, used: Used) -> tuple[str, str] | None:
        """Return a sentence and a suggestion for a path that looks like a typo of one that is not
        used.
        """
        level, near, unknown = self._undeclared(steps)
        if not near or any(
            each is not None and each[: len(unknown)] == (*level, near) for each in used()
        ):
            return None
        return f"'{text_of(unknown)}' is not declared in the schema", f"did you mean '{near}'?"

    def _undeclared(self, steps: Steps) -> tuple[Steps, str, Steps]:
        """Return the declared part of a path, a similar name that is declared there or "", and the
        path one step on.
        """
        if steps not in self._known:
            self._known[steps] = self._sought(steps)
        return self._known[steps]

    def _sought(self, steps: Steps) -> tuple[Steps, str, Steps]:
        for end, name in enumerate(steps):
            level = steps[:end]
            unknown = (*level, name)
            if not self.index.at(unknown):
                known = self.index.names(level) if self.index.complete else ()
                return level, _closest(str(name), known), unknown
        return steps[:-1], "", ()


@lru_cache(maxsize=1024)
def _closest(name: str, known: tuple[str, ...]) -> str:
    """Return the name that is similar; "" if there is none: many routes have the same names."""
    # `false` declares a property that no message has.
    return typo_of(name, tuple(each for each in known if each != name))


def _find_outside_items(route: AnalyzedRoute, checker: "PathChecker | None") -> Iterator[Found]:
    """Report paths of `when`, `for_each`, `merge` and `once_key` that look like typos.

    A condition is evaluated on messages of other schemas, too, so that a path which this schema
    forbids is no fault. `checker` checks paths of the messages that the route takes.
    """
    if checker is None:
        return
    for each in route.settings:
        # `check_lists` reports a path to the list.
        if each.setting == "for_each" and list_of(each.text) is not None:
            continue
        scope = Scope() if each.reads_message else route.scope
        paths = list(dict.fromkeys(filter(None, map(scope.steps, paths_in(each.text)))))
        for steps in paths:
            typo = checker.typo(steps, partial(list, paths))
            if typo is not None:
                sentence, advice = typo
                yield Found(UNDECLARED_PATH, sentence, (*route.path, *each.path), advice)


def _checker(route: AnalyzedRoute, messages: SchemaProver | None) -> PathChecker | None:
    return None if messages is None or route.index is None else PathChecker(messages, route.index)


def _out_of_scope(placed: PlacedClaim, names: Steps, text: str) -> Found:
    near = typo_of(text_of(names[:1]), _ROOTS)
    if near:
        advice = f"did you mean '{near}'?"
    else:
        advice = f"write 'element.{text_of(names)}' or 'message.{text_of(names)}'"
    return placed.refuted(NO_SCOPE, f"'{text}' begins with neither 'element' nor 'message'", advice)


REQUIRED = declare(
    "RT431",
    "an attribute that requires a value that the schema does not",
    "A message without the value is rejected, although it satisfies the schema, so that its sender cannot know why.",
    "warning",
)


@rule(REQUIRED)
def check_required_values(subject: Subject) -> Iterator[Found]:
    """Report `hash`, `missing: error` and `null: error` of values that may be missing."""
    for route in subject.routes:
        keys = () if route.table is None else route.table.key
        version = route.route.write.version
        for name, attribute, facts in route.with_facts:
            if name in keys or name == version:  # other rules report these
                continue
            value, key = _required(attribute, infer_from(route, facts))
            if value is None and attribute.null != "error":  # as of most
                continue
            if value is not None and value.missing is YES:
                placed = place_claim(route, "mapping", name, key)
                yield placed.refuted(
                    REQUIRED,
                    f"'{key}' of attribute '{name}' rejects messages without the value: {why_missing(value)}",
                    route.require(value.lacking, placed.claim),
                )
            elif attribute.null == "error" and _can_be_null(route, attribute):
                yield place_claim(route, "mapping", name, "null").refuted(
                    REQUIRED,
                    f"'null' of attribute '{name}' rejects messages in which the schema allows a null",
                    "remove null from the types in the schema",
                )


def _required(attribute: spec.Attribute, inferred: InferredAttribute) -> tuple[Value | None, str]:
    """Return the value whose absence rejects a message, and the key that says so.

    None if there is none.
    """
    if isinstance(inferred.source, Computed) and inferred.source.required:
        return inferred.value, "hash"
    if attribute.missing != "error" or attribute.default not in (UNSET, None):
        return None, ""
    return inferred.value, "missing"


def _can_be_null(route: AnalyzedRoute, attribute: spec.Attribute) -> bool:
    source = infer(route, attribute).source
    tree = tree_of(source.text) if isinstance(source, Evaluated) else None
    steps = route.scope.path(tree)
    if route.mapped is None or not steps or EACH in steps or route.value_of_tree(tree).untyped:
        return False
    return route.mapped.allows(there(steps, NO_VALUE)) is YES
