"""Finds examples in schemas that the schema they stand in does not take, or on which validators disagree."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from router.check.plain_schemas import is_undisputed
from router.check.rule import Found, Subject
from router.check.schemas import without_parts
from router.errors import MissingExtra
from router.model import Code, Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import Document, escape, subschemas
from router.program.schemas.links import missing_formats

if TYPE_CHECKING:
    from jsonschema_rs import Registry, Validator

BAD_EXAMPLE = Code(
    "RT310",
    "an example that its schema does not take",
    "Either the example or the schema is not what was meant; people copy the one and run into the other.",
    "warning",
)
DISPUTED_EXAMPLE = Code(
    "RT312",
    "an example on which validators disagree",
    "What one validator takes and another refuses means different things to those who share the schema.",
    "warning",
)

BAD_PART = Code(
    "RT314",
    "an example of a part that the part does not take",
    "What documents a property says something else than what is checked; often it is an example of an element, where "
    "the property is a list.",
    "info",
)

MOST_PARTS = 200
"""Parts of a schema with examples that are looked at: of a large one, more would keep a check waiting."""
_MOST_DIGITS = 400
"""Of a whole number that jsonschema is given as an integer: its decimals are no integers."""


def check_examples(subject: Subject) -> Iterator[Found]:
    """Find examples, of whole messages and of parts of them, that one validator or both refuse."""
    asked: set[tuple[str, Path]] = set()
    for validation in subject.schemas.validations.values():
        parts: list[tuple[Document, Path, list[Any]]] = []
        for document in validation.documents.values():
            for path, schema in subschemas(document.content):
                examples = schema.get("examples")
                if isinstance(examples, list) and examples and (document.uri, path) not in asked:
                    asked.add((document.uri, path))
                    parts.append((document, path, examples))
        validator_of = _validators(validation)
        for document, path, examples in parts[:MOST_PARTS]:
            yield from _check_examples(validation, validator_of(document, path), document, path, examples)


def _check_examples(
    validation: Validation, validator: "Validator", document: Document, path: Path, examples: list[Any]
) -> Iterator[Found]:
    of = f"at {escape(path)} of {document.name}" if path else f"of {document.name}"
    second: _Opinion | None = None
    for index, example in enumerate(examples, 1):
        error = next(validator.iter_errors(example), None)
        if error is not None:
            at = escape(list(error.instance_path)) or "the root"
            sentence = f"example {index} {of} fails '{error.kind.name}' at {at}"
            yield Found(BAD_PART if path else BAD_EXAMPLE, sentence, validation.path, "mend the example or the schema")
            continue
        second = second or _second_validator(validation, document, path)
        if not second(_with_integers(example)):
            sentence = f"another validator does not take example {index} {of}"
            yield Found(DISPUTED_EXAMPLE, sentence, validation.path, "write what they differ on in another way")


def _validators(validation: Validation) -> "Callable[[Document, Path], Validator]":
    """Gives the run-time validator of a place in a document; the documents are read once for all places."""

    @cache
    def registry() -> "Registry":
        from jsonschema_rs import Registry

        return Registry([(uri, document.content) for uri, document in validation.documents.items()])

    def validator_of(document: Document, path: Path) -> "Validator":
        if document is validation.root and not path:
            return validation.validator
        from jsonschema_rs import RegexOptions, validator_for

        return validator_for(
            _reference(document, path),
            registry=registry(),
            formats=missing_formats(min(each.draft for each in validation.documents.values())),
            validate_formats=True,
            pattern_options=RegexOptions(),
        )

    return validator_of


def _reference(document: Document, path: Path) -> dict[str, Any]:
    """A schema that is just the one at a place in a document."""
    content: Any = document.content
    return {"$schema": content["$schema"], "$ref": f"{document.uri}#{quote(escape(path))}"}


_Opinion = Callable[[Any], bool]


def _second_validator(validation: Validation, document: Document, path: Path) -> _Opinion:
    """Whether the Python library jsonschema takes an example; formats aside, of which it knows fewer."""
    documents = validation.documents.values()
    parts = ((without_parts(part), each.draft) for each in documents for _, part in subschemas(each.content))
    if all(is_undisputed(part, draft) for part, draft in parts):
        return lambda example: True  # It takes a tenth of a second to import, and could say nothing else.
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for
        from referencing import Registry
    except ImportError:
        raise MissingExtra("a second opinion on schemas", "cli") from None
    registry: Any = Registry().with_contents((each.uri, _with_integers(each.content)) for each in documents)
    content: Any = _reference(document, path) if path or len(documents) > 1 else _with_integers(document.content)
    validator: Any = validator_for(content, default=Draft202012Validator)(content, registry=registry)

    def takes(example: Any) -> bool:
        try:
            return bool(validator.is_valid(example))
        except Exception:  # a pattern of another dialect, or a reference that it resolves in its own way
            return True

    return takes


def _with_integers(value: Any) -> Any:
    """Whole decimals as integers, which jsonschema takes for no integers otherwise."""
    if isinstance(value, dict):
        return {key: _with_integers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_integers(part) for part in value]
    if isinstance(value, Decimal) and abs(value.adjusted()) < _MOST_DIGITS and value == value.to_integral_value():
        return int(value)
    return value
