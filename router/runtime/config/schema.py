"""The JSON Schema that checks `routes.yaml`, and the texts of the faults that it finds."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import msgspec

from router.codes import declare
from router.model import META_NAMES, Path
from router.runtime.config import spec
from router.runtime.config.environment import Kind, TypedText
from router.runtime.config.findings import (
    ConfigFault,
    any_of,
    closest,
    describe,
    did_you_mean,
    quote,
)
from router.runtime.config_types import META_PATTERN

if TYPE_CHECKING:
    from jsonschema_rs import Validator

Node = dict[str, Any]
"""A schema within the schema."""

_TYPES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
}
WHOLE = "x-whole"
"""The router's own keyword, which finds `2.0`: a whole number in JSON Schema, and not
yet in Python.
"""


@cache
def exact_schema(root: type[spec.Config | spec.Included]) -> Node:
    """Return the schema of a file whose `${NAME}` references have been replaced.

    `make format` writes it.
    """
    file = FilePath(__file__).with_name("exact.json")
    made: Node = msgspec.json.decode(file.read_bytes())[root.__name__]
    return made


@cache
def validator(root: type[spec.Config | spec.Included]) -> "Validator":
    """Return the validator of `exact_schema`."""
    # The start of a compiled config does without the 25 ms that this takes.
    from jsonschema_rs import RegexOptions, validator_for

    return validator_for(
        exact_schema(root),
        pattern_options=RegexOptions(),
        keywords={WHOLE: _Whole},
    )


def node_at(root: Node, data: Any, path: Path) -> Node:
    """Return the node for the value at a path of the data.

    Of alternatives, the one for the type of the value.
    """
    node, value = follow(root, data, path)
    return branch_for(root, node, value)


def follow(root: Node, data: Any, path: Path) -> tuple[Any, Any]:
    """Return the node for the value at a path of the data, and the value.

    The node is None if nothing is known of it.
    """
    node: Any = root
    for step in path:
        inside = branch_for(root, node, data)
        data = data[step]
        if isinstance(step, int):
            known = inside.get("items")
        else:
            known = inside.get("properties", {}).get(step)
        node = known or inside.get("additionalProperties")
        if not isinstance(node, dict):
            return None, data
    return node, data


def branch_for(root: Node, node: Node, value: Any) -> Node:
    """Return the first of a node's alternatives that takes values of this type.

    The node itself if none does.
    """
    for branch in branches(root, node):
        if takes(branch, value):
            return branch
    return node


def branches(root: Node, node: Node) -> list[Node]:
    """Return the alternatives of a node, with references resolved.

    A node without any is its own.
    """
    alternatives = [node] if "properties" in node else node.get("anyOf", [node])
    return [_resolved(root, branch) for branch in alternatives]


def _resolved(root: Node, branch: Node) -> Node:
    if "$ref" not in branch:
        return branch
    node: Node = root["$defs"][branch["$ref"].removeprefix("#/$defs/")]
    return node


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


def without_extensions(data: Any) -> Any:
    """Return the data of a file without keys that begin with `x-`.

    Where the keys of a map are not fixed, such a key is one as others.
    """
    root = exact_schema(spec.Config)
    return _without_extensions(root, root, data)


def _without_extensions(root: Node, node: Node, value: Any) -> Any:
    branch = branch_for(root, node, value)
    if isinstance(value, list):
        element = branch.get("items", {})
        return [_without_extensions(root, element, each) for each in value]
    if not isinstance(value, dict):
        return value
    known = branch.get("properties")
    other = branch.get("additionalProperties")
    inside = other if isinstance(other, dict) else {}
    kept = {}
    for name, each in value.items():
        if known is not None and name.startswith("x-"):
            continue
        child = inside if known is None else known.get(name, {})
        kept[name] = _without_extensions(root, child, each)
    return kept


RT101 = declare(
    "RT101",
    "unknown key",
    "Nothing reads an unknown key, so that the setting has no effect.",
)
RT102 = declare(
    "RT102",
    "missing key",
    "The key is required: it has no default that suits every config.",
)
RT103 = declare(
    "RT103",
    "wrong kind of value",
    "Values are not converted: text is text, and a number is a number.",
)
RT104 = declare("RT104", "not one of the choices", "Only the listed values have a meaning.")
RT105 = declare(
    "RT105",
    "wrong form",
    "The type of the value is right, but its content cannot be used.",
)
RT106 = declare(
    "RT106",
    "not exactly one source",
    "An attribute has one value, and so exactly one source.",
)

_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "a map",
    "array": "a list",
}
_SYNONYMS = {"upsert": "update"}
"""What other databases call a choice, which may resemble another one."""
_KINDS: dict[type, str] = {
    Decimal: "a number",
    float: "a number",
    **{kind: _WORDS[name] for kind, name in _TYPES.items()},
}


def wrong_type(alternatives: list[Node], value: Any, path: Path) -> ConfigFault:
    """Return the fault of a value whose type none of the alternatives takes."""
    wanted = any_of(map(_words_for, alternatives))
    found = "but it has no value" if value is None else f"not {_KINDS[type(value)]}"
    return ConfigFault(
        RT103,
        f"{describe(path)} must be {wanted}, {found}",
        _remedy(set(map(kind_of_branch, alternatives)), value),
    )


def wrong_choice(choices: list[Any], value: Any, path: Path) -> ConfigFault:
    """Return the fault of a value of the right type that is not one of the choices."""
    wanted = any_of(map(quote, choices))
    near = near_choice(value, choices)
    return ConfigFault(
        RT104,
        f"{describe(path)} must be {wanted}, not {quote(value)}",
        f"did you mean {near!r}?" if near else "",
    )


def near_choice(value: Any, choices: list[Any]) -> str | None:
    """Return the choice that a value is a misspelling of or a synonym for.

    None if it is not clear.
    """
    if not isinstance(value, str):
        return None
    synonym = _SYNONYMS.get(value.casefold())
    return synonym if synonym in choices else closest(value, choices)


def wrong_form(keyword: str, node: Node, value: Any, path: Path, key: bool = False) -> ConfigFault:
    """Return the fault of a value that a keyword of its schema does not accept.

    It is of the right type.
    """
    found = "" if key else f", not {quote(value)}"
    near = ""
    match keyword:
        case "pattern":
            wanted = node["patternErrorMessage"] + found
            if node["pattern"] == META_PATTERN:
                near = did_you_mean(value, META_NAMES)
        case "minimum" | "maximum":
            wanted = "must be a whole number "
            wanted += f"from {node['minimum']} to {node['maximum']}{found}"
        case "minProperties" | "maxProperties" if {"minProperties", "maxProperties"} <= node.keys():
            counts = range(node["minProperties"], node["maxProperties"] + 1)
            wanted = f"must have {any_of(map(str, counts))} entries"
        case "minLength" | "minItems" | "minProperties":
            wanted = "must not be empty"
        case "maxLength":
            wanted = f"must have at most {node[keyword]} characters"
        case "maxItems" | "maxProperties":
            wanted = f"must have at most {node[keyword]} entries"
        case _:
            raise LookupError(f"the keyword {keyword!r} of the config's schema has no text")
    return ConfigFault(RT105, f"{describe(path)} {wanted}", near)


def _words_for(node: Node) -> str:
    return any_of(map(quote, node["enum"])) if "enum" in node else _WORDS[node["type"]]


def _remedy(types: set[str], value: Any) -> str:
    """Return what to do about a value of the wrong type, where that is clear."""
    if value is None:
        return "give it one, or remove the key"
    if "string" in types and not isinstance(value, list | dict):
        return "put it in quotes"
    if "array" in types and isinstance(value, str):
        return f"make it a list: [{value}]"
    if isinstance(value, str) and types & {"integer", "boolean"}:
        return "write it without quotes"
    return ""


def find_typed(
    root: type[spec.Config | spec.Included], data: Any, paths: Iterable[Path]
) -> Iterator[TypedText]:
    """Yield the texts at these paths where the config takes no text.

    It takes a number there, or true or false.
    """
    schema = exact_schema(root)
    for path in paths:
        node, _ = follow(schema, data, path)
        kind = kind_at(schema, node)
        if kind:
            yield TypedText(path, kind)


def kind_at(schema: Node, node: Node | None) -> Kind | None:
    """Return what a place takes by its node; None if it takes text, or if nothing is known of it."""
    if node is None:
        return None
    kinds = {kind_of_branch(branch) for branch in branches(schema, node)}
    if "integer" in kinds:
        return None if "string" in kinds else "integer"
    return "boolean" if kinds == {"boolean"} else None


def kind_of_branch(branch: Node) -> str:
    """Return the type of what a node without alternatives takes."""
    if "enum" in branch:
        return "integer" if isinstance(branch["enum"][0], int) else "string"
    return str(branch.get("type", "string"))
