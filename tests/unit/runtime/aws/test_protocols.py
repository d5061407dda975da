"""What responses say of the write units that calls consumed."""

from typing import Any

import pytest

from router.runtime.aws.protocols import read_consumed


@pytest.mark.parametrize(
    ("found", "units"),
    [
        ({"CapacityUnits": 2}, 2.0),
        ([{"CapacityUnits": 2}, {"CapacityUnits": 0.5}], 2.5),
        ({}, None),
        (None, None),
        ([{}], None),
        ("text", None),
        ({"CapacityUnits": "2"}, None),
        ({"CapacityUnits": None}, None),
    ],
)
def test_consumed_units(found: Any, units: float | None) -> None:
    """What cannot be read is as if the response did not say: the write was made."""
    assert read_consumed({"ConsumedCapacity": found}) == units
