"""Runs `router` as the main program, with calls that wait so long that one which ignores its deadline is noticed."""

import runpy

from tests.support.aws import set_call_seconds

CALL_SECONDS = 200
"""Longer than a busy machine delays the end of a worker by."""

set_call_seconds(CALL_SECONDS)
runpy.run_module("router", run_name="__main__", alter_sys=True)
