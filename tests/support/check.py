"""What tests of other rooms use of `router.check`."""

from router.check.examples import Example, shipped_examples
from router.check.ignore import Ignored
from router.check.live.outages import OutageSurvival
from router.check.live.permissions import READ, SEND
from router.check.rule import known_codes
from router.check.run import check

__all__ = [
    "READ",
    "SEND",
    "Example",
    "Ignored",
    "OutageSurvival",
    "check",
    "known_codes",
    "shipped_examples",
]
