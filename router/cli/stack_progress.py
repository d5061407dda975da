"""Shows the events of a stack while it changes."""

from collections.abc import Iterator
from datetime import UTC

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from router.aws.stacks import StackEvent
from router.ops.changes import kind_of, resource_name
from router.ops.stack_events import is_about_stack
from router.ops.stack_status import is_in_progress


def watch(console: Console, events: Iterator[StackEvent], stack_id: str, what: str, total: int) -> list[StackEvent]:
    """Prints a line for each event, and on a terminal a progress bar of `total` resources; returns the events."""
    seen: list[StackEvent] = []
    latest: dict[str, tuple[str, str]] = {}
    done: set[str] = set()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total or None)
        for event in events:
            seen.append(event)
            # AWS reports the start of an operation twice.
            if latest.get(event.logical_id) != (event.status, event.type):
                console.print(_line(event, stack_id))
            latest[event.logical_id] = (event.status, event.type)
            if not is_in_progress(event.status) and not is_about_stack(event, stack_id):
                done.add(event.logical_id)
                progress.update(task, completed=min(len(done), total))
    return seen


def _line(event: StackEvent, stack_id: str) -> str:
    whole = is_about_stack(event, stack_id)
    name = event.logical_id if whole else resource_name(event.type, event.logical_id, event.physical_id)
    reason = f"  {escape(event.reason)}" if event.reason and event.status.endswith("_FAILED") else ""
    status = f"[{_colour(event.status)}]{event.status:<20}[/]"
    time = f"{event.at.astimezone(UTC):%H:%M:%SZ}"
    return f"{time}  {status}  {kind_of(event.type):<20}  {escape(name)}{reason}"


def _colour(status: str) -> str:
    if "FAILED" in status:
        return "bold red"
    if "ROLLBACK" in status:
        return "yellow"
    return "dim" if is_in_progress(status) else "green"
