"""The journal of a redrive: the messages whose outcome is confirmed, and which of them are deleted."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import get_args

from router.model import JsonObject, OutcomeKind
from router.tools.dlq.journal_file import JournalFile, line

_LONGEST = max(get_args(OutcomeKind), key=len)
"""The result with the longest line."""


class Journal(JournalFile):
    """A file with the messages whose outcome is confirmed, and which of them are deleted.

    The file is deleted at the end, unless there is a message that is confirmed and not deleted: one that is not visible
    yet after a command was killed would be delivered again. That of an export has all of these, and stays.
    """

    command = "router dlq redrive"
    begin = b'{"id": "'
    undeleted: dict[str, str]
    """The results of the messages that are confirmed and not deleted, by id."""

    @property
    def is_needed(self) -> bool:
        """Whether a message is confirmed and not deleted."""
        return bool(self.undeleted)

    def clear(self) -> None:
        """Forget all messages."""
        self.undeleted = {}

    def read(self, entry: JsonObject) -> None:
        """Take a line."""
        if entry.get("deleted"):
            self.undeleted.pop(entry["id"], None)
        else:
            self.undeleted[entry["id"]] = entry["result"]

    def result(self, message_id: str) -> str | None:
        """Return the result of a message that is confirmed and not deleted."""
        return self.undeleted.get(message_id)

    def reserve(self, ids: Sequence[str]) -> None:
        """Make room for the lines of messages; raises UsageError, after which none of them may be delivered."""
        lines = [*_confirmed(dict.fromkeys(ids, _LONGEST)), *_deleted(ids)]
        size = sum(map(len, lines))
        if size:
            self.make_room(size)

    def confirm(self, results: Mapping[str, str]) -> None:
        """Add results by message id, and wait until they are on the disk; raises UsageError."""
        if results:
            self.undeleted |= results
            self.append(_confirmed(results), sync=True)

    def delete(self, ids: Collection[str]) -> None:
        """Note that confirmed messages are deleted from their dead-letter queue; raises UsageError."""
        for id_ in ids:
            del self.undeleted[id_]
        self.append(_deleted(ids), sync=False)


def _confirmed(results: Mapping[str, str]) -> Iterator[bytes]:
    return (line({"id": id_, "result": result}) for id_, result in results.items())


def _deleted(ids: Iterable[str]) -> Iterator[bytes]:
    return (line({"id": id_, "deleted": True}) for id_ in ids)
