"""What the description of the config says about its kinds."""

import pytest
from msgspec import inspect

from router.config import kinds, spec


def test_each_pattern_has_its_rule_in_words() -> None:
    """A person is told the rule, never the pattern."""
    rules = [kinds.rule_of(inspect.type_info(kind)) for kind in (spec.Name, spec.Duration, spec.MetaName)]

    assert [rule.split(" ")[0] for rule in rules] == ["a", "a", "one"]


def test_a_pattern_without_rule_is_found_out() -> None:
    """Whoever adds a pattern to the description without its rule learns it from the tests."""
    with pytest.raises(LookupError, match="has no rule in words"):
        kinds.rule_of(inspect.type_info(str))
