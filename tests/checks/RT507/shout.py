"""A plugin that registers a transform."""

from typing import Any

from router import hookimpl


@hookimpl
def router_register_transforms(register: Any) -> None:
    register("shout", str.upper)
