"""Yields the claims about a route, each with why it is not proved."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET

from router.model import KeyType
from router.prover.expressions import Scope
from router.prover.inference import Value, of_path
from router.prover.predicates import in_words
from router.prover.schema_prover import NO, YES
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES
from router.runtime.engine.engine import MAX_ELEMENTS
from router.runtime.sources import Computed
from router.tools.check.analysis import failures
from router.tools.check.analysis.attributes import counts_seconds, infer, infer_from, stored
from router.tools.check.analysis.item_sizes import of_size
from router.tools.check.analysis.proof_cache import AttributeFacts
from router.tools.check.analysis.routes import AnalyzedRoute, named
from router.tools.check.analysis.values import KINDS_OF_KEYS, ORDERED, key_limits, possible
from router.tools.check.analysis.verdicts import ClaimKind, RouteClaim


def claims_of(route: AnalyzedRoute, neighbours: Sequence[AnalyzedRoute]) -> Iterator[RouteClaim]:
    """Yield the claims about a route.

    `neighbours` are all routes of its queue: its `when` is evaluated on their messages, too. That a
    plugin which changes items leaves them valid is not claimed.
    """
    settings = route.route
    if settings.when is not None:
        yield _made(route, "when", _of_when(route, settings.when, neighbours))
    if settings.for_each is not None:
        yield _made(route, "for_each", _of_elements(route, settings.for_each))
    if route.is_whole:
        yield _made(route, "mapping", _of_whole(route))
    keys = {} if route.table is None else route.table.key
    for name, attribute, facts in route.with_facts:
        yield _made(route, "mapping", mapping_doubts(route, name, attribute, facts), name)
        if attribute.type is not None and name not in keys:
            yield _made(route, "type", _of_conversion(route, attribute), name)
    for name, limit in key_limits(keys).items():
        yield _made(route, "key", _of_key(route, name, keys[name], limit), name)
    if route.table is not None and route.table.indexes:
        yield from _of_indexes(route)
    merge = settings.merge
    if merge is not None:
        yield _made(route, "merge", failures.of_merge(route, merge))
    yield from _of_settings(route)


def _of_indexes(route: AnalyzedRoute) -> Iterator[RouteClaim]:
    # Without indexes, a check does without it.
    from router.tools.check.analysis.index_keys import index_doubts, indexed_attributes

    for each in indexed_attributes(route):
        yield _made(route, "index", index_doubts(route, each), each.name)


def _of_settings(route: AnalyzedRoute) -> Iterator[RouteClaim]:
    """Yield the claims about `version`, `once_key`, the time to live and the size."""
    write = route.route.write
    if write.version is not None:
        yield _made(route, "version", _of_version(route, write.version), write.version)
    if write.once_key is not None:
        yield _made(route, "once_key", of_once_key(route, write.once_key))
    ttl = None if route.table is None else route.table.ttl
    if ttl and (ttl in route.attributes or route.is_whole):
        yield _made(route, "ttl", _of_ttl(route, ttl), ttl)
    if not route.deletes:
        yield _made(route, "size", of_size(route))


def _made(
    route: AnalyzedRoute, kind: ClaimKind, doubts: Iterable[str], subject: str = ""
) -> RouteClaim:
    doubted = tuple(dict.fromkeys(doubts))
    return RouteClaim(route.claim(kind, subject), doubted, route.messages.unknown)


def _of_when(route: AnalyzedRoute, text: str, neighbours: Sequence[AnalyzedRoute]) -> Iterator[str]:
    # Most conditions fail on no message, whatever its schema: a queue may have thousands of routes.
    if next(failures.of_expression(None, Scope(), text), None) is None:
        return
    for other in neighbours:
        for reason in failures.of_expression(other.messages.schema, Scope(), text):
            yield reason if other is route else f"{reason} of route '{other.name}'"


def _of_expression(
    route: AnalyzedRoute, text: str, wanted: str, subject: str = "it"
) -> Iterator[str]:
    yield from failures.of_expression(route.messages.taken, Scope(), text)
    yield from _of_value(route.value_in_message(text), (wanted,), subject)


def _of_elements(route: AnalyzedRoute, text: str) -> Iterator[str]:
    yield from _of_expression(route, text, "array", f"'{text}'")
    if not route.finds_few:
        yield f"'{text}' may find more than {MAX_ELEMENTS} elements"


def _of_value(
    value: Value, wanted: tuple[str, ...], subject: str = "it", more: str = ""
) -> Iterator[str]:
    if value.missing is not NO:
        yield f"{named(value)} may be missing"
    unfit = possible(value, wanted)
    if unfit:
        yield f"{subject} may be {in_words(unfit)}{more}"


def _of_whole(route: AnalyzedRoute) -> Iterator[str]:
    value = of_path(route.mapped, route.input)
    if value.missing is not NO or possible(value, ("object",)):
        yield f"the {'element' if route.scope.each else 'message'} may be no object"


def mapping_doubts(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, facts: AttributeFacts
) -> Sequence[str]:
    """Return why the sources and transforms of an attribute are not proved to succeed."""
    what = "mapping", name in route.route.write.add
    return facts.once(what, lambda: tuple(_find_doubts(route, name, attribute, facts)))


def _of_conversion(route: AnalyzedRoute, attribute: spec.Attribute) -> Iterable[str]:
    inferred = infer(route, attribute)
    return route.facts(attribute).once(
        "type", lambda: tuple(failures.of_conversion(route, attribute, inferred))
    )


def _find_doubts(
    route: AnalyzedRoute, name: str, attribute: spec.Attribute, facts: AttributeFacts
) -> Iterator[str]:
    inferred = infer_from(route, facts)
    yield from failures.of_source(route, facts.uses)
    if isinstance(inferred.source, Computed) and inferred.source.required:
        for use in facts.uses:
            if route.value_of(use.text).missing is not NO:
                yield f"'{use.text}' may be missing"
    yield from failures.of_steps(route, inferred)
    yield from failures.of_number(route, inferred)
    if name in route.route.write.add and (unfit := possible(inferred.value, ("number", "set"))):
        yield f"it may be {in_words(unfit)}, which cannot be added"
    if "error" in (attribute.missing, attribute.null) and inferred.value.missing is not NO:
        yield f"{named(inferred.value)} may be missing"


def _of_key(route: AnalyzedRoute, name: str, kind: KeyType, limit: int) -> Iterator[str]:
    inferred = stored(route, name)
    value = inferred.value
    if value.missing is not NO:
        yield f"{named(value)} may be missing"
    if name in route.attributes:
        yield from _of_conversion(route, route.attributes[name])
    if unfit := possible(value, (KINDS_OF_KEYS[kind],)):
        yield f"it may be {in_words(unfit)}"
    if value.empty is not NO:
        yield "it may be empty"
    if kind == "S" and not fits(value, limit):
        yield f"its length may be over {limit // BYTES_OF_A_CHARACTER} characters"
    if kind == "B" and not fits(inferred.raw, 4 * limit):  # Base64 is longer than what it encodes
        yield f"its length may be over {limit} bytes"


def fits(value: Value, limit: int) -> bool:
    """Return whether it is proved that the text of a value has at most so many bytes."""
    return value.longest is not None and value.longest * BYTES_OF_A_CHARACTER <= limit


def _of_version(route: AnalyzedRoute, name: str) -> Iterator[str]:
    value = stored(route, name).value
    yield from _of_value(value, ORDERED, more=", which has no order")
    kinds = [kind for kind in ORDERED if value.may_be(kind)]
    if len(kinds) > 1:
        yield f"it may be {in_words(kinds)}, which are not ordered among each other"


def of_once_key(route: AnalyzedRoute, text: str) -> Iterator[str]:
    """Yield why a `once_key` may be no part of an idempotency key."""
    value = route.value_in_message(text)
    yield from _of_expression(route, text, "string")
    if value.empty is not NO:
        yield "it may be empty"
    most = longest_idempotency_key(route.name)
    if value.longest is None or value.longest > most:
        yield f"its length may be over {most} characters"


def longest_idempotency_key(route: str) -> int:
    """Return the most characters of the idempotency keys of a route, which are stored with its
    name.
    """
    room = MAX_PARTITION_KEY_BYTES - 3 * len(route) - len("##10000")
    return room // BYTES_OF_A_CHARACTER


def _of_ttl(route: AnalyzedRoute, name: str) -> Iterator[str]:
    inferred = stored(route, name)
    value = inferred.value
    default = route.attributes[name].default if name in route.attributes else UNSET
    if unfit := possible(value, ("number",)):
        yield f"it may be {in_words(unfit)}"
    elif counts_seconds(route, inferred, default) is not YES:
        yield "it may be in milliseconds"
