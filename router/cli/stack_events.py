"""Shows what happens to a stack while it happens: a line an event, and on a terminal a bar below them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from router.aws.stacks import StackEvent
from router.ops.changes import kind_of, resource_name
from router.ops.stack_events import is_about_stack

WIDE = 200
"""Characters of a line where the output is no terminal, so that no line is broken at 80."""


def diagnostics() -> Console:
    """Standard error, for what is said on the way to a result."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=WIDE)


def watch(console: Console, events: Iterator[StackEvent], stack_id: str, what: str, total: int) -> list[StackEvent]:
    """Show events until there are no more, and return them; `total` is how many resources are to change."""
    seen: list[StackEvent] = []
    done: set[str] = set()
    with _progress(console) as progress:
        task = progress.add_task(what, total=total or None)
        for event in events:
            seen.append(event)
            if _is_news(event, seen):
                console.print(_line(event, stack_id))
            if _is_done(event) and not is_about_stack(event, stack_id):
                done.add(event.logical_id)
                progress.update(task, completed=min(len(done), total))
    return seen


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _is_news(event: StackEvent, seen: list[StackEvent]) -> bool:
    """Whether an event says what the one before it about the same resource did not: AWS tells a beginning twice."""
    before = next((each for each in reversed(seen[:-1]) if each.logical_id == event.logical_id), None)
    return before is None or (before.status, before.type) != (event.status, event.type)


def _is_done(event: StackEvent) -> bool:
    return not event.status.endswith("_IN_PROGRESS")


def _line(event: StackEvent, stack_id: str) -> str:
    kind = kind_of(event.type)
    whole = is_about_stack(event, stack_id)
    name = event.logical_id if whole else resource_name(event.type, event.logical_id, event.physical_id)
    reason = f"  {escape(event.reason)}" if event.reason and event.status.endswith("_FAILED") else ""
    status = f"[{_colour(event.status)}]{event.status:<20}[/]"
    return f"{_clock(event.at)}  {status}  {kind:<20}  {escape(name)}{reason}"


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%SZ")


def _colour(status: str) -> str:
    if "FAILED" in status:
        return "bold red"
    if "ROLLBACK" in status:
        return "yellow"
    return "dim" if status.endswith("_IN_PROGRESS") else "green"
