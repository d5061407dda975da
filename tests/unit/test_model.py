"""The nouns: outcomes, records, messages, findings."""

import copy
import pickle
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.model import REMOVE, Code, Finding, Message, Outcome, Place, Record, iso_ms, worst

KINDS = ["retry", "rejected", "written", "stale", "duplicate", "dropped"]
CODE = Code("RT999", "title", "why")


@pytest.mark.parametrize(("bad", "better"), [(bad, better) for at, bad in enumerate(KINDS) for better in KINDS[at:]])
def test_the_worse_of_two_outcomes_decides(bad: Any, better: Any) -> None:
    """Retry, then rejected, written, stale, duplicate, dropped; in any order of receipt."""
    found = {worst(pair).kind for pair in permutations([Outcome(bad), Outcome(better)])}

    assert found == {bad}


def test_of_outcomes_of_one_kind_the_first_decides() -> None:
    """So that the reason is that of the first route."""
    assert worst([Outcome("written"), Outcome("retry", "A"), Outcome("retry", "B")]) == Outcome("retry", "A")


@pytest.mark.parametrize(
    "decisive",
    [Outcome("retry", configuration_error=True), Outcome("duplicate", conflict=True), Outcome("stale", conflict=True)],
)
def test_of_outcomes_of_one_kind_an_error_or_conflict_decides(decisive: Any) -> None:
    """Another write of the message does not hide a configuration error or a conflict."""
    plain = Outcome(decisive.kind)

    assert [worst([plain, decisive]), worst([decisive, plain])] == [decisive, decisive]


@pytest.mark.parametrize("kind", ["written", "stale", "duplicate"])
def test_an_acknowledged_message_reports_the_conflict_of_a_write(kind: Any) -> None:
    """What its other writes ended as does not hide it: a message that is retried reports it when it is repeated."""
    conflict = Outcome("duplicate", "RT820", "table 't' has the item already, with other content", "r", conflict=True)
    reported = structs.replace(conflict, kind=kind)

    assert [worst([Outcome(kind), conflict]), worst([conflict, Outcome(kind)])] == [reported, reported]
    assert worst([conflict, Outcome("retry", "RT812")]) == Outcome("retry", "RT812")
    own = structs.replace(reported, code="RT821", route="s")
    assert worst([conflict, own]) == (conflict if kind == "duplicate" else own)


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ({"ApproximateReceiveCount": "3"}, 3),
        ({}, 0),
        ({"ApproximateReceiveCount": "x"}, 0),
        ({"ApproximateReceiveCount": ""}, 0),
    ],
)
def test_receive_count(attributes: Any, count: Any) -> None:
    """0 if SQS did not report it."""
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
    """In UTC, whatever the time zone of the machine."""
    assert iso_ms(epoch_ms) == text


@given(st.integers(0, 253_402_300_799_999))
@settings(deadline=None)
def test_times_as_text_sort_as_times(epoch_ms: Any) -> None:
    """All texts have one length."""
    text, later = iso_ms(epoch_ms), iso_ms(epoch_ms + 1 if epoch_ms < 253_402_300_799_999 else epoch_ms)

    assert text is not None
    assert later is not None
    assert (len(text), text <= later) == (24, True)


SYSTEM = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "MessageGroupId": "g",
}


def test_a_message_has_its_times_and_group() -> None:
    """From the attributes that SQS sets."""
    message = Message({}, system=SYSTEM)

    times = message.sent_at, message.time("first_received_at"), message.epoch_ms("sent_at"), message.group_id
    assert times == ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06.789Z", 1767323045678, "g")


@pytest.mark.parametrize("system", [{}, {"SentTimestamp": ""}, {"SentTimestamp": "soon"}, {"SentTimestamp": "-5"}])
def test_a_message_without_times_has_none(system: Any) -> None:
    """A test's message may have none."""
    message = Message({}, system=system)

    assert (message.sent_at, message.epoch_ms("sent_at"), message.group_id) == (None, None, None)


@pytest.mark.parametrize("timestamp", ["9" * 15, "9" * 30])
def test_a_timestamp_that_no_clock_shows_is_none(timestamp: str) -> None:
    """SQS never sends one, but a test or a replayed event can have it; no date could be written for it."""
    message = Message({}, system={"SentTimestamp": timestamp})

    assert (message.sent_at, message.epoch_ms("sent_at")) == (None, None)


def test_other_data_leaves_the_rest_of_a_message() -> None:
    """The message itself is unchanged."""
    message = Message({"a": 1}, "id", "q", {"x": Decimal(1)}, SYSTEM)

    changed = message.with_data([2])

    assert (changed, message.data) == (Message([2], "id", "q", {"x": Decimal(1)}, SYSTEM), {"a": 1})


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(CODE, "a fault", Place("f.yaml", 3, 5), "mend it"), "f.yaml:3:5: error RT999 a fault; mend it"),
        (Finding(CODE, "a fault", Place("f.yaml", 3, 5)), "f.yaml:3:5: error RT999 a fault"),
        (Finding(CODE, "a fault", Place("f.yaml")), "f.yaml: error RT999 a fault"),
    ],
)
def test_a_finding_is_one_line(finding: Any, text: Any) -> None:
    """The place, the fault and the suggestion."""
    assert str(finding) == text


def test_remove_is_a_singleton() -> None:
    """Copied and unpickled, in another process too."""
    copies = [copy.copy(REMOVE), copy.deepcopy([REMOVE])[0], pickle.loads(pickle.dumps(REMOVE))]

    assert (all(each is REMOVE for each in copies), repr(REMOVE)) == (True, "REMOVE")
