"""The rules that `router check` runs beyond loading, in the order in which they run."""

from router.checks.rule import Rule
from router.checks.schemas import check_second_opinions

RULES: tuple[Rule, ...] = (check_second_opinions,)
