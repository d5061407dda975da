"""Reports examples in schemas that do not satisfy the schema that contains them."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from router.check.analysis.budget import ProofBudget
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.model import Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import SchemaDocument, escape, subschemas
from router.program.schemas.links import missing_formats
from router.program.schemas.reasons import first_error
from router.program.schemas.references import own_base

if TYPE_CHECKING:
    from jsonschema_rs import Registry, Validator

BAD_EXAMPLE = declare(
    "RT310",
    "an example that does not satisfy its schema",
    "Either the example or the schema is wrong, and a message that is made from the example is rejected.",
    "warning",
)
BAD_PART = declare(
    "RT314",
    "an example of a part of a schema that does not satisfy the part",
    "The example documents something else than the schema checks. Often it is an example of an element, in the schema "
    "of a list.",
    "info",
)
_SHARE = 0.2
"""The part of the budget of a schema that its examples may take."""
_MAX_FINDINGS = 20
"""The most findings about one schema: more are seldom read, and each costs up to 10 ms."""


@rule(BAD_EXAMPLE, BAD_PART)
def check_examples(subject: Subject) -> Iterator[Found]:
    """Report examples of messages, and of parts of messages, that the schema rejects."""
    checked: set[tuple[str, Path]] = set()
    for validation in subject.schemas.validations.values():
        parts: list[tuple[SchemaDocument, Path, list[Any]]] = []
        for document in validation.documents.values():
            for path, schema in subschemas(document.content):
                examples = schema.get("examples")
                if isinstance(examples, list) and examples and (document.uri, path) not in checked:
                    checked.add((document.uri, path))
                    parts.append((document, path, examples))
        if parts:
            budget = subject.budget_of(validation).share(_SHARE)
            yield from islice(_check_parts(validation, parts, budget), _MAX_FINDINGS)


def _check_parts(
    validation: Validation, parts: list[tuple[SchemaDocument, Path, list[Any]]], budget: ProofBudget
) -> Iterator[Found]:
    validator_of = _validators(validation)
    for document, path, examples in parts:
        validator = budget.attempt(partial(validator_of, document, path))
        for index, example in enumerate(examples, 1):
            error = None if validator is None else budget.attempt(partial(first_error, validator, example))
            if error is not None:
                of = f"at {escape(path)} of {document.name}" if path else f"of {document.name}"
                at = escape(list(error.instance_path)) or "the root"
                sentence = f"example {index} {of} fails '{error.kind.name}' at {at}"
                yield Found(
                    BAD_PART if path else BAD_EXAMPLE, sentence, validation.path, "fix the example or the schema"
                )


def _validators(validation: Validation) -> "Callable[[SchemaDocument, Path], Validator]":
    """Return a function from a place in a document to its validator, which parses the documents at most once."""

    @cache
    def registry() -> "Registry":
        from jsonschema_rs import Registry

        return Registry([(uri, document.content) for uri, document in validation.documents.items()])

    def validator_of(document: SchemaDocument, path: Path) -> "Validator":
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


def _reference(document: SchemaDocument, path: Path) -> dict[str, Any]:
    """Return a schema that refers to a place in a document."""
    content: Any = document.content
    # By its `$id`: by the URI of its file, the library would take the references in it as relative to that.
    return {"$schema": content["$schema"], "$ref": f"{own_base(document)}#{quote(escape(path))}"}
