"""The rules that `router check` runs beyond loading, in the order in which they run."""

from router.checks.rule import Rule

RULES: tuple[Rule, ...] = ()
