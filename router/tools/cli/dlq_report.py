"""What the commands of `router dlq` print: tables for people, and the objects of `--json`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
import msgspec
from msgspec import structs
from rich.table import Column, Table

from router.errors import Rejection
from router.model import JsonObject
from router.runtime.engine.decode import read_attributes
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE
from router.runtime.program.schemas.documents import NOWHERE, steps_of, value_at
from router.tools.cli.terminal import literal, output, print_line
from router.tools.dev.compare import to_json
from router.tools.dlq.hidden_values import Names, shown, shown_failure
from router.tools.dlq.messages import Cause, DlqMessage, MessageCount
from router.tools.dlq.queues import (
    IN_FLIGHT_LIMIT,
    RECEIVE_COUNT,
    VISIBILITY_SECONDS,
    DlqLease,
    OpenQueue,
    explain_code,
)

_FIRST = (
    "id",
    "original_id",
    "code",
    "reason",
    "pointer",
    "queue",
    "route",
    "failed_at",
    "first_failed_at",
    "sent_at",
)
"""What `show` prints first."""


def describe_unseen(opened: OpenQueue) -> Iterator[str]:
    """Yield sentences about the messages of a queue that were not received."""
    queue = opened.queue
    received = len(opened.spool)
    if opened.unseen is None:
        yield f"not known: how many messages of {queue.name} were not received; that needs sqs:GetQueueAttributes"
        return
    if opened.unseen and received + RECEIVE_COUNT >= IN_FLIGHT_LIMIT:
        yield (
            f"SQS has no more than about {IN_FLIGHT_LIMIT:,} messages of a queue in flight, and {queue.name} has more: "
            "redrive or drop these, and run the command again"
        )
    elif opened.elsewhere:
        yield (
            f"about {count(opened.elsewhere)} of {queue.name} could not be looked at: in flight elsewhere, as "
            "another command or consumer has them"
        )
    elif queue.fifo and opened.unseen and not opened.limited:
        yield (
            f"about {count(opened.unseen)} of {queue.name} could not be looked at: behind others of their group, or in "
            "flight elsewhere, as another command or consumer has them"
        )


def describe_unreleased(lease: DlqLease) -> str:
    """Return a sentence about messages that could not be released."""
    minutes = VISIBILITY_SECONDS // 60
    text = f"{count(lease.unreleased)} become visible within {minutes} minutes, not at once"
    if lease.fault:
        text += f": {explain_code(lease.fault.code, 'sqs:ChangeMessageVisibility')}"
    return text


def none_selected(name: str, elsewhere: int) -> str:
    """Return a sentence about a queue of which no message is selected; about `elsewhere` are with another consumer."""
    in_flight = f"; about {elsewhere} in flight" if elsewhere else ""
    return f"{name}: no message that is visible and selected{in_flight}"


def print_causes(opened: OpenQueue, causes: Sequence[MessageCount[Cause]]) -> None:
    """Print the causes of the messages on a dead-letter queue, each on lines that fit into 80 columns."""
    what = f"of {len(causes)} cause{'' if len(causes) == 1 else 's'}"
    _print_counts(opened, causes, what, _rows_of_causes(causes))


def _rows_of_causes(causes: Sequence[MessageCount[Cause]]) -> Iterator[tuple[str, ...]]:
    for each in causes:
        cause = each.value
        place = [f"queue {cause.queue or 'unknown'}"]
        if cause.route:
            place.append(f"route {cause.route}")
        if cause.pointer:
            place.append(f"at {cause.pointer}")
        lines = (cause.reason, ", ".join(place), _times(each), f"example {each.example}")
        yield ("",)
        yield f"[bold]{each.count}[/]", literal(cause.code), "\n".join(map(literal, lines))


def print_counts(opened: OpenQueue, property_: str, counts: Sequence[MessageCount[str]]) -> None:
    """Print the messages on a dead-letter queue by a property."""
    rows = (
        (f"[bold]{each.count}[/]", literal(each.value or "unknown"), _times(each))
        for each in counts
    )
    _print_counts(opened, counts, f"by {property_}", rows)


def _print_counts(
    opened: OpenQueue,
    counts: Sequence[MessageCount[Any]],
    what: str,
    rows: Iterable[tuple[str, ...]],
) -> None:
    name = opened.queue.name
    if not counts:
        print_line(none_selected(name, opened.elsewhere))
        return
    print_line(f"{name}: {count(_total(counts))} {what}")
    if opened.first_end:
        # That of all messages, selected or not. SQS may not say how many were not received.
        before = "" if opened.unseen == 0 else ", or before"
        print_line(f"SQS deletes the first at {_to_second(opened.first_end)} UTC{before}")
    table = Table.grid(Column(justify="right"), Column(), Column(overflow="fold"), padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    _print_grid(table)


def _total(counts: Sequence[MessageCount[Any]]) -> int:
    return sum(each.count for each in counts)


def _times(counted: MessageCount[Any]) -> str:
    return f"{_to_second(counted.oldest)} to {_to_second(counted.newest)} UTC"


def counts_as_json(
    opened: OpenQueue, property_: str, counts: Sequence[MessageCount[str]]
) -> JsonObject:
    """Return the messages on a dead-letter queue by a property, and about how many could not be looked at."""
    return _as_json(opened, "by", counts, lambda value: {property_: value})


def causes_as_json(opened: OpenQueue, causes: Sequence[MessageCount[Cause]]) -> JsonObject:
    """Return the causes of the messages on a dead-letter queue, and about how many could not be looked at."""
    return _as_json(opened, "causes", causes, structs.asdict)


def _as_json(
    opened: OpenQueue,
    name: str,
    counts: Sequence[MessageCount[Any]],
    value_as_json: Callable[[Any], JsonObject],
) -> JsonObject:
    entries = []
    for each in counts:
        times = {"oldest": each.oldest, "newest": each.newest, "example": each.example}
        entries.append({"messages": each.count, **value_as_json(each.value), **times})
    return {
        "dead_letter": opened.queue.name,
        "messages": _total(counts),
        "not_received": opened.unseen,
        "first_deleted_at": opened.first_end,
        name: entries,
    }


def _print_grid(table: Table) -> None:
    """Print a table without the spaces at the ends of its lines."""
    console = output()
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _to_second(moment: str) -> str:
    """Return an ISO 8601 time as `2026-01-02 03:04:05`."""
    return moment[:19].replace("T", " ")


def message_as_json(message: DlqMessage, queue: CompiledQueue | None, names: Names) -> JsonObject:
    """Return everything that is known about one message; of names and values only these names, all with None."""
    failed = msgspec.to_builtins(message.failed) if message.failed else {}
    attributes = dict(read_attributes(message.record.message_attributes))
    attributes.pop(ATTRIBUTE, None)
    return {
        "id": message.id,
        "original_id": message.shown_id,
        "queue": queue.name if queue else failed.get("queue", ""),
        "sent_at": message.sent_at,
        "failed_at": message.failed_at,
        "failure": shown_failure(failed, names),
        "attributes": shown(attributes, names),
        "message": shown(_decoded(message, queue), names),
    }


def _decoded(message: DlqMessage, queue: CompiledQueue | None) -> Any:
    """Return the decoded message, or its body as text."""
    if queue is None:
        return message.record.body
    try:
        return queue.decode(message.record)[0]
    except Rejection:
        return message.record.body


def print_message(message: DlqMessage, queue: CompiledQueue | None, names: Names) -> None:
    """Print one message: the failure, then the message with the place of the failure."""
    shown = message_as_json(message, queue, names)
    failure = shown.pop("failure")
    data = shown.pop("message")
    attributes = shown.pop("attributes")
    fields = {**shown, **failure}
    # The same under two names.
    fields.pop("message_id", None)
    for name, other in (("original_id", "id"), ("first_failed_at", "failed_at")):
        if fields.get(name) == fields.get(other):
            fields.pop(name, None)
    table = Table.grid(Column(style="bold"), Column(overflow="fold"), padding=(0, 2))
    for name in sorted(
        fields, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST)
    ):
        text = _field_as_text(fields[name])
        if text:
            table.add_row(name, literal(text))
    if attributes:
        table.add_row("attributes", literal(to_json(attributes)))
    _print_grid(table)
    for line in to_json(data, indent=2).split("\n"):
        print_line(line, soft_wrap=True)
    pointer = failure.get("pointer", "")
    if pointer:
        found = value_at(data, steps_of(pointer))
        place = "it is not there" if found is NOWHERE else to_json(found)
        output().print(f"[bold red]at {literal(pointer)}:[/] {literal(place)}", soft_wrap=True)


def _field_as_text(value: Any) -> str:
    """Return a field of a failure; "" for one without a value."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def count(number: int) -> str:
    """Return a number of messages."""
    return f"{number} message{'' if number == 1 else 's'}"
