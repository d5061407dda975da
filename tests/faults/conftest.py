"""What the tests under faults share: an embedded AWS of their own."""

from collections.abc import Iterator

import pytest

from router.dev.server import LocalAws, local_aws


@pytest.fixture(scope="session")
def ministack() -> Iterator[LocalAws]:
    """An embedded AWS; use names of your own."""
    with local_aws() as running:
        yield running
