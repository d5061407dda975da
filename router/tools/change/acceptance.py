"""Whether a route takes every message that another version of it takes: a proof, an example, or why it is not known.

A proof is by stages: what the first version lets through must pass each stage of the second that is not the same. A
mapping passes if nothing that changed in it can refuse a message. An example is a message that was run through both.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import UNSET, Struct, structs

from router.prover.containment import Containment
from router.prover.predicates import exact
from router.prover.schema_prover import NO, UNKNOWN, YES, SchemaProver
from router.runtime.config import spec
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import ASSERTED_SINCE, subschemas
from router.runtime.program.schemas.references import Location
from router.tools.change.counterexamples import (
    Counterexample,
    find_others,
    make_candidates,
    search,
    stage_of,
    stage_of_part,
)
from router.tools.change.drafts import in_draft, with_draft
from router.tools.change.routes import ACCEPTING, MAPPING, RouteVersion, when_of
from router.tools.check.analysis.attributes import stored
from router.tools.check.analysis.claims import of_once_key
from router.tools.check.analysis.failures import TOO_LONG
from router.tools.check.analysis.index_keys import indexed_attributes
from router.tools.check.analysis.proof_cache import prover_of_document
from router.tools.check.analysis.routes import NO_SCHEMA
from router.tools.check.analysis.verdicts import ClaimKind

_OF_ATTRIBUTES: tuple[ClaimKind, ...] = ("mapping", "type", "key", "index", "version")
"""The claims about an attribute of which a message is refused if they do not hold."""


class Taking(Struct, frozen=True):
    """Whether the second version takes all that the first takes: proved, refuted by examples, or neither.

    `unproved` are the parts without a proof, with the reason of each, in words; `examples` has a message for each
    reason of a refusal that was found.
    """

    unproved: tuple[tuple[str, str], ...] = ()
    examples: tuple[Counterexample, ...] = ()

    @property
    def proved(self) -> bool:
        """Whether there is a proof."""
        return not self.unproved and not self.examples

    @property
    def example(self) -> Counterexample | None:
        """The first message that is refused."""
        return self.examples[0] if self.examples else None

    @property
    def undecided(self) -> tuple[tuple[str, str], ...]:
        """The parts without a proof, in stages for which there is no example either."""
        shown = {stage_of(each) for each in self.examples}
        return tuple((part, why) for part, why in self.unproved if stage_of_part(part) not in shown)


def compare_taking(
    first: RouteVersion, second: RouteVersion, messages: Sequence[Any], *, all_reasons: bool = False
) -> Taking:
    """Return whether `second` takes every message that `first` takes; `messages` are more candidates.

    With `all_reasons`, an example of each reason of a refusal is looked for, else of any.
    """
    changed = [part for part in (*ACCEPTING, *MAPPING) if first.parts[part] != second.parts[part]]
    if not changed or first.messages.impossible:
        return Taking()
    found_in = [(part, why) for part in changed for why in _unproved(part, first, second)]
    unproved = tuple(dict.fromkeys(found_in))
    if not unproved:
        return Taking()
    found = search(first, second, make_candidates(first, second, messages))
    if found is None:
        return Taking(unproved)
    parts = [part for part, _ in unproved]
    others = find_others(first, second, found, parts, messages) if all_reasons else ()
    return Taking(unproved, (found, *others))


def search_in(
    taking: Taking, first: RouteVersion, second: RouteVersion, messages: Iterable[Any]
) -> Taking:
    """Return what is known with more messages, if neither a proof nor an example was found."""
    if taking.proved or taking.examples:
        return taking
    found = search(first, second, messages)
    return Taking(taking.unproved, (found,) if found else ())


def _unproved(part: str, first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    """Yield why it is not proved that all messages that reached the mapping of `first` pass a stage of `second`."""
    reached = first.messages
    match part:
        case "schema":
            new = second.schema
            if new is not None and not _schema_takes(first, second, first.schema, new):
                yield "the schema may refuse messages"
        case "when":
            condition = when_of(second.settings.when)
            if not condition.exact or reached.entails(condition.predicate) is not YES:
                yield "'when' may not hold"
        case "earlier":
            for each in set(second.earlier) - set(first.earlier):
                condition = when_of(each)
                if reached.entails({"not": condition.predicate}) is not YES:
                    yield "an earlier route may take messages"
        case "decode":
            yield "messages are unwrapped in another way"
        case _:
            yield from may_refuse(part, first, second)


def _schema_takes(
    first: RouteVersion, second: RouteVersion, old: Validation | None, new: Validation
) -> bool:
    """Return whether it is proved that the new schema takes every message of `first`, which the old one let through."""
    # If the router asserts formats that the library does not, the prover knows a larger set.
    taken = second.prover if _is_exact(new) else None
    draft = new.root.draft
    if taken is not None:
        answer = taken.covers(first.messages)
        if answer is not UNKNOWN:
            return answer is YES
    if old is None:
        return False
    if old.root.draft != draft:
        before = in_draft(old, draft)
        if before is None:
            return False
        if exact(before) == exact(with_draft(new.root.content, draft)):
            return True
        return taken is not None and _covers(taken, prover_of_document(before, second.budget))

    def covers(before: Any, after: Any) -> bool:
        if not _formats_are_asserted(after, draft):
            return False
        one = prover_of_document(with_draft(before, draft), second.budget)
        two = prover_of_document(with_draft(after, draft), second.budget)
        return two is not None and _covers(two, one)

    comparison = Containment(old.locations, new.locations, covers)
    try:
        return comparison.implies(Location.of(old.root), Location.of(new.root))
    except RecursionError:
        return False


def _covers(taken: SchemaProver, other: SchemaProver | None) -> bool:
    """Return whether it is proved that a schema takes all that another takes."""
    return other is not None and taken.covers(other) is YES


def _is_exact(schema: Validation) -> bool:
    """Return whether the library asserts all formats that the router asserts."""
    documents = schema.documents.values()
    return all(_formats_are_asserted(each.content, each.draft) for each in documents)


def _formats_are_asserted(content: Any, draft: int) -> bool:
    formats = (each.get("format") for _, each in subschemas(content))
    return all(ASSERTED_SINCE.get(name, 0) <= draft for name in formats if isinstance(name, str))


def may_refuse(part: str, first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    """Yield why a stage of the mapping of `second`, which is not that of `first`, may refuse a message."""
    if part in ("merge", "item", "table"):
        yield from (f"'merge': {doubt}" for doubt in _doubts(second, "merge"))
    match part:
        case "plugins":
            yield "plugins changed"
        case "names" if second.parts["plugins"] != exact([[], {}, [], []]):
            yield "plugins get other names"
        case "names" if _has_longer_keys(first, second):
            yield "idempotency keys may be too long with the name of the route"
        case "item":
            yield from _refusing_attributes(first, second)
        case "for_each" if second.settings.for_each is None:
            yield from _refusing_attributes(None, second)
        case "table" | "indexes":
            yield from _refusing_keys(part, first, second)
        case "write":
            yield from _refusing_writes(first, second)
        case "settings" if second.queue.atomic and not first.queue.atomic:
            yield "all writes of a message are now one transaction"
        case "merge" | "names" | "settings":
            pass
        case _:
            yield f"'{part}' changed"


def _refusing_keys(part: str, first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    """Yield why the key of a table, or those of its indexes, may refuse a message."""
    if part == "indexes":
        for name in _indexed_names(second):
            yield from _doubts_of_attribute(second, name, ["index"])
    elif first.table.key != second.table.key:
        for name, _ in second.table.key:
            yield from _doubts_of_attribute(second, name)


def _has_longer_keys(first: RouteVersion, second: RouteVersion) -> bool:
    """Return whether idempotency keys may be too long by the name of the route, which is in them."""
    once = second.write.once
    if once is None or once.key is None or len(second.name) <= len(first.name):
        return False
    return any(of_once_key(second.analyzed, str(second.settings.write.once_key)))


def _refusing_attributes(first: RouteVersion | None, second: RouteVersion) -> Iterator[str]:
    """Yield why the attributes of `second` may refuse a message; those that it shares with `first` do not."""
    if not second.analyzed.final:
        yield "plugins get other items"
    old = {} if first is None else first.attributes or {}
    met = _met_names(second)
    deciding = (*dict(second.table.key), *met, *_indexed_names(second))
    if second.attributes is None:
        yield from _doubts(second, "mapping")
        for name in deciding:
            yield from _doubts_of_attribute(second, name)
    for name, attribute in (second.attributes or {}).items():
        if name in old and _refuses_as(old[name], attribute, name in deciding):
            continue
        yield from _doubts_of_attribute(second, name)
        if first is not None and name in met:
            yield from _meeting_others(first, second, name)


def _met_names(route: RouteVersion) -> Sequence[str]:
    """Return the attributes of a write that the stored ones decide about."""
    write = route.write
    names = (*write.add, *write.append)
    return (write.version, *names) if write.version else names


def _indexed_names(route: RouteVersion) -> Sequence[str]:
    """Return the attributes of a write that are in keys of indexes."""
    return [each.name for each in indexed_attributes(route.analyzed)]


def _refusing_writes(first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    """Yield why the settings of a write may refuse a message."""
    yield from (f"'once_key': {doubt}" for doubt in _doubts(second, "once_key"))
    for name in _met_names(second):
        yield from _doubts_of_attribute(second, name)
        yield from _meeting_others(first, second, name)


def _meeting_others(first: RouteVersion, second: RouteVersion, name: str) -> Iterator[str]:
    """Yield why an item that `first` stored may refuse an attribute that is compared with it, or added to it."""
    before, after = _kinds(first, name), _kinds(second, name)
    # A text is appended as the element of a list.
    is_list = name in second.write.append and name not in first.write.append
    if before and before != ({"array"} if is_list else after):
        yield f"attribute '{name}': what is stored may have another type"


def _kinds(route: RouteVersion, name: str) -> set[str]:
    """Return the types that an attribute of a route may have; none if it is not mapped."""
    if route.attributes is not None and name not in route.attributes:
        return set()
    types = stored(route.analyzed, name).value.types
    return {kind for kind, answer in types.items() if answer is not NO}


def _doubts_of_attribute(
    route: RouteVersion, name: str, kinds: Iterable[ClaimKind] = _OF_ATTRIBUTES
) -> Iterator[str]:
    for kind in kinds:
        for doubt in _doubts(route, kind, name):
            yield f"attribute '{name}': {doubt}"


def _doubts(route: RouteVersion, kind: ClaimKind, subject: str = "") -> Iterator[str]:
    """Yield why a claim of `router check` is not proved, but for DynamoDB's limits of items.

    Where nothing is known of messages whatever the schema says, that is the one reason.
    """
    unknown = route.analyzed.messages.unknown
    for doubt in route.doubts.get((kind, subject), ()):
        if unknown and unknown != NO_SCHEMA:
            yield unknown
            return
        if not doubt.endswith(TOO_LONG):
            yield doubt


def _refuses_as(old: spec.Attribute, new: spec.Attribute, decides: bool) -> bool:
    """Return whether two attributes refuse the same messages: they differ in their defaults at most.

    `decides` tells that not every value is accepted, not even as a default: of a key, of a version, and of what is
    added to the stored value.
    """
    if decides:
        return exact(old) == exact(new)
    if new.default is UNSET and old.default is not UNSET:
        return False
    return exact(structs.replace(old, default=None)) == exact(structs.replace(new, default=None))
