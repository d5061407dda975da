"""Calls the Lambda handler: lists of records as JSON lines on standard input, ids of those that failed on output."""

import json
import os
import sys

from router.lambda_handler import handler

# What the function itself prints is for CloudWatch: here it joins the log on standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class Context:
    """A function with 30 seconds for each invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is ended, asked at its beginning."""
        return 30_000


for line in sys.stdin:
    told = handler({"Records": json.loads(line)}, Context())
    print(json.dumps([each["itemIdentifier"] for each in told["batchItemFailures"]]), file=answers, flush=True)
