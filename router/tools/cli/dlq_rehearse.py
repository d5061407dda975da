"""The course of `router dlq rehearse`, the rehearsal of a redrive, and what both print: plans, changes and results."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import compress
from shutil import copyfileobj
from tempfile import TemporaryFile

from msgspec import Struct
from rich.table import Column

from router.model import Item, JsonObject
from router.tools.cli.dlq_report import none_selected
from router.tools.cli.dlq_session import DlqOptions, open_session
from router.tools.cli.json_output import print_json
from router.tools.cli.terminal import literal, output, print_line, print_table, progress_bar
from router.tools.control_plane.deployed import DENIED
from router.tools.dev.compare import to_json
from router.tools.dlq.hidden_values import Names, shown, shown_names
from router.tools.dlq.messages import Cause, DlqMessage, cause_of
from router.tools.dlq.queues import OpenQueue, explain_code
from router.tools.dlq.redrive import SENT, Redriven
from router.tools.dlq.rehearse import Change, Rehearsal, Rehearser
from router.tools.dlq.spool import Spool, WrittenItems

_ABSENT = object()
_NONE = "-"
"""Instead of the value of an attribute that is not there; a value is JSON, which this is not."""
NO_QUEUE = "unknown queue"
"""The result of a message whose queue the config does not have."""


class RedrivePlan(Struct):
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
        failing = self.total - self.passing
        text = f"{self.passing} of {self.total} messages pass now, {failing} do not"
        if self.overwriting:
            text += f"; {self.overwriting} would replace an item that may be newer"
        return text


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
        return sum(number for result, number in self.by_result().items() if result in _DONE)

    def by_result(self) -> dict[str, int]:
        """Return the number of messages of each result."""
        counts = Counter[str]()
        for (result, _, _), number in self.results.items():
            counts[result] += number
        return dict(sorted(counts.items()))


def print_tally(name: str, tally: Tally, nothing: str = "nothing was redriven") -> None:
    """Print the results of a redrive: for messages that stay, why."""
    text = ", ".join(f"{result} {number}" for result, number in tally.by_result().items())
    print_line(f"{name}: {text or nothing}")
    for (result, code, reason), number in tally.results.most_common():
        if reason:
            print_line(f"  {number} {result}: {code} {reason}".replace(":  ", ": "))
    for code, number in tally.undeleted.items():
        why = explain_code(code, "sqs:DeleteMessage")
        print_line(f"  {number} delivered, but not deleted: {why}")
    if tally.undeleted:
        print_line("  Run the same command again: what was delivered is only deleted.")
    if DENIED & tally.undeleted.keys():
        print_line("  Stopped: further messages could not be deleted either.")
    if tally.stopped:
        print_line("  Stopped: further messages would have the same result.")


def tally_as_json(tally: Tally) -> JsonObject:
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
    if outcome.kind in ("rejected", "retry"):
        return " ".join(filter(None, (outcome.kind, outcome.code, outcome.reason)))
    if outcome.kind == "written" and rehearsal.changes:
        effects = sorted({change.effect for change in rehearsal.changes})
        return f"{outcome.kind} ({', '.join(effects)})"
    return outcome.kind


def print_plan(name: str, plan: RedrivePlan, elsewhere: int) -> None:
    """Print the counts of a rehearsal.

    About `elsewhere` messages are with another consumer. Only dead letters have a reason before.
    """
    columns = (
        "messages",
        "code",
        "queue",
        Column("reason before", overflow="fold"),
        Column("now", overflow="fold"),
    )
    rows = [
        (str(number), cause.code, cause.queue, cause.reason, _now(cause, result))
        for (cause, result), number in plan.results.most_common()
    ]
    filled = [any(cells) for cells in zip(*rows, strict=True)]
    if rows:
        shown = [map(literal, compress(row, filled)) for row in rows]
        print_table(compress(columns, filled), shown, literal(name))
    print_line(plan.sentence() if rows else none_selected(name, elsewhere))


def _now(cause: Cause, result: str) -> str:
    """Return a result in short: the reason is not repeated."""
    return "rejected, as before" if result == f"rejected {cause.code} {cause.reason}" else result


def plan_as_json(name: str, plan: RedrivePlan, unseen: int | None) -> JsonObject:
    """Return the counts of a rehearsal, and about how many messages could not be looked at."""
    results = [
        {"messages": number, "before": cause, "now": result}
        for (cause, result), number in plan.results.most_common()
    ]
    return {
        "dead_letter": name,
        "messages": plan.total,
        "not_received": unseen,
        "passing": plan.passing,
        "overwriting": plan.overwriting,
        "results": results,
    }


def rehearsal_as_text(rehearsal: Rehearsal, names: Names) -> str:
    """Return one rehearsed message for standard output, with each item beside the stored one.

    Of names and values, only these names are shown; all with None.
    """
    console = output()
    with console.capture() as captured:
        console.print(
            f"[bold]{literal(rehearsal.message.shown_id)}[/] {literal(result_of(rehearsal))}",
            soft_wrap=True,
        )
        for change in rehearsal.changes:
            warning = " [yellow](the stored item may be newer)[/]" if change.newer else ""
            key = to_json(shown(change.key, names))
            console.print(
                f"  {literal(change.table)} {literal(key)}: {change.effect}{warning}",
                soft_wrap=True,
            )
            for name, before, after in _differences(change, names):
                if before == _NONE:
                    text = f"+ {name}: {after}"
                elif after == _NONE:
                    text = f"- {name}: {before}"
                else:
                    text = f"  {name}: {before} -> {after}"
                console.print(f"    {literal(text)}", soft_wrap=True)
    return captured.get()


def rehearsal_as_json(rehearsal: Rehearsal, names: Names) -> JsonObject:
    """Return one rehearsed message, with these names only, or with all names and values."""
    return {
        "id": rehearsal.message.id,
        "original_id": rehearsal.message.shown_id,
        "before": cause_of(rehearsal.message, rehearsal.queue),
        "now": rehearsal.outcome,
        "changes": [_change_as_json(change, names) for change in rehearsal.changes],
    }


def _change_as_json(change: Change, names: Names) -> JsonObject:
    return {
        "table": change.table,
        "key": shown(change.key, names),
        "effect": change.effect,
        "may_be_newer": change.newer,
        "attributes": {
            name: {"before": before, "after": after}
            for name, before, after in _differences(change, names)
        },
    }


def _differences(change: Change, names: Names) -> Iterable[tuple[str, str, str]]:
    """Yield the attributes that differ, each with its stored and its new value as text."""
    before = change.before or {}
    after = change.after or {}
    found = shown_names(sorted(before.keys() | after.keys()), names)
    for name, name_shown in found.items():
        if before.get(name, _ABSENT) != after.get(name, _ABSENT):
            yield name_shown, _shown(before, name, names), _shown(after, name, names)


def _shown(item: Item, name: str, names: Names) -> str:
    if name not in item:
        return _NONE
    return to_json(shown(item[name], names))


def run_rehearse(options: DlqOptions, *, diff: bool, values: bool, as_json: bool) -> int:
    """Rehearse the selected messages; return the exit code. Raises RouterError."""
    session = open_session(options)
    names = session.names(session.program.engine.queues.values()) if diff and not values else None
    failing = 0
    reports = []
    with session.each_opened() as each_opened, WrittenItems() as written:
        for opened in each_opened:
            rehearser = Rehearser(
                session.program,
                opened.queue.reference,
                session.aws,
                session.read_item,
                written,
                ordered=opened.queue.fifo,
            )
            plan = RedrivePlan(Counter())
            found = _rehearse(rehearser, opened, plan, names, diff=diff, as_json=as_json)
            report = plan_as_json(opened.queue.name, plan, opened.unseen)
            reports.append({**report, "rehearsed": found} if diff else report)
            failing += plan.total - plan.passing + opened.elsewhere
    if as_json:
        print_json(reports)
    return int(failing > 0)


def _rehearse(
    rehearser: Rehearser,
    opened: OpenQueue,
    plan: RedrivePlan,
    names: Names,
    *,
    diff: bool,
    as_json: bool,
) -> list[JsonObject]:
    """Rehearse the messages of a queue into a plan; print that and the messages, or return them for JSON."""
    found = []
    # The messages are printed after the plan, so they wait in a file.
    with TemporaryFile("w+", encoding="utf-8") as details:

        def keep(rehearsal: Rehearsal) -> None:
            if diff and as_json:
                found.append(rehearsal_as_json(rehearsal, names))
            elif diff:
                details.write(rehearsal_as_text(rehearsal, names))

        rehearse(rehearser, opened.queue.name, opened.spool, keep, plan)
        if not as_json:
            print_plan(opened.queue.name, plan, opened.elsewhere)
            details.seek(0)
            copyfileobj(details, sys.stdout)
            sys.stdout.flush()
    return found


def rehearse(
    rehearser: Rehearser,
    name: str,
    spool: Spool,
    on_each: Callable[[Rehearsal], None],
    plan: RedrivePlan,
    passes_over: Callable[[DlqMessage], bool] = lambda message: False,
) -> None:
    """Rehearse the selected messages of a spool into a plan, with a progress bar; raises UsageError."""
    with progress_bar(f"rehearsing {name}", len(spool)) as progress:
        messages = (message for message in spool.selected() if not passes_over(message))
        for rehearsal in rehearser.rehearse_all(messages):
            plan.add(rehearsal)
            on_each(rehearsal)
            progress(plan.total)
