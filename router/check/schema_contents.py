"""Finds schemas that contradict themselves, and definitions that nothing leads to."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag

from router.check.rule import Found, Subject
from router.model import Code, Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import Document, escape, subschemas

UNUSED_DEFINITION = Code(
    "RT311",
    "a definition that nothing refers to",
    "It checks nothing; perhaps a reference to it was forgotten.",
    "info",
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


def check_satisfiable(subject: Subject) -> Iterator[Found]:
    """Find schemas that contradict themselves."""
    for flow in subject.flows:
        if flow.hopeless:
            sentence = f"no message can pass the schema of route '{flow.name}'"
            advice = "look for parts of it that contradict each other"
            yield Found(IMPOSSIBLE_SCHEMA, sentence, (*flow.path, "schema"), advice)


def check_definitions(subject: Subject) -> Iterator[Found]:
    """Find definitions that nothing leads to from the root; those of a file that others refer to are for them."""
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
        lost: list[Path] = []
        for path in sorted(defined, key=len) if reached is not None else ():
            known = any(path[: len(above)] == above for above in lost)
            if not known and not any(place[: len(path)] == path for place in reached or ()):
                lost.append(path)
                sentence = f"nothing refers to {escape(path)} of {root.name}"
                yield Found(UNUSED_DEFINITION, sentence, validation.path, "refer to it, or remove it")


def _booleans(content: Any, key: str) -> list[str]:
    """The definitions that are just true or false."""
    found = content.get(key) if isinstance(content, dict) else None
    return [name for name, part in found.items() if isinstance(part, bool)] if isinstance(found, dict) else []


def _reached(validation: Validation, places: Mapping[Path, dict[str, Any]]) -> set[Path] | None:
    """The definitions of the root's document that its root leads to, () being itself; None if that cannot be told."""
    root = validation.root
    others = [each for each in validation.documents.values() if each is not root]
    references = [text for each in others for _, part in subschemas(each.content) for text in _references(part)]
    # What other files refer to is reached, and in a document in the document references lead elsewhere.
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
    """The innermost definition that a place is in; () for the root's own."""
    ends = (end for end in range(len(path), 1, -1) if path[end - 2] in _DEFINITIONS)
    return next((path[:end] for end in ends), ())


def _references(part: dict[str, Any]) -> list[str]:
    return [part[key] for key in _REFERENCES if isinstance(part.get(key), str)]


def _leads_back(reference: str, root: Document) -> bool:
    """Whether a reference of another file may be one to the root's: it has its name, or an $id gives it another."""
    own = str(root.content.get("$id", "")) if isinstance(root.content, dict) else ""
    name = urldefrag(reference).url.rpartition("/")[2]
    return bool(name) and name in (root.uri.rpartition("/")[2], own.rpartition("/")[2])


def _is_embedded(path: Path, part: dict[str, Any]) -> bool:
    """Whether a part is a document of its own, in which references lead elsewhere."""
    return bool(path) and any(not str(part.get(key, "#")).startswith("#") for key in ("$id", "id"))


def _anchors(part: dict[str, Any]) -> list[str]:
    return [str(part[key]).removeprefix("#") for key in _NAMES if key in part]
