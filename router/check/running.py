"""Runs rules, so that one that crashes is a finding and stops no other."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from router.check.rule import Found
from router.config.findings import Findings
from router.errors import UsageError
from router.model import Code

RULE_FAILED = Code(
    "RT009",
    "a rule failed",
    "What it would have found is not known. The fault is in the router, not in the config.",
)

REPORT = "report it, with a config that shows it"

_Subject = TypeVar("_Subject")


def run_rules(rules: Iterable[Callable[[_Subject], Iterable[Found]]], subject: _Subject, findings: Findings) -> None:
    """Note what rules find; one that crashes is a finding, and the others go on. Raises UsageError as a rule does."""
    for rule in rules:
        try:
            for found in rule(subject):
                findings.add(found.code, found.sentence, found.path, key=found.key, suggestion=found.suggestion)
        except UsageError:
            raise
        except BaseException as error:  # a panic of jsonschema-rs is no Exception
            findings.add(RULE_FAILED, failure(f"rule '{_name(rule)}'", error), suggestion=REPORT)


def failure(what: str, error: BaseException) -> str:
    """What is said of a fault of the router's own; raises again what ends the program."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    return f"{what} failed with {type(error).__name__}"


def _name(rule: Any) -> str:
    return str(getattr(rule, "__name__", type(rule).__name__))
