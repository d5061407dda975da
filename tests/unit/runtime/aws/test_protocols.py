"""What responses say of the write units that calls consumed, and what faults say of their cause."""

from typing import Any

import pytest

from router.runtime.aws.protocols import AwsFault, read_consumed


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


def test_causes() -> None:
    """A code stands for itself, unless words say what the caller can do."""
    faults = [
        AwsFault("retry", "InternalError"),
        AwsFault("configuration", "NoCredentialsError"),
        AwsFault("configuration", "NonExistentQueue"),
        AwsFault("retry", "EndpointConnectionError"),
    ]

    assert [fault.cause for fault in faults] == [
        "InternalError",
        "NoCredentialsError: there are no AWS credentials in this environment",
        "NonExistentQueue: there is none of this name in this account and region",
        (
            "EndpointConnectionError: nothing answered; AWS_ENDPOINT_URL, the region and the network decide what is "
            "called"
        ),
    ]
