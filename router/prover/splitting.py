"""Splits a schema by the properties of its messages.

Routes share what is proved of equal parts. Whether a message is valid is decided for
each property alone, if the schema says no more of messages than the schemas of their
properties, and which there must be. All that can be at a property in a message of such
a part can be there in a message of the whole, if there is one. The name of the property
does not matter for that, so that it is the same in all parts.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct, field, structs

from router.prover.predicates import DECODER, ENCODER, Schema, all_of
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import SchemaDocument
from router.runtime.program.schemas.links import PREFIX, make_validator

# The keywords of schemas that can be split. The last seven say nothing.
_SPLITTABLE = frozenset(
    (
        "type",
        "required",
        "properties",
        "additionalProperties",
        "$schema",
        "$id",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
    )
)
_REFERENCES = (b'"$ref"', b'"$dynamicRef"', b'"$recursiveRef"')
# Keywords by which a value must be large. A `minLength` of two digits takes more than
# ten bytes itself.
_DEMANDING = re.compile(rb'"(?:minItems|minProperties|pattern|minLength":[0-9]{3})')
_MOST_SMALL = 2048
PROPERTY = "property"
"""The name of the property in a part."""


class PropertySchema(Struct, frozen=True):
    """The part of a schema about one property, PROPERTY, as JSON, and the predicates about it."""

    draft: int
    schema: bytes
    predicate: bytes

    def compile(self) -> Validation:
        """Return the validation of messages that have only this property."""
        uri = f"{PREFIX}/part"
        content = DECODER.decode(self.schema)
        document = SchemaDocument(
            "a part of a schema",
            uri,
            FilePath(),
            content,
            self.draft,
        )
        nothing: dict[str, Any] = {}
        validator = make_validator(content, uri, nothing.__getitem__, self.draft)
        return Validation(validator, {uri: document})


class SplitSchema(Struct, frozen=True):
    """A schema of objects that can be split, and predicates about one property each.

    `text` is its JSON. `find` returns what follows from a part; None if nothing does.
    That is kept for all schemas. `known` are the parts that were taken out.
    """

    content: Mapping[str, Any]
    text: bytes
    draft: int
    find: Callable[[PropertySchema], Any]
    predicates: tuple[tuple[str, Schema], ...] = ()
    known: dict[str, PropertySchema | None] = field(default_factory=dict)

    @property
    def demands_little(self) -> bool:
        """Whether no property must be large for what the schema says of it.

        It must have no more than a few bytes for each byte of the schema.
        """
        return len(self.text) <= _MOST_SMALL and not _DEMANDING.search(self.text)

    def narrow(self, predicate: Schema) -> "SplitSchema | None":
        """Add a predicate; None if it is about several properties at once."""
        found = _by_name(predicate)
        if found is None:
            return None
        predicates = (*self.predicates, *found)
        return structs.replace(self, predicates=predicates, known={})

    def part(self, name: str) -> PropertySchema | None:
        """Return the part about a property; None if it cannot be taken out."""
        if name not in self.known:
            self.known[name] = self._part(name)
        return self.known[name]

    def _part(self, name: str) -> PropertySchema | None:
        content = self.content
        kept = {"$schema": content["$schema"], "type": "object"}
        if name in content.get("required", ()):
            kept["required"] = [PROPERTY]
        if name in content.get("properties", {}):
            kept["properties"] = {PROPERTY: content["properties"][name]}
        elif "additionalProperties" in content:
            kept["additionalProperties"] = content["additionalProperties"]
        text = ENCODER.encode(kept)
        # Few have one: all of these keywords end alike.
        if b'ef"' in text and any(keyword in text for keyword in _REFERENCES):
            return None
        predicates = [_renamed(each) for about, each in self.predicates if about == name]
        return PropertySchema(self.draft, text, ENCODER.encode(all_of(predicates)))


def split_by_property(
    schema: Validation,
    find: Callable[[PropertySchema], Any],
) -> SplitSchema | None:
    """Return a schema that can be split by properties; None if it cannot be."""
    root = schema.root
    content = root.content
    if not isinstance(content, dict) or content.get("type") != "object":
        return None
    if len(schema.documents) > 1 or not content.keys() <= _SPLITTABLE:
        return None
    return SplitSchema(content, root.text, root.draft, find)


def _by_name(predicate: Schema) -> list[tuple[str, Schema]] | None:
    """Return a predicate as several ones, each with the property that it is about.

    All of them hold exactly if it does. None if it cannot be split so.
    """
    if predicate.keys() == {"allOf"}:
        split: list[tuple[str, Schema]] = []
        for each in predicate["allOf"]:
            part = _by_name(each)
            if part is None:
                return None
            split += part
        return split
    names = names_of(predicate)
    if names is None or len(names) != 1:
        return None
    return [(names.pop(), predicate)]


def names_of(predicate: Schema) -> set[str] | None:
    """Return the properties that a predicate is about; None if it is about more."""
    found: set[str] = set()
    for key, value in predicate.items():
        if key in ("required", "properties"):
            found.update(value)
        elif key in ("allOf", "anyOf", "not"):
            for each in [value] if key == "not" else value:
                names = names_of(each)
                if names is None:
                    return None
                found |= names
        elif key != "type" or value != "object":
            return None
    return found


def _renamed(predicate: Schema) -> Schema:
    """Return a predicate about one property as one about PROPERTY."""
    renamed: Schema = {}
    for key, value in predicate.items():
        if key == "required":
            renamed[key] = [PROPERTY] * len(value)
        elif key == "properties":
            renamed[key] = dict(zip([PROPERTY], value.values(), strict=True))
        elif key == "not":
            renamed[key] = _renamed(value)
        elif key == "type":
            renamed[key] = value
        else:
            renamed[key] = list(map(_renamed, value))
    return renamed
