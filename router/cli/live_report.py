"""The output of `router check --live`: the state of the deployed resources as tables or JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from router.aws.deployed import (
    Decision,
    DeployedState,
    FunctionFacts,
    KeyAttributes,
    MappingFacts,
    QueueFacts,
    TableFacts,
    Unanswered,
    function_name,
)
from router.check.live.deployed import duration
from router.check.live.outages import OutageSurvival
from router.check.rules.outages import rough_duration
from router.cli.terminal import literal, print_table

Row = tuple[str, ...]
_Facts = TypeVar("_Facts", TableFacts, QueueFacts, FunctionFacts)


def with_seen(findings: str, seen: DeployedState | None, survivals: Sequence[OutageSurvival] = ()) -> str:
    """Return a JSON object of `findings`, which are JSON already, `live` (null if none was compared) and `outages`."""
    text = msgspec.json.encode({"findings": msgspec.Raw(findings.encode()), "live": seen, "outages": survivals})
    return msgspec.json.format(text).decode()


def show_seen(seen: DeployedState | None, survivals: Sequence[OutageSurvival] = ()) -> None:
    """Print a table for each kind of resource; nothing if nothing was compared."""
    if seen is None:
        return
    for title, columns, rows in (*_sheets(seen), ("outages", _SURVIVAL, list(map(_survival, survivals)))):
        if rows:
            print_table(columns, (map(literal, row) for row in rows), literal(title))


def _sheets(seen: DeployedState) -> Iterator[tuple[str, Row, list[Row]]]:
    columns: Row = ("table", "status", "key", "time to live", "capacity", "indexes")
    yield "tables", columns, _rows(seen.tables, _table)
    # A queue that two references name has one row.
    queues = {each.arn if isinstance(each, QueueFacts) else name: each for name, each in seen.queues.items()}
    columns = ("queue", "kind", "visibility", "retention", "largest message", "receives", "then to")
    yield "queues", columns, _rows(queues, _queue)
    columns = ("queue", "function", "state", "batch", "window", "reports failures", "concurrency", "filters")
    yield "event source mappings", columns, list(_mappings(seen))
    functions = {function_name(arn): each for arn, each in seen.functions.items()}
    yield "functions", ("function", "timeout", "reserved concurrency", "role"), _rows(functions, _function)
    principal = seen.principal if isinstance(seen.principal, str) else "the caller"
    yield f"permissions of {principal}", ("resource", "may", "may not"), list(map(_decision, seen.decisions))


def _rows(found: Mapping[str, _Facts | Unanswered], row: Callable[[str, _Facts], Row]) -> list[Row]:
    return [
        (name, _error(facts)) if isinstance(facts, Unanswered) else row(name, facts) for name, facts in found.items()
    ]


def _table(name: str, facts: TableFacts) -> Row:
    ttl = _error(facts.ttl) if isinstance(facts.ttl, Unanswered) else f"{facts.ttl.status} {facts.ttl.attribute}"
    capacity = f"{facts.write_units} write, {facts.read_units} read" if facts.provisioned else "on demand"
    indexes = "; ".join(f"{index.name} ({_key(index.key)})" for index in facts.indexes)
    return name, facts.status, _key(facts.key), ttl.rstrip(), capacity, indexes or "none"


def _key(key: KeyAttributes) -> str:
    return ", ".join(f"{attribute} {kind}" for attribute, kind in key)


def _queue(_: str, facts: QueueFacts) -> Row:
    redrive = facts.redrive_to.rpartition(":")[2]
    return (
        facts.name,
        "FIFO" if facts.fifo else "standard",
        f"{facts.visibility} s",
        duration(facts.retention),
        f"{facts.max_bytes} bytes",
        str(facts.max_receive_count) if redrive else "unlimited",
        redrive or "none",
    )


_SURVIVAL: Row = ("queue", "is to survive", "survives", "survives crashes")


def _survival(each: OutageSurvival) -> Row:
    return each.queue, *map(rough_duration, (each.outlast, each.survives, each.survives_crashes))


def _mappings(seen: DeployedState) -> Iterator[Row]:
    for queue, mappings in seen.mappings.items():
        if isinstance(mappings, Unanswered):
            yield queue, _error(mappings)
        else:
            yield from (_mapping(queue, mapping) for mapping in mappings)


def _mapping(queue: str, mapping: MappingFacts) -> Row:
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


def _function(_: str, facts: FunctionFacts) -> Row:
    reserved = "none" if facts.reserved is None else facts.reserved
    shown = _error(reserved) if isinstance(reserved, Unanswered) else str(reserved)
    return facts.name, f"{facts.timeout} s", shown, facts.role


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
