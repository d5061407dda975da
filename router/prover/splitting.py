"""Takes a schema apart by the properties of its messages, so that routes share what is proved of equal parts.

Whether a message is valid is decided for each property alone, if the schema says no more of messages than the schemas
of their properties, and which there must be. All that can be at a property in a message of such a part can be there in
a message of the whole, if there is one.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct, field

from router.prover.predicates import DECODER, ENCODER, Schema, all_of
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import SchemaDocument
from router.runtime.program.schemas.links import PREFIX, make_validator

_SAYING_NOTHING = frozenset(("$schema", "$id", "$comment", "title", "description", "default", "examples"))
_APART = frozenset(("type", "required", "properties", "additionalProperties", *_SAYING_NOTHING))
"""The keywords of schemas that can be taken apart."""
_REFERENCES = (b'"$ref"', b'"$dynamicRef"', b'"$recursiveRef"')


_DEMANDING = re.compile(rb'"(?:minItems|minProperties|pattern|minLength":[0-9]{3})')
"""Keywords by which a value must be large; a `minLength` of two digits takes more than ten bytes itself."""
_MOST_SMALL = 2048


class PropertySchema(Struct, frozen=True):
    """The part of a schema about one property of messages, as JSON, and the predicates about it."""

    draft: int
    schema: bytes
    predicate: bytes

    def compile(self) -> Validation:
        """Return the validation of messages that have only this property."""
        content = DECODER.decode(self.schema)
        document = SchemaDocument("a part of a schema", f"{PREFIX}/part", FilePath(), content, self.draft)
        nothing: dict[str, Any] = {}
        validator = make_validator(content, document.uri, nothing.__getitem__, self.draft)
        return Validation(validator, {document.uri: document})


class SplitSchema(Struct, frozen=True):
    """A schema of objects that can be taken apart, and predicates that each are about one property.

    `text` is its JSON. `find` returns what follows from a part, which is kept for all schemas; None if nothing does.
    `known` are the parts that were taken out.
    """

    content: Mapping[str, Any]
    text: bytes
    draft: int
    find: Callable[[PropertySchema], Any]
    predicates: tuple[tuple[str, Schema], ...] = ()
    known: dict[str, PropertySchema | None] = field(default_factory=dict)

    @property
    def demands_little(self) -> bool:
        """Whether no property must have more than a few bytes for each byte that the schema says of it."""
        text = self.text
        return len(text) <= _MOST_SMALL and _DEMANDING.search(text) is None

    def narrow(self, predicate: Schema) -> "SplitSchema | None":
        """Add a predicate; None if it is about several properties at once."""
        found = _by_name(predicate)
        return (
            None
            if found is None
            else SplitSchema(self.content, self.text, self.draft, self.find, (*self.predicates, *found))
        )

    def part(self, name: str) -> PropertySchema | None:
        """Return the part about a property; None if it cannot be taken out."""
        if name not in self.known:
            self.known[name] = self._part(name)
        return self.known[name]

    def _part(self, name: str) -> PropertySchema | None:
        content = self.content
        kept: Schema = {"$schema": content["$schema"], "type": "object"}
        if name in content.get("required", ()):
            kept["required"] = [name]
        if name in content.get("properties", {}):
            kept["properties"] = {name: content["properties"][name]}
        elif "additionalProperties" in content:
            kept["additionalProperties"] = content["additionalProperties"]
        text = ENCODER.encode(kept)
        if any(keyword in text for keyword in _REFERENCES):
            return None
        predicates = [predicate for about, predicate in self.predicates if about == name]
        return PropertySchema(self.draft, text, ENCODER.encode(all_of(predicates)))


def split_by_property(schema: Validation, find: Callable[[PropertySchema], Any]) -> SplitSchema | None:
    """Return a schema that can be taken apart by properties; None if it cannot be."""
    content = schema.root.content
    if len(schema.documents) > 1 or not isinstance(content, dict) or content.get("type") != "object":
        return None
    return SplitSchema(content, schema.root.text, schema.root.draft, find) if content.keys() <= _APART else None


def _by_name(predicate: Schema) -> list[tuple[str, Schema]] | None:
    """Return a predicate as several ones, all of which hold if it does, each with the one property that it is about."""
    if predicate.keys() == {"allOf"}:
        parts = [_by_name(each) for each in predicate["allOf"]]
        return None if None in parts else [each for part in parts if part is not None for each in part]
    names = names_of(predicate)
    return [(min(names), predicate)] if names is not None and len(names) == 1 else None


def names_of(predicate: Schema) -> set[str] | None:
    """Return the properties of messages that a predicate is about; None if it is about more."""
    found: set[str] = set()
    for key, value in predicate.items():
        if key in ("required", "properties"):
            found.update(value)
        elif key in ("allOf", "anyOf", "not"):
            parts = [names_of(each) for each in ([value] if key == "not" else value)]
            if None in parts:
                return None
            found.update(*(part for part in parts if part is not None))
        elif key != "type" or value != "object":
            return None
    return found
