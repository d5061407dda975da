"""The calls of the view Dead letters."""

from router.console.api import Call

CALLS: tuple[Call, ...] = ()
