"""The result of a soak as text: a table of the runs, one of the injected faults, and what other messages notice."""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from tests.faults.dlq_many import Cost
from tests.faults.fault_proxy import DESCRIPTIONS
from tests.faults.isolation import Isolation

_HEADS = (
    "run",
    "messages",
    "calls",
    "faults injected",
    "interruptions",
    "lost",
    "duplicate effects",
    "out of order",
)


class SoakRun(NamedTuple):
    """The result of a run."""

    name: str
    messages: int
    calls: int
    faults: Counter[str]
    interruptions: int
    lost: int
    duplicates: int
    disorder: int


def result(runs: Sequence[SoakRun], seed: int, isolation: Isolation, costs: Sequence[Cost]) -> str:
    """Return tables in Markdown; `costs` are those of commands on many dead letters."""
    faults = sum((run.faults for run in runs), Counter[str]())
    rows = [
        (
            run.name,
            *map(_number, (run.messages, run.calls, run.faults.total(), run.interruptions, *run[5:])),
        )
        for run in [*runs, _total(runs)]
    ]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return "\n\n".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {machine}, seed {seed}.",
            _table(_HEADS, rows),
            _table(
                ("fault", "injected"),
                [(description, _number(faults[kind])) for kind, description in DESCRIPTIONS.items()],
            ),
            _table(
                ("what other messages notice, of a canned server", ""),
                [
                    ("99th percentile of the latency from send to write, alone", f"{isolation.alone:.0f} ms"),
                    ("the same beside a queue with a backlog whose table takes 200 ms", f"{isolation.beside:.0f} ms"),
                    (
                        "throughput with one message of a hundred on a hot key, as a share of that without",
                        f"{isolation.hot_share:.0%}",
                    ),
                ],
            ),
            _table(
                ("command", "dead letters", "seconds", "most memory"),
                [
                    (
                        f"`router dlq {cost.command}`",
                        _number(cost.letters),
                        f"{cost.seconds:.0f}",
                        f"{cost.memory:.0f} MiB",
                    )
                    for cost in costs
                ],
            ),
        )
    )


def _total(runs: Sequence[SoakRun]) -> SoakRun:
    return SoakRun(
        "all",
        sum(run.messages for run in runs),
        sum(run.calls for run in runs),
        sum((run.faults for run in runs), Counter[str]()),
        sum(run.interruptions for run in runs),
        sum(run.lost for run in runs),
        sum(run.duplicates for run in runs),
        sum(run.disorder for run in runs),
    )


def _number(number: int) -> str:
    return f"{number:,}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
