"""Runs a cold start: `python benchmarks/start.py MODULE < EVENT` imports the module and invokes its handler once.

It imports what Lambda's runtime has imported before, which is AWS's runtime client, and nothing else. It prints the
processor seconds from then to the end of the invocation, and the peak memory of the process in bytes, or 0 if the
system does not provide it.
"""

import importlib
import json
import os
import sys
import time

import awslambdaric.bootstrap  # noqa: F401 — it imports `logging` and others, which no function has to import then


def main() -> None:
    """Start, invoke, and print what it took."""
    output = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    event = json.load(sys.stdin)
    began = time.process_time()
    importlib.import_module(sys.argv[1]).handler(event, None)
    os.write(output, b"%.9f %d\n" % (time.process_time() - began, peak_memory()))
    os._exit(0)


def peak_memory() -> int:
    """Return Linux's own value for this process: getrusage includes the memory of the parent at the start."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 — pathlib would be a part of what is measured
            text = status.read()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
