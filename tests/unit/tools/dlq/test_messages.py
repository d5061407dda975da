"""Messages on dead-letter queues, and their selection."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.tools.dlq.messages import (
    Cause,
    DlqMessage,
    MessageCount,
    Selection,
    UnknownNames,
    cause_of,
    count_by,
    count_causes,
)
from tests.support.program import Program, compile_expression
from tests.unit.tools.dlq.conftest import Make

ARN = "arn:aws:sqs:eu-west-1:123456789012"


def test_identity(failed: Make, moved: Make) -> None:
    """A message of the router names the original; SQS keeps the id and the time of what it moves."""
    ours, theirs = failed(), moved()

    assert (ours.id, ours.original_id, ours.code, ours.sent_at, ours.failed_at) == (
        "m",
        "original-m",
        "RT806",
        "2026-01-01T00:00:00.000Z",
        "2026-01-02T00:00:00.000Z",
    )
    assert (theirs.id, theirs.original_id, theirs.code, theirs.sent_at, theirs.failed_at) == (
        "m",
        "m",
        "-",
        "2026-01-01T00:00:00.000Z",
        "2026-01-01T00:00:00.000Z",
    )
    assert (moved(SentTimestamp="").sent_at, failed(sent_at="").sent_at) == ("", "2026-01-02T00:00:00.000Z")


def test_the_end_of_a_message(moved: Make) -> None:
    """SQS deletes it at the end of the retention, counted from when it was sent; inf if either is not known."""
    ends = [moved().end_ms(60), moved().end_ms(0), moved(SentTimestamp="").end_ms(60)]

    assert ends == [datetime(2026, 1, 1, 0, 1, tzinfo=UTC).timestamp() * 1000, inf, inf]


def test_the_id_that_is_shown(failed: Make, moved: Make) -> None:
    """The original one, which the logs have; not a mask, by which no message can be selected."""
    mask = f"redacted:string:{'0' * 32}"

    assert [each.shown_id for each in (failed(), moved(), failed(message_id=mask))] == ["original-m", "m", "m"]


def test_find_queue(load: Callable[..., Program], failed: Make, moved: Make) -> None:
    """By its name in the config, by the ARN of SQS, by its reference, or as the only one with the dead-letter queue."""
    program = load()

    def found(message: Any, dead_letter: str = "dead") -> str | None:
        queue = message.find_queue(program, dead_letter)
        return queue and str(queue.name)

    assert found(failed()) == "orders"
    assert found(failed(queue="renamed", source="OTHER")) == "other"
    assert found(failed(queue="gone")) is None
    assert found(moved(DeadLetterQueueSourceArn=f"{ARN}:OTHER")) == "other"
    assert found(moved()) is None


def test_the_sender_is_the_original_one(failed: Make, moved: Make) -> None:
    """Whoever redrives vouches for the dead letter."""
    assert failed(sender_id="AIDA").to_deliver().attributes["SenderId"] == "AIDA"
    assert failed().to_deliver() == failed().record
    assert moved().to_deliver() == moved().record


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        (Selection(), True),
        (Selection(queues=frozenset({"orders"})), True),
        (Selection(queues=frozenset({"other"})), False),
        (Selection(routes=frozenset({"orders"})), True),
        (Selection(routes=frozenset({"x"})), False),
        (Selection(codes=frozenset({"RT806", "RT801"})), True),
        (Selection(codes=frozenset({"-"})), False),
        (Selection(pointers=frozenset({"/id"})), True),
        (Selection(pointers=frozenset({""})), False),
        (Selection(ids=frozenset({"m"})), True),
        (Selection(ids=frozenset({"original-m"})), True),
        (Selection(ids=frozenset({"n"})), False),
        (Selection(since=datetime(2026, 1, 2, tzinfo=UTC)), True),
        (Selection(since=datetime(2026, 1, 3, tzinfo=UTC)), False),
        (Selection(where=compile_expression("total > `5`")), True),
        (Selection(where=compile_expression("total > `7`")), False),
        (Selection(where=compile_expression("sum(total) > `7`")), False),
    ],
)
def test_selection(load: Callable[..., Program], failed: Make, selection: Selection, selected: bool) -> None:
    """All parts must hold."""
    message = failed({"total": 7})

    assert selection.selects(message, message.find_queue(load(), "dead")) is selected


def test_selection_of_what_is_not_known(failed: Make, moved: Make) -> None:
    """A message of an unknown queue cannot be decoded; one that SQS moved has no route and no place."""
    assert not Selection(where=compile_expression("@")).selects(failed(1), None)
    assert Selection(queues=frozenset({"orders"})).selects(failed(), None)
    assert not Selection(routes=frozenset({"orders"})).selects(moved(), None)
    assert not Selection(pointers=frozenset({""})).selects(moved(), None)
    assert not Selection(since=datetime(2026, 1, 1, tzinfo=UTC)).selects(moved(SentTimestamp=""), None)


def test_a_queue_that_the_config_has_under_another_name(load: Callable[..., Program], failed: Make) -> None:
    """It is selected by the name in the letter, and by that in the config."""
    message = failed(queue="renamed", source="OTHER")
    queue = message.find_queue(load(), "dead")

    assert [Selection(queues=frozenset({name})).selects(message, queue) for name in ("renamed", "other", "x")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (Selection(), ""),
        (Selection(queues=frozenset({"orders"}), routes=frozenset({"other"}), codes=frozenset({"-", "RT806"})), ""),
        (Selection(queues=frozenset({"gone"}), routes=frozenset({"old"}), codes=frozenset({"RT899"})), ""),
        (
            Selection(queues=frozenset({"ordesr"})),
            "queue 'ordesr', and the config has no such queue; did you mean 'orders'?",
        ),
        (
            Selection(queues=frozenset({"dead"})),
            "queue 'dead', and the config has no such queue; it is a dead-letter queue: --dead-letter dead",
        ),
        (
            Selection(routes=frozenset({"x"})),
            "route 'x', and the config has no such route; there are old, orders, other",
        ),
        (
            Selection(codes=frozenset({"RT808x"})),
            "code 'RT808x', and the router has no such code; did you mean 'RT808'?",
        ),
        (Selection(codes=frozenset({"x"})), "code 'x', and the router has no such code"),
        (Selection(codes=frozenset({"-", "x"})), "code 'x', and the router has no such code"),
        (Selection(codes=frozenset({"RT239", "RT806", "-"})), ""),
    ],
)
def test_a_name_that_nothing_has(
    load: Callable[..., Program], failed: Make, moved: Make, selection: Selection, sentence: str
) -> None:
    """Neither the config, nor the router, nor a message."""
    unknown = UnknownNames(selection, load())
    for message in (failed(queue="gone", route="old", code="RT899"), moved()):
        unknown.see(message)
    found = ""

    try:
        unknown.require_none()
    except UsageError as error:
        found = str(error)

    assert found == (f"no message that could be looked at has the {sentence}" if sentence else "")


def test_causes_of_messages_without_a_reason(moved: Make) -> None:
    """SQS names the source of those that it moved; a malformed attribute is named."""
    malformed = Record("m", "", "{}", {}, {"router": {"DataType": "String", "StringValue": "{nope"}})
    messages = (moved(DeadLetterQueueSourceArn="arn"), moved(), DlqMessage.of(malformed))

    assert [cause_of(message, "orders").reason for message in messages] == [
        "moved by the redrive policy of the queue",
        "moved by SQS, or of another program",
        "its attribute 'router' is not one of the router",
    ]


def test_the_causes_of_messages(failed: Make, moved: Make) -> None:
    """The most frequent first, then by code and reason; with the first and the last failure, and one message."""
    days = [f"2026-01-0{day}T00:00:00.000Z" for day in range(1, 6)]
    times = {"2": days[2], "3": days[4], "4": days[1]}
    messages = [
        (moved(id_="1", SentTimestamp="1767225600000"), "named"),
        *((failed(id_=id_, failed_at=day), "orders") for id_, day in times.items()),
        (failed(id_="5", reason="another"), "orders"),
        (failed(id_="6", reason="a third"), "orders"),
        (failed(id_="7", code="RT801", route="", pointer="", reason="z"), "other"),
    ]

    reason = "fails 'required' at /required"
    assert count_causes(messages) == [
        MessageCount(Cause("RT806", "orders", "orders", "/id", reason), 3, days[1], days[4], "original-2"),
        MessageCount(Cause("-", "named", "", "", "moved by SQS, or of another program"), 1, days[0], days[0], "1"),
        MessageCount(Cause("RT801", "other", "", "", "z"), 1, days[1], days[1], "original-7"),
        MessageCount(Cause("RT806", "orders", "orders", "/id", "a third"), 1, days[1], days[1], "original-6"),
        MessageCount(Cause("RT806", "orders", "orders", "/id", "another"), 1, days[1], days[1], "original-5"),
    ]


@pytest.mark.parametrize(
    ("property_", "counted"),
    [
        ("sender", [("", 2), ("AIDA", 2)]),
        ("code", [("RT806", 3), ("-", 1)]),
        ("route", [("orders", 3), ("", 1)]),
        ("config", [("", 2), ("c0ffee", 2)]),
    ],
)
def test_messages_by_a_property(failed: Make, moved: Make, property_: Any, counted: Any) -> None:
    """Each value with how many have it, the most frequent first; what SQS moved has little."""
    ours = [failed(sender_id="AIDA", config="c0ffee", failed_at=f"2026-01-0{day}T00:00:00.000Z") for day in (3, 2)]

    found = count_by(property_, [*ours, failed(), moved()])

    assert [(each.value, each.count) for each in found] == counted
    if property_ == "config":
        assert (found[1].oldest, found[1].newest, found[1].example) == (
            "2026-01-02T00:00:00.000Z",
            "2026-01-03T00:00:00.000Z",
            "original-m",
        )
