"""What was seen in AWS, as tables for people and as JSON for machines."""

import sys
from collections.abc import Iterable, Iterator

import msgspec

from router.aws.deployed import (
    Decision,
    DeployedState,
    FunctionFacts,
    KeyAttributes,
    QueueFacts,
    TableFacts,
    TtlFacts,
    Unanswered,
    function_name,
)
from router.check.live.deployed import duration

Row = tuple[str, ...]
WIDE = 200
"""Characters of a line where the output is no terminal, so that a table is not cut at 80."""


def with_seen(findings: str, seen: DeployedState | None) -> str:
    """The findings, which are JSON already, and what was seen: `findings`, and `live`, null if nobody looked."""
    text = msgspec.json.encode({"findings": msgspec.Raw(findings.encode()), "live": seen})
    return msgspec.json.format(text).decode()


def show_seen(seen: DeployedState | None) -> None:
    """Print a table of tables, one of queues, and so on; nothing if nobody looked, which is a finding."""
    # For start-up time: most checks look at nothing but the config.
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if seen is None:
        return
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    for title, columns, rows in _sheets(seen):
        if rows:
            table = Table(*columns)
            for row in rows:
                table.add_row(*map(escape, row))
            # Titles are lines of their own: those of rich are wrapped at the width of their table.
            console.print(escape(title), table, sep="\n")


def _sheets(seen: DeployedState) -> Iterator[tuple[str, Row, list[Row]]]:
    yield "tables", ("table", "status", "key", "time to live", "capacity", "indexes"), _tables(seen)
    columns: Row = ("queue", "kind", "visibility", "retention", "largest message", "receives", "then to")
    yield "queues", columns, _queues(seen)
    columns = ("queue", "function", "state", "batch", "window", "reports failures", "concurrency", "filters")
    yield "event source mappings", columns, _mappings(seen)
    yield "functions", ("function", "timeout", "reserved concurrency", "role"), _functions(seen)
    whose = seen.principal if isinstance(seen.principal, str) else "the caller"
    yield f"permissions of {whose}", ("resource", "may", "may not"), _permissions(seen)


def _tables(seen: DeployedState) -> list[Row]:
    return [
        (name, facts.status, _key(facts.key), _ttl(facts.ttl), _capacity(facts), _indexes(facts))
        if isinstance(facts, TableFacts)
        else (name, _why(facts))
        for name, facts in seen.tables.items()
    ]


def _indexes(facts: TableFacts) -> str:
    return "; ".join(f"{index.name} ({_key(index.key)})" for index in facts.indexes) or "none"


def _key(key: KeyAttributes) -> str:
    return ", ".join(f"{attribute} {kind}" for attribute, kind in key)


def _ttl(ttl: TtlFacts | Unanswered) -> str:
    return _why(ttl) if isinstance(ttl, Unanswered) else f"{ttl.status} {ttl.attribute}".rstrip()


def _capacity(facts: TableFacts) -> str:
    return f"{facts.write_units} write, {facts.read_units} read" if facts.provisioned else "on demand"


def _queues(seen: DeployedState) -> list[Row]:
    """A row a queue: one that is named in two ways is shown once."""
    rows = {
        facts.arn if isinstance(facts, QueueFacts) else reference: _queue(facts)
        if isinstance(facts, QueueFacts)
        else (reference, _why(facts))
        for reference, facts in seen.queues.items()
    }
    return list(rows.values())


def _queue(facts: QueueFacts) -> Row:
    redrive = facts.redrive_to.rpartition(":")[2]
    return (
        facts.name,
        "FIFO" if facts.fifo else "standard",
        f"{facts.visibility} s",
        duration(facts.retention),
        f"{facts.max_bytes} bytes",
        str(facts.max_receive_count) if redrive else "any number",
        redrive or "nowhere",
    )


def _mappings(seen: DeployedState) -> list[Row]:
    rows: list[Row] = []
    for queue, mappings in seen.mappings.items():
        if isinstance(mappings, Unanswered):
            rows.append((queue, _why(mappings)))
            continue
        rows += [
            (
                queue,
                function_name(mapping.function),
                mapping.state,
                str(mapping.batch_size),
                f"{mapping.window} s",
                "yes" if mapping.reports_failures else "no",
                str(mapping.max_concurrency or "no maximum"),
                str(mapping.filters or "none"),
            )
            for mapping in mappings
        ]
    return rows


def _functions(seen: DeployedState) -> list[Row]:
    return [
        (facts.name, f"{facts.timeout} s", _reserved(facts), facts.role)
        if isinstance(facts, FunctionFacts)
        else (function_name(arn), _why(facts))
        for arn, facts in seen.functions.items()
    ]


def _reserved(facts: FunctionFacts) -> str:
    if isinstance(facts.reserved, Unanswered):
        return _why(facts.reserved)
    return "none" if facts.reserved is None else str(facts.reserved)


def _permissions(seen: DeployedState) -> list[Row]:
    return [
        (
            each.resource,
            _names(action for action in each.needed if action not in each.denied),
            _names(each.denied),
        )
        if isinstance(each, Decision)
        else (each.resource, _why(each))
        for each in seen.decisions
    ]


def _names(actions: Iterable[str]) -> str:
    """The names of actions without their service, which the resource shows."""
    return ", ".join(action.partition(":")[2] for action in actions)


def _why(unanswered: Unanswered) -> str:
    return f"{unanswered.action}: {unanswered.code}"
