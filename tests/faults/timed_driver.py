"""Calls the Lambda handler as its run time does, and measures what it does once the time for calls is over.

Events come as JSON lines on standard input. Of an answer it prints the ids that failed, and in seconds: `late`, how
long the invocation went on after its end; `busy`, the processor time that it used once the calls should have ended; and
`reserve`, what is kept free for that. A call would wait for `CALL_SECONDS`, so that one which ignores the end of its
invocation is distinguished from a busy machine.
"""

import json
import os
import sys
import threading
import time

from tests.support.aws import set_call_seconds

CALL_SECONDS = 80

set_call_seconds(CALL_SECONDS)

# After the limits are set: it connects with them.
from router.lambda_handler import ANSWER_SECONDS, ANSWER_SECONDS_EACH, handler  # noqa: E402

# What the function itself prints is for CloudWatch: here it joins the log on standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class TimedContext:
    """What Lambda gives with each invocation."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended."""
        return max(0, int((self.end - time.monotonic()) * 1000))


for line in sys.stdin:
    invocation = json.loads(line)
    seconds = invocation["milliseconds"] / 1000
    reserve = min(ANSWER_SECONDS + ANSWER_SECONDS_EACH * len(invocation["event"]["Records"]), seconds / 2)
    used: list[float] = []
    over = threading.Timer(seconds - reserve, lambda used=used: used.append(time.process_time()))
    context = TimedContext(seconds)
    over.start()
    failures = handler(invocation["event"], context)["batchItemFailures"]
    over.cancel()
    answer = {
        "failed": [each["itemIdentifier"] for each in failures],
        "late": max(0.0, time.monotonic() - context.end),
        "busy": time.process_time() - used[0] if used else 0.0,
        "reserve": reserve,
    }
    print(json.dumps(answer), file=answers, flush=True)
