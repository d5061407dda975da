"""Starts the plugins of a config whose messages are run outside the worker and the function."""

import weakref

from router.errors import PluginError
from router.runtime.program.load import Program

_STARTED = "plugins_are_started"


def start_plugins(program: Program) -> None:
    """Call `router_start` of the plugins before the first message; a later call for the program does nothing.

    `router_stop` is called when nothing uses the program any more, at the latest when the process ends. Raises
    PluginError for the first plugin that fails.
    """
    if _STARTED in vars(program):
        return
    router = program.router
    program.plugins.start(router)
    vars(program)[_STARTED] = True
    weakref.finalize(program, program.plugins.stop, router)


def start_plugins_if_possible(program: Program) -> None:
    """Call `router_start` once, even if it fails: a plugin may need what only the function has."""
    try:
        start_plugins(program)
    except PluginError:
        vars(program)[_STARTED] = True
