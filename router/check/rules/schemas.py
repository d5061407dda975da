"""Reports schemas that no message satisfies, and definitions that are not referenced."""

from collections.abc import Iterator

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.model import Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import SchemaDocument, escape, subschemas
from router.program.schemas.references import references_of

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


@rule(IMPOSSIBLE_SCHEMA)
def check_satisfiable(subject: Subject) -> Iterator[Found]:
    """Report schemas that contradict themselves."""
    for route in subject.routes:
        if route.messages.impossible_schema:
            sentence = f"no message can satisfy the schema of route '{route.name}'"
            advice = "look for parts of it that contradict each other"
            yield Found(IMPOSSIBLE_SCHEMA, sentence, (*route.path, "schema"), advice)


@rule(UNUSED_DEFINITION)
def check_definitions(subject: Subject) -> Iterator[Found]:
    """Report definitions that the root does not reach, in files that no other file references."""
    schemas = subject.schemas.validations.values()
    shared = {uri for each in schemas for uri in each.documents if uri != each.root.uri}
    for validation in schemas:
        root = validation.root
        reached = None if root.uri in shared else _reached(validation)
        unused: set[Path] = set()
        prefixes = {place[:end] for place in reached or () for end in range(1, len(place) + 1)}
        for path in sorted(_definitions(root), key=len) if reached is not None else ():
            if path not in prefixes and not any(path[:end] in unused for end in range(1, len(path))):
                unused.add(path)
                sentence = f"no reference leads to {escape(path)} of {root.name}"
                yield Found(UNUSED_DEFINITION, sentence, validation.path, "reference it, or remove it")


def _definitions(document: SchemaDocument) -> Iterator[Path]:
    for path, part in subschemas(document.content):
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
    waiting = [(root, path) for path, part in subschemas(validation.root.content) if "$dynamicAnchor" in part]
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
