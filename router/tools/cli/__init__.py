"""The command line; it needs the extra `cli`."""

import sys


class Finished(SystemExit):
    """Raised at the end of a command that has printed all, and has no file open."""


def main() -> None:
    """Run `router`; without the extra, or on Windows, say what to do."""
    if sys.platform == "win32":
        # `select.poll`, `resource` and signals of processes, which the commands use, are not there.
        _refuse("it runs on Linux and macOS; on Windows, use the Windows Subsystem for Linux")
    try:
        _run()
    except KeyboardInterrupt:
        # Click ends a command so, too; this is while it is imported, or after its end.
        sys.stderr.write("\nAborted!\n")
        sys.exit(1)


def _run() -> None:
    # Imported here, so that an interrupt finds the handler above as soon as possible.
    import atexit
    import gc

    # Most commands end before a reference cycle is worth looking for; `router.tools.cli.app` turns the collector on for
    # the others. None is worth it at the end, where Python would look through all objects once more.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        # The command line's libraries are optional: Lambda has no use for them.
        from router.tools.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        _refuse("the command line needs more packages: pip install 'message-router[cli]'")
    try:
        app(prog_name="router")
    except Finished as end:
        # A profiler, or what traces, has something left to do.
        if sys.getprofile() is None and sys.gettrace() is None:
            _leave(bool(end.code))
        raise


def _leave(code: int) -> None:
    """End the process without freeing its objects one by one, as Python need not.

    Return if a thread runs, or if the output cannot be written: Python waits for it, or says so.
    """
    import atexit
    import os
    import threading

    if threading.active_count() > 1:
        return
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


def _refuse(reason: str) -> None:
    sys.stderr.write(f"router: {reason}\n")
    sys.exit(2)
