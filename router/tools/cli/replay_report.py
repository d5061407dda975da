"""What `router replay` prints about messages that cannot be written for now, and about those that wait for them."""

from collections.abc import Sequence

from router.model import JsonObject
from router.tools.cli.dlq_report import count
from router.tools.cli.terminal import print_line
from router.tools.replay.delivery import BlockedMessage, BlockedMessages

_MOST_SHOWN = 10
_WHAT_TO_DO = (
    "  Correct the plugin or the config, and run the same command again: it goes on with these messages. Or leave out "
    "those that cannot be written, with"
)
_LEFT_OUT = "as rejected messages, so that those that wait are written."


def as_text(blocked: BlockedMessage) -> str:
    """Return a message with its place, its id, and why it is not written."""
    outcome = blocked.outcome
    return f"{blocked.place} (message {blocked.message_id}): {outcome.code} {outcome.reason}"


def print_blocked(blocked: BlockedMessages, waiting: int, *, has_more: bool) -> None:
    """Print the messages that cannot be written, how many wait for them, and what to do.

    `has_more` is whether the source has more, which was not read.
    """
    if not blocked.count:
        return
    text = f"  {count(blocked.count)} cannot be written"
    if waiting:
        wait = "waits, as it" if waiting == 1 else "wait, as they"
        text += f", and {waiting} that came later {wait} may write the same item"
    print_line(f"{text}:", soft_wrap=True)
    shown = blocked.first[:_MOST_SHOWN]
    for each in shown:
        print_line(f"    {as_text(each)}", soft_wrap=True)
    if blocked.count > len(shown):
        print_line(f"    and {blocked.count - len(shown)} more; --json lists {len(blocked.first)}")
    if has_more:
        print_line("  What comes after these in the source was not tried: it would wait, too.")
    print_line(f"{_WHAT_TO_DO} {_options(shown)}, {_LEFT_OUT}", soft_wrap=True)


def blocked_as_json(blocked: BlockedMessages, waiting: int) -> JsonObject:
    """Return the messages that cannot be written, and how many wait for them."""
    return {
        "blocked": blocked.count,
        "waiting": waiting,
        "blocked_messages": [
            {
                "place": each.place,
                "message_id": each.message_id,
                "code": each.outcome.code,
                "reason": each.outcome.reason,
            }
            for each in blocked.first
        ],
    }


def _options(blocked: Sequence[BlockedMessage]) -> str:
    return " ".join(f"--leave-out {each.message_id}" for each in blocked)
