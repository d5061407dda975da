"""Runs rules, so that one that crashes is a finding and stops no other."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from router.checks.rule import Found
from router.config.findings import Findings
from router.errors import UsageError
from router.model import Code

RULE_FAILED = Code(
    "RT009",
    "a rule failed",
    "What it would have found is not known. The fault is in the router, not in the config.",
)

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
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            sentence = f"rule '{_name(rule)}' failed with {type(error).__name__}"
            findings.add(RULE_FAILED, sentence, suggestion="report it, with a config that shows it")


def _name(rule: Any) -> str:
    return str(getattr(rule, "__name__", type(rule).__name__))
