"""The JSON Schema of `routes.yaml`, for editors and for `router check`, and the texts of the faults that it finds."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import msgspec

from router.codes import declare
from router.config import spec
from router.config.environment import Constraint, Kind, TypedText
from router.config.findings import any_of, closest, describe, did_you_mean, quote
from router.config_types import META_PATTERN, published_name, structures
from router.model import META_NAMES, Code, Path
from router.sources import SOURCES

if TYPE_CHECKING:
    from jsonschema_rs import Validator

Node = dict[str, Any]
"""A schema within the schema."""

_REFERENCE = r"\$\{"
_KEPT = frozenset({"examples", "default", "propertyNames"})
_PROSE = ("description", "examples")
_OWN = ("enum", "type", "minimum", "maximum")
"""The keywords of a choice, or of a whole number, or of true or false."""
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
_CONSTRAINTS = ("enum", "pattern", "minLength", "maxLength", "minimum", "maximum")
WHOLE = "x-whole"
"""The router's own keyword, which finds `2.0`: a whole number in JSON Schema, and not yet in Python."""


def config_schema(config: spec.Config | None = None, included: bool = False) -> Node:
    """Return the JSON Schema (2020-12) of a config, for editors.

    It accepts what `router check` finds no fault of shape in. Text that contains `${` is accepted where text of a
    certain form, or one of a few, is required. With a config, routes can name the tables of that config only.
    `included` selects the schema of files that a config includes.
    """
    plain = _rewrite(_plain_schema(spec.Included if included else spec.Config), _accept_references)
    published: Node = _rewrite(_rewrite(plain, _accept_empty_keys), _accept_extensions)
    if config is not None:
        published["$defs"]["Route"]["properties"]["table"]["enum"] = list(config.tables)
    return published


@cache
def exact_schema(root: type[spec.Config | spec.Included]) -> Node:
    """Return the schema of a file whose `${NAME}` references have been replaced; `make docs` writes it."""
    made: dict[str, Node] = msgspec.json.decode(FilePath(__file__).with_name("exact.json").read_bytes())
    return made[root.__name__]


def make_exact_schemas() -> dict[str, Node]:
    """Return the schemas of `exact.json` by the names of their structs: to make them takes longer than most checks."""
    return {root.__name__: _rewrite(_plain_schema(root), _as_read) for root in (spec.Config, spec.Included)}


@cache
def validator(root: type[spec.Config | spec.Included]) -> "Validator":
    """Return the validator of `exact_schema`."""
    from jsonschema_rs import RegexOptions, validator_for  # 25 ms that the start of a compiled config does not need

    return validator_for(exact_schema(root), pattern_options=RegexOptions(), keywords={WHOLE: _Whole})


def node_at(root: Node, data: Any, path: Path) -> Node:
    """Return the node for the value at a path of the data; of alternatives, the one for the type of the value."""
    node, value = _follow(root, data, path)
    return branch_for(root, node, value)


def _follow(root: Node, data: Any, path: Path) -> tuple[Any, Any]:
    """Return the node for the value at a path of the data, None if nothing is known of it, and the value."""
    node: Any = root
    for step in path:
        inside, data = branch_for(root, node, data), data[step]
        known = inside.get("items") if isinstance(step, int) else inside.get("properties", {}).get(step)
        node = known or inside.get("additionalProperties")
        if not isinstance(node, dict):
            return None, data
    return node, data


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
    _evaluate_annotations()
    made = _rewrite(msgspec.json.schema(root), _as_published)
    definitions = {published_name(name): node for name, node in made["$defs"].items()}
    definitions["Attribute"]["oneOf"] = [{"required": [source]} for source in SOURCES]
    id_ = f"urn:message-router:{'routes' if root is spec.Config else 'included'}.yaml"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": id_}
    shape = {**definitions.pop(root.__name__), "title": "Message Router", "patternProperties": {"^x-": True}}
    if root is spec.Config:
        shape["anyOf"] = [{"required": ["routes"]}, {"required": ["include"]}]
    return {**head, **shape, "$defs": definitions}


@cache
def _evaluate_annotations() -> None:
    """Evaluate the types of the fields once: msgspec would do so for each of its uses.

    They are text in the modules of the specification, because the start of a compiled config does without them.
    """
    from inspect import get_annotations

    for structure in structures().values():
        structure.__annotations__ = get_annotations(structure, eval_str=True)


def _rewrite(node: Any, change: Callable[[Node], Node]) -> Any:
    """Return a copy in which each node is changed; rules for names of keys, examples and defaults stay."""
    if isinstance(node, list):
        return [_rewrite(part, change) for part in node]
    if not isinstance(node, dict):
        return node
    return change({name: part if name in _KEPT else _rewrite(part, change) for name, part in node.items()})


def _as_published(node: Node) -> Node:
    """Name a structure as the file does (a route, not its settings), and put a pattern after the type."""
    names = {key: published_name(node[key]) for key in ("$ref", "title") if isinstance(node.get(key), str)}
    last: Node = {key: node[key] for key in ("pattern", "default") if "pattern" in node and key in node}
    return {**{key: each for key, each in node.items() if key not in last}, **names, **last}


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


