"""Calls the Lambda handler with each line of standard input: an event, its time, and the time-out of its calls.

It prints the ids that failed, and by how many seconds the invocation was `late`.
"""

import json
import os
import sys
import time

from tests.support.aws import set_call_seconds

set_call_seconds(200)

# After the limits are set: it connects with them.
from router.lambda_handler import handler  # noqa: E402

# What the function itself prints is for CloudWatch: here it joins the log on standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class PeerContext:
    """What Lambda gives with each invocation."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended."""
        return max(0, int((self.end - time.monotonic()) * 1000))


for line in sys.stdin:
    invocation = json.loads(line)
    set_call_seconds(invocation["call_seconds"])
    context = PeerContext(invocation["seconds"])
    failures = handler(invocation["event"], context)["batchItemFailures"]
    answer = {
        "failed": [each["itemIdentifier"] for each in failures],
        "late": time.monotonic() - context.end,
    }
    print(json.dumps(answer), file=answers, flush=True)
