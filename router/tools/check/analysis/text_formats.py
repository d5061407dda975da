"""Decides whether the texts at a path of a message are all accepted by a conversion, and finds one
that is not.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from router.model import TextFormat
from router.prover.inference import Value
from router.prover.predicates import Steps, wherever
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import NO, UNKNOWN, YES, Answer, SchemaProver
from router.prover.text_patterns import NO_MATCH
from router.runtime.conversions import BASE64_TEXT
from router.runtime.program.schemas.documents import list_of
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.values import answer

NUMBER_TEXT = TextFormat(
    "a number",
    "pattern: ^[0-9]{1,38}$",
    r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$",
    exact=True,
    stored=r"^[+-]?([0-9]{1,38}|[0-9]{1,19}\.[0-9]{0,19}|\.[0-9]{1,19})([eE][+-]?[0-9]{1,2})?$",
)
TEXT_FORMATS: dict[str, TextFormat] = {
    "N": NUMBER_TEXT,
    "NS": NUMBER_TEXT,
    "B": BASE64_TEXT,
    "BS": BASE64_TEXT,
}
"""The texts that a `type` accepts, as the value or as an element of a list; others accept all."""
# Texts of many formats, to find one that a schema allows and a conversion refuses.
_SAMPLES = (
    "x",
    "abc",
    "A",
    "",
    "a-1",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "1767323045",
    "1.2.3",
    "00:00:00Z",
    "P1D",
    "a@example.com",
    "example.com",
    "https://example.com/",
    "/a",
    "192.0.2.1",
    "2001:db8::1",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
)
# The drafts in which `contentEncoding` is asserted.
_ENCODING_ASSERTED = (6, 7)


class Refusal(Struct, frozen=True):
    """Whether a conversion refuses a text that the schema allows, and an example of one, if one is
    known.
    """

    possible: Answer
    example: str | None = None

    @property
    def shown(self) -> str:
        """The example, for the end of a sentence."""
        return "" if self.example is None else f", as '{self.example}'"


def refusal_of(
    route: AnalyzedRoute, value: Value, form: TextFormat, convert: Callable[[str], Any]
) -> Refusal:
    """Return whether `convert`, which raises ValueError for texts that it refuses, refuses one that
    a value can be.
    """
    messages = route.mapped
    index = route.index
    steps = value.origin
    textual = value.can_be(["string"])
    if textual is not YES or messages is None or index is None or steps is None:
        return Refusal(NO if textual is NO else UNKNOWN)
    matches = messages.holds_at(steps, {"pattern": form.pattern}) if form.pattern else UNKNOWN
    if matches is YES or _is_asserted(messages, steps, form):
        return Refusal(NO)
    differs, outside = messages.find_text(steps, (), form.pattern or NO_MATCH)
    if differs is NO:
        return Refusal(NO)
    tried = dict.fromkeys((*_texts(index, steps), _SAMPLES[0], outside or _SAMPLES[0], *_SAMPLES))
    refused = [text for text in tried if _refuses(convert, text)]
    if messages.can_be(steps, refused) is NO:
        refused = []
    example = next((text for text in refused if messages.can_be(steps, [text]) is YES), None)
    refutes = example is not None or (form.exact and matches is NO)
    return Refusal(YES if refutes else UNKNOWN, example)


def accepts_text(
    route: AnalyzedRoute, value: Value, form: TextFormat, convert: Callable[[str], Any]
) -> bool:
    """Whether it is proved that a conversion accepts each text of a value, and that DynamoDB can
    store the result.
    """
    if not value.may_be("string"):
        return True
    if refusal_of(route, value, form, convert).possible is not NO:
        return False
    return not form.stored or always_matches(route.mapped, value, form.stored) is YES


def is_never_accepted(route: AnalyzedRoute, value: Value, form: TextFormat) -> bool:
    """Whether it is proved that a conversion refuses each value: all are text, and none matches its
    pattern.
    """
    messages = route.mapped
    steps = value.origin
    if messages is None or steps is None or not form.pattern or value.types.keys() != {"string"}:
        return False
    return messages.find_text(steps, [form.pattern], NO_MATCH)[0] is NO


def refuses_number(route: AnalyzedRoute, value: Value, form: TextFormat) -> Answer:
    """Whether a conversion refuses a number that a value can be."""
    if form.numbers is None or not value.may_be("number"):
        return NO
    accepted = {"anyOf": [{"not": {"type": "number"}}, {"enum": [*form.numbers]}]}
    return answer(route.mapped, value, accepted).opposite()


def always_matches(messages: SchemaProver | None, value: Value, pattern: str) -> Answer:
    """Whether all texts of a value match a pattern."""
    if messages is None or value.origin is None:
        return UNKNOWN
    found = messages.holds_at(value.origin, {"pattern": pattern})
    if found is not UNKNOWN:
        return found
    differs, _ = messages.find_text(value.origin, (), pattern)
    return YES if differs is NO else UNKNOWN


def _is_asserted(messages: SchemaProver, steps: Steps, form: TextFormat) -> bool:
    """Whether keywords of the schema assert that a text has the format."""
    if form.format and messages.holds_at(steps, {"format": form.format}) is YES:
        return True
    # What the keyword means depends on the draft: only the library proves it in that of the schema.
    encoded = wherever(steps, {"contentEncoding": form.encoding})
    return (
        bool(form.encoding)
        and messages.draft in _ENCODING_ASSERTED
        and messages.entails(encoded) is YES
    )


def _texts(index: SchemaIndex, steps: Steps) -> Iterator[str]:
    """Yield the texts that the schema lists for a path."""
    for place in index.at(steps):
        schema = place.content
        listed = [*list_of(schema, "enum"), *list_of(schema, "examples")]
        for text in (*listed, schema.get("const"), schema.get("default")):
            if isinstance(text, str):
                yield text


def _refuses(convert: Callable[[str], Any], text: str) -> bool:
    try:
        convert(text)
    except (ValueError, TypeError):
        return True
    return False
