"""The command line; it needs the extra `cli`."""

import atexit
import gc
import sys

from router.runtime.import_stubs import import_libraries


def main() -> None:
    """Run `router`; without the extra, say what to install."""
    # Most commands end before a reference cycle is worth looking for; `router.tools.cli.app` turns the collector on for
    # the others. None is worth it at the end, where Python would look through all objects once more.
    gc.disable()
    atexit.register(gc.freeze)
    import_libraries()
    try:
        # The command line's libraries are optional: Lambda has no use for them.
        from router.tools.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(
            "router: the command line needs more packages: pip install 'message-router[cli]'\n"
        )
        sys.exit(2)
    app(prog_name="router")
