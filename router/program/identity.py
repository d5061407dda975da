"""The hash of a running config: what dead letters, logs, metrics and `/healthz` name it by."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any

import msgspec
from msgspec import structs

from router.config import spec
from router.model import names_file

LENGTH = 16
"""Hexadecimal digits of the SHA-256: enough to tell all configs of a team apart."""
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def hash_config(config: spec.Config, schemas: Mapping[str, Any], folder: FilePath) -> str:
    """Return the hash of a config with the values of its variables, its schema files and plugin files.

    It is the same for the YAML and for the compiled form. `tests` and `ignore`, which a compiled config does not have,
    do not count, and neither does how the YAML is written; the order of queues and routes does.
    """
    routes = {name: structs.replace(route, tests=()) for name, route in config.routes.items()}
    digest = hashlib.sha256(_ENCODER.encode(structs.replace(config, routes=routes, ignore=(), include=())))
    for name in sorted(schemas):
        digest.update(_ENCODER.encode((name, schemas[name])))
    for plugin in filter(names_file, config.plugins):
        with suppress(OSError):  # loaded, and gone since
            digest.update((folder / plugin).read_bytes())
    return digest.hexdigest()[:LENGTH]
