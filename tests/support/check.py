"""What tests of other rooms use of `router.check`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from router.check.analysis.scalars import FORMATS
from router.check.analysis.text_patterns import matching_text
from router.check.ledger import Ledger, LedgerEntry, Verdict
from router.check.live.permissions import READ, SEND
from router.check.live.queues import OutageSurvival
from router.check.rule import RULES, Example, Rule, Subject, known_codes, shipped_examples
from router.check.run import Ignored, Report, examine
from router.model import Finding
from router.program.load import Loaded

__all__ = [
    "FORMATS",
    "READ",
    "SEND",
    "Example",
    "Ignored",
    "Ledger",
    "LedgerEntry",
    "OutageSurvival",
    "Report",
    "Verdict",
    "check",
    "examine",
    "known_codes",
    "matching_text",
    "rules_reporting",
    "shipped_examples",
]


def rules_reporting(id_: str) -> tuple[Rule[Subject], ...]:
    """The rule that reports a code; none if loading, a plugin or AWS does."""
    return tuple(rule for rule in RULES.all() if any(code.id == id_ for code in rule.codes))


def check(
    path: Path,
    env: Mapping[str, str],
    compare: Callable[[Loaded], None] | None = None,
    rules: Iterable[Rule[Subject]] | None = None,
) -> list[Finding]:
    """The findings of a config, in the order of the file."""
    return list(examine(path, env, compare, rules=rules).findings)
