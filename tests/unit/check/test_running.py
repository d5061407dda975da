"""Rules that crash."""

from collections.abc import Iterator
from typing import Any

import pytest

from router.check.rule import Found
from router.check.running import run_rules
from router.config.findings import Findings
from router.errors import MissingExtra
from router.model import Code, Place

FOUND = Code("RT499", "t", "w")


class Panic(BaseException):
    """What a library raises that is no Exception."""


def crash(error: BaseException) -> Any:
    def rule(subject: Any) -> Iterator[Found]:
        yield Found(FOUND, "before", ())
        raise error

    return rule


def good(subject: str) -> Iterator[Found]:
    yield Found(FOUND, subject, ("a",), "mend it", key=True)


@pytest.mark.parametrize("error", [KeyError("secret"), Panic()])
def test_a_rule_that_crashes(error: BaseException) -> None:
    """Is a finding, without what the exception says; what it found before stays, and other rules run."""
    findings = Findings(lambda path, key: Place("routes.yaml", 1, 1 + len(path)))

    run_rules([crash(error), good], "after", findings)

    sentence = f"rule 'rule' failed with {type(error).__name__}; report it, with a config that shows it"
    assert [str(finding) for finding in findings] == [
        f"routes.yaml:1:1: RT009 {sentence}",
        "routes.yaml:1:1: RT499 before",
        "routes.yaml:1:2: RT499 after; mend it",
    ]


def test_a_rule_without_a_name() -> None:
    """Is called by its type."""

    class Rule:
        def __call__(self, subject: Any) -> list[Found]:
            raise ValueError

    findings = Findings(lambda path, key: Place("routes.yaml"))

    run_rules([Rule()], None, findings)

    assert [finding.sentence for finding in findings] == ["rule 'Rule' failed with ValueError"]


@pytest.mark.parametrize("error", [MissingExtra("x", "cli"), KeyboardInterrupt(), SystemExit()])
def test_what_is_no_crash(error: BaseException) -> None:
    """A command that cannot run, and a person who wants it to end."""
    with pytest.raises(type(error)):
        run_rules([crash(error)], None, Findings(lambda path, key: Place("routes.yaml")))
