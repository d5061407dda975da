"""Makes random schemas of messages, of the kind that people write, with the keywords that proofs find hard."""

from random import Random
from typing import Any

DRAFTS = {
    2020: "https://json-schema.org/draft/2020-12/schema",
    2019: "https://json-schema.org/draft/2019-09/schema",
    7: "http://json-schema.org/draft-07/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    4: "http://json-schema.org/draft-04/schema#",
}
NAMES = (
    "id", "user_id", "type", "name", "amount", "total", "created_at", "updated", "tags", "lines", "customer", "device",
    "address", "data", "object", "count", "active", "notes", "sku", "price", "meta-data", "e-mail", "a b", "version",
)  # fmt: skip
_FORMATS = (
    "date-time", "date", "time", "email", "uuid", "uri", "uri-reference", "iri", "hostname", "ipv4", "ipv6", "duration",
    "json-pointer", "regex", "idn-hostname", "relative-json-pointer",
)  # fmt: skip
_PATTERNS = (
    "^[0-9]+$", "^[0-9]*$", "^ORD-[0-9]+$", "^[a-z]{2,8}$", "^.+$", "^\\S+$", "^(a|b|cc)$", "[A-Z]", "^[^/]+$",
    "^-?[0-9]+$", "^\\d{4}-\\d{2}-\\d{2}$", "^$|^x", "^[A-Za-z0-9+/]*=*$", "^arn:",
)  # fmt: skip
_WORDS = (["a", "b"], ["1", "2"], ["device", "user", "order"], ["", "x"], ["active", None], [1, 2, 3], [1, "1"], [True])


class SchemaMaker:
    """Makes one random schema."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._draft = chance.choices(list(DRAFTS), (6, 1, 3, 1, 2))[0]
        self._definitions: dict[str, Any] = {}
        self._where = "$defs" if self._draft >= 2019 else "definitions"

    def schema(self) -> dict[str, Any]:
        """Return the schema of a message."""
        root = self._object(self._chance.choice((1, 2, 2, 3)))
        if self._likely(0.08):
            root = {"allOf": [root, self._object(1)]}
        if self._likely(0.06):
            root[self._chance.choice(("anyOf", "oneOf"))] = [self._object(1), self._object(0)]
        if self._definitions:
            root[self._where] = self._definitions
        if self._draft != 2020 or self._likely(0.5):
            root = {"$schema": DRAFTS[self._draft], **root}
        return root

    def _likely(self, share: float) -> bool:
        return self._chance.random() < share

    def _any(self, depth: int) -> Any:
        kinds = ("text", "number", "boolean", "list", "object", "words", "anything", "union", "reference", "deep")
        kind = self._chance.choices(kinds, (12, 8, 2, 4, 4, 3, 1, 2, 2, 0.5))[0]
        if depth <= 0 and kind in ("object", "list", "union", "reference", "deep"):
            kind = "text"
        made: Any = getattr(self, f"_{kind}")(depth)
        if isinstance(made, dict) and isinstance(made.get("type"), str) and self._likely(0.1):
            made["type"] = [made["type"], "null"]
        return made

    def _text(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "string"}
        if self._likely(0.35):
            made["minLength"] = self._chance.choice((1, 1, 1, 2, 5, 36, 3000))
        if self._likely(0.2):
            made["maxLength"] = max(made.get("minLength", 0), self._chance.choice((8, 36, 200, 2048, 5000)))
        if self._likely(0.2):
            made["format"] = self._chance.choice(_FORMATS)
        if self._likely(0.2):
            made["pattern"] = self._chance.choice(_PATTERNS)
        return made

    def _number(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {"type": self._chance.choice(("integer", "number"))}
        if self._likely(0.3):
            made["minimum"] = self._chance.choice((0, 1, -5, 1600000000))
        if self._likely(0.3):
            made["maximum"] = made.get("minimum", 0) + self._chance.choice((0, 10, 10**6, 10**13))
        if self._likely(0.08):
            made["multipleOf"] = self._chance.choice((1, 5, 0.01))
        return made

    def _boolean(self, depth: int) -> dict[str, Any]:
        return {"type": "boolean"}

    def _words(self, depth: int) -> dict[str, Any]:
        words = self._chance.choice(_WORDS)
        if self._draft > 4 and self._likely(0.3):
            return {"const": words[0]}
        return {"enum": words}

    def _anything(self, depth: int) -> dict[str, Any]:
        return {}

    def _list(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "array"}
        if self._likely(0.9):
            made["items"] = self._any(depth - 1)
        if self._likely(0.3):
            made["minItems"] = self._chance.choice((1, 1, 2))
        if self._likely(0.2):
            made["maxItems"] = made.get("minItems", 0) + self._chance.choice((0, 1, 5))
        if self._likely(0.15):
            made["uniqueItems"] = True
        return made

    def _object(self, depth: int) -> dict[str, Any]:
        names = self._chance.sample(NAMES, self._chance.choice((1, 2, 3, 4, 6)))
        made: dict[str, Any] = {"type": "object", "properties": {name: self._any(depth) for name in names}}
        required = [name for name in names if self._likely(0.6)]
        if required:
            made["required"] = required
        if self._likely(0.3):
            made["additionalProperties"] = False
        elif self._likely(0.05):
            made["patternProperties"] = {"^x-": self._text(0)}
        if self._likely(0.04) and self._draft >= 2019 and len(names) > 1:
            made["dependentRequired"] = {names[0]: [names[1]]}
        if self._likely(0.05) and self._draft >= 7:
            made["if"] = {"properties": {names[0]: {"type": "string"}}}
            made["then"] = {"required": [names[-1]]}
        return made

    def _deep(self, depth: int) -> dict[str, Any]:
        made = self._any(0)
        for name in self._chance.sample(NAMES[:20], self._chance.choice((4, 5, 6))):
            made = {"type": "object", "properties": {name: made}, "required": [name]}
        return made  # type: ignore[no-any-return]

    def _union(self, depth: int) -> dict[str, Any]:
        return {self._chance.choice(("anyOf", "oneOf")): [self._any(depth - 1), self._any(depth - 1)]}

    def _reference(self, depth: int) -> dict[str, Any]:
        name = self._chance.choice(("node", "part"))
        if name not in self._definitions:
            self._definitions[name] = {}
            made = self._object(depth - 1)
            if self._likely(0.5):  # a recursive one
                made["properties"]["children"] = {"type": "array", "items": {"$ref": f"#/{self._where}/{name}"}}
            self._definitions[name] = made
        return {"$ref": f"#/{self._where}/{name}"}
