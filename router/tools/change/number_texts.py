"""Texts of numbers that an earlier version of the router wrote in another form: a deployed version may be of one."""

from router.prover.expressions import tree_of
from router.prover.inference import of_path, of_tree
from router.prover.schema_prover import NO
from router.runtime.config import spec
from router.runtime.program.expressions import Tree
from router.runtime.program.precompiled import ONE_TEXT_OF_A_NUMBER
from router.tools.change.change_codes import OTHER_NUMBER_TEXT
from router.tools.change.report import Changes, ConfigChange
from router.tools.change.routes import RoutePairs, RouteVersion, change_of
from router.tools.change.versions import ConfigVersion
from router.tools.check.analysis.attributes import infer
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.transforms import is_plugins

_OF_NUMBERS = ("to_text", "to_bool", "lookup")
"""The transforms that use the text of a number."""
_NUMBERS = ("number",)
_HOLDING = ("number", "array", "object")
_ADVICE = "send again what must have the new text, if senders write numbers with trailing zeros"


def other_number_texts(old: ConfigVersion, new: ConfigVersion, pairs: RoutePairs) -> Changes:
    """Yield the attributes and keys that have the text of a number, if the old version wrote it as its sender did."""
    if old.revision >= ONE_TEXT_OF_A_NUMBER or new.revision < ONE_TEXT_OF_A_NUMBER:
        return
    for before, after in pairs.both:
        keys = dict(after.table.key)
        for name, attribute in (after.attributes or {}).items():
            if _has_number_text(after, attribute):
                what = "key attribute" if name in keys else "attribute"
                yield _change(before, after, f"{what} '{name}'", "item", name)
        if _converts(after, after.settings.when):
            yield _change(before, after, "'when'", "when")
        if _converts(after, after.settings.write.once_key):
            yield _change(before, after, "'once_key'", "write", "once_key")


def _change(before: RouteVersion, after: RouteVersion, what: str, *path: str) -> ConfigChange:
    sentence = (
        f"{what} uses the text of a number: the deployed version of the router wrote 1.0 as '1.0', "
        "and this one as '1'"
    )
    return change_of(before, after, OTHER_NUMBER_TEXT, sentence, *path, suggestion=_ADVICE)


def _has_number_text(route: RouteVersion, attribute: spec.Attribute) -> bool:
    analyzed = route.analyzed
    for step in infer(analyzed, attribute).steps:
        if is_plugins(analyzed, step.name):
            continue
        if step.name in _OF_NUMBERS and step.before.can_be(_NUMBERS) is not NO:
            return True
        elements = of_path(analyzed.mapped, step.before.elements)
        if step.name == "join" and elements.can_be(_NUMBERS) is not NO:
            return True
    return any(_converts(route, use.text) for use in analyzed.uses(attribute))


def _converts(route: RouteVersion, text: str | None) -> bool:
    """Whether an expression, if there is one, converts numbers to text."""
    tree = None if text is None else tree_of(text)
    return tree is not None and _calls_to_string(route.analyzed, tree)


def _calls_to_string(route: AnalyzedRoute, tree: Tree) -> bool:
    children = [child for child in tree["children"] if isinstance(child, dict)]
    if (tree["type"], tree.get("value")) == ("function_expression", "to_string"):
        argument = of_tree(route.mapped, route.scope, children[0])
        if argument.can_be(_HOLDING) is not NO:
            return True
    return any(_calls_to_string(route, child) for child in children)
