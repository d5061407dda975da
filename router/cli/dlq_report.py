"""What the commands of `router dlq` print: tables for people, and the objects of `--json`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs
from rich.table import Column

from router.aws.faults import DENIED
from router.cli.terminal import literal, output, print_table
from router.dev.compare import to_json
from router.dlq.lease import IN_FLIGHT_LIMIT, RECEIVE_COUNT, VISIBILITY_SECONDS, DlqLease
from router.dlq.mask import masked
from router.dlq.messages import DlqMessage
from router.dlq.queues import OpenQueue
from router.dlq.redrive import SENT, Redriven
from router.dlq.rehearse import Change, Rehearsal
from router.dlq.summary import Cause, CauseCount, cause_of
from router.engine.decode import read_attributes
from router.engine.engine import CompiledQueue
from router.engine.identity import ATTRIBUTE
from router.errors import Rejection
from router.printable import printable

_ABSENT = object()
NO_QUEUE = "unknown queue"
"""The result of a message whose queue the config does not have."""


def describe_unseen(opened: OpenQueue, *, limited: bool) -> Iterator[str]:
    """Yield what is to be said about the messages of a queue that were not received."""
    queue, received = opened.queue, len(opened.spool)
    if opened.unseen is None:
        yield f"not known: how many messages of {queue.name} were not received; that needs sqs:GetQueueAttributes"
        return
    if opened.unseen and received + RECEIVE_COUNT >= IN_FLIGHT_LIMIT:
        yield (
            f"SQS has no more than about {IN_FLIGHT_LIMIT:,} messages of a queue in flight, and {queue.name} has more: "
            "redrive or drop these, and run the command again"
        )
    elif opened.unseen and not limited:
        group = "behind others of their group, or " if queue.fifo else ""
        yield (
            f"about {count(opened.unseen)} of {queue.name} could not be looked at: {group}in flight elsewhere, as "
            "another command or consumer has them"
        )


def describe_unreleased(lease: DlqLease) -> str:
    """Return what is to be said about messages that could not be released."""
    why = f": {lease.fault.code}" if lease.fault else ""
    needs = "; the command needs sqs:ChangeMessageVisibility" if lease.fault and lease.fault.code in DENIED else ""
    return (
        f"{count(lease.unreleased)} become visible within {VISIBILITY_SECONDS // 60} minutes, not at once{why}{needs}"
    )


def print_causes(name: str, causes: Sequence[CauseCount]) -> None:
    """Print the causes of the messages on a dead-letter queue."""
    total = sum(each.count for each in causes)
    rows = []
    for each in causes:
        times = (_to_second(each.oldest), _to_second(each.newest))
        rows.append(tuple(map(literal, (str(each.count), *structs.astuple(each.cause), *times, each.example))))
    # An id that is cut off cannot be given to `show`.
    example = Column("example", min_width=max((len(each.example) for each in causes), default=0))
    columns = ("messages", "code", "queue", "route", "pointer", "reason", "oldest", "newest", example)
    if rows:
        print_table(columns, rows, f"{literal(name)}: {count(total)}")
    else:
        output().print(f"{literal(name)}: no message that is visible and selected")


def _to_second(moment: str) -> str:
    """Return an ISO 8601 time as `2026-01-02 03:04:05`."""
    return moment[:19].replace("T", " ")


def causes_as_json(name: str, causes: Sequence[CauseCount], unseen: int | None) -> dict[str, Any]:
    """Return the causes of the messages on a dead-letter queue, and about how many could not be looked at."""
    entries = [
        {"messages": each.count, **structs.asdict(each.cause), "oldest": each.oldest, "newest": each.newest}
        | {"example": each.example}
        for each in causes
    ]
    total = sum(each.count for each in causes)
    return {"dead_letter": name, "messages": total, "not_received": unseen, "causes": entries}


def message_as_json(message: DlqMessage, queue: CompiledQueue | None, *, values: bool) -> dict[str, Any]:
    """Return everything that is known about one message."""
    failed = msgspec.to_builtins(message.failed) if message.failed else {}
    attributes = {
        name: value for name, value in read_attributes(message.record.message_attributes).items() if name != ATTRIBUTE
    }
    data = _decoded(message, queue)
    return {
        "id": message.id,
        "original_id": message.original_id,
        "queue": queue.name if queue else failed.get("queue", ""),
        "sent_at": message.sent_at,
        "failed_at": message.failed_at,
        "failure": failed,
        "attributes": attributes if values else masked(attributes),
        "message": data if values else masked(data),
    }


def _decoded(message: DlqMessage, queue: CompiledQueue | None) -> Any:
    """Return the decoded message, or its body as text."""
    if queue is None:
        return message.record.body
    try:
        return queue.decode(message.record)[0]
    except Rejection:
        return message.record.body


def print_message(message: DlqMessage, queue: CompiledQueue | None, *, values: bool) -> None:
    """Print one message: the failure, then the message with the place of the failure."""
    shown = message_as_json(message, queue, values=values)
    failure = shown.pop("failure")
    data, attributes = shown.pop("message"), shown.pop("attributes")
    rows = [(name, printable(str(value))) for name, value in {**shown, **failure}.items() if value != ""]
    width = max(len(name) for name, _ in rows)
    console = output()
    for name, value in rows:
        console.print(f"[bold]{name:{width}}[/]  {literal(value)}")
    if attributes:
        console.print(f"[bold]{'attributes':{width}}[/]  {literal(to_json(attributes))}")
    console.print(literal_lines(to_json(data, indent=2)), soft_wrap=True)
    pointer = failure.get("pointer", "")
    if pointer:
        found = _at(data, pointer)
        place = "it is not there" if found is _ABSENT else to_json(found)
        console.print(f"[bold red]at {literal(pointer)}:[/] {literal(place)}", soft_wrap=True)


def literal_lines(text: str) -> str:
    """Return text of several lines as Rich's markup."""
    return "\n".join(map(literal, text.split("\n")))


