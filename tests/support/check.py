"""What tests of other rooms use of `router.check`."""

from router.check.ignore import Ignored
from router.check.live.outages import OutageSurvival
from router.check.live.permissions import READ, SEND
from router.check.rule import RULES, Example, Rule, Subject, known_codes, shipped_examples
from router.check.run import check

__all__ = [
    "READ",
    "SEND",
    "Example",
    "Ignored",
    "OutageSurvival",
    "check",
    "known_codes",
    "rules_reporting",
    "shipped_examples",
]


def rules_reporting(id_: str) -> tuple[Rule[Subject], ...]:
    """The rule that reports a code; none if loading, a plugin or AWS does."""
    return tuple(rule for rule in RULES.all() if any(code.id == id_ for code in rule.codes))
