"""What is found, where it stands, and what is not told twice."""

from typing import Any

import pytest

from router.config.findings import Findings, stopped
from router.model import Code, Finding, Path, Place

TEXT = Code("RT005", "of the text", "…")
SHAPE = Code("RT101", "of the shape", "…")
MEANING = Code("RT401", "of the meaning", "…", "warning")
PLUGINS_OWN = Code("ACME1", "a plugin's", "…", "info")


def locate(path: Path, key: bool) -> Place:
    """Values stand in line 2, keys in line 1; a path's length is its column."""
    return Place("routes.yaml", 1 if key else 2, len(path))


def lines(findings: Findings) -> list[str]:
    return [str(finding) for finding in findings]


def test_where_a_finding_stands() -> None:
    """At a value, at a key, at the whole, or in another file; in the order of file, line and column."""
    findings = Findings(locate)
    findings.add(SHAPE, "in another file", place=Place("schema.json", 1, 1))
    findings.add(SHAPE, "at the whole")
    findings.add(SHAPE, "at a value", ("a", "b", 1), suggestion="mend it")
    findings.add(SHAPE, "at a key", ("a", "b"), key=True)

    assert lines(findings) == [
        "routes.yaml:1:2: RT101 at a key",
        "routes.yaml:2:0: RT101 at the whole",
        "routes.yaml:2:3: RT101 at a value; mend it",
        "schema.json:1:1: RT101 in another file",
    ]


def test_at_one_place() -> None:
    """In the order of the codes, then as they were found."""
    findings = Findings(locate)
    for code, sentence in [(MEANING, "z"), (SHAPE, "y"), (SHAPE, "x")]:
        findings.add(code, sentence, ("a",))

    assert lines(findings) == ["routes.yaml:2:1: RT101 y", "routes.yaml:2:1: RT101 x", "routes.yaml:2:1: RT401 z"]


def test_the_same_finding_again() -> None:
    """Is told once: what an anchor names is read wherever an alias is."""
    findings = Findings(locate)
    findings.add(SHAPE, "x", ("a",))
    findings.add(SHAPE, "x", ("b",))
    findings.add_finding(Finding(SHAPE, "x", Place("routes.yaml", 2, 1)))

    assert lines(findings) == ["routes.yaml:2:1: RT101 x"]


@pytest.mark.parametrize("add", ["add", "add_finding"])
def test_where_the_text_is_at_fault(add: str) -> None:
    """What stands in for it has no faults of its own, but it may have more faults of the text."""
    findings = Findings(locate)
    if add == "add":
        findings.add(TEXT, "x", ("a",))
    else:
        findings.add_finding(Finding(TEXT, "x", locate(("a",), False)))
    findings.add(TEXT, "y", ("a",))
    findings.add(SHAPE, "z", ("a",))
    findings.add(SHAPE, "elsewhere", ("a",), key=True)

    assert lines(findings) == [
        "routes.yaml:1:1: RT101 elsewhere",
        "routes.yaml:2:1: RT005 x",
        "routes.yaml:2:1: RT005 y",
    ]


def test_a_code_of_a_plugin_hides_nothing() -> None:
    """Whatever it is called."""
    findings = Findings(locate)
    findings.add(PLUGINS_OWN, "x", ("a",))
    findings.add(SHAPE, "y", ("a",))

    assert lines(findings) == ["routes.yaml:2:1: ACME1 x", "routes.yaml:2:1: RT101 y"]


@pytest.mark.parametrize(
    ("codes", "failed"), [([], False), ([MEANING, PLUGINS_OWN], False), ([MEANING, SHAPE], True), ([TEXT], True)]
)
def test_failed(codes: Any, failed: bool) -> None:
    """If one of them is an error."""
    findings = Findings(locate)
    for code in codes:
        findings.add(code, "x")

    assert findings.failed is failed


def test_stopped() -> None:
    """Findings of a config that could not be read further stand where they stood; more stand with the first."""
    findings = stopped([Finding(SHAPE, "x", Place("routes.yaml", 3, 4))])
    findings.add(MEANING, "y", ("a", "b"))

    assert lines(findings) == ["routes.yaml:3:4: RT101 x", "routes.yaml:3:4: RT401 y"]


def test_what_a_finding_is_about() -> None:
    """All the paths at which it was found."""
    findings = Findings(lambda path, key: Place("routes.yaml"))
    findings.add(SHAPE, "x", ("a",))
    findings.add(SHAPE, "x", ("b",))
    whole = Findings(locate)
    whole.take(findings)

    assert [whole.paths(finding) for finding in whole] == [frozenset({("a",), ("b",)})]


def test_a_muted_code() -> None:
    """Is not noted any more; others are."""
    findings = Findings(locate)
    findings.add(SHAPE, "before", ("a",))
    findings.mute(SHAPE)
    findings.add(SHAPE, "after", ("b",))
    findings.add(MEANING, "another", ("b",))

    assert lines(findings) == ["routes.yaml:2:1: RT101 before", "routes.yaml:2:1: RT401 another"]


def test_where_something_stands() -> None:
    """Without a finding."""
    findings = Findings(locate)

    assert [findings.locate(("a",)), findings.locate(("a",), key=True)] == [
        Place("routes.yaml", 2, 1),
        Place("routes.yaml", 1, 1),
    ]
