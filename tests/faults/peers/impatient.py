"""Runs `router` as the main program, with calls that wait for as many seconds as the first argument says."""

import runpy
import sys

from tests.support.aws import set_call_seconds

set_call_seconds(int(sys.argv.pop(1)))
runpy.run_module("router", run_name="__main__", alter_sys=True)
