"""Lists, shows, exports and drops the messages on dead-letter queues, for `router dlq`."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.model import JsonObject
from router.tools.cli.dlq_report import (
    causes_as_json,
    count,
    counts_as_json,
    message_as_json,
    none_selected,
    print_causes,
    print_counts,
    print_message,
)
from router.tools.cli.dlq_session import (
    DlqOptions,
    DlqSession,
    open_session,
)
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.terminal import confirm_by_typing
from router.tools.dlq.messages import DlqMessage, Property, count_by, count_causes
from router.tools.dlq.queues import OpenQueue, explain_code
from router.tools.dlq.spool import write_messages


def run_list(options: DlqOptions, property_: Property | None, *, as_json: bool) -> bool:
    """Count the messages by cause, or by a property; return whether there are some."""
    session = open_session(options)
    counted = session.map_opened(lambda opened: _count(session, opened, property_))
    if as_json:
        print_json([each.report for each in counted])
    else:
        for each in counted:
            each.show()
    return any(each.report["messages"] or each.elsewhere for each in counted)


class _QueueCount(Struct, frozen=True):
    """The messages of a dead-letter queue by cause or property, as JSON and in print."""

    report: JsonObject
    elsewhere: int
    show: Callable[[], None]


def _count(session: DlqSession, opened: OpenQueue, property_: Property | None) -> _QueueCount:
    queue = opened.queue
    elsewhere = opened.elsewhere
    if property_:
        counts = count_by(property_, _redacted(session, opened))
        report = counts_as_json(opened, property_, counts)
        return _QueueCount(report, elsewhere, lambda: print_counts(opened, property_, counts))
    causes = count_causes(
        (session.redacted(queue, message), session.queue_name(queue, message))
        for message in opened.spool.selected()
    )
    report = causes_as_json(opened, causes)
    return _QueueCount(report, elsewhere, lambda: print_causes(opened, causes))


def run_show(options: DlqOptions, message_id: str, *, values: bool, as_json: bool) -> None:
    """Show the one message that is selected."""
    session = open_session(options)
    elsewhere = 0
    with session.each_opened() as each_opened:
        for opened in each_opened:
            elsewhere += opened.elsewhere
            for message in opened.spool.selected():
                queue = message.find_queue(session.program, opened.queue.reference)
                shown = session.redacted(opened.queue, message)
                known = None if values else session.names([queue] if queue else [])
                if as_json:
                    print_json(message_as_json(shown, queue, known))
                else:
                    print_message(shown, queue, known)
                return
    names = ", ".join(queue.name for queue in session.queues)
    more = f"; about {count(elsewhere)} could not be looked at" if elsewhere else ""
    raise UsageError(f"there is no visible message with the id '{message_id}' on {names}{more}")


def run_export(options: DlqOptions, path: Path, *, as_json: bool) -> bool:
    """Write the messages to a file; return whether another consumer has some."""
    session = open_session(options)
    elsewhere = 0

    def exported(each_opened: Iterator[OpenQueue]) -> Iterator[DlqMessage]:
        nonlocal elsewhere
        for opened in each_opened:
            elsewhere += opened.elsewhere
            yield from _redacted(session, opened)

    with session.each_opened() as each_opened:
        number = write_messages(path, exported(each_opened))
    tell(f"exported {count(number)} to {path}")
    if as_json:
        print_json({"file": str(path), "messages": number})
    return elsewhere > 0


def run_drop(options: DlqOptions, path: Path | None, *, yes: bool, as_json: bool) -> bool:
    """Export the messages and delete them; return whether some are left."""
    session = open_session(options)
    path = path or Path(f"dropped-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
    left = 0
    dropped = []
    with session.each_opened() as each_opened:
        for position, opened in enumerate(each_opened):
            file = path if position == 0 else path.with_stem(f"{path.stem}-{position + 1}")
            number = write_messages(file, _redacted(session, opened))
            name = opened.queue.name
            left += opened.elsewhere
            if not number:
                file.unlink()
                tell(none_selected(name, opened.elsewhere))
                continue
            what = f"{count(number)} of {name}"
            tell(f"exported {what} to {file}")
            if not yes and not confirm_by_typing(str(number), f"This deletes {what}."):
                tell("nothing was deleted")
                return True
            undeleted = _delete(opened)
            deleted = number - undeleted
            tell(f"deleted {count(deleted)} of {name}")
            left += undeleted
            dropped.append({"dead_letter": name, "file": str(file), "dropped": deleted})
    if as_json:
        print_json(dropped)
    return left > 0


def _redacted(session: DlqSession, opened: OpenQueue) -> Iterator[DlqMessage]:
    return (session.redacted(opened.queue, message) for message in opened.spool.selected())


def _delete(opened: OpenQueue) -> int:
    """Delete the selected messages; return how many could not be deleted."""
    failed = Counter[str]()
    ids = (message.id for message in opened.spool.selected())
    while batch := list(islice(ids, 100)):
        failed.update(fault.code for fault in opened.lease.delete(batch).values())
    for code, number in failed.items():
        why = explain_code(code, "sqs:DeleteMessage")
        tell(f"{count(number)} could not be deleted: {why}")
    return failed.total()
