"""What became of a message: its fates, from the worst to those that have nothing to show."""

from collections.abc import Iterable
from typing import Literal, get_args

from msgspec import Struct

Fate = Literal[
    "missing",
    "different",
    "not decidable",
    "stored",
    "superseded",
    "deleted",
    "expired",
    "duplicate",
    "dropped",
    "rejected",
]
Fates = tuple[Fate, ...]
WORST_FIRST: Fates = get_args(Fate)
LOST: Fates = ("missing", "different")
"""The fates of messages that are not where they should be."""
WITHOUT_TRACE: Fates = ("not decidable", "superseded", "deleted", "expired", "duplicate")
"""The fates of writes that may never have been made."""


class MessageVerdict(Struct, frozen=True):
    """The fate of a message or of one of its writes, why, and the attributes that it is about.

    The reason has names of the config in it, and no value of a message.
    """

    fate: Fate
    reason: str = ""
    attributes: tuple[str, ...] = ()


STORED = MessageVerdict("stored")
SHARED = MessageVerdict("stored", "it is stored, perhaps by another message")
SUPERSEDED = MessageVerdict("superseded")
DUPLICATE = MessageVerdict("duplicate")
DELETED = MessageVerdict("deleted")
EXPIRED = MessageVerdict("expired")


def undecided(reason: str) -> MessageVerdict:
    """Return the verdict where what is stored proves nothing."""
    return MessageVerdict("not decidable", reason)


def different(reason: str, *attributes: str) -> MessageVerdict:
    """Return the verdict where these attributes are not as any message makes them."""
    return MessageVerdict("different", reason, attributes)


def worst(verdicts: Iterable[MessageVerdict]) -> MessageVerdict:
    """Return the verdict of several together: the worst one, of equal ones the first."""
    return min(verdicts, key=lambda each: WORST_FIRST.index(each.fate))
