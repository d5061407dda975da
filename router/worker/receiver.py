"""One receiver: receives messages of a queue, delivers them, deletes what may be acknowledged, and begins again."""

import threading
import time
from collections.abc import Sequence
from random import uniform

from msgspec import Struct

from router.aws.client import Queues
from router.aws.faults import Fault
from router.deliver import Delivery
from router.engine.engine import CompiledQueue
from router.log import LOGGER
from router.model import Record

MAX_MESSAGES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
VISIBILITY_SHARE = 0.8
"""The part of the visibility timeout in which writes are started; the rest is for the last call, and for deleting."""
DELETE_TRIES = 5
PAUSE_BASE = 1.0
PAUSE_CAP = 60.0
"""Seconds; after a fault of the set-up or of SQS, polling pauses for about PAUSE_BASE, doubling up to this."""


class Polled(Struct, frozen=True):
    """A queue as a receiver polls it; `visibility` and `wait` are in seconds."""

    queue: CompiledQueue
    url: str
    visibility: int
    wait: int


class Receiver:
    """Polls one queue until it is told to stop; what it has begun by then it finishes."""

    def __init__(self, polled: Polled, queues: Queues, delivery: Delivery, stop: threading.Event) -> None:
        self._polled = polled
        self._queues = queues
        self._delivery = delivery
        self._stop = stop
        self._pauses = 0

    def run(self) -> None:
        """Receive and deliver until stopped; no error ends it."""
        while not self._stop.is_set():
            try:
                healthy = self._round()
            except Exception:  # whatever it is, the messages come again, and so does the next round
                LOGGER.exception("unexpected error", extra={"fields": {"queue": self._polled.queue.name}})
                healthy = False
            if healthy:
                self._pauses = 0
            else:
                self._pause()

    def _round(self) -> bool:
        """One receive and what follows; False if the next had better wait."""
        polled = self._polled
        records = self._queues.receive(polled.url, MAX_MESSAGES, polled.wait)
        if isinstance(records, Fault):
            self._say("cannot receive", records)
            return False
        if not records:
            return True
        end = time.monotonic() + polled.visibility * VISIBILITY_SHARE
        delivered = self._delivery.deliver(polled.queue, records, lambda: end - self._delivery.margin)
        self._delete([each.record for each in delivered if each.acknowledged])
        for message_id, fault in self._delivery.hide(polled.queue, polled.url, delivered).items():
            self._say("cannot hide", fault, message_id)
        return not any(each.outcome.setup for each in delivered)

    def _delete(self, records: Sequence[Record]) -> None:
        """Acknowledge; a failed delete is tried again, since the message would come again though it is written."""
        handles = {record.message_id: record.receipt_handle for record in records}
        for attempt in range(1, DELETE_TRIES + 1):
            if not handles:
                return
            failed = self._queues.delete(self._polled.url, list(handles.items()))
            for message_id, fault in failed.items():
                if fault.kind == "refused":
                    self._say("cannot delete", fault, message_id)
            handles = {
                id_: handle for id_, handle in handles.items() if id_ in failed and failed[id_].kind != "refused"
            }
            if handles and attempt < DELETE_TRIES:
                time.sleep(uniform(0, 0.1 * 2**attempt))  # noqa: S311 — jitter, no secret
        for message_id in handles:
            self._say("cannot delete", failed[message_id], message_id)

    def _pause(self) -> None:
        longest = min(PAUSE_CAP, PAUSE_BASE * 2**self._pauses)
        self._pauses += 1
        self._stop.wait(uniform(longest / 2, longest))  # noqa: S311 — jitter, no secret

    def _say(self, what: str, fault: Fault, message_id: str = "") -> None:
        fields = {"queue": self._polled.queue.name, "error": fault.code, "message_id": message_id}
        LOGGER.error(what, extra={"fields": {name: value for name, value in fields.items() if value}})
