"""Fixtures of the fault tests."""

from collections.abc import Iterator

import pytest

from tests.support.dev import LocalAws, local_aws


@pytest.fixture(scope="session")
def ministack() -> Iterator[LocalAws]:
    """Run an embedded AWS; each test uses names of its own."""
    with local_aws() as running:
        yield running
