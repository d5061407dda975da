"""Prints what `router demo --lambda` deployed: the resources of its stack, and the log of its function."""

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.dev.demo_deployed import STACK, DeployedDemo
from router.dev.display import to_json
from router.dev.results import LogLine
from router.ops.changes import kind_of

_FIRST = ("time", "level", "message")


def show_deployed(console: Console, demo: DeployedDemo) -> None:
    """Print the resources of the stack, and the log of the function."""
    counts = Counter(kind_of(each.type) for each in demo.resources)
    made = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(counts.items()))
    console.print(f"stack {STACK}: {made}")
    table = Table("time", "level", "message", "")
    for line in demo.log:
        table.add_row(*(escape(str(line.get(name, ""))) for name in _FIRST), escape(_rest(line)))
    console.print("log of the function", table, sep="\n")


def _rest(line: LogLine) -> str:
    """The other fields, but for empty ones."""
    return " ".join(f"{name}={to_json(value)}" for name, value in line.items() if name not in _FIRST and value)
