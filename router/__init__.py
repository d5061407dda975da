"""Message Router: messages from Amazon SQS into DynamoDB tables, as `routes.yaml` says.

The names here are what plugins use. Each is imported when it is first asked for: pytest imports this
package in every run, for the plugin in it, and is not to pay for that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.errors import ConfigError, Drop, PluginError, Reject, Retry, RouterError
    from router.model import (
        Item,
        Message,
        Outcome,
        Remark,
        Result,
        Route,
        Router,
        Summary,
        __version__,
    )
    from router.runtime.program.hooks.specs import hookimpl

__all__ = [
    "ConfigError",
    "Drop",
    "Item",
    "Message",
    "Outcome",
    "PluginError",
    "Reject",
    "Remark",
    "Result",
    "Retry",
    "Route",
    "Router",
    "RouterError",
    "Summary",
    "__version__",
    "hookimpl",
]

_ERRORS = ("ConfigError", "Drop", "PluginError", "Reject", "Retry", "RouterError")
_HOME = {"hookimpl": "router.runtime.program.hooks.specs"} | dict.fromkeys(_ERRORS, "router.errors")
"""The modules of the names that are not in `router.model`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'router' has no attribute '{name}'")
    module = import_module(_HOME.get(name, "router.model"))
    value = globals()[name] = getattr(module, name)
    return value
