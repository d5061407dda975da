"""Types of values in the config: names, expressions, durations, and maps with known keys."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from router.model import META_NAMES

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        extra={"rule": "a name of letters, digits, '_', '.' and '-' that begins with a letter or digit"},
    ),
]
"""A name in the config itself: of a queue, table, route or plugin. Each pattern has its rule in words."""
Expression = Annotated[str, Meta(min_length=1)]
Disposition = Literal["dead_letter", "drop", "retry"]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,9}[smhdw]$",
        extra={"rule": "a whole number and a unit (s, m, h, d or w), as 90d"},
    ),
]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds of the units of a duration such as `90d`."""
AttributeType = Literal["S", "N", "B", "BOOL", "SS", "NS", "BS", "M", "L", "json"]
MetaName = Annotated[
    str,
    Meta(
        pattern=r"^(message_id|sent_at|first_received_at|group_id|sequence_number|deduplication_id|sender_id|queue"
        r"|route|attribute\..+)$",
        extra={"rule": f"one of {', '.join(META_NAMES)} or attribute.NAME"},
    ),
]

Bucket = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        extra={"rule": "a bucket's name: 3 to 63 lower-case letters, digits, '.' and '-'"},
    ),
]


class Spec(Struct, frozen=True, forbid_unknown_fields=True):
    """A map with known keys."""


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as `90d`."""
    return int(text[:-1]) * SECONDS[text[-1]]
