"""Findings as text for people."""

from functools import partial
from pathlib import Path

import click
import pytest
from msgspec import structs

from router.model import Code, Finding, Place, Severity
from router.tools.cli.report import as_text, count_findings
from tests.support.check import Ignored, Ledger, LedgerEntry, Verdict

ERROR = Finding(Code("RT101", "t", "w"), "unknown key", Place("routes.yaml", 5, 13), "remove it")
WARNING = Finding(Code("RT203", "t", "w", "warning"), "no dead-letter queue", Place("routes.yaml", 2, 1))
INFO = Finding(Code("ACME1", "t", "w", "info"), "at the: whole", Place("routes.yaml"))


def of(severity: Severity) -> Finding:
    return Finding(Code("RT101", "t", "w", severity), "x", Place("routes.yaml"))


def test_as_text() -> None:
    """A line each, which without its colours is the finding."""
    assert click.unstyle(as_text([ERROR, WARNING, INFO])) == (
        "routes.yaml:5:13: error RT101 unknown key; remove it\n"
        "routes.yaml:2:1: warning RT203 no dead-letter queue\n"
        "routes.yaml: info ACME1 at the: whole"
    )


@pytest.mark.parametrize(("finding", "colour"), [(ERROR, "red"), (WARNING, "yellow"), (INFO, "blue")])
def test_colours(finding: Finding, colour: str) -> None:
    """The place stands out; the severity and the code have the colour of the severity."""
    place, kind = str(finding.place), f"{finding.code.severity} {finding.code.id}"
    rest = str(finding).removeprefix(f"{place}: {kind} ")

    assert as_text([finding]) == f"{click.style(place, bold=True)}: {click.style(kind, fg=colour)} {rest}"


def test_no_findings_as_text() -> None:
    """Nothing."""
    assert as_text([]) == ""


def test_ignored_as_text() -> None:
    """What is passed over comes last, with the reason."""
    assert click.unstyle(as_text([INFO], [Ignored(WARNING, "known\n")])) == (
        "routes.yaml: info ACME1 at the: whole\nroutes.yaml:2:1: warning RT203 no dead-letter queue (ignored: known)"
    )


@pytest.mark.parametrize(
    ("line", "column", "shown", "caret"),
    [
        ("    tabel: users", 5, "    tabel: users", 4),
        ("\ta: 1", 2, " a: 1", 1),
        ("日本: x", 3, "日本: x", 4),
        ("e\N{COMBINING ACUTE ACCENT}: x", 3, "e\N{COMBINING ACUTE ACCENT}: x", 1),
        ("a: \x1b[31m", 4, "a: \ufffd[31m", 3),
        ("a" * 300, 200, "a" * 110, 55),
        ("a" * 300, 10, "a" * 110, 9),
        ("", 1, "", 0),
    ],
)
def test_an_excerpt(tmp_path: Path, line: str, column: int, shown: str, caret: int) -> None:
    """The line, cut if it is long, and a caret under the place, by the columns of a terminal."""
    file = tmp_path / "routes.yaml"
    file.write_bytes(f"\ufeffversion: 1\r\n{line}\r\n".encode())
    finding = Finding(Code("RT101", "t", "w"), "x", Place(str(file), 2, column))

    text = click.unstyle(as_text([finding], excerpts=True))

    assert text.split("\n")[1:] == [f"     2 | {shown}", f"         {' ' * caret}^"]


@pytest.mark.parametrize("place", [Place("none.yaml", 1, 1), Place(__file__), Place(__file__, 100_000, 1)])
def test_no_excerpt(place: Place) -> None:
    """Where there is nothing to show."""
    finding = Finding(Code("RT101", "t", "w"), "x", place)

    assert as_text([finding], excerpts=True) == as_text([finding])


@pytest.mark.parametrize(
    ("severities", "text"),
    [
        ([], "no findings"),
        (["error"], "1 error"),
        (["info", "error", "error", "warning"], "2 errors, 1 warning, 1 info"),
        (["warning", "warning"], "2 warnings"),
        (["info", "info"], "2 infos"),
    ],
)
def test_count_findings(severities: list[Severity], text: str) -> None:
    """The worst first."""
    assert count_findings([of(severity) for severity in severities]) == text


def test_count_ignored() -> None:
    """How many more are passed over."""
    assert count_findings([of("error")], [Ignored(INFO, "known")] * 2) == "1 error, 2 ignored"


def claim(verdict: Verdict, ignored: str = "", has_schema: bool = True) -> LedgerEntry:
    place = partial(Place, "routes.yaml")
    return LedgerEntry("r", "key", "id", verdict, "", place, ignored=ignored, has_schema=has_schema)


def test_examples_of_what_may_go_wrong() -> None:
    """The first messages that no finding tells of; not those of claims that the config accepts."""
    of_message = structs.replace(claim("refuted"), codes=("RT244",), example='{"id":0}')
    entries = (
        of_message,
        structs.replace(of_message, ignored="known"),
        structs.replace(of_message, codes=("RT416",)),
        structs.replace(of_message, kind="when", subject="", example='{"id":1}'),
        of_message,
        of_message,
    )

    assert count_findings([], ledger=Ledger(entries)).splitlines()[1:] == [
        "route 'r': the key of 'id' may be rejected, as of {\"id\":0}",
        "route 'r': its when may fail, as of {\"id\":1}",
        "route 'r': the key of 'id' may be rejected, as of {\"id\":0}",
    ]


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([claim("proved")], "no findings\nproved 1 of 1 claims"),
        ([claim("proved"), claim("refuted")], "no findings\nproved 1 of 2 claims; 1 thing may go wrong"),
        ([claim("refuted")] * 2, "no findings\nproved 0 of 2 claims; 2 things may go wrong"),
        (
            [claim("refuted"), claim("refuted", "known")],
            "no findings\nproved 0 of 2 claims; 2 things may go wrong (1 ignored)",
        ),
        ([claim("not decided")], "proved 0 of 1 claims; 1 not decided: --unproved shows them"),
        (
            [claim("not decided", "known"), claim("not decided", has_schema=False)],
            "proved 0 of 2 claims; 2 not decided (1 ignored, 1 without a schema): --unproved shows them",
        ),
    ],
)
def test_count_claims(entries: list[LedgerEntry], text: str) -> None:
    """Claims are counted by verdict; "no findings" is said only if each is decided."""
    assert count_findings([], ledger=Ledger(tuple(entries))) == text
