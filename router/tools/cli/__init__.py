"""The command line; it needs the extra `cli`."""

import atexit
import gc
import sys
from typing import NoReturn

from router.runtime.import_stubs import import_libraries


def main() -> None:
    """Run `router`; without the extra, or on Windows, say what to do."""
    if sys.platform == "win32":
        # `select.poll`, `resource` and signals of processes, which the commands use, are not there.
        _refuse("it runs on Linux and macOS; on Windows, use the Windows Subsystem for Linux")
    # Most commands end before a reference cycle is worth looking for; `router.tools.cli.app` turns the collector on for
    # the others. None is worth it at the end, where Python would look through all objects once more.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        _run()
    except KeyboardInterrupt:
        # Click ends a command so, too; what is imported before and what follows is not within a command.
        sys.stderr.write("\nAborted!\n")
        sys.exit(1)


def _run() -> None:
    import_libraries()
    try:
        # The command line's libraries are optional: Lambda has no use for them.
        from router.tools.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        _refuse("the command line needs more packages: pip install 'message-router[cli]'")
    app(prog_name="router")


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(f"router: {reason}\n")
    sys.exit(2)
