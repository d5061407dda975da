"""What sources state about their expressions and values, for the rules of `router check`."""

from typing import Any

import msgspec
import pytest

from router.sources import SOURCES, Computed, Constant, Evaluated, Joined, expressions_of, source_of, values_of
from tests.support.config import spec

ID = Computed("string", 128)


def parsed(**keys: Any) -> spec.Attribute:
    return msgspec.convert({name.rstrip("_"): value for name, value in keys.items()}, spec.Attribute)


@pytest.mark.parametrize(
    ("given", "fifo", "values"),
    [
        (parsed(from_="a || b"), False, Evaluated("a || b")),
        (parsed(value=[1]), False, Constant([1])),
        (parsed(template="A#{a}#{ b.c }"), False, Joined(("A#", "#"), ("a", "b.c"))),
        (parsed(template=""), False, Joined((), ())),
        (parsed(template="{a"), False, Computed("", missing=None)),
        (parsed(hash=["a", "b"]), False, Computed("string", 64, ("a", "b"), required=True)),
        (parsed(ttl="9d"), False, Computed("number")),
        (parsed(ttl={"from": "at", "after": "9d"}), False, Computed("number", expressions=("at",))),
        (parsed(meta="sent_at"), False, Computed("string", 24, milliseconds=True)),
        (parsed(meta="sent_at", type="N"), False, Computed("number", milliseconds=True)),
        (
            parsed(meta="attribute.x"),
            False,
            Computed("", missing=True, gap="senders may leave out the message attribute 'x'"),
        ),
        (parsed(meta="message_id"), False, ID),
        (
            parsed(meta="sequence_number"),
            False,
            Computed("string", 128, missing=True, gap="messages of a standard queue have no 'sequence_number'"),
        ),
        (parsed(meta="sequence_number"), True, ID),
        (
            parsed(meta="group_id"),
            False,
            Computed(
                "string", 128, missing=True, gap="senders may leave out the group of a message on a standard queue"
            ),
        ),
        (parsed(meta="group_id"), True, ID),
    ],
)
def test_values(given: spec.Attribute, fifo: bool, values: Any) -> None:
    """Each source states what its values are."""
    assert values_of(given, fifo) == values


@pytest.mark.parametrize(
    ("given", "expressions"),
    [
        (parsed(from_="a"), [(("from",), "a", "anything")]),
        (parsed(value=[1]), []),
        (parsed(template="A#{a}"), [(("template",), "a", "scalar")]),
        (parsed(template="{a"), []),
        (parsed(hash=["a", "b"]), [(("hash", 0), "a", "anything"), (("hash", 1), "b", "anything")]),
        (parsed(ttl="9d"), []),
        (parsed(ttl={"from": "at", "after": "9d"}), [(("ttl", "from"), "at", "time")]),
        (parsed(meta="queue"), []),
    ],
)
def test_expressions(given: spec.Attribute, expressions: Any) -> None:
    """Each source lists its expressions, with their places in the attribute and what they must evaluate to."""
    assert [(use.place, use.text, use.takes) for use in expressions_of(given)] == expressions


TIMES = ("SentTimestamp", "ApproximateFirstReceiveTimestamp")
TEXTS = ("MessageGroupId", "SequenceNumber", "MessageDeduplicationId", "SenderId")
ALICE = (
    {"user_id": "a", "device": {"model": "a"}},
    dict.fromkeys(TIMES, "1767323045678") | dict.fromkeys(TEXTS, "1"),
)
BOB = (
    {"user_id": "b", "device": {"model": "b"}},
    dict.fromkeys(TIMES, "1767323046789") | dict.fromkeys(TEXTS, "2"),
)
SAME_FOR_ALL = {"queue", "route"}
"""Metadata that all messages of a route share."""


@pytest.mark.parametrize(
    ("key", "example"),
    [(key, example) for key, source in SOURCES.items() for example in source.spec.__metadata__[0].examples],
)
def test_a_source_declares_what_it_reads(attribute: Any, key: str, example: Any) -> None:
    """Its value depends on data only if it has expressions, and on metadata only if it names them."""
    source, flow = SOURCES[key], attribute({key: example})
    values = {
        (data is BOB[0], system is BOB[1]): flow.send({"id": "1", **data}, system=system)
        for data in (ALICE[0], BOB[0])
        for system in (ALICE[1], BOB[1])
    }

    of_data, of_system = values[False, False] != values[True, False], values[False, False] != values[False, True]
    of_each_message = {*source.meta(example)} - SAME_FOR_ALL
    assert (of_data, of_system) == (bool([*source.expressions(example)]), bool(of_each_message))


def test_an_attribute_without_a_source() -> None:
    """The parser refuses such an attribute, so that it is a programming error here."""
    with pytest.raises(LookupError, match="an attribute has no source"):
        source_of(parsed(default=1))
