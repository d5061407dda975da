"""What sources state about their expressions and values, for the rules of `router check`."""

from typing import Any

import msgspec
import pytest

from router.runtime.sources import SCALARS, SOURCES, Computed, Constant, Evaluated, Joined, expressions_of, source_of
from tests.support.check import values_of
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
        (parsed(from_="a"), [(("from",), "a", None)]),
        (parsed(value=[1]), []),
        (parsed(template="A#{a}"), [(("template",), "a", SCALARS)]),
        (parsed(template="{a"), []),
        (parsed(hash=["a", "b"]), [(("hash", 0), "a", None), (("hash", 1), "b", None)]),
        (parsed(ttl="9d"), []),
        (parsed(ttl={"from": "at", "after": "9d"}), [(("ttl", "from"), "at", ("string", "number"))]),
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
    {"user_id": "bob", "device": {"model": "bob"}},
    dict.fromkeys(TIMES, "1767323046789") | dict.fromkeys(TEXTS, "2"),
)
SAME_FOR_ALL = {"queue", "route"}
"""Metadata that all messages of a route share."""


EXAMPLES = [(key, example) for key, source in SOURCES.items() for example in source.spec.__metadata__[-1].examples]
"""The values of each source that the reference shows."""


@pytest.mark.parametrize(("key", "example"), EXAMPLES)
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


VALUES = {"string": "2026-01-02T03:04:05Z", "number": 7, "boolean": True, "array": ["a"], "object": {"a": "b"}}
"""A value of each type, which is a time if it can be one."""


def message_with(value: Any, path: str) -> Any:
    """Alice's message with another value at a path of names."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return {"id": "1", **ALICE[0], **value}


@pytest.mark.parametrize(("key", "example"), [*EXAMPLES, ("ttl", {"from": "device.model", "after": "1d"})])
def test_a_source_refuses_what_it_does_not_take(attribute: Any, key: str, example: Any) -> None:
    """A type that a source refuses and declares to take would be part of a wrong proof."""
    flow = attribute({key: example})

    for use in SOURCES[key].expressions(example):
        sent = {kind: flow.send(message_with(value, use.text)) for kind, value in VALUES.items()}
        taken = [kind for kind, items in sent.items() if isinstance(items, list)]
        assert taken == [kind for kind in VALUES if use.takes is None or kind in use.takes]


def test_an_attribute_without_a_source() -> None:
    """The parser refuses such an attribute, so that it is a programming error here."""
    with pytest.raises(LookupError, match="an attribute has no source"):
        source_of(parsed(default=1))
