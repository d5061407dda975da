"""Finds paths of a mapping that lead to nothing in any message that the schema takes."""

from collections.abc import Collection, Iterator

from router.check.advice import require
from router.check.entailment import Answer, Facts
from router.check.expressions import paths, tree_of
from router.check.flows import Flow
from router.check.predicates import Steps
from router.check.rule import Found, Subject
from router.check.schema_index import Declared, text_of
from router.config.findings import closest
from router.model import Code, Path
from router.sources import expressions_of

IMPOSSIBLE_PATH = Code(
    "RT410",
    "a path that no message has",
    "The schema refuses each message that has something there, so that the value is always missing.",
)
UNDECLARED_PATH = Code(
    "RT411",
    "a path that looks like a typo",
    "The schema does not speak of it, but of one nearly like it. What is not declared may still be sent, so this is "
    "no error.",
    "warning",
)
NO_SCOPE = Code(
    "RT412",
    "a path of `for_each` that begins with neither `element` nor `message`",
    "Expressions of `item` are given these two and nothing else, so that the value is always missing.",
)
NO_LIST = Code(
    "RT422",
    "`for_each` over what may be no list",
    "A message without the list is rejected; a schema that requires it says so to the sender.",
    "warning",
)

_ROOTS = ("element", "message")
_ALIKE = 0.8
"""How near a name must be to be taken for a slip."""


def check_paths(subject: Subject) -> Iterator[Found]:
    """Find paths in attributes that lead to nothing."""
    for flow in subject.flows:
        slips = _slips(flow)
        looked_up = [
            (name, use.place, use.text, names)
            for name, attribute in flow.attributes.items()
            for use in expressions_of(attribute)
            if (tree := tree_of(use.text)) is not None
            for names in dict.fromkeys(paths(tree))
        ]
        used = {flow.scope.steps(names) for _, _, _, names in looked_up}
        for name, part, text, names in looked_up:
            where = flow.place(name, *part)
            if flow.scope.each and names[0] not in _ROOTS:
                yield _out_of_scope(names, text, where)
                continue
            steps = flow.scope.steps(names)
            if steps and slips is not None:
                yield from slips.find(steps, where, used)


def check_lists(subject: Subject) -> Iterator[Found]:
    """Find `for_each` whose list the schema does not guarantee."""
    for flow in subject.flows:
        steps, facts, slips = flow.scope.element and flow.scope.element[:-1], flow.mapped, _slips(flow)
        if not steps or facts is None or slips is None:
            continue
        path: Path = (*flow.path, "for_each")
        if facts.absent(steps) is Answer.YES:
            yield from slips.find(steps, path, set())
        elif facts.present(steps) is Answer.NO:
            yield Found(NO_LIST, f"the list '{text_of(steps)}' may be missing", path, require(flow, steps))
        elif facts.holds_at(steps, {"type": "array"}) is Answer.NO:
            advice = f"add 'type: array' {slips.declared.where(steps)}"
            yield Found(NO_LIST, f"'{text_of(steps)}' may be no list", path, advice)


class Slips:
    """Judges paths by a schema: what it never lets through, and what it does not know but nearly."""

    def __init__(self, facts: Facts, declared: Declared) -> None:
        self.facts = facts
        self.declared = declared

    def find(self, steps: Steps, where: Path, used: Collection[Steps | None]) -> Iterator[Found]:
        """What is wrong with a path; `used` are the paths of the route."""
        declared = self.declared
        unknown = next((end for end in range(1, len(steps) + 1) if not declared.places(steps[:end])), None)
        level = steps[:-1] if unknown is None else steps[: unknown - 1]
        near = "" if unknown is None else self._near(level, str(steps[unknown - 1]))
        if self.facts.absent(steps) is Answer.YES:
            advice = f"did you mean '{near}'?" if near else f"see what is there {declared.where(level)}"
            yield Found(IMPOSSIBLE_PATH, f"no message that the schema takes has '{text_of(steps)}'", where, advice)
        elif near and all(each is None or each[:unknown] != (*level, near) for each in used):
            sentence = f"the schema does not speak of '{text_of(steps[:unknown])}'"
            yield Found(UNDECLARED_PATH, sentence, where, f"did you mean '{near}'?")

    def _near(self, level: Steps, name: str) -> str:
        """A name that the schema knows there, and that is nearly the same."""
        known = self.declared.names(level) if self.declared.whole else []
        return closest(name, known, _ALIKE) or ""


def _slips(flow: Flow) -> Slips | None:
    return None if flow.mapped is None or flow.declared is None else Slips(flow.mapped, flow.declared)


def _out_of_scope(names: Steps, text: str, where: Path) -> Found:
    near = closest(text_of(names[:1]), _ROOTS, _ALIKE)
    advice = f"did you mean '{near}'?" if near else f"write 'element.{text_of(names)}' or 'message.{text_of(names)}'"
    return Found(NO_SCOPE, f"'{text}' begins with neither 'element' nor 'message'", where, advice)
