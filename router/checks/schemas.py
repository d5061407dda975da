"""A second opinion on schemas, from a validator that shares no code with the one that runs."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from router.checks.rule import Found, Subject
from router.compile.schema_documents import pointer
from router.errors import MissingExtra
from router.model import Code

SECOND_OPINION = Code(
    "RT307",
    "validators disagree about a schema",
    "A schema that one validator takes and another refuses means different things to those who share it.",
    "warning",
)


def check_second_opinions(subject: Subject) -> Iterator[Found]:
    """Whether the other validator takes each schema too."""
    for name, document in subject.schemas.documents.items():
        objection = second_opinion(document)
        if objection:
            yield Found(SECOND_OPINION, f"schema '{name}': {objection}", subject.schemas.uses[name])


def second_opinion(schema_document: Any) -> str | None:
    """What the Python library jsonschema has against a schema document, in words; None if nothing.

    Raises MissingExtra if it is not installed. Patterns are not compared: the dialects differ, and ours is known.
    """
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for
    except ImportError:
        raise MissingExtra("a second opinion on schemas", "cli") from None
    document = _with_floats(schema_document)
    validator = validator_for(document, default=Draft202012Validator)
    error = next(validator(validator.META_SCHEMA).iter_errors(document), None)
    if error is None:
        return None
    return f"another validator refuses it: {pointer(list(error.absolute_path))} fails '{error.validator}'"


def _with_floats(value: Any) -> Any:
    """The document with floats for decimals, which jsonschema takes for no numbers."""
    if isinstance(value, dict):
        return {key: _with_floats(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_floats(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value
