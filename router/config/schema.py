"""The JSON Schema of `routes.yaml`, for editors and for `router check`."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from router.config import spec
from router.sources import SOURCES

if TYPE_CHECKING:
    from jsonschema_rs import Validator

Node = dict[str, Any]
"""A schema within the schema."""

_REFERENCE = r"\$\{"
_SUFFIX = "Settings"
"""The end of the names of structures that is not published."""
_KEPT = frozenset({"examples", "default", "propertyNames"})
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
WHOLE = "x-whole"
"""The router's own keyword, which refuses `2.0`: an integer in JSON Schema, and not in YAML."""


def config_schema(config: spec.Config | None = None, included: bool = False) -> Node:
    """Return the JSON Schema (2020-12) of a config, for editors.

    It accepts what `router check` finds no fault of shape in, except that `router check` also accepts a key without a
    value in place of an optional one, and refuses `2.0` as a whole number. Text that contains `${` is accepted where
    text of a certain form, or one of a few, is required. With a config, routes can name the tables of that config
    only. `included` selects the schema of files that a config includes.
    """
    published: Node = _rewrite(_plain_schema(spec.Included if included else spec.Config), _accept_references)
    if config is not None:
        published["$defs"]["Route"]["properties"]["table"]["enum"] = list(config.tables)
    return published


@cache
def exact_schema(root: type[spec.Config | spec.Included]) -> Node:
    """Return the schema of a file whose `${NAME}` references have been replaced."""
    exact: Node = _rewrite(_plain_schema(root), _refuse_fractions)
    return exact


@cache
def validator(root: type[spec.Config | spec.Included]) -> "Validator":
    """Return the validator of `exact_schema`."""
    from jsonschema_rs import RegexOptions, validator_for  # 25 ms that the start of a compiled config does not need

    return validator_for(exact_schema(root), pattern_options=RegexOptions(), keywords={WHOLE: _Whole})


def node_at(root: Node, data: Any, path: tuple[str | int, ...]) -> Node:
    """Return the node for the value at a path of the data; of alternatives, the one for the type of the value."""
    node = root
    for step in path:
        inside = branch_for(root, node, data)
        data = data[step]
        node = inside["items"] if isinstance(step, int) else inside.get("properties", {}).get(step)
        node = node or inside["additionalProperties"]
    return branch_for(root, node, data)


def branch_for(root: Node, node: Node, value: Any) -> Node:
    """Return the first of a node's alternatives that takes values of this type, or the node itself if none does."""
    return next((branch for branch in branches(root, node) if takes(branch, value)), node)


def branches(root: Node, node: Node) -> list[Node]:
    """Return the alternatives of a node, with references resolved; a node without any is its own."""
    alternatives = [node] if "properties" in node else node.get("anyOf", [node])
    return [
        root["$defs"][branch["$ref"].removeprefix("#/$defs/")] if "$ref" in branch else branch
        for branch in alternatives
    ]


def takes(node: Node, value: Any) -> bool:
    """Return whether a node without alternatives takes values of this type."""
    if "enum" in node:
        return type(value) is type(node["enum"][0])
    return "type" not in node or node["type"] == _TYPES.get(type(value))


class _Whole:
    """The keyword `x-whole`."""

    def __init__(self, parent_schema: Node, value: Any, schema_path: list[str | int]) -> None:
        pass

    def validate(self, instance: Any) -> None:
        if not isinstance(instance, int):
            raise ValueError("not a whole number")


def _plain_schema(root: type[spec.Config | spec.Included]) -> Node:
    """Return what the specification alone says, with the rules that types cannot express."""
    made = _rewrite(msgspec.json.schema(root), _published_names)
    definitions = {name.removesuffix(_SUFFIX): node for name, node in made["$defs"].items()}
    definitions["Attribute"]["oneOf"] = [{"required": [source]} for source in SOURCES]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:message-router:{'routes' if root is spec.Config else 'included'}.yaml",
    }
    shape = {**definitions.pop(root.__name__), "title": "Message Router", "patternProperties": {"^x-": True}}
    if root is spec.Config:
        shape["anyOf"] = [{"required": ["routes"]}, {"required": ["include"]}]
    return {**head, **shape, "$defs": definitions}


def _rewrite(node: Any, change: Callable[[Node], Node]) -> Any:
    """Return a copy in which each node is changed; rules for names of keys, examples and defaults stay."""
    if isinstance(node, list):
        return [_rewrite(part, change) for part in node]
    if not isinstance(node, dict):
        return node
    return change({name: part if name in _KEPT else _rewrite(part, change) for name, part in node.items()})


def _published_names(node: Node) -> Node:
    """Names a structure as the file does: a route, not its settings."""
    names = {key: node[key].removesuffix(_SUFFIX) for key in ("$ref", "title") if isinstance(node.get(key), str)}
    return {**node, **names}


def _accept_references(node: Node) -> Node:
    """Accept text with `${NAME}` for text of a certain form, and for one of a few."""
    if isinstance(node.get("pattern"), str):
        node["pattern"] += f"|{_REFERENCE}"
    if all(isinstance(choice, str) for choice in node.get("enum", [0])):
        node["anyOf"] = [{"enum": node.pop("enum")}, {"type": "string", "pattern": _REFERENCE}]
    return node


def _refuse_fractions(node: Node) -> Node:
    whole = node.get("type") == "integer" or isinstance(node.get("enum", [""])[0], int)
    return {**node, WHOLE: True} if whole else node
