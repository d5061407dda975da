"""The receipt handles of FIFO queues, which AWS refuses after the visibility timeout, and ministack does not."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

_CHANGES = ("DeleteMessageBatch", "ChangeMessageVisibilityBatch")


class ReceiptHandles:
    """When each receipt handle ends; safe to use from several threads."""

    OPERATIONS = ("ReceiveMessage", *_CHANGES)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    def split(self, operation: str, request: Mapping[str, Any], now: float) -> tuple[list[Any], list[Any]]:
        """Return the entries of a change that are forwarded, and those whose receipt handle is over."""
        if operation not in _CHANGES or not str(request["QueueUrl"]).endswith(".fifo"):
            return [], []
        with self._lock:
            over = [entry for entry in request["Entries"] if self._ends.get(entry["ReceiptHandle"], now) < now]
        return [entry for entry in request["Entries"] if entry not in over], over

    def note(self, operation: str, request: Mapping[str, Any], answer: Mapping[str, Any], now: float) -> None:
        """Take in a response of the server."""
        with self._lock:
            if operation == "ReceiveMessage":
                end = now + request["VisibilityTimeout"]
                self._ends |= {message["ReceiptHandle"]: end for message in answer.get("Messages", ())}
            elif operation == "ChangeMessageVisibilityBatch":
                done = {each["Id"] for each in answer.get("Successful", ())}
                for entry in request["Entries"]:
                    if entry["Id"] in done:
                        self._ends[entry["ReceiptHandle"]] = now + entry["VisibilityTimeout"]


def refused(over: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the failures that AWS reports for entries whose receipt handle is over."""
    return [{"Id": entry["Id"], "Code": "InvalidParameterValue", "SenderFault": True} for entry in over]
