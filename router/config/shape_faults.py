"""The codes and the texts of faults of shape: what a value must be, what it is, and what to do."""

from decimal import Decimal
from typing import Any

from router.codes import declare
from router.config.findings import any_of, closest, describe, quote
from router.config.schema import Node
from router.config_types import META_PATTERN
from router.model import META_NAMES, Code, Path

RT101 = declare("RT101", "unknown key", "Nothing reads an unknown key, so that the setting has no effect.")
RT102 = declare("RT102", "missing key", "The key is required: it has no default that suits every config.")
RT103 = declare("RT103", "wrong kind of value", "Values are not converted: text is text, and a number is a number.")
RT104 = declare("RT104", "not one of the choices", "Only the listed values have a meaning.")
RT105 = declare("RT105", "wrong form", "The type of the value is right, but its content cannot be used.")
RT106 = declare("RT106", "not exactly one source", "An attribute has one value, and so exactly one source.")

Text = tuple[Code, str, str]
"""A code, a sentence and a suggestion, which may be empty."""

_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "a map",
    "array": "a list",
}
_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    Decimal: "a number",
    float: "a number",
    list: "a list",
    dict: "a map",
}


def wrong_type(alternatives: list[Node], value: Any, path: Path) -> Text:
    """Return the text for a value whose type none of the alternatives takes."""
    wanted = any_of(map(_words_for, alternatives))
    found = "but it has no value" if value is None else f"not {_KINDS[type(value)]}"
    types = {
        "integer" if isinstance(node.get("enum", [""])[0], int) else node.get("type", "string") for node in alternatives
    }
    return RT103, f"{describe(path)} must be {wanted}, {found}", _remedy(types, value)


def wrong_choice(choices: list[Any], value: Any, path: Path) -> Text:
    """Return the text for a value of the right type that is not one of the choices."""
    near = closest_choice(choices, value)
    return RT104, f"{describe(path)} must be {any_of(map(quote, choices))}, not {quote(value)}", did_you_mean(near)


def closest_choice(choices: list[Any], value: Any) -> str | None:
    """Return the choice that a text resembles, if there is one."""
    return closest(value, choices) if isinstance(value, str) else None


def wrong_form(keyword: str, node: Node, value: Any, path: Path, key: bool = False) -> Text:
    """Return the text for a value of the right type that a keyword of its schema does not accept."""
    found = "" if key else f", not {quote(value)}"
    near = None
    match keyword:
        case "pattern":
            wanted = node["patternErrorMessage"] + found
            near = closest(value, META_NAMES) if node["pattern"] == META_PATTERN else None
        case "minimum" | "maximum":
            wanted = f"must be a whole number from {node['minimum']} to {node['maximum']}{found}"
        case "minProperties" | "maxProperties" if "maxProperties" in node:
            counts = range(node["minProperties"], node["maxProperties"] + 1)
            wanted = f"must have {any_of(map(str, counts))} entries"
        case "minLength" | "minItems" | "minProperties":
            wanted = "must not be empty"
        case _:
            raise LookupError(f"the keyword {keyword!r} of the config's schema has no text")
    return RT105, f"{describe(path)} {wanted}", did_you_mean(near)


def did_you_mean(near: str | None) -> str:
    """Return the suggestion of a word that resembles what is written, if there is one."""
    return f"did you mean {near!r}?" if near else ""


def _words_for(node: Node) -> str:
    return any_of(map(quote, node["enum"])) if "enum" in node else _TYPES[node["type"]]


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
