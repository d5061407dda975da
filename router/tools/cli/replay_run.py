"""The course of `router replay`: read the journal, ask, deliver, and sum up; or rehearse."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.model import JsonObject, Outcome
from router.runtime.aws.connect import connect
from router.runtime.aws.protocols import Aws
from router.runtime.engine.writes import PlannedMessage
from router.runtime.printable import printable
from router.runtime.program.load import Program, load_any
from router.tools.cli.dlq_rehearse import (
    RedrivePlan,
    Tally,
    plan_as_json,
    print_plan,
    print_tally,
    tally_as_json,
)
from router.tools.cli.dlq_report import count
from router.tools.cli.dlq_session import (
    finished_first,
    parse_time,
    read_item,
    write_no_log,
)
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.options import Repeated, parse_expression
from router.tools.cli.replay_report import as_text, blocked_as_json, print_blocked
from router.tools.cli.terminal import confirm, print_line, progress_bar
from router.tools.control_plane.clients import AwsCallError, ServiceClient, connect_services
from router.tools.control_plane.deployed import DENIED
from router.tools.dlq.planning import Planner
from router.tools.dlq.redrive import batch_size
from router.tools.dlq.rehearse import Rehearsal, Rehearser
from router.tools.dlq.spool import WrittenItems
from router.tools.replay.delivery import (
    BlockedMessages,
    OrderedDelivery,
    reject_left_out,
    tables_of,
)
from router.tools.replay.journal import ReplayJournal
from router.tools.replay.refusals import Refusals
from router.tools.replay.rejected import RejectedFile
from router.tools.replay.replay import MOST_MESSAGES, Replay, read_windows
from router.tools.replay.source import Source, SourceMessage, SourceOptions, SourceSelection

_CONNECTIONS = 40
_WAITS = Outcome("retry", "", "it waits for a message that cannot be written")
_SOURCE_NAME = 100
"""Characters of a source in the name of its journal at most."""


class ReplayOptions(Struct, frozen=True):
    """The options of `router replay`."""

    config: Path
    sources: Repeated
    queue: str
    routes: Repeated
    since: str | None
    until: str | None
    where: str | None
    sent_at: str | None
    message_id: str | None
    rate: float | None
    allowed: Repeated
    dry_run: bool
    journal: Path | None
    rejected: Path | None
    left_out: Repeated
    again: bool
    yes: bool
    as_json: bool

    @property
    def name(self) -> str:
        """What the sources are called in the names of files."""
        first, *others = self.sources
        name = "stdin" if first == "-" else Path(first).name
        if first.startswith("s3://"):
            name = first.removeprefix("s3://").strip("/").replace("/", "-")
        more = f"-and-{len(others)}-more" if others else ""
        return name[-_SOURCE_NAME:] + more

    def what(self, rejected: Path, started: str) -> JsonObject:
        """Return what decides about the messages that a run does, to be the same in the next one."""
        return {
            "sources": [*self.sources],
            "--queue": self.queue,
            "--route": [*self.routes],
            "--since": self.since,
            "--until": self.until,
            "--where": self.where,
            "--sent-at": self.sent_at,
            "--message-id": self.message_id,
            "--rejected": str(rejected),
            "started": started,
        }


class _Run:
    """One run: its connections, the journal, and what it is called with."""

    def __init__(self, options: ReplayOptions) -> None:
        """Raises RouterError."""
        self.options = options
        self.program: Program = load_any(options.config, os.environ).require()
        write_no_log()
        for route in options.routes:
            if route not in self.program.config.routes:
                names = ", ".join(self.program.config.routes)
                raise UsageError(f"the config has no route '{printable(route)}'; there are {names}")
        path = options.journal or Path(f"router-replay-{options.name}.journal")
        self.journal = ReplayJournal(path, again=options.again)
        self.begun = bool(self.journal.what)
        self.rejected = options.rejected or Path(f"router-replay-{options.name}.rejected.jsonl")
        # Times such as 2h are counted from the first run.
        started = self.journal.what.get("started", datetime.now(UTC).isoformat())
        self.what = options.what(self.rejected, started)
        self.journal.require(self.what)
        first = datetime.fromisoformat(started)
        self.selection = SourceSelection(
            parse_time(options.since, first),
            parse_time(options.until, first, "--until"),
            parse_expression(options.where, "--where"),
        )
        reading = SourceOptions(
            options.queue,
            parse_expression(options.sent_at, "--sent-at"),
            parse_expression(options.message_id, "--message-id"),
        )
        self.aws: Aws = connect(_CONNECTIONS, fetches=self.program.fetches)
        self.dynamodb: ServiceClient = connect_services(("dynamodb",))["dynamodb"]
        self.source = Source(self.program, options.sources, reading)
        self.planner = Planner(self.aws, frozenset(options.routes))
        self.refusals = Refusals(self.program, frozenset(options.allowed), self._is_empty)
        self._found: dict[str, bool] = {}

    def _is_empty(self, table: str) -> bool:
        """Return whether a table had no items before the replay; one that may not be read may have some."""
        if table in self.journal.empty:
            return True
        if table not in self._found:
            self._found[table] = self._has_no_items(table)
            if self._found[table] and not self.options.dry_run:
                self.journal.found_empty(table)
        return self._found[table]

    def _has_no_items(self, table: str) -> bool:
        pages = self.dynamodb.pages(
            "Scan", TableName=table, Limit=1, Select="COUNT", ConsistentRead=True
        )
        try:
            return not any(page["Count"] for page in pages)
        except AwsCallError as error:
            if error.code in DENIED:
                return False
            place = self.dynamodb.place
            raise UsageError(f"the table '{table}' cannot be read{place}: {error}") from None

    def require_answer(self) -> None:
        """Raise UsageError if AWS does not answer: each message would be tried for a minute."""
        table = self.program.routes[0].table
        try:
            self.dynamodb.call("DescribeTable", TableName=table)
        except AwsCallError as error:
            # It does not matter what it answers: a replay need not have this permission.
            if not error.answered:
                place = self.dynamodb.place
                raise UsageError(f"the table '{table}' cannot be read{place}: {error}") from None

    @property
    def sources(self) -> str:
        """The sources as people read them."""
        return ", ".join(map(printable, self.options.sources))


def run_replay(options: ReplayOptions) -> int:
    """Replay or rehearse the messages of sources; return the exit code. Raises RouterError."""
    run = _Run(options)
    run.require_answer()
    return _rehearse(run) if options.dry_run else _replay(run)


def _replay(run: _Run) -> int:
    options = run.options
    if not options.yes and not confirm(_question(run)):
        tell(f"{run.sources}: nothing was replayed")
        return 1
    before = run.journal.results.total()
    delivery = OrderedDelivery(
        run.program,
        run.aws,
        run.planner,
        run.refusals.check,
        left_out=frozenset(options.left_out),
    )
    complete = has_more = False
    with run.journal as journal:
        rejected = RejectedFile(run.rejected, journal.rejected, begun=run.begun)
        journal.start(run.what)
        replay = Replay(run.program, delivery, journal, rejected, options.rate)
        try:
            has_more = _deliver(run, replay, delivery)
            complete = not (delivery.stopped or journal.left)
        finally:
            # Also after an error or Ctrl-C: what was done by then.
            _report(run, delivery, before, complete=complete, has_more=has_more)
    if delivery.stopped and delivery.stopped.outcome.configuration_error:
        return 2
    has_rejected = any(kind == "rejected" for kind, _, _ in run.journal.results)
    return int(not complete or has_rejected)


def _deliver(run: _Run, replay: Replay, delivery: OrderedDelivery) -> bool:
    """Deliver the messages of the source; return whether it has more, all of which would wait."""
    lines = run.source.lines
    most = batch_size(run.options.rate, MOST_MESSAGES)
    with progress_bar(f"replaying {run.options.name}", lines.size, of_bytes=True) as progress:
        windows = read_windows(run.source, run.selection, run.journal, most)
        for window in windows:
            replay.keep_rate(window)
            # What is delivered is to be in the journal: else the next run would deliver it again.
            with finished_first():
                replay.deliver(window)
            progress(lines.done)
            if delivery.stopped:
                break
            if replay.is_stuck:
                return next(windows, None) is not None
    return False


def _question(run: _Run) -> str:
    options = run.options
    routes = [*run.program.routes]
    if options.routes:
        routes = [route for route in routes if route.name in options.routes]
    if options.queue:
        routes = [route for route in routes if route.queue == options.queue]
    tables = ", ".join(dict.fromkeys(route.table for route in routes))
    done = run.journal.position
    after = f", after the first {count(done)}," if done else ""
    return f"Replay {run.sources}{after} into {tables}?"


def _report(
    run: _Run, delivery: OrderedDelivery, before: int, *, complete: bool, has_more: bool
) -> None:
    """Print what became of the messages, in all runs."""
    journal = run.journal
    options = run.options
    tally = Tally()
    tally.results = journal.results
    rejected = str(run.rejected) if journal.rejected else None
    stopped = delivery.stopped
    blocked = delivery.blocked
    waiting = max(0, len(journal.left) - blocked.count)
    if options.as_json:
        found = tally_as_json(tally)
        print_json(
            {
                "sources": options.sources,
                "messages": journal.results.total(),
                "before": before,
                "results": found["redriven"],
                "reasons": found["reasons"],
                "rejected": rejected,
                "stopped": stopped.outcome.reason if stopped else None,
                **blocked_as_json(blocked, waiting),
                "complete": complete,
            }
        )
        return
    print_tally(run.sources, tally, "nothing was replayed")
    if complete and before and before == journal.results.total():
        print_line("  All were replayed by an earlier run; --again replays them again.")
    elif before:
        print_line(f"  Of these, {count(before)} by an earlier run.")
    if rejected:
        print_line(f"  Rejected messages are in {rejected}, which is a source again.")
    print_blocked(blocked, waiting, has_more=has_more)
    if stopped:
        print_line(
            f"  Stopped at {as_text(stopped)}. Run the same command again: it goes on where it was.",
            soft_wrap=True,
        )


def _rehearse(run: _Run) -> int:
    """Print what would become of the messages that are not done yet; return the exit code."""
    plan = RedrivePlan(Counter())
    waiting = _Waiting(run, plan)
    with WrittenItems() as written:
        rehearser = Rehearser(
            run.program,
            "",
            run.aws,
            partial(read_item, run.dynamodb),
            written,
            batch_size=batch_size(run.options.rate, MOST_MESSAGES),
            ordered=True,
            blocks=False,
            routes=frozenset(run.options.routes),
        )
        lines = run.source.lines
        with progress_bar(f"rehearsing {run.options.name}", lines.size, of_bytes=True) as progress:
            for rehearsal in rehearser.rehearse_all(waiting.to_rehearse()):
                plan.add(rehearsal)
                progress(lines.done)
    refused = [f"{place}: {refusal}" for refusal, place in run.refusals.found.items()]
    if run.options.as_json:
        found = plan_as_json(run.sources, plan, 0)
        del found["dead_letter"], found["not_received"]
        found |= blocked_as_json(waiting.blocked, waiting.count)
        print_json({"sources": run.options.sources, **found, "refused": refused})
    else:
        print_plan(run.sources, plan, 0)
        print_blocked(waiting.blocked, waiting.count, has_more=False)
        for each in refused:
            print_line(f"refused: {each}", soft_wrap=True)
    if refused:
        return 2
    return int(plan.passing < plan.total)


class _Waiting:
    """The messages of a rehearsal that would be left, as a plugin fails on them, or on one that they may follow."""

    def __init__(self, run: _Run, plan: RedrivePlan) -> None:
        """Those that would be left are added to `plan`."""
        self.blocked = BlockedMessages()
        self.count = 0
        self._run = run
        self._plan = plan
        self._left_out = frozenset(run.options.left_out)
        self._held: set[str] = set()

    def to_rehearse(self) -> Iterator[SourceMessage]:
        """Yield the messages that would be delivered, and note what is refused of all."""
        run = self._run
        for window in read_windows(run.source, run.selection, run.journal):
            for message in window.messages.values():
                record = message.to_deliver()
                for found in run.planner.plan_all(message.queue, [record]):
                    planned = reject_left_out(message, found, self._left_out)
                    run.refusals.note(message, planned)
                    if planned is found and not self._waits(message, planned):
                        yield message
                    elif planned is not found:
                        self._add(message, planned.outcome)

    def _waits(self, message: SourceMessage, planned: PlannedMessage) -> bool:
        """Return whether a message would be left, and count it if so."""
        tables = self._run.planner.tables(message.queue)
        outcome = planned.outcome
        if outcome is not None and outcome.kind == "retry":
            self.blocked.add(message, outcome)
            self._add(message, outcome)
        elif self._held.isdisjoint(tables_of(planned)):
            return False
        else:
            self.count += 1
            self._add(message, _WAITS)
        self._held |= tables
        return True

    def _add(self, message: SourceMessage, outcome: Outcome | None) -> None:
        self._plan.add(Rehearsal(message, message.queue.name, outcome))
