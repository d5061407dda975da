"""Runs a cold start: `python benchmarks/start.py MODULE` imports the module and invokes its handler without records.

It imports first what Lambda's runtime has imported before, which is AWS's runtime client. It prints the processor
seconds from then to the end of the invocation.
"""

import importlib
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
    began = time.process_time()
    importlib.import_module(sys.argv[1]).handler({"Records": []}, None)
    os.write(output, b"%.9f" % (time.process_time() - began))
    os._exit(0)


if __name__ == "__main__":
    main()
