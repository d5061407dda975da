"""The page about `router check --live`."""

import json
import re
from pathlib import Path

from tests.support.aws import ACTIONS
from tests.support.check import known_codes

PAGE = (Path(__file__).parents[3] / "docs" / "live.md").read_text(encoding="utf-8")


def test_each_code_is_named() -> None:
    """Every code of what is deployed stands on the page; RT790 to RT793 are reported by a deployment."""
    live = {code for code in known_codes() if code.startswith("RT7")} - {"RT790", "RT791", "RT792", "RT793"}
    assert live - set(re.findall(r"RT7\d\d", PAGE)) == set()


def test_the_policy_has_each_call() -> None:
    """The policy allows the calls that are made, and no other."""
    (policy,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))

    assert [action for each in policy["Statement"] for action in each["Action"]] == list(ACTIONS)
