"""The example of each code that `router check --explain` shows.

`examples.json` is made by `make docs` from the fixtures of the rules in `tests/checks`.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

SHIPPED = Path(__file__).with_name("examples.json")


class Example(Struct, frozen=True, omit_defaults=True):
    """A faulty config, the lines that `router check` prints for it, and the fixed config; "" if it cannot be shown."""

    found: str
    bad: str = ""
    good: str = ""


def shipped_examples() -> Mapping[str, Example]:
    """Return the examples that are installed with the package, by code."""
    return msgspec.json.decode(SHIPPED.read_bytes(), type=dict[str, Example])
