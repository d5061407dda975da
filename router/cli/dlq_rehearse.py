"""The course of `router dlq rehearse`, and the rehearsal of a redrive."""

import sys
from collections import Counter
from collections.abc import Callable
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any

import click

from router.cli.dlq_options import DlqOptions, open_session
from router.cli.dlq_plan import RedrivePlan, plan_as_json, print_plan, rehearsal_as_json, rehearsal_as_text
from router.cli.terminal import progress_bar
from router.dev.compare import to_json
from router.dlq.messages import DlqMessage
from router.dlq.queues import OpenQueue
from router.dlq.rehearse import Rehearsal, Rehearser
from router.dlq.spool import Spool, WrittenItems


def run_rehearse(options: DlqOptions, *, diff: bool, values: bool, as_json: bool) -> int:
    """Rehearse the selected messages; return the exit code. Raises RouterError."""
    session = open_session(options)
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
            show = _rehearse_as_json if as_json else _rehearse_as_text
            report = show(rehearser, opened, plan, diff=diff, values=values)
            reports.append({**plan_as_json(opened.queue.name, plan, opened.unseen), **report})
            failing += plan.total - plan.passing + opened.elsewhere
    if as_json:
        click.echo(to_json(reports, indent=2))
    return int(failing > 0)


def _rehearse_as_json(
    rehearser: Rehearser, opened: OpenQueue, plan: RedrivePlan, *, diff: bool, values: bool
) -> dict[str, Any]:
    """Rehearse the messages of a queue; return what is to be reported besides the plan."""
    found: list[Any] = []

    def keep(rehearsal: Rehearsal) -> None:
        if diff:
            found.append(rehearsal_as_json(rehearsal, values=values))

    rehearse(rehearser, opened.queue.name, opened.spool, keep, plan)
    return {"rehearsed": found} if diff else {}


def _rehearse_as_text(
    rehearser: Rehearser, opened: OpenQueue, plan: RedrivePlan, *, diff: bool, values: bool
) -> dict[str, Any]:
    """Rehearse the messages of a queue, and print the plan; the messages come after it, so they wait in a file."""
    with TemporaryFile("w+", encoding="utf-8") as details:

        def keep(rehearsal: Rehearsal) -> None:
            if diff:
                details.write(rehearsal_as_text(rehearsal, values=values))

        rehearse(rehearser, opened.queue.name, opened.spool, keep, plan)
        print_plan(opened.queue.name, plan, opened.elsewhere)
        details.seek(0)
        copyfileobj(details, sys.stdout)
    return {}


def _passes_over(message: DlqMessage) -> bool:
    """Pass over no message."""
    return False


def rehearse(
    rehearser: Rehearser,
    name: str,
    spool: Spool,
    on_each: Callable[[Rehearsal], None],
    plan: RedrivePlan,
    passes_over: Callable[[DlqMessage], bool] = _passes_over,
) -> None:
    """Rehearse the selected messages of a spool into a plan, with a progress bar; raises UsageError."""
    with progress_bar(f"rehearsing {name}", len(spool)) as progress:
        messages = (message for message in spool.selected() if not passes_over(message))
        for rehearsal in rehearser.rehearse_all(messages):
            plan.add(rehearsal)
            on_each(rehearsal)
            progress(plan.total)
