"""Reads a schema document, and verifies it by itself: draft, validity, patterns, names."""

import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from functools import cached_property, reduce
from operator import getitem
from typing import Any, Final

import msgspec
from msgspec import Struct

from router.codes import declare
from router.errors import ConfigError, reason_of
from router.model import Path, Place
from router.runtime.config.findings import ConfigFault, did_you_mean
from router.runtime.conversions import JSON_DECODER, JSON_ENCODER, nests_deeper
from router.runtime.filesystem import read_regular

UNREADABLE_SCHEMA = declare(
    "RT301",
    "schema file cannot be read",
    "Without its schema a route would take every message, or none.",
)
MAX_BYTES = 4 * 1024 * 1024
"""Maximum size of a schema file; the largest in public use have a few hundred KiB."""

_FAILURES = (
    msgspec.DecodeError,
    UnicodeError,
    RecursionError,
    InvalidOperation,
)


INVALID_SCHEMA = declare(
    "RT302",
    "not a valid schema",
    "The keywords of a schema that its draft does not allow are ignored, or validate "
    "something else.",
)
UNSUPPORTED_PATTERN = declare(
    "RT304",
    "pattern that the linear-time engine does not take",
    "Messages are untrusted: with a pattern that backtracks, one of them can stop the "
    "router for minutes. Look-around "
    "and back-references need backtracking.",
)
UNKNOWN_DRAFT = declare(
    "RT306",
    "unknown $schema",
    "Each draft of JSON Schema reads some keywords in its own way; without knowing the "
    "draft, nothing is sure.",
)

MAX_DEPTH = 64
"""Maximum levels of a schema document, as of a message.

Jsonschema-rs overflows its stack at thousands.
"""
DRAFTS = {
    "http://json-schema.org/draft-04/schema#": 4,
    "http://json-schema.org/draft-06/schema#": 6,
    "http://json-schema.org/draft-07/schema#": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
}
DEFAULT_DRAFT = "https://json-schema.org/draft/2020-12/schema"
OLD_DRAFT = 4
"""The draft whose `id`, without a dollar sign, names a schema."""
_BY_URI = {uri.rstrip("#"): draft for uri, draft in DRAFTS.items()}

_LIMITS = frozenset(
    (
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
    )
)
"""The keywords whose values are lengths and counts."""
_FRACTION = re.compile(rb'"(?:min|max)(?:Length|Items|Properties|Contains)":[0-9]+[.eE]')

UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
"""Keywords that need what other keywords have evaluated."""
_ONE_PART = frozenset(
    (
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        *UNEVALUATED,
    )
)
"""Keywords whose value may be a schema."""
_LISTED_PARTS = frozenset(("allOf", "anyOf", "items", "oneOf", "prefixItems"))
"""Keywords whose value may be a list of schemas."""
_NAMED_PARTS = frozenset(
    (
        "$defs",
        "definitions",
        "dependencies",
        "dependentSchemas",
        "patternProperties",
        "properties",
    )
)
"""Keywords whose value may be a map of schemas."""
_WITH_PARTS = _ONE_PART | _LISTED_PARTS | _NAMED_PARTS
_FORMATS = {
    4: "date date-time email hostname idn-email ipv4 ipv6 regex time uri",
    6: "json-pointer uri-reference uri-template",
    7: "idn-hostname iri iri-reference relative-json-pointer",
    2019: "duration uuid",
}
ASSERTED_SINCE: Mapping[str, int] = {
    name: draft for draft, names in _FORMATS.items() for name in names.split()
}
"""The formats that are checked, and the first draft in which jsonschema-rs checks them
by default.
"""
_TYPES = "a type is array, boolean, integer, null, number, object or string"


NOWHERE: Final = object()
"""What steps lead to at which there is no value."""


class SchemaError(Exception):
    """Raised for a schema with errors, its `faults`."""

    def __init__(self, *faults: ConfigFault) -> None:
        super().__init__(faults)
        self.faults = faults


