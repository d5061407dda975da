"""Reports schemas that no message satisfies, definitions that are not referenced, examples that
are not valid, and properties whose name no attribute can have.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from router.codes import declare
from router.model import Path
from router.prover.budget import ProofBudget
from router.prover.predicates import ASSERTIONS, Steps, text_of
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import YES
from router.runtime.config.findings import did_you_mean
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import (
    ASSERTED_SINCE,
    SchemaDocument,
    escape,
    map_of,
    pointer,
)
from router.runtime.program.schemas.links import missing_formats
from router.runtime.program.schemas.reasons import first_error
from router.runtime.program.schemas.references import KEYWORDS, own_base, references_of
from router.tools.check.analysis.failures import inferred_map, map_steps
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.rule import Found, Subject, rule
from router.tools.check.typos import typo_of

if TYPE_CHECKING:
    from jsonschema_rs import Registry, Validator


UNKNOWN_FORMAT = declare(
    "RT305",
    "unknown format",
    "An unknown format validates nothing, so that invalid values are accepted.",
    "warning",
)
MISSPELT_KEYWORD = declare(
    "RT317",
    "a keyword of a schema that looks like a typo",
    "JSON Schema ignores a keyword that it does not know, so that what it was to forbid is accepted.",
    "warning",
)
UNUSED_DEFINITION = declare(
    "RT311",
    "a definition that is not referenced",
    "It has no effect; perhaps a reference to it was forgotten.",
    "info",
)
IMPOSSIBLE_SCHEMA = declare(
    "RT313",
    "a schema that no message satisfies",
    "Its parts contradict each other, so that every message is rejected. A common cause is `additionalProperties: "
    "false` beside `allOf`: it forbids what the other parts require, which `unevaluatedProperties: false` does not.",
)

_DEFINITIONS = ("$defs", "definitions")
# The keywords of all drafts that decide about a value, but `if` and `not`, which are like many
# words.
_KEYWORDS = (ASSERTIONS - {"not"}).union(
    KEYWORDS,
    (
        "allOf",
        "anyOf",
        "dependentSchemas",
        "else",
        "items",
        "oneOf",
        "patternProperties",
        "prefixItems",
        "properties",
        "then",
    ),
)
# Annotations, and keywords of OpenAPI and ajv, some of which are like a keyword.
_OTHER_WORDS = frozenset(
    (
        "$comment",
        "$defs",
        "$id",
        "definitions",
        "deprecated",
        "description",
        "example",
        "examples",
        "formatExclusiveMaximum",
        "formatExclusiveMinimum",
        "formatMaximum",
        "formatMinimum",
        "patternRequired",
        "title",
        "when",
    )
)
_KNOWN = _KEYWORDS | _OTHER_WORDS


@rule(IMPOSSIBLE_SCHEMA)
def check_satisfiable(subject: Subject) -> Iterator[Found]:
    """Report schemas that contradict themselves."""
    for route in subject.routes:
        if route.messages.impossible_schema:
            yield Found(
                IMPOSSIBLE_SCHEMA,
                f"no message can satisfy the schema of route '{route.name}'",
                (*route.path, "schema"),
                "look for parts of it that contradict each other",
            )


@rule(UNKNOWN_FORMAT)
def check_formats(subject: Subject) -> Iterator[Found]:
    """Report formats that no draft defines."""
    for document, path in _documents(subject):
        # Most schemas name no format.
        if b'"format"' in document.text:
            yield from _unknown_formats(document, path)


def _documents(subject: Subject) -> Iterator[tuple[SchemaDocument, Path]]:
    """Yield each document once, with the path in the config of the first schema that has it."""
    seen: set[str] = set()
    for validation in subject.schemas.validations.values():
        for document in validation.documents.values():
            if document.uri not in seen:
                seen.add(document.uri)
                yield document, validation.path


def _unknown_formats(document: SchemaDocument, path: Path) -> Iterator[Found]:
    for place, schema in document.parts:
        named = schema.get("format")
        if isinstance(named, str) and named not in ASSERTED_SINCE:
            where = pointer((*place, "format"))
            yield Found(
                UNKNOWN_FORMAT,
                f"{document.name} has an unknown format '{named}' at {where}: nothing is checked",
                path,
                did_you_mean(named, ASSERTED_SINCE),
            )


@rule(MISSPELT_KEYWORD)
def check_keywords(subject: Subject) -> Iterator[Found]:
    """Report names that are like a keyword and stand where one would."""
    for document, path in _documents(subject):
        yield from islice(_misspelt(document, path), _MAX_FINDINGS)


def _misspelt(document: SchemaDocument, path: Path) -> Iterator[Found]:
    for place, schema in document.parts:
        for name in sorted(schema.keys() - _KNOWN):
            keyword = _keyword_like(name)
            if keyword:
                yield Found(
                    MISSPELT_KEYWORD,
                    f"'{name}' at {pointer(place)} of {document.name} is not a keyword",
                    path,
                    f"did you mean '{keyword}'?",
                )


@cache
def _keyword_like(name: str) -> str:
    # All other words are the user's own: `x-order` and what other programs read.
    return "" if name.startswith("x-") else typo_of(name, sorted(_KEYWORDS))


@rule(UNUSED_DEFINITION)
def check_definitions(subject: Subject) -> Iterator[Found]:
    """Report definitions that the root does not reach, in files that no other file references."""
    schemas = subject.schemas.validations.values()
    shared = {uri for each in schemas for uri in each.documents if uri != each.root.uri}
    for validation in schemas:
        root = validation.root
        definitions = [] if root.uri in shared else sorted(_definitions(root), key=len)
        if not definitions:  # as in most
            continue
        unused: set[Path] = set()
        prefixes = {
            place[:end] for place in _reached(validation) for end in range(1, len(place) + 1)
        }
        for path in definitions:
            if path not in prefixes and not any(
                path[:end] in unused for end in range(1, len(path))
            ):
                unused.add(path)
                yield Found(
                    UNUSED_DEFINITION,
                    f"no reference leads to {escape(path)} of {root.name}",
                    validation.path,
                    "reference it, or remove it",
                )


def _definitions(document: SchemaDocument) -> Iterator[Path]:
    for path, part in document.parts:
        for key in _DEFINITIONS:
            if isinstance(part.get(key), dict):
                yield from ((*path, key, name) for name in part[key])


def _reached(validation: Validation) -> set[Path]:
    """Return the definitions of the root document that its root reaches."""
    root = validation.root.uri
    references: dict[tuple[str, Path], list[tuple[str, Path]]] = {}
    for document in validation.documents.values():
        for reference in references_of(document):
            target = validation.locations.find(reference.target)
            if target is not None:
                owner = (document.uri, _owner(reference.path))
                references.setdefault(owner, []).append((target.document.uri, _owner(target.path)))
    # A dynamic anchor can be reached by a $dynamicRef to another one of its name.
    waiting = [(root, path) for path, part in validation.root.parts if "$dynamicAnchor" in part]
    waiting.append((root, ()))
    reached: set[tuple[str, Path]] = set()
    while waiting:
        owner = waiting.pop()
        if owner not in reached:
            reached.add(owner)
            waiting += references.get(owner, ())
    return {path for uri, path in reached if uri == root}


def _owner(path: Path) -> Path:
    """Return the innermost definition that contains a place; () for the root."""
    ends = (end for end in range(len(path), 1, -1) if path[end - 2] in _DEFINITIONS)
    return next((path[:end] for end in ends), ())


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
# The part of the budget of a schema that its examples may take.
_SHARE = 0.2
# The most findings about one schema: more are seldom read, and each costs up to 10 ms.
_MAX_FINDINGS = 20


@rule(BAD_EXAMPLE, BAD_PART)
def check_examples(subject: Subject) -> Iterator[Found]:
    """Report examples of messages, and of parts of messages, that the schema rejects."""
    checked: set[tuple[str, Path]] = set()
    for validation in subject.schemas.validations.values():
        parts: list[tuple[SchemaDocument, Path, list[Any]]] = []
        for document in validation.documents.values():
            for path, schema in document.parts:
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
            if validator is None:
                error = None
            else:
                error = budget.attempt(partial(first_error, validator, example))
            if error is not None:
                of = f"at {escape(path)} of {document.name}" if path else f"of {document.name}"
                at = escape(list(error.instance_path)) or "the root"
                yield Found(
                    BAD_PART if path else BAD_EXAMPLE,
                    f"example {index} {of} fails '{error.kind.name}' at {at}",
                    validation.path,
                    "fix the example or the schema",
                )


def _validators(validation: Validation) -> "Callable[[SchemaDocument, Path], Validator]":
    """Return a function from a place in a document to its validator, which parses the documents at
    most once.
    """

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
    # By its `$id`: by the URI of its file, the library would take the references in it as relative
    # to that.
    return {"$schema": content["$schema"], "$ref": f"{own_base(document)}#{quote(escape(path))}"}


EMPTY_NAME = declare(
    "RT439",
    "a property without a name that would be an attribute",
    "DynamoDB has no attribute with an empty name. Where a whole message is stored, or a map is merged, a message with "
    'the property `""` is rejected. Of a schema that allows it only by allowing any name, nothing is said.',
    "info",
)


@rule(EMPTY_NAME)
def check_names(subject: Subject) -> Iterator[Found]:
    """Report properties with an empty name, where the schema allows them by name or by pattern."""
    for route in subject.routes:
        if route.mapped is None or route.index is None:
            continue
        for steps, path in _whole_maps(route):
            if _allows_by_name(route.index, steps) and route.mapped.absent((*steps, "")) is not YES:
                what = f"'{text_of(steps)}'" if steps else "the message"
                yield Found(
                    EMPTY_NAME,
                    f"{what} may have a property with an empty name, which no attribute has",
                    path,
                    "add 'propertyNames: {minLength: 1}' " + route.index.where(steps),
                    key=True,
                )


def _whole_maps(route: AnalyzedRoute) -> Iterator[tuple[Steps, Path]]:
    """Yield the maps whose names become those of attributes, and where the config says so."""
    merge = route.route.merge
    if merge is not None:
        merged = map_steps(inferred_map(route, merge))
        if merged is not None and not merge.prefix:
            yield merged, (*route.path, "merge")
    elif route.is_whole and not route.deletes and route.input is not None:
        yield route.input, (*route.path, "schema")


def _allows_by_name(index: SchemaIndex, steps: Steps) -> bool:
    patterns = {
        name for place in index.at(steps) for name in map_of(place.content, "patternProperties")
    }
    return "" in index.names(steps) or any(_takes_empty(pattern) for pattern in patterns)


def _takes_empty(pattern: str) -> bool:
    try:
        return re.search(pattern, "") is not None
    except re.error:  # of another dialect
        return False
