"""The outage of a queue: when it begins and ends, and which messages are probes or can be made visible."""

from typing import Any

import pytest
from msgspec import structs

from router.model import Record
from router.runtime.run.outages import (
    EXTENSION_SECONDS,
    MAX_EXTENDED,
    MAX_INVISIBLE,
    MAX_PROBES,
    MIN_FAILURES,
    Outage,
    Probe,
    longest_wait,
)
from tests.support.aws import AwsFault
from tests.support.engine import OutageBackoff

BACKOFF = OutageBackoff(43_200, 10)
HOURS = 60 * 60


def probe(number: int, receive_count: int = 1, at: float = 100.0) -> Probe:
    """A message that was received, and met an outage, at a time."""
    attributes = {"ApproximateReceiveCount": str(receive_count)}
    return Probe(Record(f"m{number}", f"h{number}", "{}", attributes), at, at)


def test_begin(time_: Any) -> None:
    """An outage begins with the third message in a row; one that is written between them starts the count anew."""
    outage = Outage(BACKOFF, time_)
    begun, ended = [outage.add([])], []
    for _ in range(2):
        begun += [outage.add([probe(number)]) for number in range(MIN_FAILURES - 1)]
        assert (outage.lasts, outage.may_begin, outage.take_probes(30)) == (False, True, [])
        ended.append(outage.end())
    for number in range(MIN_FAILURES + 1):
        begun.append(outage.add([probe(number)]))
    assert (outage.lasts, outage.may_begin) == (True, True)
    ended += [outage.end(), outage.end()]

    assert (begun, ended) == ([*[False] * 7, True, False], [False, False, True, False])
    assert (outage.lasts, outage.may_begin) == (False, False)


def test_probes(time_: Any) -> None:
    """The first messages are probes, without payloads, each until it is taken; the others are kept invisible."""
    outage = Outage(BACKOFF, time_)
    failed = [probe(number) for number in range(MAX_PROBES + 2)]
    outage.add([structs.replace(each, record=structs.replace(each.record, fetched=b"{}")) for each in failed])

    taken = outage.take_probes(30)

    assert taken == failed[:MAX_PROBES]
    assert outage.take_probes(30) == []
    assert outage.take_invisible(5) == [("m10", "h10", 0), ("m11", "h11", 0)]


def test_end(time_: Any) -> None:
    """After the end, all of them can be made visible, a few at a time."""
    outage = Outage(BACKOFF, time_)
    outage.add([probe(number) for number in range(3)])

    outage.end()

    assert (outage.lasts, outage.take_probes(30)) == (False, [])
    assert [[id_ for id_, _, _ in outage.take_invisible(2)] for _ in range(3)] == [["m0", "m1"], ["m2"], []]


@pytest.mark.parametrize(("later", "left"), [(29, True), (30, False)])
def test_visible_again(time_: Any, later: float, left: bool) -> None:
    """A message whose visibility timeout may be over is neither: another consumer may have it."""
    outage = Outage(BACKOFF, time_)
    outage.add([probe(number) for number in range(MAX_PROBES + 1)])
    time_.now += later

    found = len(outage.take_probes(30)), len(outage.take_invisible(100))

    assert found == ((MAX_PROBES, 1) if left else (0, 0))


def test_probe_for_hours(time_: Any) -> None:
    """A message is probed as long as SQS lets it stay invisible: a minute less than 12 hours from its receive."""
    outage = Outage(BACKOFF, time_)
    found = []
    for left in (30, 29):
        time_.now = 100.0 + 12 * HOURS - 60 - left
        since = Probe(probe(0).record, 100.0, time_.now - 5)
        outage.add([since] * MIN_FAILURES)
        found.append(len(outage.take_probes(30)))

    assert found == [1, 0]


@pytest.mark.parametrize(
    ("receives", "receive_count", "kept"), [(10, 4, True), (10, 5, False), (3, 1, True), (2, 1, False), (0, 99, True)]
)
def test_later_receives(time_: Any, receives: int, receive_count: int, kept: bool) -> None:
    """Half of the receives are left for the long waits, however often an outage seems to be over."""
    outage = Outage(OutageBackoff(43_200, receives), time_)
    outage.add([probe(number, receive_count) for number in range(MIN_FAILURES)])

    outage.end()

    assert bool(outage.take_invisible(1)) == kept


def test_extend(time_: Any) -> None:
    """The visibility timeouts that end soon are extended, so that no receive of these messages is used up."""
    outage = Outage(BACKOFF, time_)
    outage.add([probe(number) for number in range(MAX_PROBES)])
    outage.add([probe(10), probe(11), probe(12, receive_count=2), probe(13)])
    calls: list[list[tuple[str, str, int]]] = []

    def change(messages: list[tuple[str, str, int]]) -> dict[str, AwsFault]:
        calls.append(messages)
        return {"m11": AwsFault("refused", "ReceiptHandleIsInvalid", 400)}

    for seconds in (15, 5, 10, 1):
        time_.now += seconds
        outage.extend(change)
    time_.now += 200
    outage.end()

    extended = [(f"m{number}", f"h{number}", EXTENSION_SECONDS) for number in (10, 11, 12, 13)]
    assert calls == [[extended[0], extended[1], extended[3]]]
    assert outage.take_invisible(9) == [("m10", "h10", 0), ("m13", "h13", 0)]


def test_extend_many(time_: Any) -> None:
    """So many are extended at a time that the receiver probes in between; the others are extended next."""
    outage = Outage(BACKOFF, time_)
    outage.add([probe(number) for number in range(MAX_PROBES + MAX_EXTENDED + 1)])
    calls: list[int] = []

    def change(messages: list[tuple[str, str, int]]) -> dict[str, AwsFault]:
        calls.append(len(messages))
        return {}

    time_.now += 20
    for _ in range(3):
        outage.extend(change)

    assert calls == [MAX_EXTENDED, 1]


def test_most(time_: Any) -> None:
    """Of too many messages the oldest are forgotten; of one message the newest receipt handle is kept."""
    outage = Outage(BACKOFF, time_)
    outage.add([probe(number) for number in range(MAX_PROBES + MAX_INVISIBLE + 1)])
    newer = Record(f"m{MAX_PROBES + 2}", "newer", "{}", {"ApproximateReceiveCount": "2"})
    outage.add([Probe(newer, 100.0, 100.0)])

    taken = outage.take_invisible(2 * MAX_INVISIBLE)

    assert (len(taken), taken[0][0], taken[-1]) == (MAX_INVISIBLE, f"m{MAX_PROBES + 1}", (newer.message_id, "newer", 0))


def test_longest_wait() -> None:
    """A minute less than 12 hours from the receive, and never less than nothing."""
    assert [longest_wait(100.0, 100.0 + hours * HOURS) for hours in (0, 11, 12)] == [43_140, 3_540, 0]
