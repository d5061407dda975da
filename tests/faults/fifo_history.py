"""The history of the message groups of a FIFO queue, as a proxy saw it, and what is wrong with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.faults.fault_proxy import Call


class Event(NamedTuple):
    """Something that happened to a message, between two moments.

    A receive and a delete are `confirmed` if the server made them, a write only if the client received that, too.
    """

    group: str
    number: int
    began: float
    ended: float
    confirmed: bool = True


class FifoHistory(NamedTuple):
    """The messages of each group in the order in which they were sent, and all receives, writes and deletes.

    Receives may be unknown, as those of a Lambda function.
    """

    sent: Mapping[str, Sequence[int]]
    receives: Sequence[Event]
    writes: Sequence[Event]
    deletes: Sequence[Event]

    def of(self, group: str) -> "FifoHistory":
        """Return the history of one group, in the order of the beginnings."""
        receives, writes, deletes = (
            sorted((event for event in events if event.group == group), key=lambda event: event.began)
            for events in (self.receives, self.writes, self.deletes)
        )
        return FifoHistory({group: self.sent[group]}, receives, writes, deletes)


def find_violations(history: FifoHistory) -> list[str]:
    """Return a sentence for each thing that must not happen on a FIFO queue."""
    return [sentence for group in history.sent for sentence in _of_group(group, history.of(group))]


def _of_group(group: str, history: FifoHistory) -> Iterator[str]:
    order = list(history.sent[group])
    written = _first_confirmed(history.writes)
    deleted = _first_confirmed(history.deletes)
    for before, number in zip([None, *order], order, strict=False):
        if number not in written:
            yield f"{group}: {number} was not written"
        for event in history.writes:
            if event.number == number and before is not None and written.get(before, float("inf")) > event.began:
                yield f"{group}: the write of {number} began before that of {before} was confirmed"
        if number in deleted and before is not None and deleted.get(before, float("inf")) > deleted[number]:
            yield f"{group}: {number} was deleted before {before}"
    for event in history.deletes:
        if written.get(event.number, float("inf")) > event.began:
            yield f"{group}: the delete of {event.number} began before its write was confirmed"
    yield from _older_over_newer(group, order, history)
    for event in history.writes:
        if deleted.get(event.number, float("inf")) < event.began:
            yield f"{group}: the write of {event.number} began after its delete"
    if history.writes and order and history.writes[-1].number != order[-1]:
        yield f"{group}: the last write is that of {history.writes[-1].number}, not of {order[-1]}"


def _older_over_newer(group: str, order: Sequence[int], history: FifoHistory) -> Iterator[str]:
    """Yield the writes of an older message after a newer one that no later receive of the older message explains."""
    if not history.receives:
        return
    place = {number: index for index, number in enumerate(order)}
    newer: list[tuple[int, float]] = []
    for write in history.writes:
        received = [event.ended for event in history.receives if event.number == write.number]
        last = max([moment for moment in received if moment <= write.began], default=float("-inf"))
        if last == float("-inf"):
            yield f"{group}: {write.number} was written, and not received"
        for number, known_at in newer:
            # A newer message that was received at the same time, or later, shows that this receive is not the latest.
            if place[number] > place[write.number] and last <= known_at:
                yield f"{group}: the write of {write.number} began after that of {number}, without a new receive"
        newer.append((write.number, last))


def _first_confirmed(events: Sequence[Event]) -> dict[int, float]:
    first: dict[int, float] = {}
    for event in sorted(events, key=lambda event: event.ended):
        if event.confirmed:
            first.setdefault(event.number, event.ended)
    return first


def read_history(sent: Mapping[str, Sequence[int]], calls: Sequence[Call], table: str) -> FifoHistory:
    """Return the history of the messages `{"id": GROUP, "number": N}` from the calls of a proxy, for one table."""
    receives: list[Event] = []
    writes: list[Event] = []
    deletes: list[Event] = []
    messages: dict[str, tuple[str, int]] = {}
    for call in sorted(calls, key=lambda call: call.answered):
        if call.operation == "ReceiveMessage" and _is_fifo(call):
            for message in (call.answer or {}).get("Messages", ()):
                body = json.loads(message["Body"])
                messages[message["ReceiptHandle"]] = body["id"], body["number"]
                receives.append(Event(body["id"], body["number"], call.began, call.answered))
        elif call.operation == "DeleteMessageBatch" and _is_fifo(call):
            done = {each["Id"] for each in (call.answer or {}).get("Successful", ())}
            deletes += [
                Event(*messages[entry["ReceiptHandle"]], call.began, call.answered, entry["Id"] in done)
                for entry in call.request["Entries"]
            ]
        elif call.operation == "BatchWriteItem":
            writes += _writes(call, table)
    return FifoHistory(sent, receives, writes, deletes)


def _is_fifo(call: Call) -> bool:
    return str(call.request["QueueUrl"]).endswith(".fifo")


def _writes(call: Call, table: str) -> Iterator[Event]:
    unprocessed = (call.answer or {}).get("UnprocessedItems", {})
    for name, requests in call.request["RequestItems"].items():
        if name.endswith(f"-{table}"):
            for request in requests:
                item = request["PutRequest"]["Item"]
                done = call.confirmed and request not in unprocessed.get(name, ())
                yield Event(item["id"]["S"], int(item["number"]["N"]), call.began, call.ended, done)
