"""What `router diff` reports: findings, and a verdict for each route."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, structs

from router.model import Code, Path, Place, Severity
from router.prover.predicates import ENCODER
from router.runtime.config.secret_values import SecretValues

RouteVerdict = Literal["compatible", "breaking", "unknown"]
Risk = Literal["breaking", "risky", "info"]
RISKS: dict[Severity, Risk] = {"error": "breaking", "warning": "risky", "info": "info"}
"""The words for the severities of codes, the worst first."""
_TEXTS = ("sentence", "suggestion", "before", "after")
"""The texts of a change that may have values of variables."""
_VERDICTS: tuple[RouteVerdict, ...] = ("breaking", "unknown", "compatible")


class ConfigChange(Struct, frozen=True):
    """A change, at its path in each config: of a thing that one of them lacks, that is the path where it would be.

    `example` is a message with its result before and after, in words.
    """

    code: Code
    sentence: str
    path: Path = ()
    old_path: Path = ()
    route: str = ""
    suggestion: str = ""
    example: Any = UNSET
    before: str = ""
    after: str = ""

    @property
    def with_route(self) -> str:
        """The sentence, with the route that it is about."""
        return f"route '{self.route}': {self.sentence}" if self.route else self.sentence

    @property
    def has_example(self) -> bool:
        """Whether there is a message that shows the change."""
        return not isinstance(self.example, UnsetType)

    def without(self, hidden: SecretValues) -> "ConfigChange":
        """Return the change without values that are hidden."""
        texts = {name: hidden.mask(getattr(self, name)) for name in _TEXTS}
        return structs.replace(self, **texts, example=_without(self.example, hidden))


Changes = Iterator[ConfigChange]


def _without(message: Any, hidden: SecretValues) -> Any:
    """Return a message without values that are hidden; a number with one becomes a text."""
    if message is UNSET or message is None:
        return message
    if isinstance(message, dict):
        # A key that is a word is no value, as in JSON.
        parts = message.items()
        return {hidden.mask(f'{name}":')[:-2]: _without(part, hidden) for name, part in parts}
    if isinstance(message, list):
        return [_without(part, hidden) for part in message]
    if isinstance(message, str):
        return hidden.mask(message)
    text = ENCODER.encode(message).decode()
    masked = hidden.mask(text)
    return message if masked == text else masked


class ChangeFinding(Struct, frozen=True):
    """A change with its place in each config, and the reason why the new one ignores it, or ""."""

    change: ConfigChange
    place: Place
    old_place: Place
    ignored: str = ""

    @property
    def risk(self) -> Risk:
        """How bad it is."""
        return RISKS[self.change.code.severity]


class RouteReport(Struct, frozen=True):
    """The verdict about a route of the new config.

    `was` is its name in the old config, `unproved` says why a verdict is unknown, and `counterexample` is the message
    that breaks.
    """

    route: str
    verdict: RouteVerdict
    was: str = ""
    unproved: tuple[str, ...] = ()
    counterexample: Any = UNSET
    findings: tuple[ChangeFinding, ...] = ()

    def without(self, hidden: SecretValues) -> "RouteReport":
        """Return the report without values that are hidden; its findings stay as they are."""
        return structs.replace(
            self,
            unproved=tuple(map(hidden.mask, self.unproved)),
            counterexample=_without(self.counterexample, hidden),
        )


class DiffReport(Struct, frozen=True):
    """The comparison of two versions: the routes that are in both and differ, all findings, and the ignored ones.

    `same` is the number of routes that do not differ, `conflicts` are the reasons why the two versions must not write
    side by side.
    """

    old: str
    new: str
    routes: tuple[RouteReport, ...]
    findings: tuple[ChangeFinding, ...]
    ignored: tuple[ChangeFinding, ...]
    same: int
    conflicts: tuple[str, ...]

    @property
    def breaks(self) -> bool:
        """Whether a change that is not ignored breaks something."""
        return any(finding.risk == "breaking" for finding in self.findings)


def summary(report: DiffReport) -> str:
    """Return the number of findings by severity, and of routes by verdict."""
    risks = Counter(each.risk for each in report.findings)
    verdicts = Counter(each.verdict for each in report.routes)
    counts = _counts(risks, RISKS.values()) or ["no changes"]
    if report.ignored:
        counts.append(f"{len(report.ignored)} ignored")
    of_routes = [*_counts(verdicts, _VERDICTS), f"{report.same} the same"]
    return f"{', '.join(counts)}; routes: {', '.join(of_routes)}"


def _counts(counts: Counter[Any], names: Iterable[str]) -> list[str]:
    return [f"{counts[name]} {name}" for name in names if counts[name]]


def grouped(
    report: DiffReport, show_ignored: bool
) -> Iterator[tuple[RouteReport | None, list[ChangeFinding]]]:
    """Yield each route that changed with its findings, then the findings about no such route."""
    shown = report.findings + report.ignored if show_ignored else report.findings
    routes = sorted(report.routes, key=lambda each: _VERDICTS.index(each.verdict))
    for route in routes:
        yield route, [each for each in shown if each.change.route == route.route]
    others = [each for each in shown if not each.change.route]
    if others:
        yield None, others
