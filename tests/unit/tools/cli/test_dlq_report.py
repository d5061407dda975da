"""What the commands of `router dlq` say about messages that they could not look at or release."""

import json
from collections import Counter
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest
from msgspec import structs

from router.model import WRITTEN, Record
from router.tools.cli.dlq_rehearse import RedrivePlan, rehearsal_as_json, rehearsal_as_text
from router.tools.cli.dlq_report import (
    describe_unreleased,
    describe_unseen,
    message_as_json,
    print_counts,
    print_message,
)
from tests.support.aws import AwsFault
from tests.support.dlq import Cause, Change, DlqMessage, Rehearsal


class Found(NamedTuple):
    """A dead-letter queue, and what was received of it."""

    queue: Any
    spool: Any
    unseen: int | None
    elsewhere: int
    limited: bool


class Queue(NamedTuple):
    """Its name, and whether it is FIFO."""

    name: str
    fifo: bool


class Lease(NamedTuple):
    """What a lease could not release."""

    unreleased: int
    fault: AwsFault | None


ELSEWHERE = "in flight elsewhere, as another command or consumer has them"
LIMIT = "SQS has no more than about 120,000 messages of a queue in flight, and q has more: "


def test_a_plan_of_one_message() -> None:
    """It is said as a plan of many is."""
    plan = RedrivePlan(Counter({(Cause("RT806", "q", "r", "", ""), "written"): 1}), passing=1)

    assert plan.sentence() == "1 of 1 messages pass now, 0 do not"


@pytest.mark.parametrize(
    ("received", "unseen", "elsewhere", "fifo", "limited", "sentence"),
    [
        (3, 0, 0, False, False, ""),
        (3, 2, 0, False, True, ""),
        (3, 2, 0, True, True, ""),
        (0, 2, 2, True, False, f"about 2 messages of q could not be looked at: {ELSEWHERE}"),
        (3, 2, 2, False, False, f"about 2 messages of q could not be looked at: {ELSEWHERE}"),
        (
            3,
            1,
            0,
            True,
            False,
            f"about 1 message of q could not be looked at: behind others of their group, or {ELSEWHERE}",
        ),
        (
            3,
            None,
            0,
            False,
            False,
            "not known: how many messages of q were not received; that needs sqs:GetQueueAttributes",
        ),
        (119_990, 500, 0, True, False, f"{LIMIT}redrive or drop these, and run the command again"),
    ],
)
def test_unseen(received: int, unseen: int | None, elsewhere: int, fifo: bool, limited: bool, sentence: str) -> None:
    """The limit of SQS is no error of a receive that waits, so it shows in the counts only."""
    found: Any = Found(Queue("q", fifo), range(received), unseen, elsewhere, limited)

    assert [*describe_unseen(found)] == ([sentence] if sentence else [])


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        (
            AwsFault("configuration", "AccessDenied", 403),
            ": AccessDenied; the command needs sqs:ChangeMessageVisibility",
        ),
        (AwsFault("retry", "InternalError", 500), ": InternalError"),
        (None, ""),
    ],
)
def test_unreleased(fault: AwsFault | None, more: str) -> None:
    """Why they are not visible at once."""
    lease: Any = Lease(2, fault)

    assert describe_unreleased(lease) == f"2 messages become visible within 2 minutes, not at once{more}"


FAILURE = {
    "code": "RT806",
    "reason": "r",
    "queue": "q",
    "route": "r",
    "pointer": "/by/*/n",
    "message_id": "m",
    "receive_count": 1,
    "failed_at": "2026-01-02T00:00:00.000Z",
    "group_id": "jane-group",
    "sender_id": "jane-role",
}
LETTER = DlqMessage.of(
    Record(
        "m",
        "h",
        '{"id": "jane-1", "by": {"jane@example.com": {"n": 1}, "jane-2": {}}}',
        {},
        {
            "router": {"DataType": "String", "StringValue": json.dumps(FAILURE)},
            "trace": {"DataType": "String", "StringValue": "jane-trace"},
        },
    )
)


class Decoding(NamedTuple):
    """A queue."""

    name: str

    def decode(self, record: Record) -> tuple[Any, Any]:
        return json.loads(record.body), {}


def test_a_message_is_shown_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor with the names of its maps that the config does not have, or what its sender chose as ids."""
    queue: Any = Decoding("q")

    shown = message_as_json(LETTER, queue, {"id", "by", "n"})
    print_message(LETTER, queue, {"id", "by", "n"})

    printed = capsys.readouterr().out
    assert shown["message"] == {
        "id": "(text, 6 characters)",
        "by": {"(name 1, 16 characters)": {"n": "(number)"}, "(name 2, 6 characters)": {}},
    }
    assert (shown["attributes"], shown["failure"]["group_id"]) == (
        {"(name 1, 5 characters)": "(text, 10 characters)"},
        "(text, 10 characters)",
    )
    assert message_as_json(LETTER, queue, {"trace"})["attributes"] == {"trace": "(text, 10 characters)"}
    assert ["jane" in text for text in (json.dumps(shown), printed)] == [False, False]


def test_a_message_is_shown_with_values() -> None:
    """All of it."""
    queue: Any = Decoding("q")

    shown = message_as_json(LETTER, queue, None)

    assert list(shown["message"]["by"]) == ["jane@example.com", "jane-2"]
    assert (shown["attributes"], shown["failure"]["group_id"]) == ({"trace": "jane-trace"}, "jane-group")


def test_what_a_failure_says_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of what is redacted are listed, and what is not known is left out."""
    queue: Any = Decoding("q")
    assert LETTER.failed
    failed = structs.replace(LETTER.failed, redacted=("email", "card"), failed_at=None)

    print_message(structs.replace(LETTER, failed=failed), queue, None)

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["redacted", "email,", "card"] in lines
    assert not [line for line in lines if "None" in line]


def test_a_rehearsal_is_shown_without_values() -> None:
    """Nor with the names of attributes that are those of a map."""
    before = {"id": "jane-1", "jane@example.com": 1}
    after = {"id": "jane-1", "total": {"jane-2": 1}}
    change = Change("orders", {"id": "jane-1"}, before, after, newer=False)
    rehearsal = Rehearsal(LETTER, "q", WRITTEN, (change,))

    shown = rehearsal_as_json(rehearsal, {"id", "total"})
    printed = rehearsal_as_text(rehearsal, {"id", "total"})
    (found,) = rehearsal_as_json(rehearsal, None)["changes"]

    assert shown["changes"][0]["attributes"] == {
        "(name 2, 16 characters)": {"before": '"(number)"', "after": "-"},
        "total": {"before": "-", "after": '{"(name 1, 6 characters)":"(number)"}'},
    }
    assert ["jane" in json.dumps(shown["changes"]), "jane" in printed] == [False, False]
    assert list(found["attributes"]) == ["jane@example.com", "total"]


@pytest.mark.parametrize(("unseen", "before"), [(0, ""), (3, ", or before"), (None, ", or before")])
def test_when_the_first_message_is_deleted(capsys: pytest.CaptureFixture[str], unseen: int | None, before: str) -> None:
    """Those that were not received may be older, also if nobody knows how many they are."""
    opened = Mock(unseen=unseen, first_end="2026-01-02T03:04:05.000Z")
    opened.queue.name = "letters"

    print_counts(opened, "code", [Mock(value="RT801", count=1, oldest="", newest="")])

    assert f"SQS deletes the first at 2026-01-02 03:04:05 UTC{before}\n" in capsys.readouterr().out
