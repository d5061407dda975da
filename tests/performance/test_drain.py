"""What two worker processes are compared with."""

import pytest
from drain import ideal


@pytest.mark.parametrize(
    ("cores", "expected"),
    [(8, 80_000), (2, 66_667), (1, 33_333)],
    ids=["as fast as twice", "limited by two cores", "limited by one core"],
)
def test_ideal(cores: int, expected: int) -> None:
    """Twice the speed of one process, unless worker and server, at 30 µs a message, use all cores before."""
    assert round(ideal(40_000, 0.00003, cores)) == expected
