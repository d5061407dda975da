"""Measures a handler in its own process: `python benchmarks/measure.py MODULE SECONDS FIRST.json EVENTS.json`.

The handler of MODULE is invoked once with each event of FIRST, which does not count; then with those of EVENTS in turn,
until SECONDS of processor time have passed. Prints the invocations and the processor seconds of one, as JSON.
"""

import importlib
import json
import os
import sys
import time
from itertools import cycle
from pathlib import Path


def main() -> None:
    """Measure, and print the figures."""
    module, seconds = sys.argv[1], float(sys.argv[2])
    first, events = (json.loads(Path(name).read_text()) for name in sys.argv[3:])
    output = os.dup(1)
    # Writing the handler's log is measured, but the log is not read.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    handler = importlib.import_module(module).handler
    for event in first:
        handler(event, None)
    invocations, spent = 0, 0.0
    for event in cycle(events):
        began = time.process_time()
        handler(event, None)
        spent += time.process_time() - began
        invocations += 1
        if spent >= seconds:
            break
    os.write(output, json.dumps({"invocations": invocations, "cpu": spent / invocations}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
