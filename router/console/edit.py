"""The calls of the view Edit: a config beside a message."""

from router.console.api import Call

CALLS: tuple[Call, ...] = ()
