"""Whether a route takes every message that another version of it takes: a proof, an example, or why it is not known.

A proof is by stages: what the first version lets through must pass each stage of the second that is not the same. A
mapping passes if nothing that changed in it can refuse a message. An example is a message that was run through both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, structs

from router.model import KeyType
from router.prover.containment import Containment
from router.prover.inference import ALL_TYPES, Value
from router.prover.predicates import exact
from router.prover.schema_prover import NO, UNKNOWN, YES
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.runtime.program.expressions.compile import is_plain_path
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import ASSERTED_SINCE, DRAFTS, subschemas
from router.runtime.program.schemas.references import Location
from router.runtime.sources import Computed, Constant, Evaluated, Joined, expressions_of
from router.tools.change.counterexamples import (
    Counterexample,
    find_others,
    make_candidates,
    search,
    stage_of,
    stages_of,
)
from router.tools.change.routes import ACCEPTING, MAPPING, RouteVersion, when_of
from router.tools.check.analysis.attributes import InferredAttribute, infer
from router.tools.check.analysis.claims import KINDS_OF_KEYS, fits, of_once_key
from router.tools.check.analysis.proof_cache import prover_of_document
from router.tools.check.analysis.routes import AnalyzedRoute

_SAME_SINCE = 7
_SAME_KEYWORDS = frozenset(
    {"$schema", "$comment", "$defs", "definitions", "title", "description", "default", "examples"}
    | {"$ref", "type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
    | {"format", "pattern", "minLength", "maxLength", "multipleOf"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"items", "minItems", "maxItems", "uniqueItems", "contains"}
    | {"properties", "required", "propertyNames", "patternProperties", "additionalProperties"}
    | {"minProperties", "maxProperties"}
)
"""The keywords with the same meaning in all drafts from _SAME_SINCE on, as long as `items` is one schema."""
_URIS = {draft: uri for uri, draft in DRAFTS.items()}
_SCALARS = ("string", "number", "boolean")
_CONVERTED: Mapping[str, tuple[str, ...]] = {
    "S": ("string", "number"),
    "N": ("number",),
    "BOOL": ("boolean",),
    "M": ("object",),
    "L": ("array",),
    "json": ("string", "number", "boolean", "array", "object"),
}
"""The types of values that a `type` converts whatever they are."""
_ADDED = ("number", "set")
"""The types of values that an update adds to the stored one."""


class _Key(Struct, frozen=True):
    """The type of a key attribute, and the most bytes that it may have."""

    kind: KeyType
    limit: int


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
        return tuple(
            (part, why) for part, why in self.unproved if stages_of([part]).isdisjoint(shown)
        )


def compare_taking(
    first: RouteVersion, second: RouteVersion, messages: Sequence[Any], *, all_reasons: bool = False
) -> Taking:
    """Return whether `second` takes every message that `first` takes; `messages` are more candidates.

    With `all_reasons`, an example of each reason of a refusal is looked for, else of any.
    """
    changed = [part for part in (*ACCEPTING, *MAPPING) if first.parts[part] != second.parts[part]]
    if not changed or first.messages.impossible:
        return Taking()
    unproved = tuple((part, why) for part in changed for why in _unproved(part, first, second))
    found = search(first, second, make_candidates(first, second, messages)) if unproved else None
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
            if second.schema is not None and not _schema_takes(
                first, second, first.schema, second.schema
            ):
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
    taken, budget = second.prover, second.budget
    if taken is not None and _is_exact(new):
        answer = taken.covers(first.messages)
        if answer is not UNKNOWN:
            return answer is YES
    if old is None:
        return False
    if old.root.draft != new.root.draft:
        before = in_draft(old, new.root.draft)
        if before is None or taken is None or not _is_exact(new):
            return False
        was = prover_of_document(before, budget)
        return was is not None and taken.covers(was) is YES

    def covers(before: Any, after: Any) -> bool:
        if not _formats_are_asserted(after, new.root.draft):
            return False
        draft = _URIS[new.root.draft]
        one = prover_of_document(_with_draft(before, draft), budget)
        two = prover_of_document(_with_draft(after, draft), budget)
        return one is not None and two is not None and two.covers(one) is YES

    comparison = Containment(old.locations, new.locations, covers)
    try:
        return comparison.implies(Location.of(old.root), Location.of(new.root))
    except RecursionError:
        return False


def in_draft(schema: Validation, draft: int) -> Any:
    """Return the content of a schema in another draft; None if a keyword may mean something else there."""
    content = schema.root.content
    if len(schema.documents) > 1 or min(draft, schema.root.draft) < _SAME_SINCE:
        return None
    for _, part in subschemas(content):
        listed = isinstance(part.get("items"), list)
        beside = "$ref" in part and part.keys() - {"$ref", "$schema", "definitions", "$defs"}
        if listed or beside or not part.keys() <= _SAME_KEYWORDS:
            return None
    return _with_draft(content, _URIS[draft])


def _with_draft(content: Any, draft: str) -> Any:
    return {**content, "$schema": draft} if isinstance(content, dict) else content


def _is_exact(schema: Validation) -> bool:
    """Return whether the library asserts all formats that the router asserts, so that it knows the exact set."""
    return all(
        _formats_are_asserted(each.content, each.draft) for each in schema.documents.values()
    )


def _formats_are_asserted(content: Any, draft: int) -> bool:
    formats = (each.get("format") for _, each in subschemas(content))
    return all(ASSERTED_SINCE.get(name, 0) <= draft for name in formats if isinstance(name, str))


def may_refuse(part: str, first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    """Yield why a stage of the mapping of `second`, which is not that of `first`, may refuse a message."""
    if part in ("merge", "item", "table") and second.settings.merge is not None:
        yield "'merge' may find another name of the route's own attributes"
    match part:
        case "plugins":
            yield "plugins changed"
        case "names" if second.parts["plugins"] != exact([[], {}, [], []]):
            yield "plugins get other names"
        case "names" if _has_longer_keys(first, second):
            yield "idempotency keys may be too long with the name of the route"
        case "item":
            yield from _refusing_attributes(first, second)
        case "table" if first.compiled.write.table.key != second.compiled.write.table.key:
            yield "the table has another key"
        case "write":
            write = second.compiled.write
            if write.version or not write.mode.accepts_any_item:
                yield "items are written in another way"
        case "settings" if second.queue.atomic and not first.queue.atomic:
            yield "all writes of a message are now one transaction"
        case "merge" | "names" | "table" | "settings":
            pass
        case _:
            yield f"'{part}' changed"


def _has_longer_keys(first: RouteVersion, second: RouteVersion) -> bool:
    """Return whether idempotency keys may be too long by the name of the route, which is in them."""
    once = second.compiled.write.once
    if once is None or once.key is None or len(second.name) <= len(first.name):
        return False
    return any(of_once_key(second.analyzed, str(second.settings.write.once_key)))


def _refusing_attributes(first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    old, new = first.attributes, second.attributes
    if new is None or old is None:
        yield "the mapping changed as a whole"
        return
    if not second.analyzed.final:
        yield "plugins get other items"
    write = second.compiled.write
    limits = (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES)
    keys = {
        name: _Key(kind, limit)
        for (name, kind), limit in zip(write.table.key, limits, strict=False)
    }
    for name, attribute in new.items():
        decides = name in keys or name == write.version or name in write.add
        if name in old and _refuses_as(old[name], attribute, decides):
            continue
        why = _why_refused(second.analyzed, attribute, keys.get(name))
        if (
            not why
            and name in write.add
            and not _is_of(infer(second.analyzed, attribute).value, _ADDED)
        ):
            why = "may be no number or set, which cannot be added"
        if not why and name == write.version:
            why = "is the version"
        if why:
            yield f"attribute '{name}' {why}"


def _refuses_as(old: spec.Attribute, new: spec.Attribute, decides: bool) -> bool:
    """Return whether two attributes refuse the same messages: they differ in their defaults at most.

    `decides` tells that not every value is accepted, not even as a default: of a key, of a version, and of what is
    added to the stored value.
    """
    defaults = (old.default, new.default)
    if decides:
        return exact(old) == exact(new)
    same = exact(structs.replace(old, default=None)) == exact(structs.replace(new, default=None))
    return same and (defaults[1] is not UNSET or defaults[0] is UNSET)


def _why_refused(route: AnalyzedRoute, attribute: spec.Attribute, key: _Key | None) -> str:
    """Return why an attribute may refuse a message; "" if that is disproved, but for DynamoDB's limits of items.

    `key` is given for an attribute of the key.
    """
    inferred = infer(route, attribute)
    value = inferred.value
    required = isinstance(inferred.source, Computed) and inferred.source.required
    if (
        key or required or "error" in (attribute.missing, attribute.null)
    ) and value.missing is not NO:
        return "may be missing"
    if attribute.transform:
        return "has a transform"
    if not all(is_plain_path(use.text) for use in expressions_of(attribute)):
        return "has an expression that may fail"
    if not _source_is_safe(route, inferred):
        return "may have a value that cannot be joined"
    kinds = None if attribute.type is None else _CONVERTED.get(str(attribute.type), ())
    if (
        kinds is not None
        and not isinstance(inferred.source, Constant)
        and not _is_of(inferred.raw, kinds)
    ):
        return f"may not convert to type {attribute.type}"
    if key is not None and not _is_valid_key(value, key):
        return "may be no valid key"
    return ""


def _is_valid_key(value: Value, key: _Key) -> bool:
    """Return whether it is proved that a value can be a key, if there is one."""
    is_short = key.kind == "N" or fits(value, key.limit)
    return is_short and value.empty is NO and _is_of(value, (KINDS_OF_KEYS[key.kind],))


def _source_is_safe(route: AnalyzedRoute, inferred: InferredAttribute) -> bool:
    match inferred.source:
        case Constant() | Evaluated():
            return True
        case Joined(_, expressions):
            parts = [infer(route, spec.Attribute(from_=text)).value for text in expressions]
            return all(_is_of(part, _SCALARS) for part in parts)
        case Computed(expressions=expressions):
            return not expressions
        case _:
            return False


def _is_of(value: Value, kinds: tuple[str, ...]) -> bool:
    """Return whether it is proved that a value has one of the types, if there is one."""
    return value.can_be([kind for kind in ALL_TYPES if kind not in kinds]) is NO
