"""The calls of the view Change: two versions of a config."""

from router.console.api import Call

CALLS: tuple[Call, ...] = ()
