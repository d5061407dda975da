"""The modules and functions that a plain put passes, from handler to response: `python benchmarks/trace_put.py`.

A batch of one message goes through the handler as Lambda calls it, against the canned server. Printed are the modules
of the router whose functions were called, in the order of the first call, each with these functions: for the first
batch, for a later one, and for one after the fast path of its queue was compiled. Comprehensions and the bodies of
modules and classes do not count.
"""

import os
import sys
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any

from environment import HERE, prepare, quiet
from messages import event
from serving import serve

PACKAGE = str(HERE.parent / "router") + os.sep
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")

Way = dict[str, dict[str, None]]
"""Functions by module, both in the order of their first call."""


def main() -> None:
    """Trace, and print."""
    with serve() as server:
        # Lambda's own, by which a function connects while it is loaded.
        os.environ.update(prepare(server.endpoint), AWS_LAMBDA_INITIALIZATION_TYPE="on-demand")
        from router.lambda_handler import handler
        from router.runtime.deliver.fast_paths import COMPILE_AFTER

        ways = {}
        with quiet():
            for which in ("the first batch", "a later batch"):
                ways[which] = trace(lambda: handler(event("small", 1), None))
            handler(event("small", COMPILE_AFTER + 1), None)
            ways["a batch in the fast path"] = trace(lambda: handler(event("small", 1), None))
    for which, way in ways.items():
        print(f"{which}: {len(way)} modules, {sum(map(len, way.values()))} functions")
        for module, functions in way.items():
            print(f"  {module}: {', '.join(functions)}")


def trace(act: Callable[[], Any]) -> Way:
    """The functions of the router that are called."""
    way: Way = {}

    def note(frame: FrameType, what: str, argument: Any) -> None:
        code = frame.f_code
        is_function = code.co_flags & CO_OPTIMIZED and code.co_name not in _COMPREHENSIONS
        if what == "call" and is_function and code.co_filename.startswith(PACKAGE):
            module = code.co_filename.removeprefix(PACKAGE).removesuffix(".py").replace(os.sep, ".")
            way.setdefault(module, {})[code.co_qualname] = None

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return way


if __name__ == "__main__":
    main()
