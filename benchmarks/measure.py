"""One figure, in a process of its own: `python benchmarks/measure.py NAME RECORDS`; processor seconds a record.

NAME is `router`, `batch_writer`, `put_item`, or one of these with `cold-` before it: then the processor seconds from
nothing to the answer of a first invocation of RECORDS records.
"""

import json
import sys
import time
from typing import Any

REPETITIONS = 5


def make_event(records: int) -> dict[str, Any]:
    """An SQS event of Lambda with so many messages of the sample's first flow."""
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-4000-8000-{number:012d}",
                "receiptHandle": "handle",
                "body": json.dumps({"user_id": f"user_{number}", "device": "iPhoneX", "location": "Kolkata"}),
                "attributes": {"SentTimestamp": "1767323045678", "ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:user-metadata",
            }
            for number in range(records)
        ]
    }


def find_handler(name: str) -> Any:
    """The handler of a name; importing it is part of a cold start."""
    if name == "router":
        from router.lambda_handler import handler

        return handler
    import peers

    return getattr(peers, name)


def main() -> None:
    """Measure, and print the figure."""
    name, records = sys.argv[1], int(sys.argv[2])
    event = make_event(records)
    if name.startswith("cold-"):
        find_handler(name.removeprefix("cold-"))(event, None)
        print(time.process_time())
        return
    handler = find_handler(name)
    handler(event, None)
    # The repetitions are few and short: the least of them is the one that was disturbed least.
    best = float("inf")
    for _ in range(REPETITIONS if records > 1 else 1):
        began = time.process_time()
        handler(event, None)
        best = min(best, time.process_time() - began)
    print(best / records)


if __name__ == "__main__":
    main()
