"""Reads schema files: strict JSON, or YAML as the config is read, with exact numbers."""

import json
import pathlib
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from router.codes import declare
from router.config.findings import ConfigFault
from router.errors import ConfigError
from router.model import Place

UNREADABLE_SCHEMA = declare(
    "RT301",
    "schema file cannot be read",
    "Without its schema a route would take every message, or none.",
)
MAX_BYTES = 4 * 1024 * 1024
"""Maximum size of a schema file; the largest in public use have a few hundred KiB."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_FAILURES = (msgspec.DecodeError, UnicodeError, RecursionError, InvalidOperation)


class SchemaError(Exception):
    """Raised for a schema with errors, its `faults`."""

    def __init__(self, *faults: ConfigFault) -> None:
        super().__init__(faults)
        self.faults = faults


def read_schema(file: pathlib.Path, name: str, shown: str) -> Any:
    """Return the content of a schema file, named `name` in sentences and `shown` in places; raises SchemaError."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        advice = "a schema is a file, relative to the config"
        raise SchemaError(ConfigFault(UNREADABLE_SCHEMA, f"cannot read schema '{name}': {reason}", advice)) from None
    if len(raw) > MAX_BYTES:
        sentence = f"schema '{name}' is larger than {MAX_BYTES // 1024 // 1024} MiB"
        raise SchemaError(ConfigFault(UNREADABLE_SCHEMA, sentence, "split it"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        sentence = "the schema is not UTF-8 text"
        raise SchemaError(ConfigFault(UNREADABLE_SCHEMA, sentence, "save it as UTF-8", Place(shown))) from None
    return _parse_yaml(text, shown) if file.suffix in (".yaml", ".yml") else _parse_json(text, shown)


def _parse_json(text: str, shown: str) -> Any:
    try:
        return _DECODER.decode(text)
    except _FAILURES:
        raise SchemaError(_not_json(text, shown)) from None


def _not_json(text: str, shown: str) -> ConfigFault:
    """Return the fault, at the place where the json module stops; msgspec reports no line."""
    place = Place(shown)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        place = Place(shown, error.lineno, error.colno)
        advice = "look at the quotes, commas and brackets here and before"
    except (ValueError, RecursionError):
        advice = "it nests too deeply, or has a number that is too long"
    else:
        advice = "NaN, Infinity, half of a surrogate pair and an exponent without end are no JSON"
    return ConfigFault(UNREADABLE_SCHEMA, "the schema is not JSON", advice, place)


def _parse_yaml(text: str, shown: str) -> Any:
    # Imported here, because most schemas are JSON, and a compiled config holds its schemas.
    from router.config.source import parse_text

    try:
        source = parse_text(text, shown=shown)
    except ConfigError as error:
        first = error.findings[0]
        sentence = "the schema is not a map in YAML"
        raise SchemaError(ConfigFault(UNREADABLE_SCHEMA, sentence, first.suggestion, first.place)) from None
    faults = [ConfigFault(found.code, found.sentence, found.suggestion, found.place) for found in source.findings]
    if faults:
        raise SchemaError(*faults)
    return source.data
