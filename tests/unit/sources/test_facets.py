"""What sources state about their expressions and values, for the rules of `router check`."""

from typing import Any

import msgspec
import pytest

from router.sources import Computed, Constant, Evaluated, Joined, expressions_of, source_of, values_of
from tests.support.config import spec

ID = Computed("string", 128)


def attribute(**keys: Any) -> spec.Attribute:
    return msgspec.convert({name.rstrip("_"): value for name, value in keys.items()}, spec.Attribute)


@pytest.mark.parametrize(
    ("given", "fifo", "values"),
    [
        (attribute(from_="a || b"), False, Evaluated("a || b")),
        (attribute(value=[1]), False, Constant([1])),
        (attribute(template="A#{a}#{ b.c }"), False, Joined(("A#", "#"), ("a", "b.c"))),
        (attribute(template=""), False, Joined((), ())),
        (attribute(template="{a"), False, Computed("", missing=None)),
        (attribute(hash=["a", "b"]), False, Computed("string", 64, ("a", "b"), required=True)),
        (attribute(ttl="9d"), False, Computed("number")),
        (attribute(ttl={"from": "at", "after": "9d"}), False, Computed("number", expressions=("at",))),
        (attribute(meta="sent_at"), False, Computed("string", 24, milliseconds=True)),
        (attribute(meta="sent_at", type="N"), False, Computed("number", milliseconds=True)),
        (
            attribute(meta="attribute.x"),
            False,
            Computed("", missing=True, gap="senders may leave out the message attribute 'x'"),
        ),
        (attribute(meta="message_id"), False, ID),
        (
            attribute(meta="sequence_number"),
            False,
            Computed("string", 128, missing=True, gap="messages of a standard queue have no 'sequence_number'"),
        ),
        (attribute(meta="sequence_number"), True, ID),
        (
            attribute(meta="group_id"),
            False,
            Computed(
                "string", 128, missing=True, gap="senders may leave out the group of a message on a standard queue"
            ),
        ),
        (attribute(meta="group_id"), True, ID),
    ],
)
def test_values(given: spec.Attribute, fifo: bool, values: Any) -> None:
    """Each source states what its values are."""
    assert values_of(given, fifo) == values


@pytest.mark.parametrize(
    ("given", "expressions"),
    [
        (attribute(from_="a"), [(("from",), "a", "anything")]),
        (attribute(value=[1]), []),
        (attribute(template="A#{a}"), [(("template",), "a", "scalar")]),
        (attribute(template="{a"), []),
        (attribute(hash=["a", "b"]), [(("hash", 0), "a", "anything"), (("hash", 1), "b", "anything")]),
        (attribute(ttl="9d"), []),
        (attribute(ttl={"from": "at", "after": "9d"}), [(("ttl", "from"), "at", "time")]),
        (attribute(meta="queue"), []),
    ],
)
def test_expressions(given: spec.Attribute, expressions: Any) -> None:
    """Each source lists its expressions, with their places in the attribute and what they must evaluate to."""
    assert [(use.place, use.text, use.takes) for use in expressions_of(given)] == expressions


def test_an_attribute_without_a_source() -> None:
    """The parser refuses such an attribute, so that it is a programming error here."""
    with pytest.raises(LookupError, match="an attribute has no source"):
        source_of(attribute(default=1))
