"""What tests of other rooms use of `router.tools.check`."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from router.model import Finding
from router.prover.scalars import FORMATS
from router.prover.text_patterns import matching_text
from router.runtime.program.load import Loaded
from router.tools.check.analysis.attributes import values_of
from router.tools.check.analysis.key_meetings import Meeting, MeetingExample
from router.tools.check.analysis.pair_edits import edited
from router.tools.check.analysis.pair_losses import Loss, losses
from router.tools.check.analysis.pair_writes import RouteWrites, writes_of
from router.tools.check.ledger import Ledger, LedgerEntry, Verdict
from router.tools.check.live.permissions import READ, SEND
from router.tools.check.live.queues import OutageSurvival
from router.tools.check.rule import RULES, Example, Rule, Subject, known_codes, shipped_examples, shipped_runbooks
from router.tools.check.rules.queues import survived_seconds
from router.tools.check.run import Ignored, Report, examine

__all__ = [
    "FORMATS",
    "READ",
    "SEND",
    "Example",
    "Ignored",
    "Ledger",
    "LedgerEntry",
    "Loss",
    "Meeting",
    "MeetingExample",
    "OutageSurvival",
    "Report",
    "RouteWrites",
    "Subject",
    "Verdict",
    "check",
    "edited",
    "examine",
    "known_codes",
    "losses",
    "matching_text",
    "rules_reporting",
    "shipped_examples",
    "shipped_runbooks",
    "survived_seconds",
    "values_of",
    "writes_of",
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