def without_extensions(data: Any) -> Any:
    """Return the data of a file without keys that begin with `x-` in maps whose keys are fixed."""
    root = exact_schema(spec.Config)
    return _without_extensions(root, root, data)


def _without_extensions(root: Node, node: Node, value: Any) -> Any:
    branch = branch_for(root, node, value)
    if isinstance(value, list):
        return [_without_extensions(root, branch.get("items", {}), each) for each in value]
    if not isinstance(value, dict):
        return value
    known, other = branch.get("properties"), branch.get("additionalProperties")
    if known is not None:
        kept = {name: each for name, each in value.items() if not name.startswith("x-")}
        return {name: _without_extensions(root, known.get(name, {}), each) for name, each in kept.items()}
    inside = other if isinstance(other, dict) else {}
    return {name: _without_extensions(root, inside, each) for name, each in value.items()}


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


RT101 = declare("RT101", "unknown key", "Nothing reads an unknown key, so that the setting has no effect.")
RT102 = declare("RT102", "missing key", "The key is required: it has no default that suits every config.")
RT103 = declare("RT103", "wrong kind of value", "Values are not converted: text is text, and a number is a number.")
RT104 = declare("RT104", "not one of the choices", "Only the listed values have a meaning.")
RT105 = declare("RT105", "wrong form", "The type of the value is right, but its content cannot be used.")
RT106 = declare("RT106", "not exactly one source", "An attribute has one value, and so exactly one source.")

Text = tuple[Code, str, str]
"""A code, a sentence and a suggestion, which may be empty."""

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


def wrong_type(alternatives: list[Node], value: Any, path: Path) -> Text:
    """Return the text for a value whose type none of the alternatives takes."""
    wanted = any_of(map(_words_for, alternatives))
    found = "but it has no value" if value is None else f"not {_KINDS[type(value)]}"
    return RT103, f"{describe(path)} must be {wanted}, {found}", _remedy(set(map(_kind_of, alternatives)), value)


def wrong_choice(choices: list[Any], value: Any, path: Path) -> Text:
    """Return the text for a value of the right type that is not one of the choices."""
    near = near_choice(value, choices)
    advice = f"did you mean {near!r}?" if near else ""
    return RT104, f"{describe(path)} must be {any_of(map(quote, choices))}, not {quote(value)}", advice


def near_choice(value: Any, choices: list[Any]) -> str | None:
    """Return the choice that a value is a misspelling of or a synonym for; None if it is not clear."""
    if not isinstance(value, str):
        return None
    synonym = _SYNONYMS.get(value.casefold())
    return synonym if synonym in choices else closest(value, choices)


def wrong_form(keyword: str, node: Node, value: Any, path: Path, key: bool = False) -> Text:
    """Return the text for a value of the right type that a keyword of its schema does not accept."""
    found = "" if key else f", not {quote(value)}"
    near = ""
    match keyword:
        case "pattern":
            wanted = node["patternErrorMessage"] + found
            near = did_you_mean(value, META_NAMES) if node["pattern"] == META_PATTERN else ""
        case "minimum" | "maximum":
            wanted = f"must be a whole number from {node['minimum']} to {node['maximum']}{found}"
        case "minProperties" | "maxProperties" if "maxProperties" in node:
            counts = range(node["minProperties"], node["maxProperties"] + 1)
            wanted = f"must have {any_of(map(str, counts))} entries"
        case "minLength" | "minItems" | "minProperties":
            wanted = "must not be empty"
        case _:
            raise LookupError(f"the keyword {keyword!r} of the config's schema has no text")
    return RT105, f"{describe(path)} {wanted}", near


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


def find_typed(root: type[spec.Config | spec.Included], data: Any, paths: Iterable[Path]) -> Iterator[TypedText]:
    """Yield the texts at these paths of a file where the config takes a number, or true or false, and no text."""
    schema = exact_schema(root)
    for path in paths:
        kind = _kind(schema, data, path)
        if kind:
            yield TypedText(path, kind)


def find_constraints(root: type[spec.Config | spec.Included], data: Any, paths: Iterable[Path]) -> Iterator[Constraint]:
    """Yield what the config takes at these paths of a file, where that is not any text, or true and false."""
    schema = exact_schema(root)
    for path in paths:
        node, _ = _follow(schema, data, path)
        wanted = _kind(schema, data, path) or "string"
        given = [] if node is None else branches(schema, node)
        choices = [
            {name: branch[name] for name in _CONSTRAINTS if name in branch}
            for branch in given
            if not branch or _kind_of(branch) == wanted
        ]
        if choices and all(choices):
            yield Constraint(path, tuple(choices))


def _kind(schema: Node, data: Any, path: Path) -> Kind | None:
    """Return what a place takes; None if it takes text, or if nothing is known of it."""
    node, _ = _follow(schema, data, path)
    if node is None:
        return None
    kinds = {_kind_of(branch) for branch in branches(schema, node)}
    if "integer" in kinds:
        return None if "string" in kinds else "integer"
    return "boolean" if kinds == {"boolean"} else None


def _kind_of(branch: Node) -> str:
    if "enum" in branch:
        return "integer" if isinstance(branch["enum"][0], int) else "string"
    return str(branch.get("type", "string"))
