"""A plugin that registers names that are taken or invalid."""

from typing import Any

from router import hookimpl


@hookimpl
def router_register_transforms(register: Any) -> None:
    register("shout", str.lower)
    register("strip", str.lower)
    register("very quiet", str.lower)


@hookimpl
def router_register_envelopes(register: Any) -> None:
    register("paper", "not a function")
