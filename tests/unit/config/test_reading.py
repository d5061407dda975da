"""The garbage collector while a config is read."""

import gc
from typing import Any

import pytest

from router.config.reading import without_garbage_collector


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: Any) -> None:
    """It is disabled inside, and enabled again only if it was enabled before."""
    (gc.enable if enabled else gc.disable)()
    try:
        with without_garbage_collector():
            inside = gc.isenabled()
        after = gc.isenabled()
    finally:
        gc.enable()

    assert (inside, after) == (False, enabled)
