"""The codes of outcomes."""

import re

from router import codes
from router.model import Code

CODES = {name: code for name, code in vars(codes).items() if isinstance(code, Code)}


def test_codes_of_outcomes_are_declared_once() -> None:
    """Each has a number of its own in the range of run-time codes, but for RT79n of builds and deployments."""
    ids = [code.id for code in CODES.values()]

    assert (len(set(ids)), [each for each in ids if not re.fullmatch(r"RT8\d\d|RT79\d", each)]) == (len(ids), [])


def test_codes_have_a_title_and_a_reason() -> None:
    """The title continues a sentence; the reason is a sentence."""
    odd = [name for name, code in CODES.items() if code.title.endswith(".") or not code.why.endswith(".")]

    assert odd == []
