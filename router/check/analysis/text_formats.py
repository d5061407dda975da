"""Decides whether the texts at a path of a message are all accepted by a conversion, and finds one that is not."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from router.check.analysis.entailment import Answer, Entailment
from router.check.analysis.inference import Value
from router.check.analysis.patterns import find_outside
from router.check.analysis.predicates import Schema, Steps, wherever
from router.check.analysis.routes import AnalyzedRoute
from router.check.analysis.schema_index import SchemaIndex
from router.model import TextFormat

_SAMPLES = (
    *("x", "abc", "A", "", "a-1", "2026-01-02", "2026-01-02T03:04:05Z", "1767323045", "1.2.3", "00:00:00Z", "P1D"),
    *("a@example.com", "example.com", "https://example.com/", "/a", "192.0.2.1", "2001:db8::1"),
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
)
"""Texts of many formats, to find one that a schema allows and a conversion refuses."""
_NO_TEXT: Schema = {"not": {"type": "string"}}
_NOT_EMPTY = r"[\s\S]"
_NOTHING = r"[^\s\S]"
_ENCODING_ASSERTED = (6, 7)
"""The drafts in which `contentEncoding` is asserted."""


_IMPLIED: Mapping[str, str] = {
    **dict.fromkeys(("uri", "iri"), "^[A-Za-z][A-Za-z0-9+.-]*:"),
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]",
    "duration": "^P",
    "email": "@",
    "hostname": "^[A-Za-z0-9]",
    "ipv4": "^[0-9]",
    "ipv6": ":",
    "time": "^[0-9]{2}:",
    "uuid": "^[0-9A-Fa-f-]+$",
}
"""Patterns that all texts of a format match."""


class Refusal(Struct, frozen=True):
    """Whether a conversion refuses a text that the schema allows, and an example of one, if one is known."""

    possible: Answer
    example: str | None = None

    @property
    def shown(self) -> str:
        """The example, for the end of a sentence."""
        return "" if self.example is None else f", as '{self.example}'"


def refusal_of(route: AnalyzedRoute, value: Value, form: TextFormat, convert: Callable[[str], Any]) -> Refusal:
    """Return whether `convert`, which raises ValueError for texts that it refuses, refuses one that a value can be."""
    messages, index, steps = route.mapped, route.index, value.origin
    textual = value.can_be(["string"])
    if textual is not Answer.YES or messages is None or index is None or steps is None:
        return Refusal(Answer.NO if textual is Answer.NO else Answer.UNKNOWN)
    matches = messages.holds_at(steps, {"pattern": form.pattern}) if form.pattern else Answer.UNKNOWN
    if matches is Answer.YES or _is_asserted(messages, steps, form):
        return Refusal(Answer.NO)
    differs, outside = _outside(messages, index, steps, form.pattern or _NOTHING)
    if differs is Answer.NO:
        return Refusal(Answer.NO)
    refused = [text for text in dict.fromkeys((*_texts(index, steps), *outside, *_SAMPLES)) if _refuses(convert, text)]
    if messages.can_be(steps, refused) is Answer.NO:
        refused = []
    example = next((text for text in refused if messages.can_be(steps, [text]) is Answer.YES), None)
    refutes = example is not None or (form.exact and matches is Answer.NO)
    return Refusal(Answer.YES if refutes else Answer.UNKNOWN, example)


def refuses_number(route: AnalyzedRoute, value: Value, form: TextFormat) -> Answer:
    """Whether a conversion refuses a number that a value can be."""
    if form.numbers is None or value.can_be(["number"]) is Answer.NO:
        return Answer.NO
    if route.mapped is None or value.origin is None:
        return Answer.UNKNOWN
    accepted: Schema = {"anyOf": [{"not": {"type": "number"}}, {"enum": [*form.numbers]}]}
    return route.mapped.holds_at(value.origin, accepted).opposite()


def always_matches(messages: Entailment, index: SchemaIndex, steps: Steps, pattern: str) -> Answer:
    """Whether all texts at a path match a pattern."""
    answer = messages.holds_at(steps, {"pattern": pattern})
    if answer is Answer.UNKNOWN and _outside(messages, index, steps, pattern)[0] is Answer.NO:
        return Answer.YES
    return answer


def _outside(messages: Entailment, index: SchemaIndex, steps: Steps, accepted: str) -> tuple[Answer, list[str]]:
    """Return whether the patterns of a schema allow a text that another pattern does not, and that text."""
    patterns = _patterns(messages, index, steps)
    found = index.budget.attempt(lambda: [find_outside(patterns, accepted)]) if patterns else None
    if found is None:
        return Answer.UNKNOWN, []
    texts = [text for text in found if text is not None]
    return Answer.YES if texts else Answer.NO, texts


def _is_asserted(messages: Entailment, steps: Steps, form: TextFormat) -> bool:
    """Whether keywords of the schema assert that a text has the format."""
    if form.format and messages.holds_at(steps, {"format": form.format}) is Answer.YES:
        return True
    # What the keyword means depends on the draft: only the library proves it in that of the schema.
    encoded = wherever(steps, {"contentEncoding": form.encoding})
    return bool(form.encoding) and messages.draft in _ENCODING_ASSERTED and messages.entails(encoded) is Answer.YES


def _patterns(messages: Entailment, index: SchemaIndex, steps: Steps) -> list[str]:
    """Return patterns of the schema, and of its formats, that all texts at a path match."""
    found = [place.content.get("pattern") for place in index.at(steps)]
    texts = [each for each in dict.fromkeys(found) if isinstance(each, str)]
    proved = [text for text in texts if messages.holds_at(steps, {"pattern": text}) is Answer.YES]
    formats = dict.fromkeys(place.content.get("format") for place in index.at(steps))
    known = [each for each in formats if isinstance(each, str) and each in _IMPLIED]
    proved += [_IMPLIED[each] for each in known if messages.holds_at(steps, {"format": each}) is Answer.YES]
    if proved and messages.holds_at(steps, {"anyOf": [_NO_TEXT, {"minLength": 1}]}) is Answer.YES:
        proved.append(_NOT_EMPTY)
    return proved


def _texts(index: SchemaIndex, steps: Steps) -> Iterator[str]:
    """Yield the texts that the schema lists for a path."""
    for place in index.at(steps):
        for key in ("enum", "examples"):
            values = place.content.get(key)
            yield from (each for each in (values if isinstance(values, list) else ()) if isinstance(each, str))
        yield from (place.content[key] for key in ("const", "default") if isinstance(place.content.get(key), str))


def _refuses(convert: Callable[[str], Any], text: str) -> bool:
    try:
        convert(text)
    except (ValueError, TypeError):
        return True
    return False
