"""Calls the Lambda handler as its run time does: events as JSON lines on standard input, answers on standard output."""

import json
import os
import sys
import time
from typing import Any

from router.lambda_handler import handler

# What the function itself prints is for CloudWatch: here it joins the log on standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class DriverContext:
    """What Lambda gives with each invocation."""

    def __init__(self, milliseconds: int) -> None:
        self._end = time.monotonic() + milliseconds / 1000

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended."""
        return max(0, int((self._end - time.monotonic()) * 1000))


for line in sys.stdin:
    invocation = json.loads(line)
    context = DriverContext(invocation["milliseconds"])
    answer: dict[str, Any] = {**handler(invocation["event"], context)}
    print(json.dumps(answer), file=answers, flush=True)
