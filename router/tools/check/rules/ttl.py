"""Reports times to live that are not times, or not numbers of seconds."""

from collections.abc import Iterator

from router.codes import declare
from router.prover.inference import Value
from router.prover.predicates import Steps, in_words
from router.prover.schema_prover import NO, YES, SchemaProver
from router.runtime.sources.ttl import MAX_EPOCH_SECONDS, epoch_seconds
from router.runtime.transforms.times import DATE_TIME
from router.tools.check.analysis.attributes import (
    MILLISECONDS,
    counts_milliseconds,
    counts_seconds,
    infer,
)
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.text_formats import refusal_of
from router.tools.check.analysis.values import misfit_of
from router.tools.check.rule import Found, PlacedClaim, Subject, place_claim, rule
from router.tools.check.typos import typo_of

NEVER_A_TIME = declare(
    "RT419",
    "a time to live that counts from a value that is never a time",
    "`ttl` counts from ISO 8601 text with an offset, or from seconds since 1970; other values are rejected.",
)
NOT_ALWAYS_A_TIME = declare(
    "RT420",
    "a time to live that counts from a value that may not be a time",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)
TTL_NO_NUMBER = declare(
    "RT421",
    "a time-to-live attribute that is not a number of seconds",
    "DynamoDB reads the time to live as a number of seconds since 1970. It never deletes an item with another type, "
    "and milliseconds are tens of thousands of years in the future.",
)
TTL_NOT_ALWAYS = declare(
    "RT423",
    "a time-to-live attribute that may not be a number",
    "DynamoDB never deletes an item whose time to live is not a number, and does not report it.",
    "warning",
)
TTL_UNIT = declare(
    "RT622",
    "a time-to-live attribute whose unit the schema does not show",
    "DynamoDB reads the time to live in seconds. A time in milliseconds satisfies a schema without a maximum, and is "
    "tens of thousands of years in the future, so that the item is never deleted.",
    "info",
)
_BOUNDS = (
    ({"minimum": 0}, "minimum: 0", -1),
    ({"maximum": MAX_EPOCH_SECONDS}, f"maximum: {MAX_EPOCH_SECONDS}", 1_767_323_045_678),
)


@rule(NEVER_A_TIME, NOT_ALWAYS_A_TIME)
def check_starts(subject: Subject) -> Iterator[Found]:
    """Report a `ttl` with a `from` that is not a time."""
    for route in subject.routes:
        for name, _, facts in route.with_facts:
            for use in facts.uses:
                if use.is_time:
                    yield from _check_start(
                        place_claim(route, "mapping", name, *use.place),
                        f"'{use.place[0]}' of '{name}'",
                        route.value_of(use.text),
                    )


def _check_start(placed: PlacedClaim, what: str, value: Value) -> Iterator[Found]:
    route = placed.route
    unfit = value.other_than(("string", "number"))
    messages = route.mapped
    steps = value.origin
    if value.can_be(["string", "number"]) is NO:
        if unfit:
            yield placed.refuted(
                NEVER_A_TIME, f"{what} counts from {in_words(unfit)}, which is not a time"
            )
        return
    if messages is None or steps is None or value.untyped:
        return
    if messages.holds_at(steps, MILLISECONDS) is YES:
        yield placed.refuted(
            NEVER_A_TIME,
            f"{what} counts from milliseconds instead of seconds",
            "send seconds, or ISO 8601 text",
        )
    elif unfit:
        yield placed.refuted(
            NOT_ALWAYS_A_TIME,
            f"{what} may count from {in_words(unfit)}, which is not a time",
            route.constrain(value, "type: integer"),
        )
    elif (refusal := refusal_of(route, value, DATE_TIME, epoch_seconds)).possible is YES:
        yield placed.refuted(
            NOT_ALWAYS_A_TIME,
            f"{what} may count from text that is not {DATE_TIME.name}{refusal.shown}",
            route.constrain(value, DATE_TIME.keyword),
        )
    elif value.can_be(["number"]) is YES:
        yield from _check_bounds(placed, messages, steps, what, route.constrain(value, "{}"))


