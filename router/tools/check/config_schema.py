"""The JSON Schema of `routes.yaml`, for editors."""

from pathlib import Path as FilePath

import msgspec

from router.runtime.config import spec
from router.runtime.config.schema import Node


def config_schema(config: spec.Config | None = None, included: bool = False) -> Node:
    """Return the JSON Schema (2020-12) of a config, for editors; `make format` writes it.

    With a config, routes can name the tables of that config only. `included` selects
    the schema of files that a config includes.
    """
    file = FilePath(__file__).with_name("published.json")
    published: Node = msgspec.json.decode(file.read_bytes())["Included" if included else "Config"]
    if config is not None:
        published["$defs"]["Route"]["properties"]["table"]["enum"] = list(config.tables)
    return published
