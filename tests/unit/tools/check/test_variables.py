"""What the variables of a config are for."""

from router.tools.check.variables import variables_in
from tests.support.config import find_references


def test_variables() -> None:
    """Returns each variable of the texts once; a literal `${` is no variable."""
    data = {"a": ["${A}", "${B:-b} ${A:-}"], "c": "$${C}"}

    assert variables_in(data, find_references(data)) == {"A", "B"}
