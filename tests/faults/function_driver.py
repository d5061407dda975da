"""Calls the Lambda handler with each line of standard input, a JSON list of records; prints the ids that failed."""

import json
import os
import sys

from router.lambda_handler import handler

# The function prints metrics for CloudWatch: redirect them to the log on standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class RigContext:
    """A function with 30 seconds for each invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation ends."""
        return 30_000


for line in sys.stdin:
    response = handler({"Records": json.loads(line)}, RigContext())
    print(json.dumps([each["itemIdentifier"] for each in response["batchItemFailures"]]), file=answers, flush=True)
