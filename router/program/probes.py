"""Finds out whether a schema needs a value that is masked, by other values in its place."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from router import codes
from router.errors import Rejection
from router.program.masking import Place
from router.program.schemas.compile import Check, Invalid

_LONG = "x" * 20_000
_PROBES: Mapping[str, tuple[Any, Any, Any]] = {
    "string": ("", _LONG, "redacted"),
    "integer": (0, -(10**30) - 7, 10**30 + 7),
    "number": (Decimal("0.5"), Decimal("-1E+30"), Decimal("1E+30")),
    "boolean": (True, False, True),
    "array": ([], [None] * 100, [{}, ""]),
    "object": ({}, {"": None}, {name: [] for name in "abc"}),
    "binary": ("", _LONG, "redacted"),
}
"""Values of each type that no constraint but `type` takes all of."""


def probe(check: Check, root: list[Any], masks: Sequence[Place]) -> Invalid | None:
    """Return why a message with masks fails its schema, or None; raises Rejection if that depends on a masked value.

    The schema must take different values of the type that each mask names, which no other constraint takes all of.
    """
    for number in range(3):
        changed, placed = deepcopy((root, list(masks)))
        for holder, key in placed:
            holder[key] = _PROBES[holder[key].split(":")[1]][number]
        invalid = check(changed[0])
        if invalid is not None:
            found = _at(changed, invalid.pointer)
            if number == 0 and not any(found == (id(holder), key) for holder, key in placed):
                return invalid
            reason = "the schema needs a value that is redacted in this dead letter"
            raise Rejection(codes.REDACTED, reason, invalid.pointer)
    return None


def _at(root: list[Any], pointer: str) -> tuple[int, Any]:
    """Return the identity of the holder and the key of the value at a JSON Pointer, or of what is nearest above it."""
    found: tuple[int, Any] = id(root), 0
    data = root[0]
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        key: Any = int(name) if isinstance(data, list) and name.isdecimal() else name
        try:
            found, data = (id(data), key), data[key]
        except (KeyError, IndexError, TypeError):
            return found
    return found
