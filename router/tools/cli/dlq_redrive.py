"""The course of `router dlq redrive`: rehearse, show the plan, ask, deliver, and sum up."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from msgspec import Struct

from router.errors import UsageError
from router.runtime.engine.engine import CompiledQueue
from router.runtime.printable import printable
from router.tools.cli.dlq_rehearse import (
    RedrivePlan,
    Tally,
    plan_as_json,
    print_plan,
    print_tally,
    rehearse,
    tally_as_json,
)
from router.tools.cli.dlq_report import count
from router.tools.cli.dlq_session import DlqOptions, DlqSession, finished_first, open_session
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.terminal import confirm, print_line, progress_bar
from router.tools.dlq.journal import Journal
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.queues import DeadLetterQueue
from router.tools.dlq.redrive import Redriven, Redriver, RedriveSource, batch_size
from router.tools.dlq.rehearse import Rehearsal, Rehearser
from router.tools.dlq.spool import FileSource, Spool, WrittenItems
from router.tools.replay.source import read_export


class RedriveOptions(Struct, frozen=True):
    """The options of `router dlq redrive`, besides those that select messages; `rate` is in messages a second."""

    to_queue: bool
    keep_newer: bool
    rate: float | None
    dry_run: bool
    file: Path | None
    again: bool
    journal: Path | None
    yes: bool
    as_json: bool


class _Work(Struct, frozen=True):
    """The messages of one dead-letter queue, or of a file, which has no `receive`; `name` is that of either.

    `unseen` and `elsewhere` are those of OpenQueue.
    """

    name: str
    queue: DeadLetterQueue
    spool: Spool
    source: RedriveSource
    receive: Callable[[int | None], int] | None = None
    unseen: int | None = 0
    elsewhere: int = 0


class _Choice:
    """The messages that are to be redriven, in batches; the others are deselected.

    Where order counts, a message that stays keeps the rest of its group behind it: `waiting` counts those, `blocked`
    are the groups. `undelivered` are the groups of chosen messages that could not be delivered. `confirmed` are the
    messages that an earlier run delivered: whatever the config does with them now, they are only to be deleted.
    """

    def __init__(self, spool: Spool, journal: Journal) -> None:
        self.chosen = 0
        self.waiting = 0
        self.batches = 0
        self.blocked: set[str | None] = set()
        self.undelivered: set[str | None] = set()
        self.confirmed: list[str] = []
        self._spool = spool
        self._journal = journal

    def is_confirmed(self, message: DlqMessage) -> bool:
        """Return whether an earlier run delivered a message, and deselect it then."""
        if self._journal.result(message.id) is None:
            return False
        self._spool.deselect(message.id)
        self.confirmed.append(message.id)
        return True

    def decide(self, rehearsal: Rehearsal) -> None:
        """Choose or deselect a message."""
        self.waiting += rehearsal.behind
        if rehearsal.batch:
            self.chosen += 1
            self.batches = rehearsal.batch
            self._spool.assign(rehearsal.message.id, rehearsal.batch)
        else:
            self._spool.deselect(rehearsal.message.id)


class _Redrive:
    """The redrive of the messages of one dead-letter queue."""

    def __init__(
        self, session: DlqSession, work: _Work, own: RedriveOptions, written: WrittenItems
    ) -> None:
        """Read the journal; raises UsageError. `written` is what was written for other queues, or would have been."""
        self.tally = Tally()
        self._session = session
        self._work = work
        self._own = own
        self._written = written
        path = Path(f"router-dlq-{work.name}.journal")
        if own.file:
            # The journal of a file is of use where the file is.
            path = own.file.with_name(f"{own.file.name}.journal")
        self._journal = Journal(own.journal or path, again=own.again)
        self._choice = _Choice(work.spool, self._journal)
        self._plan = RedrivePlan(Counter())

    def run(self) -> bool:
        """Rehearse, ask and deliver; return whether all messages are done, or would be. Raises RouterError."""
        choice = self._choice
        own = self._own
        self._rehearse()
        if not own.as_json:
            if self._plan.total or not choice.confirmed:
                print_plan(self._work.name, self._plan, self._work.elsewhere)
            if choice.waiting:
                print_line(
                    f"{count(choice.waiting)} of these stay behind one of their group that is not redriven"
                )
            if choice.confirmed and own.file:
                print_line(
                    f"already redriven: {count(len(choice.confirmed))}; --again delivers them again"
                )
            elif choice.confirmed:
                print_line(
                    f"delivered by an earlier run, and only deleted now: {count(len(choice.confirmed))}"
                )
        idle = not choice.chosen and (own.file or not choice.confirmed)
        if idle:
            tell(f"{printable(self._work.name)}: nothing to redrive")
        if own.dry_run or idle:
            return choice.chosen == self._plan.total and not self._work.elsewhere
        if not own.yes and not confirm(self._question()):
            tell(f"{printable(self._work.name)}: nothing was redriven")
            return False
        with self._journal:
            self._deliver()
        left = self._plan.total + (0 if own.file else len(choice.confirmed)) - self.tally.done
        return not (left or self.tally.undeleted or self._work.elsewhere)

    def report(self, complete: bool) -> dict[str, object]:
        """Return the report for `--json`."""
        return {
            **plan_as_json(self._work.name, self._plan, self._work.unseen),
            "confirmed": len(self._choice.confirmed),
            **tally_as_json(self.tally),
            "complete": complete,
        }

    def _rehearse(self) -> None:
        session, work, own, choice = self._session, self._work, self._own, self._choice
        if not own.dry_run:
            self._written.forget_undelivered()
        rehearser = Rehearser(
            session.program,
            work.queue.reference,
            session.aws,
            session.read_item,
            self._written,
            batch_size=batch_size(own.rate),
            ordered=work.queue.fifo,
            keep_newer=own.keep_newer,
            blocked=choice.blocked | choice.undelivered,
        )
        choice.batches = 0
        rehearse(rehearser, work.name, work.spool, choice.decide, self._plan, choice.is_confirmed)
        choice.blocked = rehearser.blocked

    def _question(self) -> str:
        chosen = self._choice.chosen
        name = self._work.name
        if not chosen:
            return f"Delete {count(len(self._choice.confirmed))} from {name}?"
        what = f"Deliver {count(chosen)}"
        if self._own.to_queue:
            what = f"Send {count(chosen)} to the queues"
        has_followers = self._work.queue.fifo and self._work.receive
        more = ", with those that follow in their groups" if has_followers else ""
        return f"{what}, and delete them from {name}{more}?"

    def _deliver(self) -> None:
        """Deliver the selected messages; of a FIFO queue also those that become visible when their group goes on."""
        session = self._session
        work = self._work
        choice = self._choice
        rate = self._own.rate
        place = session.services["sqs"].place
        redriver = Redriver(
            session.program, session.aws, work.source, self._journal, rate, place=place
        )
        finished = 0
        try:
            while True:
                if not self._own.file:
                    for each in redriver.finish(choice.confirmed[finished:]):
                        self.tally.add(each)
                finished = len(choice.confirmed)
                if self._may_go_on(redriver):
                    self._deliver_selected(redriver)
                # A FIFO queue returns the next messages of a group when the ones before are deleted.
                left = None if session.limit is None else session.limit - self._plan.total
                more = work.queue.fifo and left != 0 and self._may_go_on(redriver)
                if not (more and work.receive and work.receive(left)):
                    return
                self._rehearse()
        finally:
            # Also after an error or Ctrl-C: what was done by then.
            for each in redriver.unfinished:
                self.tally.add(each)
            self.tally.undeleted = Counter(fault.code for fault in redriver.undeleted.values())
            if not self._own.as_json:
                print_tally(work.name, self.tally)

    def _deliver_selected(self, redriver: Redriver) -> None:
        redrive = redriver.send_back if self._own.to_queue else redriver.deliver
        with progress_bar(f"redriving {self._work.name}", self._choice.chosen) as progress:
            for number in range(1, self._choice.batches + 1):
                # Messages of a group are left out if one before them is still on the dead-letter queue.
                batch = [
                    message
                    for message in self._work.spool.take(number)
                    if message.record.group_id not in self._choice.undelivered
                ]
                if not batch:
                    continue
                queue = batch[0].find_queue(self._session.program, self._work.queue.reference)
                assert queue is not None, (
                    "a message of an unknown queue does not pass its rehearsal"
                )
                redriver.rate_limit.wait(len(batch))
                # What is delivered is to be in the journal, and deleted: else the next run would deliver it again.
                with finished_first():
                    self._finish(queue, batch, redrive(queue, batch))
                progress(self.tally.results.total())
                if not self._may_go_on(redriver):
                    return

    def _may_go_on(self, redriver: Redriver) -> bool:
        """Return whether further messages would not have the same configuration error, or could not be deleted."""
        denied = any(fault.kind == "configuration" for fault in redriver.undeleted.values())
        return not (self.tally.stopped or denied)

    def _finish(
        self, queue: CompiledQueue, batch: Sequence[DlqMessage], results: Sequence[Redriven]
    ) -> None:
        """Count the results of a batch."""
        self._written.deliver(each.id for each in results if each.result == "written")
        by_id = {message.id: message for message in batch}
        for each in results:
            self.tally.add(each)
            # The messages of a file have no dead-letter queue, but may be for a FIFO queue.
            if not each.deleted and (self._work.queue.fifo or queue.fifo):
                self._choice.undelivered.add(by_id[each.id].record.group_id)


def run_redrive(options: DlqOptions, own: RedriveOptions) -> int:
    """Redrive the selected messages; return the exit code. Raises RouterError."""
    if own.again and not own.file:
        raise UsageError(
            "--again is for --from FILE: what is on a dead-letter queue was not redriven"
        )
    session = open_session(options)
    reports = []
    codes = {0}
    works = _from_file(session, own.file) if own.file else _from_queues(session)
    try:
        with closing(works) as each_work, WrittenItems() as written:
            for work in each_work:
                redrive = _Redrive(session, work, own, written)
                complete = False
                try:
                    complete = redrive.run()
                finally:
                    reports.append(redrive.report(complete))
                if complete:
                    continue
                codes.add(2 if redrive.tally.stopped else 1)
    finally:
        # Also after an error or Ctrl-C: what was done by then.
        if own.as_json and reports:
            print_json(reports)
    return max(codes)


def _from_queues(session: DlqSession) -> Generator[_Work, None, None]:
    with session.each_opened() as each_opened:
        for opened in each_opened:
            lease = opened.lease
            receive = partial(lease.receive, opened.selects)
            name = opened.queue.name
            yield _Work(
                name, opened.queue, opened.spool, lease, receive, opened.unseen, opened.elsewhere
            )


def _from_file(session: DlqSession, file: Path) -> Generator[_Work, None, None]:
    # Messages without a reason do not name their queue: as on their dead-letter queue, if that can only be one.
    (queue,) = session.queues if len(session.queues) == 1 else (DeadLetterQueue("", ""),)
    with Spool() as spool:
        for message in read_export(file):
            session.unknown.see(message)
            known = message.find_queue(session.program, queue.reference)
            spool.add(message, selected=session.selection.selects(message, known))
        session.unknown.require_none()
        yield _Work(file.name, queue, spool, FileSource(spool))
