"""The stages of a record in the benchmark are those of the code."""

import json

import pytest
from environment import ask


@pytest.mark.parametrize("size", ["small", "large"])
def test_each_stage_is_measured(size: str) -> None:
    """Each has seconds, not the reason why it is gone."""
    found = json.loads(ask("stages", ["stages.py", "--json", "--size", size, "--records", "20", "--repetitions", "1"]))

    assert {name: seconds for name, seconds in found.items() if not isinstance(seconds, float)} == {}
