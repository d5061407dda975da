"""What a report says in sum: whether anything breaks, the counts, and which findings are of which route."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET

from router.model import Place
from router.tools.change.change_codes import ATTRIBUTE_ADDED, NO_LONGER_TAKEN, NOT_DECIDED
from router.tools.change.report import ChangeFinding, ConfigChange, DiffReport, RouteReport, grouped, summary
from tests.support.config import SecretValues

PLACE = Place("routes.yaml", 1, 1)


def finding(code: Any, route: str = "", ignored: str = "", **more: Any) -> ChangeFinding:
    return ChangeFinding(ConfigChange(code, "a sentence", route=route, **more), PLACE, PLACE, ignored)


def report(*findings: ChangeFinding, routes: tuple[RouteReport, ...] = (), same: int = 0) -> DiffReport:
    shown = tuple(each for each in findings if not each.ignored)
    return DiffReport("old", "new", routes, shown, tuple(each for each in findings if each.ignored), same, ())


BREAKING, RISKY, INFO = finding(NO_LONGER_TAKEN), finding(NOT_DECIDED), finding(ATTRIBUTE_ADDED)


@pytest.mark.parametrize(
    ("findings", "breaks", "counts"),
    [
        ((), False, "no changes"),
        ((INFO, RISKY), False, "1 risky, 1 info"),
        ((INFO, BREAKING, RISKY, BREAKING), True, "2 breaking, 1 risky, 1 info"),
        ((finding(NO_LONGER_TAKEN, ignored="why"), INFO), False, "1 info, 1 ignored"),
        ((finding(NO_LONGER_TAKEN, ignored="why"),), False, "no changes, 1 ignored"),
    ],
)
def test_whether_anything_breaks(findings: Any, breaks: bool, counts: str) -> None:
    """What the new config ignores does not."""
    made = report(*findings, same=3)

    assert (made.breaks, summary(made)) == (breaks, f"{counts}; routes: 3 the same")


def test_verdicts() -> None:
    """The worst first."""
    verdicts: Any = ("compatible", "unknown", "breaking", "unknown")
    routes = tuple(RouteReport(f"r{number}", verdict) for number, verdict in enumerate(verdicts))
    findings = [finding(ATTRIBUTE_ADDED, route) for route in ("r0", "r2", "")]
    hidden = finding(NO_LONGER_TAKEN, "r2", "why")
    made = report(*findings, hidden, routes=routes)

    assert summary(made) == "3 info, 1 ignored; routes: 1 breaking, 2 unknown, 1 compatible, 0 the same"
    for show_ignored in (False, True):
        assert [(route and route.route, found) for route, found in grouped(made, show_ignored)] == [
            ("r2", [findings[1], *([hidden] if show_ignored else [])]),
            ("r1", []),
            ("r3", []),
            ("r0", [findings[0]]),
            (None, [findings[2]]),
        ]
    assert [route and route.route for route, _ in grouped(report(routes=routes[:1]), True)] == ["r0"]


def test_a_change_in_words() -> None:
    """With the route that it is about; a message may be null."""
    plain, of_route = BREAKING.change, finding(NO_LONGER_TAKEN, "main", example=None).change

    assert (plain.with_route, of_route.with_route) == ("a sentence", "route 'main': a sentence")
    assert (plain.example, plain.has_example, of_route.has_example) == (UNSET, False, True)


@pytest.mark.parametrize(
    ("value", "example", "shown"),
    [
        ("1234567", {"n": [1234567, -1234567]}, {"n": ["${KEY}", "-${KEY}"]}),
        ("1234.5", Decimal("1234.5"), "${KEY}"),
        ("true", {"n": True, "m": False}, {"n": "${KEY}", "m": False}),
        ("null", {"n": None}, {"n": None}),
        ('pass"word\\1', {"n": 'a pass"word\\1'}, {"n": "a ${KEY}"}),
        ("status", {"status": "status", "n": 1}, {"status": "${KEY}", "n": 1}),
        ("status1", {"status1": Decimal("1.50")}, {"${KEY}": Decimal("1.50")}),
        ("status", UNSET, UNSET),
    ],
)
def test_messages_without_hidden_values(value: str, example: Any, shown: Any) -> None:
    """A number, true or false that is hidden is shown as a text."""
    hidden = SecretValues()
    hidden.add(value, "${KEY}")

    change = finding(NO_LONGER_TAKEN, example=example).change.without(hidden)
    route = RouteReport("main", "breaking", unproved=(f"a {value}",), counterexample=example).without(hidden)

    assert (change.example, route.counterexample, route.unproved) == (shown, shown, ("a ${KEY}",))
