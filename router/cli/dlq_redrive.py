"""The course of `router dlq redrive`: rehearse, show the plan, ask, deliver, and sum up."""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path

import click
from msgspec import Struct

from router.cli.dlq_options import DlqOptions, DlqSession, open_session
from router.cli.dlq_report import Plan, count, plan_as_json, print_plan
from router.cli.terminal import confirm, literal, output, progress_bar
from router.dev.compare import to_json
from router.dlq.export import FileSource, read_messages
from router.dlq.messages import DlqMessage
from router.dlq.queues import DeadLetterQueue
from router.dlq.redrive import Journal, Redriver, Source
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
    """The messages of one dead-letter queue, or of a file, which has no `receive`."""

    queue: DeadLetterQueue
    spool: Spool
    source: Source
    receive: Callable[[int | None], int] | None


class _Choice:
    """Deselects the messages that are not to be redriven: those that do not pass or, if asked, replace an item.

    In a FIFO queue a message that stays keeps the rest of its group behind it: `waiting` counts those. `undelivered`
    are the groups of chosen messages that could not be delivered.
    """

    def __init__(self, work: _Work, keep_newer: bool) -> None:
        self.chosen = 0
        self.waiting = 0
        self.undelivered: set[str | None] = set()
        self._blocked: set[str | None] = set()
        self._work = work
        self._keep_newer = keep_newer

    def decide(self, rehearsal: Rehearsal) -> None:
        """Choose or deselect a message, in the order of its group."""
        message, group = rehearsal.message, rehearsal.message.record.group_id
        if not rehearsal.passes or (self._keep_newer and rehearsal.overwrites):
            if self._work.queue.fifo:
                self._blocked.add(group)
        elif group in self._blocked or group in self.undelivered:
            self.waiting += 1
        else:
            self.chosen += 1
            return
        self._work.spool.deselect(message.id)

    def undeliver(self, message: DlqMessage) -> None:
        """Keep what follows a chosen message in its group."""
        if self._work.queue.fifo:
            self.undelivered.add(message.record.group_id)


def run_redrive(options: DlqOptions, own: RedriveOptions) -> int:
    """Redrive the selected messages; return the exit code. Raises RouterError."""
    session = open_session(options)
    reports = []
    complete = True
    for work in _from_file(session, own.file) if own.file else _from_queues(session):
        report = _redrive(session, work, own)
        complete = complete and report["complete"] is True
        reports.append(report)
    if own.as_json:
        click.echo(to_json(reports, indent=2))
    return 0 if complete else 1


def _from_queues(session: DlqSession) -> Iterator[_Work]:
    for opened in session.each_opened():
        lease = opened.lease
        yield _Work(opened.queue, opened.spool, lease, lambda limit: lease.receive(opened.selects, limit))  # noqa: B023


def _from_file(session: DlqSession, file: Path) -> Iterator[_Work]:
    queue = DeadLetterQueue(str(file), "")
    with Spool() as spool:
        for message in read_messages(file):
            known = message.find_queue(session.program, "")
            spool.add(message, selected=session.selection.selects(message, known))
        yield _Work(queue, spool, FileSource(spool), None)


def _redrive(session: DlqSession, work: _Work, own: RedriveOptions) -> dict[str, object]:
    """Redrive the messages of one dead-letter queue; return the report for `--json`."""
    choice = _Choice(work, own.keep_newer)
    plan = Plan(Counter())
    rehearse(session, work.queue, work.spool, choice.decide, plan)
    if not own.as_json:
        print_plan(work.queue.name, plan)
        if choice.waiting:
            output().print(f"{count(choice.waiting)} of these stay behind one of their group that is not redriven")
    results: Counter[str] = Counter()
    if own.dry_run or not choice.chosen:
        return _report(work, plan, results, choice.chosen == plan.total)
    if not own.yes and not confirm(_question(work, own, choice.chosen)):
        click.echo("nothing was redriven", err=True)
        return _report(work, plan, results, False)
    path = own.journal or Path(f"router-dlq-{work.queue.name.replace('/', '_')}.journal")
    with Journal(path) as journal:
        redriver = Redriver(session.program, session.aws, work.source, journal, own.rate)
        _deliver(session, work, redriver, own, choice, plan, results)
    if not own.as_json:
        _print_results(work.queue.name, results)
    done = sum(number for result, number in results.items() if result in _DONE)
    return _report(work, plan, results, done == plan.total and not results[_UNDELETED])