def _at(data: Any, pointer: str) -> Any:
    """Return the value at a JSON Pointer, or _ABSENT; `*` stands for a name that is not shown."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and name in data:
            data = data[name]
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return _ABSENT
    return data


class Plan(Struct):
    """The counts of a rehearsal: by cause and result, the messages that pass, and those that overwrite."""

    results: Counter[tuple[Cause, str]]
    passing: int = 0
    overwriting: int = 0

    def add(self, rehearsal: Rehearsal) -> None:
        """Count a message."""
        self.results[cause_of(rehearsal.message, rehearsal.queue), result_of(rehearsal)] += 1
        self.passing += rehearsal.passes
        self.overwriting += rehearsal.passes and rehearsal.overwrites

    @property
    def total(self) -> int:
        """All messages."""
        return self.results.total()

    def sentence(self) -> str:
        """Return the counts of the plan in words."""
        text = f"{self.passing} of {count(self.total)} pass now, {self.total - self.passing} do not"
        return f"{text}; {self.overwriting} would replace an item that may be newer" if self.overwriting else text


_DONE = ("written", "duplicate", "stale", "dropped", SENT)


class Tally:
    """The results of a redrive.

    `undeleted` are the codes of faults of messages that are delivered and still on the dead-letter queue. `stopped` is
    the configuration error after which no further message was tried, or "".
    """

    def __init__(self) -> None:
        self.results: Counter[tuple[str, str, str]] = Counter()
        self.undeleted: Counter[str] = Counter()
        self.stopped = ""

    def add(self, redriven: Redriven) -> None:
        """Count a message."""
        reason = "" if redriven.result in _DONE else redriven.reason
        self.results[redriven.result, redriven.code if reason else "", reason] += 1
        if redriven.configuration_error:
            self.stopped = redriven.reason

    @property
    def done(self) -> int:
        """The messages that are delivered or sent."""
        return sum(number for (result, _, _), number in self.results.items() if result in _DONE)

    def by_result(self) -> dict[str, int]:
        """Return the number of messages of each result."""
        counts: Counter[str] = Counter()
        for (result, _, _), number in self.results.items():
            counts[result] += number
        return dict(sorted(counts.items()))


def print_tally(name: str, tally: Tally) -> None:
    """Print the results of a redrive: for messages that stay, why."""
    console = output()
    text = ", ".join(f"{result} {number}" for result, number in tally.by_result().items())
    console.print(f"{literal(name)}: {literal(text or 'nothing was redriven')}")
    for (result, code, reason), number in tally.results.most_common():
        if reason:
            console.print(literal(f"  {number} {result}: {code} {reason}".replace(":  ", ": ")))
    for code, number in tally.undeleted.items():
        needs = "; the command needs sqs:DeleteMessage" if code in DENIED else ""
        console.print(literal(f"  {number} delivered, but not deleted: {code}{needs}"))
    if tally.undeleted:
        console.print("  Run the same command again: what was delivered is only deleted.")
    if tally.stopped:
        console.print("  Stopped: further messages would have the same result.")


def tally_as_json(tally: Tally) -> dict[str, Any]:
    """Return the results of a redrive."""
    reasons = [
        {"messages": number, "result": result, "code": code, "reason": reason}
        for (result, code, reason), number in tally.results.most_common()
        if reason
    ]
    return {"redriven": tally.by_result(), "reasons": reasons, "undeleted": tally.undeleted.total()}


def result_of(rehearsal: Rehearsal) -> str:
    """Return what would become of a message, in short."""
    outcome = rehearsal.outcome
    if outcome is None:
        return NO_QUEUE
    detail = f" {outcome.code} {outcome.reason}".rstrip() if outcome.kind in ("rejected", "retry") else ""
    effects = sorted({change.effect for change in rehearsal.changes}) if outcome.kind == "written" else []
    return f"{outcome.kind}{detail}" + (f" ({', '.join(effects)})" if effects else "")


def print_plan(name: str, plan: Plan) -> None:
    """Print the counts of a rehearsal."""
    rows = [
        tuple(map(literal, (str(number), cause.code, cause.queue, cause.reason, result)))
        for (cause, result), number in plan.results.most_common()
    ]
    if rows:
        print_table(("messages", "code", "queue", "reason before", "now"), rows, literal(name))
    output().print(literal(plan.sentence()))


def plan_as_json(name: str, plan: Plan) -> dict[str, Any]:
    """Return the counts of a rehearsal."""
    results = [
        {"messages": number, "before": structs.asdict(cause), "now": result}
        for (cause, result), number in plan.results.most_common()
    ]
    return {
        "dead_letter": name,
        "messages": plan.total,
        "passing": plan.passing,
        "overwriting": plan.overwriting,
        "results": results,
    }


def print_rehearsal(rehearsal: Rehearsal, *, values: bool) -> None:
    """Print one rehearsed message, with each item beside the stored one."""
    console = output()
    console.print(f"[bold]{literal(rehearsal.message.id)}[/] {literal(result_of(rehearsal))}")
    for change in rehearsal.changes:
        warning = " [yellow](the stored item may be newer)[/]" if change.newer else ""
        key = to_json(change.key if values else masked(change.key))
        console.print(f"  {literal(change.table)} {literal(key)}: {change.effect}{warning}", soft_wrap=True)
        for name, before, after in _differences(change, values):
            console.print(f"    {literal(name)}: {literal(before)} -> {literal(after)}", soft_wrap=True)


def rehearsal_as_json(rehearsal: Rehearsal, *, values: bool) -> dict[str, Any]:
    """Return one rehearsed message."""
    outcome = rehearsal.outcome
    return {
        "id": rehearsal.message.id,
        "original_id": rehearsal.message.original_id,
        "before": structs.asdict(cause_of(rehearsal.message, rehearsal.queue)),
        "now": structs.asdict(outcome) if outcome else None,
        "changes": [
            {
                "table": change.table,
                "key": change.key if values else masked(change.key),
                "effect": change.effect,
                "may_be_newer": change.newer,
                "attributes": {name: {"before": b, "after": a} for name, b, a in _differences(change, values)},
            }
            for change in rehearsal.changes
        ],
    }


def _differences(change: Change, values: bool) -> Iterable[tuple[str, str, str]]:
    """Yield the attributes that differ, each with its stored and its new value as text."""
    before, after = change.before or {}, change.after or {}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name, _ABSENT) != after.get(name, _ABSENT):
            yield name, _shown(before, name, values), _shown(after, name, values)


def _shown(item: Mapping[str, Any], name: str, values: bool) -> str:
    if name not in item:
        return "-"
    return to_json(item[name] if values else masked(item[name]))


def count(number: int) -> str:
    """Return a number of messages."""
    return f"{number} message{'' if number == 1 else 's'}"
