"""Text of `router check`: the claims that are not proved, and the state of the deployed resources."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import click

from router.runtime.config.secret_values import WRITTEN
from router.runtime.printable import printable
from router.tools.check.ledger import LedgerEntry
from router.tools.check.live.deployed import duration
from router.tools.check.live.queues import OutageSurvival
from router.tools.check.rules.queues import rough_duration
from router.tools.cli.terminal import literal, print_table
from router.tools.control_plane.deployed import (
    Decision,
    DeployedFunction,
    DeployedIndex,
    DeployedMapping,
    DeployedQueue,
    DeployedState,
    DeployedTable,
    KeyAttributes,
    Unanswered,
    function_name,
)

_VERDICT_COLOURS = {
    "proved": "green",
    "refuted": "red",
    "not decided": "yellow",
}
_WIDTH = 200
"""The most characters of an example that are shown."""


def show_claims(entries: Sequence[LedgerEntry]) -> None:
    """Print each claim with what may happen, the codes and the reason.

    Below it stand what would decide it, or an example of a message.
    """
    for entry in entries:
        place = click.style(printable(f"{entry.place.file}:{entry.place.line}"), bold=True)
        subject = f"the {entry.kind} of '{entry.subject}'" if entry.subject else f"the {entry.kind}"
        colour = _VERDICT_COLOURS[entry.verdict]
        verdict = entry.in_words if entry.verdict == "refuted" else f"is {entry.verdict}"
        codes = f" ({', '.join(entry.codes)})" if entry.codes else ""
        reason = f": {entry.reason}" if entry.reason else ""
        shown = printable(f"route '{entry.route}': {subject}")
        click.echo(f"{place}: {shown} {click.style(verdict, fg=colour)}{printable(codes + reason)}")
        if entry.way_out:
            click.echo(f"    {entry.way_out}")
        if entry.example:
            # A part of a secret, which the cut may leave, is not found any more.
            click.echo(f"    for example {printable(WRITTEN.mask(entry.example)[:_WIDTH])}")


Row = tuple[str, ...]
_Deployed = TypeVar("_Deployed", DeployedTable, DeployedQueue, DeployedFunction)


def show_seen(seen: DeployedState | None, survivals: Sequence[OutageSurvival] = ()) -> None:
    """Print a table for each kind of resource; nothing if nothing was compared."""
    if seen is None:
        return
    outlasted = [
        (each.queue, *map(rough_duration, (each.outlast, each.survives, each.survives_crashes)))
        for each in survivals
    ]
    for title, columns, rows in (*_sheets(seen), ("outages", _SURVIVAL, outlasted)):
        if rows:
            print_table(columns, (map(literal, row) for row in rows), literal(title))


def _sheets(seen: DeployedState) -> Iterator[tuple[str, Row, list[Row]]]:
    columns: Row = ("table", "status", "key", "time to live", "capacity", "indexes")
    yield "tables", columns, _rows(seen.tables, _table)
    # A queue that two references name has one row.
    queues = {
        each.arn if isinstance(each, DeployedQueue) else name: each
        for name, each in seen.queues.items()
    }
    columns = ("queue", "kind", "visibility", "retention", "largest message", "receives", "then to")
    yield "queues", columns, _rows(queues, _queue)
    columns = (
        "queue",
        "function",
        "state",
        "batch",
        "window",
        "reports failures",
        "concurrency",
        "filters",
    )
    yield "event source mappings", columns, list(_mappings(seen))
    functions = {function_name(arn): each for arn, each in seen.functions.items()}
    yield (
        "functions",
        ("function", "timeout", "reserved concurrency", "role"),
        _rows(functions, _function),
    )
    principal = seen.principal if isinstance(seen.principal, str) else "the caller"
    yield (
        f"permissions of {principal}",
        ("resource", "may", "may not"),
        list(map(_decision, seen.decisions)),
    )


def _rows(
    found: Mapping[str, _Deployed | Unanswered], row: Callable[[str, _Deployed], Row]
) -> list[Row]:
    return [
        (name, _error(deployed)) if isinstance(deployed, Unanswered) else row(name, deployed)
        for name, deployed in found.items()
    ]


def _table(name: str, deployed: DeployedTable) -> Row:
    ttl = deployed.ttl
    ttl_shown = _error(ttl) if isinstance(ttl, Unanswered) else f"{ttl.status} {ttl.attribute}"
    capacity = "on demand"
    if deployed.provisioned:
        capacity = f"{deployed.write_units} write, {deployed.read_units} read"
    indexes = "; ".join(map(_index, deployed.indexes))
    return (
        name,
        deployed.status,
        _key(deployed.key),
        ttl_shown.rstrip(),
        capacity,
        indexes or "none",
    )


def _index(index: DeployedIndex) -> str:
    state = "" if index.status == "ACTIVE" else f", {index.status}"
    return f"{index.name} ({_key(index.key)}{state})"


def _key(key: KeyAttributes) -> str:
    return ", ".join(f"{attribute} {kind}" for attribute, kind in key)


def _queue(_: str, deployed: DeployedQueue) -> Row:
    redrive = deployed.redrive_to.rpartition(":")[2]
    return (
        deployed.name,
        "FIFO" if deployed.fifo else "standard",
        f"{deployed.visibility} s",
        duration(deployed.retention),
        f"{deployed.max_bytes} bytes",
        str(deployed.max_receive_count) if redrive else "unlimited",
        redrive or "none",
    )


_SURVIVAL = ("queue", "is to survive", "survives", "survives crashes")


def _mappings(seen: DeployedState) -> Iterator[Row]:
    for queue, mappings in seen.mappings.items():
        if isinstance(mappings, Unanswered):
            yield queue, _error(mappings)
        else:
            yield from (_mapping(queue, mapping) for mapping in mappings)


def _mapping(queue: str, mapping: DeployedMapping) -> Row:
    return (
        queue,
        function_name(mapping.function),
        mapping.state,
        str(mapping.batch_size),
        f"{mapping.window} s",
        "yes" if mapping.reports_failures else "no",
        str(mapping.max_concurrency or "no maximum"),
        str(mapping.filters or "none"),
    )


def _function(_: str, deployed: DeployedFunction) -> Row:
    reserved = "none" if deployed.reserved is None else deployed.reserved
    shown = _error(reserved) if isinstance(reserved, Unanswered) else str(reserved)
    return deployed.name, f"{deployed.timeout} s", shown, deployed.role


def _decision(decision: Decision | Unanswered) -> Row:
    if isinstance(decision, Unanswered):
        return decision.resource, _error(decision)
    allowed = [action for action in decision.needed if action not in decision.denied]
    return decision.resource, _names(allowed), _names(decision.denied)


def _names(actions: Iterable[str]) -> str:
    """Return the names of actions without their service, which the resource shows."""
    return ", ".join(action.partition(":")[2] for action in actions)


def _error(unanswered: Unanswered) -> str:
    return f"{unanswered.action}: {unanswered.code}"
