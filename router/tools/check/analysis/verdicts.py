"""The claims that `router check` makes about every message that a route accepts."""

from typing import Literal

from msgspec import Struct

ClaimKind = Literal[
    "when",
    "for_each",
    "mapping",
    "type",
    "merge",
    "key",
    "index",
    "version",
    "once_key",
    "ttl",
    "size",
    "elements",
    "transaction",
    "pair",
]
KeyVerdict = Literal["apart", "may meet", "not decided"]
"""What is known of the keys of two routes of one table."""


class Claim(Struct, frozen=True):
    """A claim about every message that the schema of a route accepts; `subject` is an attribute, or
    "" for the route.

    The kinds: `when` and `for_each` can be evaluated; the sources and transforms of an attribute
    (`mapping`) and its `type` do not fail; `merge` finds a map, without a name of the route's own
    attributes; a `key` attribute, `version` and `once_key` are there and valid; an attribute in the
    key of an `index` is valid or missing; the `ttl` attribute is a number of seconds; the item has
    at most the `size` of DynamoDB; no two `elements` of a message have one key; the writes of a
    message of an `atomic` queue, with those of its other routes, fit in one `transaction`. The
    `pair` with another route of its table, whose name is the subject, never writes one key: "" are
    routes that it was not compared with.
    """

    route: str
    kind: ClaimKind
    subject: str = ""

    @property
    def of_message(self) -> bool:
        """Whether it is about each message, not about the items that are mapped of its elements."""
        return self.kind in ("when", "for_each", "once_key")


class Undecided(Struct, frozen=True):
    """A claim that is not proved, and the reason in words.

    A claim that a finding refutes is refuted, whatever else is undecided about it.
    """

    claim: Claim
    reason: str


class RouteClaim(Struct, frozen=True):
    """A claim, and why it is not proved: a proved claim has no doubts.

    `unknown` is why nothing can be known of the messages that it is about, "" if something can.
    """

    claim: Claim
    doubts: tuple[str, ...]
    unknown: str = ""
