"""The shape of `routes.yaml` as a JSON Schema, for editors to complete and check while somebody types."""

from typing import Any

import msgspec

from router.config import spec
from router.sources import SOURCES

_REFERENCE = r"\$\{"
"""A text that holds `${…}` may become anything when the config is read."""


def config_schema(config: spec.Config | None = None, included: bool = False) -> dict[str, Any]:
    """A JSON Schema (2020-12) that accepts what `parse_config` accepts, but for keys without a value.

    With a config, routes can name the tables of that config only, and editors offer them. `included` asks for that of
    the files which a config includes.
    """
    root_type = spec.Included if included else spec.Config
    made = msgspec.json.schema(root_type)
    definitions: dict[str, Any] = {name: _with_references(shape) for name, shape in made["$defs"].items()}
    root = definitions.pop(root_type.__name__)
    root["title"] = "Message Router"
    root["patternProperties"] = {"^x-": True}
    if not included:
        root["anyOf"] = [{"required": ["routes"]}, {"required": ["include"]}]
    definitions["Attribute"]["oneOf"] = [{"required": [source]} for source in SOURCES]
    if config is not None:
        definitions["Route"]["properties"]["table"]["enum"] = list(config.tables)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:message-router:{'included' if included else 'routes'}.yaml",
    }
    return {**head, **root, "$defs": definitions}


def _with_references(shape: Any) -> Any:
    """The same shape, where text of a certain form, or one of a few, may also be made from `${NAME}`."""
    if isinstance(shape, list):
        return [_with_references(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    # Examples and defaults are data; keys of a map are never replaced.
    kept = {"examples", "default", "propertyNames"}
    copy = {name: part if name in kept else _with_references(part) for name, part in shape.items()}
    if isinstance(copy.get("pattern"), str):
        copy["pattern"] += f"|{_REFERENCE}"
    if all(isinstance(choice, str) for choice in copy.get("enum", [0])):
        copy["anyOf"] = [{"enum": copy.pop("enum")}, {"type": "string", "pattern": _REFERENCE}]
    return copy
