"""The calls of the view Routes: the graph of a config."""

from router.console.api import Call

CALLS: tuple[Call, ...] = ()
