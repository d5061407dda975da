"""The course of `router dlq redrive`: rehearse, show the plan, ask, deliver, and sum up."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import click
from msgspec import Struct

from router.cli.dlq_options import DlqOptions, DlqSession, finished_first, open_session
from router.cli.dlq_plan import RedrivePlan, Tally, plan_as_json, print_plan, print_tally, tally_as_json
from router.cli.dlq_report import count
from router.cli.terminal import confirm, output, progress_bar
from router.dev.compare import to_json
from router.dlq.export import FileSource, read_messages
from router.dlq.journal import Journal
from router.dlq.messages import DlqMessage
from router.dlq.queues import DeadLetterQueue
from router.dlq.redrive import Redriver, Source
from router.dlq.rehearse import Rehearsal, Rehearser
from router.dlq.spool import Spool
from router.engine.engine import CompiledQueue


class RedriveOptions(Struct, frozen=True):
    """The options of `router dlq redrive`, besides those that select messages; `rate` is in messages a second."""

    to_queue: bool = False
    keep_newer: bool = False
    rate: float | None = None
    dry_run: bool = False
    file: Path | None = None
    journal: Path | None = None
    yes: bool = False
    as_json: bool = False


class _Work(Struct, frozen=True):
    """The messages of one dead-letter queue, or of a file, which has no `receive`; `name` is that of either."""

    name: str
    queue: DeadLetterQueue
    spool: Spool
    source: Source
    receive: Callable[[int | None], int] | None


class _Choice:
    """Deselects the messages that are not to be redriven: those that do not pass or, if asked, replace an item.

    Where order counts, a message that stays keeps the rest of its group behind it: `waiting` counts those.
    `undelivered` are the groups of chosen messages that could not be delivered. `confirmed` are the messages that an
    earlier run delivered: whatever the config does with them now, they are only to be deleted.
    """

    def __init__(self, session: DlqSession, work: _Work, journal: Journal, keep_newer: bool) -> None:
        self.chosen = 0
        self.waiting = 0
        self.undelivered: set[str | None] = set()
        self.confirmed: list[str] = []
        self._blocked: set[str | None] = set()
        self._session = session
        self._work = work
        self._journal = journal
        self._keep_newer = keep_newer

    def is_confirmed(self, message: DlqMessage) -> bool:
        """Return whether an earlier run delivered a message, and deselect it then."""
        if self._journal.result(message.id) is None:
            return False
        self._work.spool.deselect(message.id)
        self.confirmed.append(message.id)
        return True

    def decide(self, rehearsal: Rehearsal) -> None:
        """Choose or deselect a message, in the order of its group."""
        message, group = rehearsal.message, rehearsal.message.record.group_id
        if not rehearsal.passes or (self._keep_newer and rehearsal.overwrites):
            if self._is_ordered(self._session.program.engine.queues.get(rehearsal.queue)):
                self._blocked.add(group)
        elif group in self._blocked or group in self.undelivered:
            self.waiting += 1
        else:
            self.chosen += 1
            return
        self._work.spool.deselect(message.id)

    def undeliver(self, queue: CompiledQueue, message: DlqMessage) -> None:
        """Keep what follows a chosen message in its group."""
        if self._is_ordered(queue):
            self.undelivered.add(message.record.group_id)

    def _is_ordered(self, queue: CompiledQueue | None) -> bool:
        # The messages of a file have no dead-letter queue, but may be for a FIFO queue.
        return self._work.queue.fifo or (queue is not None and queue.fifo)


class _Redrive:
    """The redrive of the messages of one dead-letter queue."""

    def __init__(self, session: DlqSession, work: _Work, own: RedriveOptions) -> None:
        """Read the journal; raises UsageError."""
        self.tally = Tally()
        self._session = session
        self._work = work
        self._own = own
        self._journal = Journal(own.journal or Path(f"router-dlq-{work.name}.journal"))
        self._choice = _Choice(session, work, self._journal, own.keep_newer)
        self._plan = RedrivePlan(Counter())

    def run(self) -> bool:
        """Rehearse, ask and deliver; return whether all messages are done, or would be. Raises RouterError."""
        choice, own = self._choice, self._own
        self._rehearse()
        if not own.as_json:
            print_plan(self._work.name, self._plan)
            if choice.waiting:
                output().print(f"{count(choice.waiting)} of these stay behind one of their group that is not redriven")
            if choice.confirmed:
                output().print(f"delivered by an earlier run, and only deleted now: {count(len(choice.confirmed))}")
        if not (choice.chosen or choice.confirmed):
            click.echo("nothing to redrive", err=True)
        if own.dry_run or not (choice.chosen or choice.confirmed):
            return choice.chosen == self._plan.total
        if not own.yes and not confirm(self._question()):
            click.echo("nothing was redriven", err=True)
            return False
        with self._journal:
            self._deliver()
            complete = self.tally.done == self._plan.total + len(choice.confirmed) and not self.tally.undeleted
            if self._work.source.lasting and not len(self._work.spool):
                self._journal.clear()
        return complete

    def report(self, complete: bool) -> dict[str, object]:
        """Return the report for `--json`."""
        plan = plan_as_json(self._work.name, self._plan)
        return {**plan, "confirmed": len(self._choice.confirmed), **tally_as_json(self.tally), "complete": complete}

    def _rehearse(self) -> None:
        choice = self._choice
        work = self._work
        rehearse(self._session, work.name, work.queue, work.spool, choice.decide, self._plan, choice.is_confirmed)

    def _question(self) -> str:
        chosen, name = self._choice.chosen, self._work.name
        if not chosen:
            return f"Delete {count(len(self._choice.confirmed))} from {name}?"
        what = f"Send {count(chosen)} to the queues" if self._own.to_queue else f"Deliver {count(chosen)}"
        more = ", with those that follow in their groups" if self._work.queue.fifo and self._work.receive else ""
        return f"{what}, and delete them from {name}{more}?"

    def _deliver(self) -> None:
        """Deliver the selected messages; of a FIFO queue also those that become visible when their group goes on."""
        session, work, choice = self._session, self._work, self._choice
        redriver = Redriver(session.program, session.aws, work.source, self._journal, self._own.rate)
        finished = 0
        try:
            while True:
                for each in redriver.finish(choice.confirmed[finished:]):
                    self.tally.add(each)
                finished = len(choice.confirmed)
                self._deliver_selected(redriver)
                # A FIFO queue returns the next messages of a group when the ones before are deleted.
                left = None if session.limit is None else session.limit - self._plan.total
                if not work.queue.fifo or work.receive is None or left == 0 or self.tally.stopped:
                    return
                if not work.receive(left):
                    return
                self._rehearse()
        finally:
            # Also after Ctrl-C: what was done by then.
            self.tally.undeleted = Counter(fault.code for fault in redriver.undeleted.values())
            if not self._own.as_json:
                print_tally(work.name, self.tally)

    def _deliver_selected(self, redriver: Redriver) -> None:
        redrive = redriver.send_back if self._own.to_queue else redriver.deliver
        with progress_bar(f"redriving {self._work.name}", self._choice.chosen) as progress:
            for queue, batch in self._batches(redriver.batch_size):
                by_id = {message.id: message for message in batch}
                redriver.keep_rate(len(batch))
                # What is delivered is to be in the journal, and deleted: else the next run would deliver it again.
                with finished_first():
                    for each in redrive(queue, batch):
                        self.tally.add(each)
                        if not each.deleted:
                            self._choice.undeliver(queue, by_id[each.id])
                progress(self.tally.results.total())
                denied = [fault.code for fault in redriver.undeleted.values() if fault.kind == "configuration"]
                if self.tally.stopped or denied:
                    return

    def _batches(self, size: int) -> Iterator[tuple[CompiledQueue, list[DlqMessage]]]:
        """Yield the selected messages in batches, each with its source queue, and deselect them, to try each once.

        Messages of a group are left out if one before them is still on the dead-letter queue.
        """
        work = self._work
        by_queue: dict[str, tuple[CompiledQueue, list[DlqMessage]]] = {}
        for message in work.spool.selected():
            queue = message.find_queue(self._session.program, work.queue.reference)
            assert queue is not None, "a message of an unknown queue does not pass its rehearsal"
            work.spool.deselect(message.id)
            if message.record.group_id in self._choice.undelivered:
                continue
            _, batch = by_queue.setdefault(queue.name, (queue, []))
            batch.append(message)
            if len(batch) >= size:
                yield by_queue.pop(queue.name)
        yield from by_queue.values()


def run_redrive(options: DlqOptions, own: RedriveOptions) -> int:
    """Redrive the selected messages; return the exit code. Raises RouterError."""
    session = open_session(options)
    reports = []
    codes = {0}
    with closing(_from_file(session, own.file) if own.file else _from_queues(session)) as each_work:
        for work in each_work:
            redrive = _Redrive(session, work, own)
            complete = redrive.run()
            codes.add(0 if complete else 2 if redrive.tally.stopped else 1)
            reports.append(redrive.report(complete))
    if own.as_json:
        click.echo(to_json(reports, indent=2))
    return max(codes)


def _from_queues(session: DlqSession) -> Generator[_Work, None, None]:
    with session.each_opened() as each_opened:
        for opened in each_opened:
            lease, selects = opened.lease, opened.selects
            yield _Work(opened.queue.name, opened.queue, opened.spool, lease, partial(lease.receive, selects))


def _from_file(session: DlqSession, file: Path) -> Generator[_Work, None, None]:
    # Messages without a reason do not name their queue: as on their dead-letter queue, if that can only be one.
    (queue,) = session.queues if len(session.queues) == 1 else (DeadLetterQueue("", ""),)
    with Spool() as spool:
        for message in read_messages(file):
            known = message.find_queue(session.program, queue.reference)
            spool.add(message, selected=session.selection.selects(message, known))
        yield _Work(file.name, queue, spool, FileSource(spool), None)


def _passes_over(message: DlqMessage) -> bool:
    """Pass over no message."""
    return False


def rehearse(
    session: DlqSession,
    name: str,
    queue: DeadLetterQueue,
    spool: Spool,
    on_each: Callable[[Rehearsal], None],
    plan: RedrivePlan,
    passes_over: Callable[[DlqMessage], bool] = _passes_over,
) -> None:
    """Rehearse the selected messages of a spool into a plan, with a progress bar; raises UsageError."""
    rehearser = Rehearser(session.program, queue.reference, session.aws, session.read_item)
    with progress_bar(f"rehearsing {name}", len(spool)) as progress:
        messages = (message for message in spool.selected() if not passes_over(message))
        for rehearsal in rehearser.rehearse_all(messages):
            plan.add(rehearsal)
            on_each(rehearsal)
            progress(plan.total)
