"""Whether a changed part of a mapping may refuse messages."""

from router.tools.change.acceptance import may_refuse
from router.tools.change.routes import routes_of
from tests.unit.tools.change.conftest import Open, config_of


def test_a_part_that_is_new_to_it(open_config: Open) -> None:
    """Of a part that is not named there, nothing is known: a change of it may refuse messages."""
    first, second = (routes_of(open_config(config_of({"main": {}}), folder))["main"] for folder in ("one", "two"))

    assert [*may_refuse("limits", first, second)] == ["'limits' changed"]
    assert [*may_refuse("settings", first, second)] == []
