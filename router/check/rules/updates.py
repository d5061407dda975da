"""Reports values that an update cannot add."""

from collections.abc import Iterator

from router.check.analysis.attributes import infer
from router.check.analysis.inference import NO, in_words
from router.check.rule import Found, Subject, rule
from router.codes import declare

NEVER_ADDED = declare(
    "RT617",
    "an attribute of `add` that is never a number or a set",
    "DynamoDB adds numbers, and adds elements to sets. Every message would be rejected.",
)
NOT_ALWAYS_ADDED = declare(
    "RT618",
    "an attribute of `add` that may be neither a number nor a set",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)
_ADDABLE = ("number", "set")


@rule(NEVER_ADDED, NOT_ALWAYS_ADDED)
def check_added_values(subject: Subject) -> Iterator[Found]:
    """Report attributes of `add` that can have another type."""
    for route in subject.routes:
        for name in route.route.write.add:
            attribute = route.attributes.get(name)
            if attribute is None or not route.final:
                continue
            value, claim = infer(route, attribute).value, route.claim("mapping", name)
            unfit, where = value.other_than(_ADDABLE), route.place(name)
            advice = f"add 'type: N' to attribute '{name}', or a type of set"
            if value.types and value.can_be(_ADDABLE) is NO:
                possible = [kind for kind, answer in value.types.items() if answer is not NO]
                sentence = f"'add' takes a number or a set, and attribute '{name}' is {in_words(possible)}"
                yield Found(NEVER_ADDED, sentence, where, advice, refutes=claim)
            elif unfit and not value.untyped:
                sentence = f"'add' takes a number or a set, and attribute '{name}' may be {in_words(unfit)}"
                yield Found(NOT_ALWAYS_ADDED, sentence, where, advice, refutes=claim)
