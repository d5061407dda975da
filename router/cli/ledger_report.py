"""The output of `router check --unproved`: the claims that are not proved, as a table."""

from collections.abc import Sequence

from router.check.ledger import Ledger, LedgerEntry
from router.cli.terminal import literal, print_table

_WIDTH = 200
"""The most characters of an example that are shown."""


def show_unproved(ledger: Ledger) -> None:
    """Print a table of the claims that are refuted or not decided; nothing if there are none."""
    show_claims([entry for entry in ledger.entries if entry.verdict != "proved"])


def show_claims(entries: Sequence[LedgerEntry]) -> None:
    """Print a table of claims, each with its verdict, and the reason, or the codes and a message that refutes it."""
    rows = [
        (
            f"{entry.place.file}:{entry.place.line}",
            entry.route,
            f"{entry.kind} {entry.subject}".rstrip(),
            entry.verdict,
            entry.reason or "; ".join(filter(None, [", ".join(entry.codes), entry.example[:_WIDTH]])),
        )
        for entry in entries
    ]
    if rows:
        print_table(("place", "route", "claim", "verdict", "reason"), (map(literal, row) for row in rows))
