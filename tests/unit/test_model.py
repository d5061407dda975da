"""The nouns: outcomes, records, messages, findings."""

import copy
import pickle
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import REMOVE, Code, Finding, Message, Outcome, Place, Record, iso_ms, worst

KINDS = ["retry", "rejected", "written", "stale", "duplicate", "dropped"]
CODE = Code("RT999", "title", "why")


@pytest.mark.parametrize(("bad", "better"), [(bad, better) for at, bad in enumerate(KINDS) for better in KINDS[at:]])
def test_the_worse_of_two_outcomes_decides(bad: Any, better: Any) -> None:
    """Retry, then rejected, written, stale, duplicate, dropped; in whatever order they came."""
    found = {worst(pair).kind for pair in permutations([Outcome(bad), Outcome(better)])}

    assert found == {bad}


def test_of_outcomes_alike_the_first_decides() -> None:
    """So that a reason is that of the first route."""
    assert worst([Outcome("written"), Outcome("retry", "A"), Outcome("retry", "B")]) == Outcome("retry", "A")


@pytest.mark.parametrize(
    "decisive", [Outcome("retry", setup=True), Outcome("duplicate", conflict=True), Outcome("stale", conflict=True)]
)
def test_of_outcomes_alike_the_telling_one_decides(decisive: Any) -> None:
    """A fault of the set-up, or a conflict, is not hidden by another write of the message."""
    plain = Outcome(decisive.kind)

    assert [worst([plain, decisive]), worst([decisive, plain])] == [decisive, decisive]


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ({"ApproximateReceiveCount": "3"}, 3),
        ({}, 0),
        ({"ApproximateReceiveCount": "x"}, 0),
        ({"ApproximateReceiveCount": ""}, 0),
    ],
)
def test_a_record_says_how_often_it_was_received(attributes: Any, count: Any) -> None:
    """0 where SQS did not say."""
    assert Record("id", "handle", "{}", attributes).receive_count == count


@pytest.mark.parametrize(("attributes", "group"), [({"MessageGroupId": "g"}, "g"), ({}, None)])
def test_a_record_has_the_group_of_its_message(attributes: Any, group: Any) -> None:
    """As SQS reports it."""
    assert Record("id", "handle", "{}", attributes).group_id == group


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (5, "1970-01-01T00:00:00.005Z"),
        (1767323045678, "2026-01-02T03:04:05.678Z"),
        (951782400000, "2000-02-29T00:00:00.000Z"),
    ],
)
def test_times_are_iso_8601_with_milliseconds(epoch_ms: Any, text: Any) -> None:
    """In UTC, whatever the zone of the machine."""
    assert iso_ms(epoch_ms) == text


@given(st.integers(0, 253_402_300_799_999))
@settings(deadline=None)
def test_times_as_text_sort_as_times(epoch_ms: Any) -> None:
    """And all have one length."""
    text, later = iso_ms(epoch_ms), iso_ms(epoch_ms + 1 if epoch_ms < 253_402_300_799_999 else epoch_ms)

    assert text is not None
    assert later is not None
    assert (len(text), text <= later) == (24, True)


SYSTEM = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "MessageGroupId": "g",
}


def test_a_message_knows_its_times_and_group() -> None:
    """From SQS's attributes."""
    message = Message({}, system=SYSTEM)

    times = message.sent_at, message.time("first_received_at"), message.epoch_ms("sent_at"), message.group_id
    assert times == ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06.789Z", 1767323045678, "g")


@pytest.mark.parametrize("system", [{}, {"SentTimestamp": ""}, {"SentTimestamp": "soon"}, {"SentTimestamp": "-5"}])
def test_a_message_without_times_has_none(system: Any) -> None:
    """As a test's might be."""
    message = Message({}, system=system)

    assert (message.sent_at, message.epoch_ms("sent_at"), message.group_id) == (None, None, None)


def test_other_data_leaves_the_rest_of_a_message() -> None:
    """And the message itself as it was."""
    message = Message({"a": 1}, "id", "q", {"x": Decimal(1)}, SYSTEM)

    changed = message.with_data([2])

    assert (changed, message.data) == (Message([2], "id", "q", {"x": Decimal(1)}, SYSTEM), {"a": 1})


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(CODE, "a fault", Place("f.yaml", 3, 5), "mend it"), "f.yaml:3:5: RT999 a fault; mend it"),
        (Finding(CODE, "a fault", Place("f.yaml", 3, 5)), "f.yaml:3:5: RT999 a fault"),
        (Finding(CODE, "a fault", Place("f.yaml")), "f.yaml: RT999 a fault"),
    ],
)
def test_a_finding_is_one_line(finding: Any, text: Any) -> None:
    """What, where, and what to do."""
    assert str(finding) == text


def test_the_mark_of_removal_stays_itself() -> None:
    """A copy of an item, or a process of its own, must not make another value of it."""
    copies = [copy.copy(REMOVE), copy.deepcopy([REMOVE])[0], pickle.loads(pickle.dumps(REMOVE))]

    assert (all(each is REMOVE for each in copies), repr(REMOVE)) == (True, "REMOVE")
