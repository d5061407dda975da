"""The JSON Schemas of `routes.yaml` that the package has, made from the specification of the config."""

from collections.abc import Callable
from typing import Any

import msgspec

from router.runtime.config import spec
from router.runtime.config.schema import WHOLE, Node
from router.runtime.config_types import published_name
from router.runtime.sources import SOURCES

_REFERENCE = r"\$\{"
_KEPT = frozenset({"examples", "default", "propertyNames"})
_PROSE = ("description", "examples")
_OWN = ("enum", "type", "minimum", "maximum")
"""The keywords of a choice, or of a whole number, or of true or false."""


def make_published_schemas() -> dict[str, Node]:
    """Return the schemas of `published.json` by the names of their structs.

    They accept what `router check` finds no fault of shape in. Text that contains `${` is accepted where text of a
    certain form, or one of a few, is required.
    """
    made = {}
    for root in (spec.Config, spec.Included):
        plain = rewrite(_plain_schema(root), _accept_references)
        made[root.__name__] = rewrite(rewrite(plain, _accept_empty_keys), _accept_extensions)
    return made


def make_exact_schemas() -> dict[str, Node]:
    """Return the schemas of `exact.json` by the names of their structs: to make them takes longer than most checks."""
    return {root.__name__: rewrite(_plain_schema(root), _as_read) for root in (spec.Config, spec.Included)}


def _plain_schema(root: type[spec.Config | spec.Included]) -> Node:
    """Return what the specification alone says, with the rules that types cannot express."""
    made = rewrite(rewrite(msgspec.json.schema(root), without_none), _as_published)
    definitions = {published_name(name): node for name, node in made["$defs"].items()}
    definitions["Attribute"]["oneOf"] = [{"required": [source]} for source in SOURCES]
    id_ = f"urn:message-router:{'routes' if root is spec.Config else 'included'}.yaml"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": id_}
    shape = {**definitions.pop(root.__name__), "title": "Message Router", "patternProperties": {"^x-": True}}
    if root is spec.Config:
        shape["anyOf"] = [{"required": ["routes"]}, {"required": ["include"]}]
    return {**head, **shape, "$defs": definitions}


def without_none(node: Node) -> Node:
    """Return a node without the None of a field whose key is not given: no file has a null there."""
    if node.get("default", "") is None:
        del node["default"]
    elif isinstance(node.get("default"), dict):
        node["default"] = {key: value for key, value in node["default"].items() if value is not None}
    branches = [branch for branch in node.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        del node["anyOf"]
        node |= branches[0]
    elif branches:
        node["anyOf"] = branches
    return node


def rewrite(node: Any, change: Callable[[Node], Node]) -> Any:
    """Return a copy in which each node is changed; rules for names of keys, examples and defaults stay."""
    if isinstance(node, list):
        return [rewrite(part, change) for part in node]
    if not isinstance(node, dict):
        return node
    return change({name: part if name in _KEPT else rewrite(part, change) for name, part in node.items()})


def _as_published(node: Node) -> Node:
    """Name a structure as the file does: a route, not its settings."""
    names = {key: published_name(node[key]) for key in ("$ref", "title") if isinstance(node.get(key), str)}
    return {**node, **names}


def _accept_references(node: Node) -> Node:
    """Accept text with `${NAME}` for text of a certain form, for one of a few, a whole number, and true or false."""
    if isinstance(node.get("pattern"), str):
        node["pattern"] += f"|{_REFERENCE}"
    takes_references = "enum" in node or node.get("type") in ("integer", "boolean")
    own = {name: node.pop(name) for name in _OWN if name in node} if takes_references else {}
    if own:
        node["anyOf"] = [own, {"type": "string", "pattern": _REFERENCE}]
    return node


def _accept_empty_keys(node: Node) -> Node:
    """Accept an optional key without a value, which `router check` takes as absent."""
    properties = node.get("properties", {})
    optional = {name: _or_null(properties[name]) for name in properties if name not in node.get("required", ())}
    changed = {name for name, inside in optional.items() if inside != properties[name]}
    properties.update(optional)
    for branch in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        if changed.intersection(branch.get("required", ())):
            branch["properties"] = {name: {"not": {"type": "null"}} for name in branch["required"]}
    return node


def _accept_extensions(node: Node) -> Node:
    """Accept keys that begin with `x-` in a map with fixed keys."""
    return {**node, "patternProperties": {"^x-": True}} if node.get("additionalProperties") is False else node


def _or_null(node: Node) -> Node:
    if "type" in node:
        return {**node, "type": [node["type"], "null"]}
    if "$ref" in node:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {**rest, "anyOf": [{"$ref": node["$ref"]}, {"type": "null"}]}
    return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]} if "anyOf" in node else node


def _as_read(node: Node) -> Node:
    """Refuse `2.0` for a whole number, and leave out what only people read; a property of such a name is a map."""
    whole = node.get("type") == "integer" or isinstance(node.get("enum", [""])[0], int)
    kept = {key: each for key, each in node.items() if key not in _PROSE or isinstance(each, dict)}
    return {**kept, WHOLE: True} if whole else kept
