"""A second opinion on schemas, from a validator that shares no code with the one that runs."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from router.check.plain_schemas import is_plain
from router.check.rule import Found, Subject
from router.errors import MissingExtra
from router.model import Code, Path
from router.program.schemas.documents import LISTED_PARTS, NAMED_PARTS, ONE_PART, draft_of, pointer, subschemas

SECOND_OPINION = Code(
    "RT307",
    "validators disagree about a schema",
    "A schema that one validator takes and another refuses means different things to those who share it.",
    "warning",
)


def check_second_opinions(subject: Subject) -> Iterator[Found]:
    """Whether the other validator takes each schema too."""
    asked: dict[str, _Objection | None] = {}
    for name, document in subject.schemas.documents.items():
        objection = second_opinion(document, asked)
        if objection:
            yield Found(SECOND_OPINION, f"schema '{name}': {objection}", subject.schemas.uses[name])


_Objection = tuple[Path, str]
"""Where a schema is refused, and the keyword of the draft's own schema that refuses it."""


def second_opinion(schema_document: Any, asked: dict[str, _Objection | None] | None = None) -> str | None:
    """What the Python library jsonschema has against a schema document, in words; None if nothing.

    Raises MissingExtra if it is needed and not installed. Patterns are not compared: the dialects differ, and ours is
    known. The library takes a tenth of a second to import and milliseconds for a larger schema, while most parts of
    schemas are plain, or as in other schemas: each part is asked about by itself, if it is not plain, and once for as
    long as `asked` is kept.
    """
    asked = {} if asked is None else asked
    draft = draft_of(schema_document) or 0
    for path, schema in subschemas(schema_document):
        part = without_parts(schema)
        if is_plain(part, draft):
            continue
        key = f"{draft} {part}"
        if key not in asked:
            asked[key] = _ask(part, schema_document)
        objection = asked[key]
        if objection:
            where, keyword = objection
            return f"another validator refuses it: {pointer((*path, *where))} fails '{keyword}'"
    return None


def _ask(part: dict[str, Any], schema_document: Any) -> _Objection | None:
    try:
        # For start-up time: most schemas do without it.
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for
    except ImportError:
        raise MissingExtra("a second opinion on schemas", "cli") from None
    validator = validator_for(schema_document, default=Draft202012Validator)
    error = next(validator(validator.META_SCHEMA).iter_errors(_with_floats(part)), None)
    return None if error is None else (tuple(error.absolute_path), str(error.validator))


def without_parts(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the schemas in it, which are asked about by themselves."""
    return {key: _without_schemas(key, value) for key, value in schema.items()}


def _without_schemas(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        if key in ONE_PART:
            return {}
        if key == "patternProperties":
            return {name: {} if isinstance(part, dict) else part for name, part in value.items()}
        if key in NAMED_PARTS:
            return {name: part for name, part in value.items() if not isinstance(part, dict)}
    if isinstance(value, list) and key in LISTED_PARTS:
        return [{} if isinstance(part, dict) else part for part in value]
    return value


def _with_floats(value: Any) -> Any:
    """The document with floats for decimals, which jsonschema takes for no numbers."""
    if isinstance(value, dict):
        return {key: _with_floats(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_floats(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value
