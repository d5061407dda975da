"""How each message of a demo ended, held against how it was to end."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from router.aws.references import table_name
from router.dev.demo_dead_letters import DeadLetter
from router.dev.samples import Sending
from router.model import Item

Said = Mapping[str, str]
"""The fields of a line that was logged about a message."""


class Ending(Struct, frozen=True):
    """What became of a message, why, and whether that is as it was to be."""

    sending: Sending
    outcome: str
    why: str
    expected: bool


class Played(Struct, frozen=True):
    """What a demo came to: how each message ended, what is in each table (by its name in AWS), and the dead letters."""

    endings: tuple[Ending, ...]
    tables: Mapping[str, list[Item]]
    letters: tuple[DeadLetter, ...]

    @property
    def succeeded(self) -> bool:
        """Whether each message ended as it was to."""
        return all(ending.expected for ending in self.endings)


class Seen(Struct, frozen=True):
    """What there is to judge by when all is done.

    `said` is the last line about each message by its id; none says that it was written. `left` is how many messages
    are on each queue, by its name in the config; `letter_queues` are the dead-letter queues that nobody reads, by the
    name of theirs.
    """

    said: Mapping[str, Said]
    left: Mapping[str, int]
    stored: Mapping[str, list[Item]]
    letters: tuple[DeadLetter, ...]
    letter_queues: Mapping[str, str]


def stays(sending: Sending, dead_letters: Mapping[str, str]) -> bool:
    """Whether a message is to be on its queue in the end."""
    return sending.outcome == "retry" or (sending.outcome == "rejected" and not dead_letters[sending.queue])


def judge(sent: Mapping[str, Sending], seen: Seen) -> Played:
    """How each of the messages, by their ids, ended."""
    sendings = tuple(sent.values())
    endings = tuple(_ending(id_, sending, seen, sendings) for id_, sending in sent.items())
    return Played(endings, seen.stored, seen.letters)


def _ending(id_: str, sending: Sending, seen: Seen, sendings: Sequence[Sending]) -> Ending:
    said = seen.said.get(id_)
    if sending.fault:
        return Ending(sending, said["outcome"] if said else "written", sending.fault, expected=False)
    letter_fault = _letter_fault(id_, sending, seen)
    if said and said["outcome"] == "rejected" and letter_fault:
        return Ending(sending, "rejected", letter_fault, expected=False)
    if said:
        return Ending(sending, said["outcome"], f"{said['code']} {said['reason']}", said["outcome"] == sending.outcome)
    if seen.left[sending.queue]:
        return Ending(sending, "retry", "it is still on its queue", expected=False)
    missing = [each.table for each in sending.items if not _is_stored(each.identity, each.table, seen, sendings)]
    why = f"its item is not in {', '.join(missing)}" if missing else ""
    return Ending(sending, "written", why, expected=sending.outcome == "written" and not missing)


def _letter_fault(message_id: str, sending: Sending, seen: Seen) -> str:
    """What is wrong with the letter of a message that was rejected to a queue, or ""."""
    queue = seen.letter_queues.get(sending.queue, "")
    if not queue or any(each.queue == queue and each.is_about(message_id, sending.body) for each in seen.letters):
        return ""
    return f"its dead letter is not in {queue}"


def _is_stored(identity: tuple[str, ...], table: str, seen: Seen, sendings: Sequence[Sending]) -> bool:
    """Whether an item is there as one of the messages that write it says; which of them came last is not known."""
    candidates = [each.attributes for sending in sendings for each in sending.items if each.identity == identity]
    return any(
        all(name in item and item[name] == value for name, value in wanted.items())
        for wanted in candidates
        for item in seen.stored[table_name(table)]
    )
