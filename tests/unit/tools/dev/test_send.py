"""Messages of a file: how they are read, and sent in batches."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.dev.send import Wrapping, for_queue, make_messages, read_lines, send
from tests.support.aws import AwsFault, OutgoingMessage
from tests.support.config import spec
from tests.support.envelopes import ENVELOPES
from tests.support.program import compile_expression

PLAIN = Wrapping(spec.Queue(), ENVELOPES)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"a": 1}', [(1, '{"a": 1}')]),
        ('\n{\n  "a": 1\n}\n', [(2, '{\n  "a": 1\n}')]),
        ('{"a": 1}\r\n\n{"a": 2}\n', [(1, '{"a": 1}'), (3, '{"a": 2}')]),
        ("[\n1]", [(1, "[\n1]")]),
        ('{"a": 1}\n{', [(1, '{"a": 1}'), (2, "{")]),
        ("{\n", [(1, "{")]),
        ("", []),
    ],
)
def test_lines(text: str, lines: list[tuple[int, str]]) -> None:
    """A file is one JSON value, or one in each line."""
    assert read_lines(text) == lines


def made(line: str, detailed: bool = False, **wrapping: Any) -> OutgoingMessage:
    """The message of one line."""
    [message] = make_messages(
        [(7, line)], Wrapping(**{"settings": spec.Queue(), "envelopes": ENVELOPES, **wrapping}), detailed=detailed
    )
    return message


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ('{"n": 1.50}', {}, OutgoingMessage("7", '{"n": 1.50}')),
        ("no JSON", {"raw": True}, OutgoingMessage("7", "no JSON")),
        ('{"n": 1}', {"settings": spec.Queue(encoding="base64")}, OutgoingMessage("7", "eyJuIjogMX0=")),
        ('{"n": 1}', {"attributes": {"a": "b"}}, OutgoingMessage("7", '{"n": 1}', {"a": text("b")})),
        ('{"g": 5}', {"group": compile_expression("g")}, OutgoingMessage("7", '{"g": 5}', group_id="5")),
        (
            '{"message": {"n": 1.50}, "attributes": {"a": "c"}, "group": "g"}',
            {"detailed": True, "attributes": {"a": "b", "d": "e"}, "group": compile_expression("n")},
            OutgoingMessage("7", '{"n":1.50}', {"a": text("c"), "d": text("e")}, "g"),
        ),
        ('{"message": null}', {"detailed": True}, OutgoingMessage("7", "null")),
        ('{"body": "x"}', {"detailed": True}, OutgoingMessage("7", "x")),
    ],
)
def test_messages(line: str, options: Mapping[str, Any], message: OutgoingMessage) -> None:
    """A line is a message in the queue's envelopes, a body, or a map with attributes and a group."""
    assert made(line, **options) == message


def test_envelopes() -> None:
    """The message is inside the envelopes of the queue."""
    message = made('{"n": 1.50}', settings=spec.Queue(envelope=("sns",)))

    assert json.loads(message.body)["Message"] == '{"n": 1.50}'


@pytest.mark.parametrize(
    ("line", "options", "sentence"),
    [
        (
            "{",
            {},
            (
                "line 7: it is not JSON at column 2: expecting property name enclosed in double quotes; "
                "--raw sends lines as they are"
            ),
        ),
        ("{}", {"detailed": True}, "line 7 must have either 'message' or 'body'"),
        ('{"message": 1, "body": ""}', {"detailed": True}, "line 7 must have either 'message' or 'body'"),
        (
            '{"id": 1}',
            {"detailed": True},
            "line 7: Object contains unknown field `id`; it takes message or body, attributes and group",
        ),
        (
            "{}",
            {"group": compile_expression("g")},
            "line 7 has no text, number or boolean for the message group",
        ),
        (
            '{"g": "x"}',
            {"group": compile_expression("abs(g)")},
            "line 7 has no text, number or boolean for the message group",
        ),
    ],
)
def test_what_cannot_be_sent(line: str, options: Mapping[str, Any], sentence: str) -> None:
    """The line is named."""
    with pytest.raises(UsageError) as raised:
        made(line, **options)

    assert str(raised.value) == sentence


def test_groups_of_queues() -> None:
    """On a FIFO queue each message has a group, and an id of its own by which SQS recognises a repetition."""
    messages = [OutgoingMessage("1", "a"), OutgoingMessage("2", "a", group_id="own")]
    fifo, grouped, plain = (for_queue(messages, *each) for each in (("q.fifo", ""), ("q.fifo", "all"), ("q", "")))

    assert (
        [each.group_id for each in (*fifo, *grouped, *plain)],
        len({each.deduplication_id for each in fifo}),
        [each.deduplication_id for each in plain],
    ) == (["router-send", "own", "all", "own", "", "own"], 2, ["", ""])


class ScriptedQueues:
    """A queue that does not take some messages, each for as many times as it has faults."""

    def __init__(self, **faults: list[AwsFault]) -> None:
        self.faults = faults
        self.sent: list[list[str]] = []

    def send(self, url: str, messages: Sequence[OutgoingMessage], timeout: float) -> dict[str, AwsFault]:
        self.sent.append([each.id for each in messages])
        return {each.id: self.faults[each.id].pop(0) for each in messages if self.faults.get(each.id)}


def test_sending() -> None:
    """Ten at a time; what may succeed later is sent again, what SQS refuses is not."""
    again, refused = AwsFault("retry", "Throttling"), AwsFault("refused", "InvalidMessageContents")
    queues: Any = ScriptedQueues(m1=[again], m2=[refused], m10=[again] * 9)
    messages = [OutgoingMessage(f"m{number}", "x") for number in range(12)]

    failed = list(send(queues, "q", messages))

    first, others = [f"m{number}" for number in range(10)], ["m10", "m11"]
    assert (failed, queues.sent) == ([{"m2": refused}, {"m10": again}], [first, ["m1"], others, *[["m10"]] * 4])
