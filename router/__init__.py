"""Message Router: messages from Amazon SQS into DynamoDB tables, as `routes.yaml` says.

The names here are what plugins and embedders use.
"""

from router.errors import ConfigError, Drop, PluginError, Reject, Retry, RouterError
from router.hooks.specs import hookimpl
from router.model import Item, Message, Outcome, Remark, Result, Route, Router, Summary

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
    "hookimpl",
]
