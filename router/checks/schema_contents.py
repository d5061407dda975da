"""Finds examples that their own schema does not take, and definitions that nothing refers to."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag

from router.checks.rule import Found, Subject
from router.compile.schema_documents import escape
from router.compile.schemas import Validation
from router.errors import MissingExtra
from router.model import Code

BAD_EXAMPLE = Code(
    "RT310",
    "an example that its schema does not take",
    "Either the example or the schema is not what was meant; people copy the one and run into the other.",
    "warning",
)
UNUSED_DEFINITION = Code(
    "RT311",
    "a definition that nothing refers to",
    "It checks nothing; perhaps a reference to it was forgotten.",
    "info",
)
DISPUTED_EXAMPLE = Code(
    "RT312",
    "an example on which validators disagree",
    "What one validator takes and another refuses means different things to those who share the schema.",
    "warning",
)
IMPOSSIBLE_SCHEMA = Code(
    "RT313",
    "a schema that takes no message",
    "Its parts contradict each other, so that every message is rejected. Often `additionalProperties: false` stands "
    "beside `allOf`: it refuses what the other parts require, and `unevaluatedProperties: false` does not.",
)

_DEFINITIONS = ("$defs", "definitions")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_NAMES = ("$anchor", "$dynamicAnchor", "$recursiveAnchor", "$id", "id")
"""By these a definition can be referred to as well."""


def check_examples(subject: Subject) -> Iterator[Found]:
    """Find examples of whole messages that one validator or both refuse."""
    for validation in subject.schemas.validations.values():
        content = validation.root.content
        examples = content.get("examples", []) if isinstance(content, dict) else []
        for index, example in enumerate(examples if isinstance(examples, list) else []):
            of = f"example {index + 1} of {validation.root.name}"
            error = next(validation.validator.iter_errors(example), None)
            if error is not None:
                at = escape(list(error.instance_path)) or "the root"
                sentence = f"{of} fails '{error.kind.name}' at {at}"
                yield Found(BAD_EXAMPLE, sentence, validation.path, "mend the example or the schema")
            elif _is_refused(validation, example):
                sentence = f"another validator does not take {of}"
                yield Found(DISPUTED_EXAMPLE, sentence, validation.path, "write what they differ on in another way")


def _is_refused(validation: Validation, example: Any) -> bool:
    """Whether the Python library jsonschema refuses an example; formats aside, of which it knows fewer."""
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for
        from referencing import Registry
    except ImportError:
        raise MissingExtra("a second opinion on schemas", "cli") from None
    content: Any = validation.root.content
    registry: Any = Registry().with_contents((uri, each.content) for uri, each in validation.documents.items())
    validator: Any = validator_for(content, default=Draft202012Validator)
    if len(validation.documents) > 1:
        content = {"$schema": content["$schema"], "$ref": validation.root.uri}
    try:
        return not validator(content, registry=registry).is_valid(example)
    except Exception:  # a pattern of another dialect, or a reference that it resolves in its own way
        return False


def check_satisfiable(subject: Subject) -> Iterator[Found]:
    """Find schemas that contradict themselves."""
    for flow in subject.flows:
        if flow.hopeless:
            sentence = f"no message can pass the schema of route '{flow.name}'"
            advice = "look for parts of it that contradict each other"
            yield Found(IMPOSSIBLE_SCHEMA, sentence, (*flow.path, "schema"), advice)


def check_definitions(subject: Subject) -> Iterator[Found]:
    """Find definitions of schemas that nothing refers to; those of a file that others refer to are for them."""
    schemas = subject.schemas.validations.values()
    shared = {uri for each in schemas for uri in each.documents if uri != each.root.uri}
    for validation in schemas:
        content = validation.root.content
        if not isinstance(content, dict) or validation.root.uri in shared:
            continue
        defined = [(key, name) for key in _DEFINITIONS for name in content.get(key, {})]
        used = _fragments(content) if defined else set()
        for key, name in defined:
            pointer = escape([key, name])
            referred = any(each == pointer or each.startswith(f"{pointer}/") for each in used)
            if not referred and not any(word in _words(content[key][name]) for word in _NAMES):
                sentence = f"nothing refers to {pointer} of {validation.root.name}"
                yield Found(UNUSED_DEFINITION, sentence, validation.path, "refer to it, or remove it")


def _fragments(content: Any) -> set[str]:
    """Where the references of a document lead, as pointers."""
    found = set()
    stack = [content]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            found |= {unquote(urldefrag(node[key]).fragment) for key in _REFERENCES if isinstance(node.get(key), str)}
        stack += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return found


def _words(schema: Any) -> Any:
    return schema if isinstance(schema, dict) else ()
