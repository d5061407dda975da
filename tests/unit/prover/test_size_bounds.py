"""Constants bound the size of a value."""

from pathlib import Path
from typing import Any

import pytest

from router.model import Place
from router.prover.size_bounds import NUMBER_BYTES, SizeBounds
from router.prover.subschema_walker import SubschemaWalker
from tests.support.config import Findings
from tests.support.program import Location, SchemaStore


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([["x" * 1000]], 1004),
        ([{"a": "x" * 1000}, ["y"]], 1005),
        (["x" * 1000, [1]], 1000),
        ([True], 1),
        ([1], NUMBER_BYTES),
    ],
)
def test_constants(values: list[Any], most: int) -> None:
    """Those in lists and objects count, too."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "enum": values}
    store = SchemaStore(Path("/nowhere"))
    store.compile(schema, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked(schema, ("schema",))
    assert linked

    found = SizeBounds(SubschemaWalker(linked.locations)).most_bytes(Location.of(linked.root))

    assert found == most
