"""The journal of a replay: how far it is, so that one that was stopped goes on where it was."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from router.errors import UsageError
from router.model import JsonObject, Outcome
from router.tools.dlq.journal_file import JournalFile, line

Result = tuple[str, str, str]
"""A kind of outcome, and of messages that are not stored the code and the reason."""
_ROOM = 64 * 1024
_ROOM_OF_MESSAGE = 48
"""Bytes: the number of a message, of up to 14 digits, in a line, and in another one with its digest."""


class LeftMessage(Struct, frozen=True):
    """A message that is not written, while later ones are: the digest of the source up to it.

    `tables` are those that it may be written to: no later message was written to one of them.
    """

    digest: int
    tables: tuple[str, ...]


def result_of(outcome: Outcome) -> Result:
    """Return what is counted of an outcome."""
    has_reason = outcome.kind == "rejected"
    return outcome.kind, outcome.code if has_reason else "", outcome.reason if has_reason else ""


class ReplayJournal(JournalFile):
    """The messages that are done: the first `position` of the source but those in `left`, and `done`.

    `digest` is of the lines of the first ones. `command` … `what` is what the command was called with. `results` are
    all counts so far, `rejected` the bytes of the file of rejected messages. `empty` are the tables that had no item
    before the replay wrote to them.
    """

    command = "router replay"
    begin = b'{"replay": '
    what: JsonObject
    position: int
    digest: int
    done: set[int]
    left: dict[int, LeftMessage]
    results: Counter[Result]
    rejected: int
    empty: set[str]

    @property
    def is_needed(self) -> bool:
        """Whether a message is done: the next run says so, and goes on."""
        return bool(self.position or self.done)

    def clear(self) -> None:
        """Forget all that is done."""
        self.what = {}
        self.position = self.digest = self.rejected = 0
        self.done = set()
        self.left = {}
        self.results = Counter()
        self.empty = set()

    def read(self, entry: JsonObject) -> None:
        """Take a line."""
        match entry["replay"]:
            case "begin":
                self.what = entry["what"]
            case "empty":
                self.empty.add(entry["table"])
            case "done":
                self._take(entry["messages"])
                self._count(entry)
            case "left":
                tables = tuple(entry["tables"])
                for number, digest in entry["messages"]:
                    self.left[number] = LeftMessage(digest, tables)
            case "until":
                self._advance(entry["message"], entry["digest"])
                self._count(entry)
            case other:
                raise ValueError(other)

    def require(self, what: JsonObject) -> None:
        """Raise UsageError if an earlier run was called with something else."""
        for name, value in self.what.items():
            if what[name] != value:
                before = "nothing" if value in (None, [], "") else f"{value}".strip("[]")
                raise UsageError(
                    f"the journal {self.path} is of another replay: its {name} was {before}; call the command as "
                    "before, name another journal with --journal, or begin a new one with --again"
                )

    def start(self, what: JsonObject) -> None:
        """Note what the command is called with; raises UsageError."""
        if not self.what:
            self.what = what
            self._append({"replay": "begin", "what": what}, sync=True)

    def found_empty(self, table: str) -> None:
        """Note that a table has no item before the replay writes to it; raises UsageError."""
        self.empty.add(table)
        self._append({"replay": "empty", "table": table}, sync=True)

    def reserve(self, messages: int) -> None:
        """Make room for the lines about messages; raises UsageError, after which none of them may be delivered."""
        self.make_room(_ROOM + messages * _ROOM_OF_MESSAGE)

    def confirm(self, messages: Sequence[int], results: Iterable[Result], rejected: int) -> None:
        """Note messages that are done, by their numbers from 1; raises UsageError."""
        self._take(messages)
        counted = [[*result, number] for result, number in Counter(results).items()]
        entry = {"replay": "done", "messages": messages, "results": counted, "rejected": rejected}
        self._count(entry)
        self._append(entry, sync=False)

    def finish(self, position: int, digest: int, left: Mapping[int, LeftMessage]) -> None:
        """Note that all messages up to a position are done, but those that are left; raises UsageError.

        It waits until that is on the disk.
        """
        by_tables: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        for number, each in left.items():
            if number not in self.left:
                by_tables.setdefault(each.tables, []).append((number, each.digest))
        entries: list[JsonObject] = [
            {"replay": "left", "tables": tables, "messages": messages}
            for tables, messages in by_tables.items()
        ]
        self.left.update(left)
        self._advance(position, digest)
        entry = {"replay": "until", "message": self.position, "digest": self.digest}
        entries.append(entry | {"results": [], "rejected": self.rejected})
        self.append([line(each) for each in entries], sync=True)

    def _take(self, messages: Iterable[int]) -> None:
        """Note messages as done."""
        for number in messages:
            self.done.add(number)
            self.left.pop(number, None)

    def _advance(self, position: int, digest: int) -> None:
        # It stays where it is while messages are done that an earlier run has left.
        if position > self.position:
            self.position = position
            self.digest = digest
        self.done = {number for number in self.done if number > self.position}

    def _count(self, entry: JsonObject) -> None:
        for kind, code, reason, number in entry["results"]:
            self.results[kind, code, reason] += number
        self.rejected = entry["rejected"]

    def _append(self, entry: JsonObject, *, sync: bool) -> None:
        self.append([line(entry)], sync=sync)
