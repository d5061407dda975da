"""Findings that `ignore` suppresses, and faults of `ignore` itself."""

# ruff: noqa: E501  (lines as they are printed are long)

from collections.abc import Callable
from pathlib import Path

import pytest

from router.tools.check.run import Report, examine
from tests.support.check import rules_reporting

CONFIG = """\
version: 1
ignore:
- {IGNORE}
tables: {things: {key: {id: S}}}
queues: {a: {}, b: {}}
routes:
  one: {queue: a, table: things}
  two: {queue: b, table: things}
"""
Examine = Callable[..., Report]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Returns a function that examines a config with an `ignore`."""
    monkeypatch.chdir(tmp_path)

    def run(ignore: str, text: str = CONFIG, live: bool = False) -> Report:
        Path("routes.yaml").write_text(text.replace("IGNORE", ignore), encoding="utf-8")
        compare = (lambda loaded: None) if live else None
        return examine(Path("routes.yaml"), {}, compare, rules=rules_reporting("RT203"))

    return run


def found(report: Report) -> tuple[list[str], list[str]]:
    """Returns the findings and the ignored ones, as code and place."""
    ignored = [each.finding for each in report.ignored]
    shown = [
        [f"{each.code.id} {each.place.line}:{each.place.column}" for each in some]
        for some in (report.findings, ignored)
    ]
    return shown[0], shown[1]


@pytest.mark.parametrize(
    ("at", "findings", "ignored"),
    [
        ("", [], ["RT203 5:10", "RT203 5:17"]),
        (", at: queues", [], ["RT203 5:10", "RT203 5:17"]),
        (", at: queues.b", ["RT203 5:10"], ["RT203 5:17"]),
    ],
)
def test_ignored_findings(check: Examine, at: str, findings: list[str], ignored: list[str]) -> None:
    """Everywhere, or below a part of the config."""
    assert found(check(f"code: RT203, reason: known{at}")) == (findings, ignored)


def test_the_reason(check: Examine) -> None:
    """The reason of an ignored finding is that of the first entry that matches it."""
    report = check("code: RT203, reason: first}\n- {code: RT203, reason: second")

    assert ([each.reason for each in report.ignored], report.findings) == (["first", "first"], ())


@pytest.mark.parametrize(
    ("ignore", "fault"),
    [
        ("code: RT203, reason: x, at: queue", "3:3: warning RT110 no finding matches entry 1 of 'ignore': RT203 at queue; remove it"),
        ("code: RT203, reason: x, at: queues.aa", "3:3: warning RT110 no finding matches entry 1 of 'ignore': RT203 at queues.aa; remove it"),
        ("code: ACME1, reason: x", "3:3: warning RT110 no finding matches entry 1 of 'ignore': ACME1; remove it"),
        ("code: RT307, reason: x", "3:3: warning RT110 no finding matches entry 1 of 'ignore': RT307; remove it"),
        ("code: RT299, reason: x", "3:10: error RT109 there is no code RT299; correct it"),
        ("code: RT101, reason: x", "3:10: error RT109 RT101 cannot be ignored: it stops the router from starting; fix what it reports"),
        ("code: RT806, reason: x", "3:10: error RT109 RT806 is the outcome of a message, and is never found in a config; remove it"),
    ],
)  # fmt: skip
def test_a_faulty_ignore(check: Examine, ignore: str, fault: str) -> None:
    """It matches no finding, or its code does not exist or cannot be ignored."""
    report = check(ignore)

    assert [str(finding) for finding in report.findings if finding.code.id != "RT203"] == [f"routes.yaml:{fault}"]


def test_an_error_of_loading(check: Examine) -> None:
    """It is reported with the `ignore`; unused entries are not reported then."""
    text = CONFIG.replace("two: {queue: b, table: things}", "two: {queue: b, table: none}")

    report = check("code: RT201, reason: x}\n- {code: RT404, reason: y", text)

    assert found(report) == (["RT109 3:10", "RT203 6:10", "RT203 6:17", "RT201 9:26"], [])


@pytest.mark.parametrize(("live", "codes"), [(True, ["RT110"]), (False, [])])
def test_a_code_of_aws(check: Examine, live: bool, codes: list[str]) -> None:
    """Its entry is unused only if AWS was compared."""
    report = check("code: RT701, reason: x}\n- {code: RT203, reason: y", live=live)

    assert [finding.code.id for finding in report.findings] == codes


def test_a_config_that_cannot_be_read(check: Examine) -> None:
    """It has no entries."""
    assert found(check("", "")) == (["RT003 0:0"], [])


def test_an_included_file(check: Examine) -> None:
    """Its entries apply to its own findings only."""
    text = CONFIG.replace("- {IGNORE}", "- {code: RT203, reason: ours, at: queues.a}\ninclude: flow.yaml").replace(
        ", b: {}", ""
    )
    text = text.replace("  two: {queue: b, table: things}\n", "  two: {queue: two, table: things}\n")
    Path("flow.yaml").write_text(
        "ignore: [{code: RT203, reason: theirs}]\nqueues: {b: {}}\nroutes: {three: {queue: b, table: things}}\n"
    )

    report = check("", text)

    assert ([(str(each.finding.place), each.reason) for each in report.ignored], found(report)[0]) == (
        [("flow.yaml:2:10", "theirs"), ("routes.yaml:6:10", "ours")],
        ["RT203 9:16"],
    )