def read_schema(file: pathlib.Path, name: str, label: str, unsaved: bytes | None) -> Any:
    """Return the content of a schema file, named `name` in sentences and `label` in
    places; raises SchemaError.

    `unsaved` is its content, if an editor has another one than the disk.
    """
    raw = _read_bytes(file, name) if unsaved is None else unsaved
    if len(raw) > MAX_BYTES:
        raise SchemaError(
            ConfigFault(
                UNREADABLE_SCHEMA,
                f"schema '{name}' is larger than {MAX_BYTES // 1024 // 1024} MiB",
                "split it",
            )
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SchemaError(
            ConfigFault(
                UNREADABLE_SCHEMA,
                "the schema is not UTF-8 text",
                "save it as UTF-8",
                Place(label),
            )
        ) from None
    if file.suffix in (".yaml", ".yml"):
        return _parse_yaml(text, label)
    try:
        return JSON_DECODER.decode(text)
    except _FAILURES:
        raise SchemaError(_not_json(text, label)) from None


def _read_bytes(file: pathlib.Path, name: str) -> bytes:
    try:
        return read_regular(file, MAX_BYTES + 1)
    except OSError as error:
        raise SchemaError(
            ConfigFault(
                UNREADABLE_SCHEMA,
                f"cannot read schema '{name}': {reason_of(error)}",
                "a schema is a file, relative to the config",
            )
        ) from None


def _not_json(text: str, label: str) -> ConfigFault:
    """Return the fault, at the place where the json module stops.

    Msgspec reports no line.
    """
    place = Place(label)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        place = Place(label, error.lineno, error.colno)
        advice = "look at the quotes, commas and brackets here and before"
    except (ValueError, RecursionError):
        advice = "it nests too deeply, or has a number that is too long"
    else:
        advice = "NaN, Infinity, half of a surrogate pair and an exponent without end are no JSON"
    return ConfigFault(UNREADABLE_SCHEMA, "the schema is not JSON", advice, place)


def _parse_yaml(text: str, label: str) -> Any:
    # Imported here, because most schemas are JSON, and a compiled config holds its
    # schemas.
    from router.runtime.config.source import parse_text

    try:
        source = parse_text(text, label=label)
    except ConfigError as error:
        first = error.findings[0]
        raise SchemaError(
            ConfigFault(
                UNREADABLE_SCHEMA,
                "the schema is not a map in YAML",
                first.suggestion,
                first.place,
            )
        ) from None
    faults = [
        ConfigFault(found.code, found.sentence, found.suggestion, found.place)
        for found in source.findings
    ]
    if faults:
        raise SchemaError(*faults)
    return source.data


class SchemaDocument(Struct, frozen=True, dict=True):
    """A schema document: its name in messages, and the base URI and folder of its
    references.
    """

    name: str
    uri: str
    folder: pathlib.Path
    content: dict[str, Any] | bool
    """With its `$schema` written out, so that no other document decides about its
    draft.
    """
    draft: int

    @cached_property
    def text(self) -> bytes:
        """The content as JSON."""
        return JSON_ENCODER.encode(self.content)

    @cached_property
    def parts(self) -> Sequence[tuple[Path, dict[str, Any]]]:
        """Every subschema that is an object, with its path."""
        return tuple(subschemas(self.content))

    @property
    def stands_alone(self) -> bool:
        """Whether it surely has no reference and no name: one with the same content, at
        any URI, means the same.
        """
        return self.draft > OLD_DRAFT and self.text.count(b'"$') <= 1  # that of `$schema`


def map_of(schema: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the map that a keyword has; an empty one for anything else."""
    found = schema.get(key)
    return found if isinstance(found, dict) else {}


def list_of(schema: dict[str, Any], key: str) -> list[Any]:
    """Return the list that a keyword has; an empty one for anything else."""
    found = schema.get(key)
    return found if isinstance(found, list) else []


def pointer(path: Path | list[str | int]) -> str:
    """Return a JSON Pointer (RFC 6901) for messages, in which the root has a name."""
    return escape(path) or "the root"


def escape(path: Path | list[str | int]) -> str:
    """Return a JSON Pointer (RFC 6901)."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path]
    return "/".join(["", *steps])


def steps_of(json_pointer: str) -> list[str]:
    """Return the steps of a JSON Pointer (RFC 6901)."""
    _, *steps = json_pointer.split("/")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def walk_steps(content: Any, steps: Iterable[str | int]) -> Iterator[tuple[Any, str | int, Any]]:
    """Yield what each step leads to, with what it is in and the step itself.

    It ends before a step that leads to nothing. A number that is text is an index in a
    list.
    """
    for given in steps:
        is_index = isinstance(content, list) and str(given).isdecimal()
        step = int(given) if is_index else given
        try:
            below = content[step]
        except (LookupError, TypeError):
            return
        yield content, step, below
        content = below


def value_at(content: Any, steps: Sequence[str | int]) -> Any:
    """Return the value that steps lead to, or NOWHERE."""
    values = [content, *(below for _, _, below in walk_steps(content, steps))]
    return values[-1] if len(values) > len(steps) else NOWHERE


def draft_of(content: Any) -> int | None:
    """Return the draft that a document names in `$schema`.

    2020 if it names none, None if it is unknown.
    """
    named = content.get("$schema") if isinstance(content, dict) else None
    if isinstance(named, str):
        return _BY_URI.get(named.removesuffix("#"))
    return 2020


def verify(content: Any, text: bytes, name: str) -> list[ConfigFault]:
    """Return the faults of one document, except those of its references.

    `text` is its JSON.
    """
    if not isinstance(content, dict | bool):
        return [
            ConfigFault(
                INVALID_SCHEMA,
                f"{name} is not a schema",
                "a schema is an object, or true or false",
            )
        ]
    # Few have so many lists and maps at all.
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH and nests_deeper(content, MAX_DEPTH):
        return [
            ConfigFault(
                INVALID_SCHEMA,
                f"{name} nests deeper than {MAX_DEPTH} levels",
                "use $defs and $ref",
            )
        ]
    if draft_of(content) is None and isinstance(content, dict):
        named = content["$schema"]
        return [
            ConfigFault(
                UNKNOWN_DRAFT,
                f"{name} has an unknown $schema '{named}'",
                did_you_mean(named, DRAFTS, f"leave it out for '{DEFAULT_DRAFT}'"),
            )
        ]
    faults = _check_meta(content, name)
    if b'"pattern' in text:
        for path, part in subschemas(content):
            faults += _check_patterns(path, part, name)
    return faults


def subschemas(content: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every subschema that is an object, with its path.

    Objects in `const` or `default` are data.
    """
    stack: list[tuple[Path, Any]] = [((), content)]
    while stack:
        path, schema = stack.pop()
        if not isinstance(schema, dict):
            continue
        yield path, schema
        # The last first, because a stack reverses them.
        below = reversed(list(parts_of(schema)))
        stack += [((*path, *steps), reduce(getitem, steps, schema)) for steps in below]


def parts_of(schema: dict[str, Any]) -> Iterator[Path]:
    """Yield the paths of the subschemas that are directly in a subschema."""
    # Most have none of the keywords.
    if _WITH_PARTS.isdisjoint(schema):
        return
    for key, value in schema.items():
        if key in _ONE_PART and isinstance(value, dict):
            yield (key,)
        elif key in _LISTED_PARTS and isinstance(value, list):
            yield from ((key, index) for index in range(len(value)))
        elif key in _NAMED_PARTS and isinstance(value, dict):
            yield from ((key, name) for name in value)


def with_whole_limits(content: Any, text: bytes) -> Any:
    """Return a verified document with lengths and counts as int.

    It is a copy, if not all were. `text` is its JSON. JSON Schema takes `3.0` and `3e0`
    for 3. A limit above 10**18, which no message reaches, becomes that.
    """
    if not _FRACTION.search(text):
        return content
    content = deepcopy(content)
    for _, part in subschemas(content):
        for keyword in _LIMITS.intersection(part):
            limit: Any = part[keyword]
            if isinstance(limit, Decimal):
                part[keyword] = int(min(limit, Decimal(10**18)))
    return content


def _check_meta(content: dict[str, Any] | bool, name: str) -> list[ConfigFault]:
    # Up to 50 ms: a config without schemas does not import it.
    import jsonschema_rs

    try:
        jsonschema_rs.meta.validate(content)
    except jsonschema_rs.ValidationError as error:
        if getattr(error.kind, "format", "") == "regex":
            # `_check_part` reports it.
            return []
        return [invalid(error.instance_path, error.kind.name, name)]
    return []


def invalid(path: list[str | int], keyword: str, name: str) -> ConfigFault:
    """Return the fault of a document that fails its meta-schema at `path` by `keyword`."""
    return ConfigFault(
        INVALID_SCHEMA,
        f"{name} is not a valid schema: {pointer(path)} fails '{keyword}' of its meta-schema",
        _TYPES if path and path[-1] == "type" else "",
    )


def _check_patterns(path: Path, schema: dict[str, Any], name: str) -> Iterator[ConfigFault]:
    patterns: dict[Path, Any] = {(*path, "pattern"): schema.get("pattern")}
    for pattern in map_of(schema, "patternProperties"):
        patterns[*path, "patternProperties", pattern] = pattern
    for where, pattern in patterns.items():
        if isinstance(pattern, str) and not _is_linear(pattern):
            yield unsupported(where, name)


def unsupported(path: Path | list[str | int], name: str) -> ConfigFault:
    """Return the fault of a pattern at `path` that the regex engine does not support."""
    return ConfigFault(
        UNSUPPORTED_PATTERN,
        f"{name} has a pattern at {pointer(path)} that the linear-time engine does not take",
        "write it without look-around and back-references; check its brackets",
    )


def _is_linear(pattern: str) -> bool:
    from jsonschema_rs import (
        Draft202012Validator,
        RegexOptions,
        ValidationError,
    )

    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions())
    except ValidationError:
        return False
    return True
