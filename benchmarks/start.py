"""A cold start: `python benchmarks/start.py MODULE < EVENT`; imports the module, lets its handler take the event, ends.

What Lambda's own runtime has loaded before (JSON) is loaded here too, and nothing else. Prints the most bytes that the
process has had in memory, or 0 where the system does not say.
"""

import importlib
import json
import os
import sys


def main() -> None:
    """Start, invoke, and say what that took."""
    told = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    importlib.import_module(sys.argv[1]).handler(json.load(sys.stdin), None)
    os.write(told, b"%d\n" % peak_memory())
    os._exit(0)


def peak_memory() -> int:
    """By Linux's own account of this process: getrusage counts in what the parent had before this one was another."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 — pathlib would be a part of what is measured
            text = status.read()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
