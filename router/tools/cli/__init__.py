"""The command line; it needs the extra `cli`."""

import sys


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

    from router.runtime.import_stubs import (
        import_libraries,
        import_with,
        import_without_patterns,
        postpone,
    )

    # Most commands end before a reference cycle is worth looking for; `router.tools.cli.app` turns the collector on for
    # the others. None is worth it at the end, where Python would look through all objects once more.
    gc.disable()
    atexit.register(gc.freeze)
    import_libraries(serves=False)
    # It finds comments in code, of which nobody asks.
    import_with("inspect", postpone("tokenize"))
    try:
        import_without_patterns("click")
        # The command line's libraries are optional: Lambda has no use for them.
        from router.tools.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        _refuse("the command line needs more packages: pip install 'message-router[cli]'")
    app(prog_name="router")


def _refuse(reason: str) -> None:
    sys.stderr.write(f"router: {reason}\n")
    sys.exit(2)
