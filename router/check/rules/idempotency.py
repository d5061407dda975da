"""Reports idempotency keys that the schema does not guarantee, or that many messages share."""

from collections.abc import Iterator

from msgspec import UnsetType

from router.check.analysis.domains import count_of_expression
from router.check.analysis.expressions import Scope, tree_of
from router.check.analysis.inference import NO, YES, Value, in_words, of_tree
from router.check.analysis.routes import AnalyzedRoute, why_missing
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.model import Path

NO_IDEMPOTENCY_KEY = declare(
    "RT619",
    "an idempotency key that may be missing, empty, or no text",
    "A message without an idempotency key is rejected, although it satisfies the schema, so that its sender cannot "
    "know why.",
)
SHARED_IDEMPOTENCY_KEY = declare(
    "RT620",
    "an idempotency key that many messages share",
    "Of all messages with one idempotency key, only the first is written; the others count as duplicates.",
)


@rule(NO_IDEMPOTENCY_KEY, SHARED_IDEMPOTENCY_KEY)
def check_idempotency_keys(subject: Subject) -> Iterator[Found]:
    """Report a `once_key` that the schema does not guarantee, or that has few values."""
    for route in subject.routes:
        text = route.route.write.once_key
        if isinstance(text, UnsetType):
            continue
        where: Path = (*route.path, "write", "once_key")
        value = of_tree(route.mapped, Scope(), tree_of(text))
        fault, advice = _fault(route, value)
        claim = route.claim("once_key")
        if fault:
            yield Found(NO_IDEMPOTENCY_KEY, f"the idempotency key {fault}", where, advice, refutes=claim)
            continue
        count = count_of_expression(route, Scope(), text)
        if count is not None:
            values = "is the same for all messages" if count == 1 else f"has only {count} values"
            advice = "use an id of the message, or remove 'once_key'"
            sentence = f"the idempotency key '{text}' {values}"
            yield Found(SHARED_IDEMPOTENCY_KEY, sentence, where, advice, refutes=claim)


def _fault(route: AnalyzedRoute, value: Value) -> tuple[str, str]:
    """Return why a value may be no idempotency key, and a suggestion; both are "" if nothing is known."""
    unfit = value.other_than(("string",))
    if value.missing is YES:
        return f"may be missing: {why_missing(value)}", route.require(value.lacking)
    if value.types and value.can_be(["string"]) is NO:
        possible = [kind for kind, answer in value.types.items() if answer is not NO]
        return f"is {in_words(possible)}, not text", "convert it with to_string()"
    if unfit and not value.untyped:
        return f"may be {in_words(unfit)}, not text", route.constrain(value, "type: string")
    if value.empty is YES:
        return "may be empty", route.constrain(value, "minLength: 1")
    return "", ""