def _check_bounds(
    placed: PlacedClaim, messages: SchemaProver, steps: Steps, what: str, advice: str
) -> Iterator[Found]:
    """Report numbers that are before 1970 or may be milliseconds; `advice` has braces for a
    keyword.
    """
    for bound, keyword, example in _BOUNDS:
        if messages.holds_at(steps, bound) is NO:
            shown = f", as {example}" if messages.can_be(steps, [example]) is YES else ""
            yield placed.refuted(
                NOT_ALWAYS_A_TIME,
                f"{what} may count from a number that is no time in seconds since 1970{shown}",
                advice.format(keyword),
            )
            return


@rule(TTL_NO_NUMBER, TTL_NOT_ALWAYS, TTL_UNIT)
def check_expiry(subject: Subject) -> Iterator[Found]:
    """Report attributes that a table's time to live reads and that are not numbers of seconds."""
    for route in subject.routes:
        if route.table is None or route.table.ttl not in route.attributes or not route.final:
            continue
        name = route.table.ttl
        attribute = route.attributes[name]
        inferred = infer(route, attribute)
        value = inferred.value
        placed = place_claim(route, "ttl", name)
        misfit = misfit_of(value, ("number",))
        table = f"the time to live of table '{route.route.table}'"
        advice = f"map it with 'ttl:', as '{name}: {{ttl: 90d}}'"
        if misfit is not None and misfit.always:
            yield placed.refuted(
                TTL_NO_NUMBER, f"attribute '{name}' {misfit.words}, and {table} is a number", advice
            )
        elif counts_milliseconds(route, inferred):
            yield placed.refuted(
                TTL_NO_NUMBER,
                f"attribute '{name}' is in milliseconds, and {table} is in seconds",
                advice,
            )
        elif misfit is not None:
            yield placed.refuted(
                TTL_NOT_ALWAYS,
                f"attribute '{name}' {misfit.words}, and {table} is a number",
                route.constrain(value, "type: integer"),
            )
        elif not value.untyped and counts_seconds(route, inferred, attribute.default) is NO:
            sentence = f"attribute '{name}' may be in milliseconds, and {table} is in seconds"
            if not inferred.raw.may_be("string"):
                advice = route.constrain(value, f"maximum: {MAX_EPOCH_SECONDS}") or advice
            yield placed.refuted(TTL_UNIT, sentence, advice)


UNWRITTEN = declare(
    "RT631",
    "a time to live that no route writes",
    "DynamoDB deletes an item only if it has the attribute. Often its name is misspelt in the table or in a route.",
    "warning",
)


@rule(UNWRITTEN)
def check_written(subject: Subject) -> Iterator[Found]:
    """Report tables whose routes map no attribute of the name of the time to live."""
    writers: dict[str, list[AnalyzedRoute]] = {}
    for route in subject.routes:
        if not route.deletes:
            writers.setdefault(route.route.table, []).append(route)
    for name, table in subject.config.tables.items() if subject.whole else ():
        routes = writers.get(name, [])
        if not table.ttl or not routes or any(_may_write(route, table.ttl) for route in routes):
            continue
        mapped = dict.fromkeys(each for route in routes for each in route.attributes)
        near = typo_of(table.ttl, mapped)
        advice = f"did you mean '{near}'?" if near else f"map it, as '{table.ttl}: {{ttl: 90d}}'"
        yield Found(
            UNWRITTEN,
            f"no route writes '{table.ttl}', the time to live of table '{name}'",
            ("tables", name, "ttl"),
            advice,
        )


def _may_write(route: AnalyzedRoute, name: str) -> bool:
    """Whether a route maps an attribute, or writes attributes whose names are not in the config."""
    return name in route.attributes or route.is_whole or not route.final
