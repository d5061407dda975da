"""Findings: their places, their order, and what is reported once."""

from typing import Any

import pytest

from router.model import Code, Finding, Path, Place
from router.runtime.config.findings import Findings, any_of, closest, describe, quote, stopped

TEXT = Code("RT005", "of the text", "…")
SHAPE = Code("RT101", "of the shape", "…")
MEANING = Code("RT401", "of the meaning", "…", "warning")
PLUGINS_OWN = Code("ACME1", "a plugin's", "…", "info")


def locate(path: Path, key: bool) -> Place:
    """Return line 2 for values, and line 1 for keys; the column is the length of the path."""
    return Place("routes.yaml", 1 if key else 2, len(path))


def lines(findings: Findings) -> list[str]:
    return [str(finding) for finding in findings]


def test_where_a_finding_stands() -> None:
    """It is at a value, at a key, at the root, or in another file; the order is that of file, line and column."""
    findings = Findings(locate)
    findings.add(SHAPE, "in another file", place=Place("schema.json", 1, 1))
    findings.add(SHAPE, "at the whole")
    findings.add(SHAPE, "at a value", ("a", "b", 1), suggestion="mend it")
    findings.add(SHAPE, "at a key", ("a", "b"), key=True)

    assert lines(findings) == [
        "routes.yaml:1:2: error RT101 at a key",
        "routes.yaml:2:0: error RT101 at the whole",
        "routes.yaml:2:3: error RT101 at a value; mend it",
        "schema.json:1:1: error RT101 in another file",
    ]


def test_at_one_place() -> None:
    """The order at one place is that of the codes, then that of additions."""
    findings = Findings(locate)
    for code, sentence in [(MEANING, "z"), (SHAPE, "y"), (SHAPE, "x")]:
        findings.add(code, sentence, ("a",))

    assert lines(findings) == [
        "routes.yaml:2:1: error RT101 y",
        "routes.yaml:2:1: error RT101 x",
        "routes.yaml:2:1: warning RT401 z",
    ]


def test_the_same_finding_again() -> None:
    """A finding is reported once, though the value of an anchor is read at each alias."""
    findings = Findings(locate)
    findings.add(SHAPE, "x", ("a",))
    findings.add(SHAPE, "x", ("b",))
    findings.add_finding(Finding(SHAPE, "x", Place("routes.yaml", 2, 1)))

    assert lines(findings) == ["routes.yaml:2:1: error RT101 x"]


@pytest.mark.parametrize("add", ["add", "add_finding"])
def test_where_the_text_is_at_fault(add: str) -> None:
    """A placeholder has no faults of its own, but its text may have more."""
    findings = Findings(locate)
    if add == "add":
        findings.add(TEXT, "x", ("a",))
    else:
        findings.add_finding(Finding(TEXT, "x", locate(("a",), False)))
    findings.add(TEXT, "y", ("a",))
    findings.add(SHAPE, "z", ("a",))
    findings.add(SHAPE, "elsewhere", ("a",), key=True)

    assert lines(findings) == [
        "routes.yaml:1:1: error RT101 elsewhere",
        "routes.yaml:2:1: error RT005 x",
        "routes.yaml:2:1: error RT005 y",
    ]


def test_a_code_of_a_plugin_hides_nothing() -> None:
    """The name of the code has no effect."""
    findings = Findings(locate)
    findings.add(PLUGINS_OWN, "x", ("a",))
    findings.add(SHAPE, "y", ("a",))

    assert lines(findings) == ["routes.yaml:2:1: info ACME1 x", "routes.yaml:2:1: error RT101 y"]


@pytest.mark.parametrize(
    ("codes", "failed"), [([], False), ([MEANING, PLUGINS_OWN], False), ([MEANING, SHAPE], True), ([TEXT], True)]
)
def test_failed(codes: Any, failed: bool) -> None:
    """Findings have failed if one of them is an error."""
    findings = Findings(locate)
    for code in codes:
        findings.add(code, "x")

    assert findings.failed is failed


def test_stopped() -> None:
    """Findings of a config that could not be read keep their places; later ones get that of the first."""
    findings = stopped([Finding(SHAPE, "x", Place("routes.yaml", 3, 4))])
    findings.add(MEANING, "y", ("a", "b"))

    assert lines(findings) == ["routes.yaml:3:4: error RT101 x", "routes.yaml:3:4: warning RT401 y"]


def test_what_a_finding_is_about() -> None:
    """A finding has all paths at which it was found."""
    findings = Findings(lambda path, key: Place("routes.yaml"))
    findings.add(SHAPE, "x", ("a",))
    findings.add(SHAPE, "x", ("b",))
    whole = Findings(locate)
    whole.take(findings)

    assert [whole.paths(finding) for finding in whole] == [frozenset({("a",), ("b",)})]


def test_a_view_without_a_code() -> None:
    """It ignores additions with that code, and shares all other findings."""
    findings = Findings(locate)
    findings.add(SHAPE, "before", ("a",))
    view = findings.without([SHAPE])

    view.add(SHAPE, "after", ("b",))
    view.add(MEANING, "another", ("b",))

    expected = ["routes.yaml:2:1: error RT101 before", "routes.yaml:2:1: warning RT401 another"]
    assert (lines(findings), lines(view)) == (expected, expected)


def test_where_something_stands() -> None:
    """A place can be looked up without a finding."""
    findings = Findings(locate)

    assert [findings.locate(("a",)), findings.locate(("a",), key=True)] == [
        Place("routes.yaml", 2, 1),
        Place("routes.yaml", 1, 1),
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), "the config"),
        (("plugins",), "'plugins'"),
        (("plugins", 0), "entry 1 of 'plugins'"),
        (("queues", "q"), "queue 'q'"),
        (("tables", "t", "key"), "'key' of table 't'"),
        (("routes", "r"), "route 'r'"),
        (("routes", "r", "item"), "'item' of route 'r'"),
        (("routes", "r", "item", "a"), "attribute 'a' of route 'r'"),
        (("routes", "r", "item", "a", "hash", 1), "entry 2 of 'hash' of attribute 'a' of route 'r'"),
        (("routes", "r", "tests", 1, "item", "a"), "'a' of 'item' of test 2 of route 'r'"),
        (("routes", "r", "tests", "x"), "'x' of 'tests' of route 'r'"),
    ],
)
def test_paths_are_named(path: Any, name: Any) -> None:
    """Queues, tables, routes and attributes are called by their names."""
    assert describe(path) == name


def test_values_are_quoted() -> None:
    """Text is in quotes, other values are as they are, and long ones are shortened."""
    assert [quote("a"), quote(5), quote("x" * 80)] == ["'a'", "5", f"'{'x' * 57}…'"]


def test_alternatives_stand_in_a_row() -> None:
    """They are separated by commas and `or`."""
    assert [any_of(["a"]), any_of(["a", "b"]), any_of(["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


def test_near_candidates_are_found() -> None:
    """The case of letters is ignored."""
    assert [closest(word, ["table", "SS"]) for word in ("tabel", "ss", "queue")] == ["table", "SS", None]
