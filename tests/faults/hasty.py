"""Runs a Python file or module as the main program, with time-outs so short that a test can wait for them."""

import runpy
import sys

from router.aws import boto

boto.TABLE_TIMEOUT = 1
boto.QUEUE_TIMEOUT = 2

sys.argv = sys.argv[1:]
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
