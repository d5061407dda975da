"""Reports schemas that no message satisfies, and definitions that are not referenced."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.model import Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import SchemaDocument, escape, subschemas

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
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_NAMES = ("$anchor", "$dynamicAnchor", "$recursiveAnchor", "$id", "id")
"""The keywords by which a definition can be referenced other than by its path."""


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
        if root.uri in shared:
            continue
        places = dict(subschemas(root.content))
        places |= {(key, name): {} for key in _DEFINITIONS for name in _booleans(root.content, key)}
        defined = [path for path in places if path[-2:-1] and path[-2] in _DEFINITIONS]
        reached = _reached(validation, places) if defined else None
        unused: list[Path] = []
        for path in sorted(defined, key=len) if reached is not None else ():
            known = any(path[: len(above)] == above for above in unused)
            if not known and not any(place[: len(path)] == path for place in reached or ()):
                unused.append(path)
                sentence = f"no reference leads to {escape(path)} of {root.name}"
                yield Found(UNUSED_DEFINITION, sentence, validation.path, "reference it, or remove it")


def _booleans(content: Any, key: str) -> list[str]:
    """Return the names of the definitions that are true or false."""
    found = content.get(key) if isinstance(content, dict) else None
    return [name for name, part in found.items() if isinstance(part, bool)] if isinstance(found, dict) else []


def _reached(validation: Validation, places: Mapping[Path, dict[str, Any]]) -> set[Path] | None:
    """Return the definitions that the root of a document reaches, () being the root; None if that is unknown."""
    root = validation.root
    others = [each for each in validation.documents.values() if each is not root]
    references = [text for each in others for _, part in subschemas(each.content) for text in _references(part)]
    # Definitions that other files reference are used; in an embedded document references have another base URI.
    if any(_leads_back(text, root) for text in references) or any(map(_is_embedded, places, places.values())):
        return None
    owned: dict[Path, list[str]] = {}
    targets = {escape(path): _owner(path) for path in places}
    for path, part in places.items():
        owned.setdefault(_owner(path), []).extend(_references(part))
        targets |= {f"#{anchor}": _owner(path) for anchor in _anchors(part)}
    reached: set[Path] = set()
    waiting: list[Path] = [()]
    while waiting:
        owner = waiting.pop()
        if owner not in reached:
            reached.add(owner)
            for text in owned.get(owner, ()):
                url, fragment = urldefrag(text)
                if not url or _leads_back(text, root):
                    pointer = unquote(fragment)
                    waiting.append(targets.get(pointer if pointer[:1] in ("", "/") else f"#{pointer}", ()))
    return reached


def _owner(path: Path) -> Path:
    """Return the innermost definition that contains a place; () for the root."""
    ends = (end for end in range(len(path), 1, -1) if path[end - 2] in _DEFINITIONS)
    return next((path[:end] for end in ends), ())


def _references(part: dict[str, Any]) -> list[str]:
    return [part[key] for key in _REFERENCES if isinstance(part.get(key), str)]


def _leads_back(reference: str, root: SchemaDocument) -> bool:
    """Whether a reference in another file may be one to the root's document, by its file name or $id."""
    own = str(root.content.get("$id", "")) if isinstance(root.content, dict) else ""
    name = urldefrag(reference).url.rpartition("/")[2]
    return bool(name) and name in (root.uri.rpartition("/")[2], own.rpartition("/")[2])


def _is_embedded(path: Path, part: dict[str, Any]) -> bool:
    """Whether a part has an $id, so that references in it have another base URI."""
    return bool(path) and any(not str(part.get(key, "#")).startswith("#") for key in ("$id", "id"))


def _anchors(part: dict[str, Any]) -> list[str]:
    return [str(part[key]).removeprefix("#") for key in _NAMES if key in part]
