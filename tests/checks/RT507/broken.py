"""A plugin that fails while it registers."""

from typing import Any

from router import hookimpl


@hookimpl
def router_register_checks(register: Any) -> None:
    raise LookupError("no such table")
