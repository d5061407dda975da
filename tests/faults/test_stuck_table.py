"""A table that does not respond, with a backlog, does not block the messages of another queue in the same worker."""

import time
from pathlib import Path

from tests.faults.isolation import running

MESSAGES = 300
"""Each of which would wait for a write that is not answered until the client gives it up."""


def test_stuck_table(tmp_path: Path) -> None:
    """The messages of the other queue are written one by one, while the writes of all receivers of the first wait."""
    written = 0
    with running(tmp_path, "stuck") as look:
        while written < MESSAGES:
            time.sleep(0.05)
            written += len(look()["latencies"])
