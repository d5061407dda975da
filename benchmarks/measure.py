"""Measures one figure in its own process: `python benchmarks/measure.py PROGRAM SIZE COUNT SECONDS`; prints JSON.

PROGRAM is `router` or a module of `peers/`. After an untimed invocation with the first messages, its handler is invoked
with a batch of COUNT messages until SECONDS of processor time have passed.
"""

import importlib
import json
import os
import sys
import time
from typing import Any

from messages import event

FIRST = 50
OUTPUT = os.fdopen(os.dup(1), "w")
"""The output for the figure: the output of a handler is discarded."""


def find_handler(program: str) -> Any:
    """Return the handler of a program."""
    module = "router.lambda_handler" if program == "router" else f"peers.{program}"
    return importlib.import_module(module).handler


def main() -> None:
    """Measure, and print the figure."""
    program, size, count, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    given = event(size, count)
    handler = find_handler(program)
    handler({"Records": given["Records"][:FIRST]}, None)
    invocations, spent = 0, 0.0
    while spent < seconds:
        began = time.process_time()
        handler(given, None)
        spent += time.process_time() - began
        invocations += 1
    figure = {"invocations": invocations, "cpu": spent / invocations / count}
    print(json.dumps(figure), file=OUTPUT, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