def _report(work: _Work, plan: Plan, results: Counter[str], complete: bool) -> dict[str, object]:
    return {**plan_as_json(work.queue.name, plan), "redriven": dict(+results), "complete": complete}


def _question(work: _Work, own: RedriveOptions, chosen: int) -> str:
    what = f"Send {count(chosen)} to the queues" if own.to_queue else f"Deliver {count(chosen)}"
    more = ", with those that follow in their groups" if work.queue.fifo and work.receive else ""
    return f"{what}, and delete them from {work.queue.name}{more}?"


_UNDELETED = "confirmed, but not deleted"
_DONE = ("written", "duplicate", "stale", "dropped", "sent")


def rehearse(
    session: DlqSession, queue: DeadLetterQueue, spool: Spool, on_each: Callable[[Rehearsal], None], plan: Plan
) -> None:
    """Rehearse the selected messages of a spool into a plan, with a progress bar; raises UsageError."""
    rehearser = Rehearser(session.program, queue.reference, session.aws, session.read_item)
    with progress_bar(f"rehearsing {queue.name}", len(spool)) as progress:
        for message in spool.selected():
            rehearsal = rehearser.rehearse(message)
            plan.add(rehearsal)
            on_each(rehearsal)
            progress(plan.total)


def _deliver(
    session: DlqSession,
    work: _Work,
    redriver: Redriver,
    own: RedriveOptions,
    choice: _Choice,
    plan: Plan,
    results: Counter[str],
) -> None:
    """Deliver the selected messages; of a FIFO queue also those that become visible when their group goes on."""
    while True:
        with progress_bar(f"redriving {work.queue.name}", choice.chosen) as progress:
            for queue, batch in _batches(session, work, redriver.batch_size, choice.undelivered):
                by_id = {message.id: message for message in batch}
                for redriven in (redriver.send_back if own.to_queue else redriver.deliver)(queue, batch):
                    results[redriven.result] += 1
                    results[_UNDELETED] += redriven.result in _DONE and not redriven.deleted
                    if not redriven.deleted:
                        choice.undeliver(by_id[redriven.id])
                progress(results.total())
        # A FIFO queue returns the next messages of a group when the ones before are deleted.
        left = None if session.limit is None else session.limit - plan.total
        if not work.queue.fifo or work.receive is None or left == 0 or not work.receive(left):
            return
        rehearse(session, work.queue, work.spool, choice.decide, plan)


def _batches(
    session: DlqSession, work: _Work, size: int, blocked: Container[str | None]
) -> Iterator[tuple[CompiledQueue, list[DlqMessage]]]:
    """Yield the selected messages in batches, each with its source queue, and deselect them, to try each once.

    Messages of the groups in `blocked` are left out: one before them is still on the dead-letter queue.
    """
    by_queue: dict[str, tuple[CompiledQueue, list[DlqMessage]]] = {}
    for message in work.spool.selected():
        queue = message.find_queue(session.program, work.queue.reference)
        assert queue is not None, "a message of an unknown queue does not pass its rehearsal"
        work.spool.deselect(message.id)
        if message.record.group_id in blocked:
            continue
        _, batch = by_queue.setdefault(queue.name, (queue, []))
        batch.append(message)
        if len(batch) >= size:
            yield by_queue.pop(queue.name)
    yield from by_queue.values()


def _print_results(name: str, results: Mapping[str, int]) -> None:
    text = ", ".join(f"{result} {number}" for result, number in sorted(results.items()) if number)
    output().print(f"{literal(name)}: {literal(text or 'nothing was redriven')}")
