"""What plugins raise, as tracebacks for their authors; a log has none, since the text may hold a value of a message."""

from traceback import format_exception

from router.errors import PluginError, is_of_the_router
from router.runtime.engine.engine import Trace


def watching(raised: list[str], trace: Trace | None = None) -> Trace:
    """Return a trace that adds tracebacks to a list, and hands all else to another trace."""

    def watch(route: str, stage: str, value: object) -> None:
        if stage != "failed":
            if trace:
                trace(route, stage, value)
        elif isinstance(value, PluginError) and (text := _from_plugin(value.original)):
            raised.append(text)

    return watch


def _from_plugin(error: BaseException) -> str:
    """Return a traceback that begins in the plugin; "" for an exception that it did not raise."""
    trace = error.__traceback__
    while trace is not None and is_of_the_router(trace):
        trace = trace.tb_next
    return "" if trace is None else "".join(format_exception(type(error), error, trace)).rstrip()
