"""The output of `router check --unproved`: the claims that are not proved, as a table."""

from router.check.ledger import Ledger
from router.cli.terminal import literal, print_table


def show_unproved(ledger: Ledger) -> None:
    """Print a table of the claims that are refuted or not decided; nothing if there are none."""
    rows = [
        (
            f"{entry.place.file}:{entry.place.line}",
            entry.route,
            f"{entry.kind} {entry.subject}".rstrip(),
            entry.verdict,
            entry.reason or ", ".join(entry.codes),
        )
        for entry in ledger.entries
        if entry.verdict != "proved"
    ]
    if rows:
        print_table(("place", "route", "claim", "verdict", "reason"), (map(literal, row) for row in rows))
