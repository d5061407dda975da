"""The file of the messages that a replay rejects: as dead letters, in the lines of an export."""

import os
from collections.abc import Iterable
from pathlib import Path

from router.errors import UsageError, refusing_file
from router.model import Outcome, Record
from router.runtime.deliver.dead_letters import make_dead_letter
from router.runtime.engine.engine import CompiledQueue
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.spool import export_line


class RejectedFile:
    """A file that only its owner may read, made with the first message; `size` is in bytes.

    What a run that was killed wrote after its last line in the journal is cut off: those messages are rejected again.
    """

    def __init__(self, path: Path, size: int, *, begun: bool) -> None:
        """`size` is that of the journal, `begun` whether an earlier run has begun it.

        Raises UsageError for a file that is not of the replay.
        """
        self.path = path
        self.size = size
        found = path.stat().st_size if path.exists() else 0
        if size > found:
            raise UsageError(
                f"{path} has not all messages that were rejected before; put it back, or begin a new replay with "
                "--again"
            )
        if found and not begun:
            raise UsageError(
                f"{path} exists already; move it, or name another file with --rejected"
            )

    def add(self, lines: Iterable[bytes]) -> None:
        """Add lines, and wait until they are on the disk; raises UsageError."""
        content = b"".join(lines)
        if not content:
            return
        with refusing_file(f"write {self.path}"):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.truncate(self.size)
                file.seek(self.size)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        self.size += len(content)


def rejected_line(
    queue: CompiledQueue, message: DlqMessage, outcome: Outcome, config: str
) -> bytes:
    """Return the line of a rejected message: with why, and without what its queue redacts."""
    record = message.to_deliver()
    letter = make_dead_letter(queue, record, outcome, config)
    shown = queue.redaction.redact(record)[0] if queue.redaction else record
    rejected = Record(
        record.message_id, "", letter.body, shown.attributes, letter.message_attributes
    )
    return export_line(DlqMessage.of(rejected))
