"""Counts the verdicts, as text for a terminal."""

import re
from collections import Counter
from collections.abc import Sequence

from tests.soundness.corpus import PublicSchema
from tests.soundness.jobs import CheckCost, Trial
from tests.soundness.trial import Judgement, Wrong
from tests.soundness.workers import Ended

MAX_SECONDS = 5.0
MAX_MIB = 300.0
LARGEST = 256 * 1024
_QUOTED = re.compile(r"'[^']*'")


def cause_of(wrong: Wrong) -> str:
    """Return what several configs have in common that are wrong in the same way."""
    if wrong.kind == "silent":
        return f"silent: {_QUOTED.sub('*', wrong.reason).removeprefix('table *: ')}"
    return f"{wrong.kind}: {wrong.reason[:5]}"


class TrialTally:
    """The verdicts of many trials: their numbers, and the trials by what is wrong. So many configs are `wanted`.

    `reasons` are why claims are not decided, with the number of configs; of `only_reasons`, without another reason.
    """

    def __init__(self, name: str, wanted: int = 0) -> None:
        self.name = name
        self.wanted = wanted
        self.configs = self.messages = self.others = self.rejected = self.claims = self.undecided = 0
        self.undecided_sizes = self.undecided_merges = 0
        self.silent = self.false = self.unconfirmed = self.undecided_configs = self.unloaded = self.untried = 0
        self.broken: list[tuple[Trial, Ended]] = []
        self.reasons: Counter[str] = Counter()
        self.only_reasons: Counter[str] = Counter()
        self.causes: dict[str, list[Trial]] = {}

    @property
    def wrong(self) -> int:
        """How many configs have a wrong verdict, or none."""
        return self.silent + self.false + self.unconfirmed + len(self.broken)

    def add(self, trial: Trial, verdict: Judgement | Ended | None) -> None:
        """Count a verdict."""
        if isinstance(verdict, Ended):
            self.broken.append((trial, verdict))
            self.causes.setdefault(f"broken: {verdict.reason[:60]}", []).append(trial)
            return
        if verdict is None or verdict.loaded:
            self.unloaded += 1
            return
        if not verdict.messages:
            self.untried += 1
            return
        self.configs += 1
        self.messages += verdict.messages
        self.others += verdict.others
        self.rejected += verdict.rejected
        self.claims += verdict.claims
        self.undecided += len(verdict.undecided)
        # Of a map whose entries are not known, the size is not known either.
        merges = [claim for claim in verdict.undecided if claim.startswith("merge:") or "'merge'" in claim]
        kinds = [claim.partition(":")[0] for claim in verdict.undecided if claim not in merges]
        self.undecided_configs += any(kind != "size" for kind in kinds)
        self.undecided_sizes += "size" in kinds
        self.undecided_merges += bool(merges)
        self.silent += bool(verdict.of("silent"))
        self.false += bool(verdict.of("false"))
        self.unconfirmed += bool(verdict.of("unconfirmed"))
        reasons = {_QUOTED.sub("*", claim) for claim in verdict.undecided}
        self.reasons.update(reasons)
        self.only_reasons.update(reasons if len(reasons) == 1 else ())
        for cause in {cause_of(wrong) for wrong in verdict.wrong}:
            self.causes.setdefault(cause, []).append(trial)

    def row(self) -> list[str]:
        """Return the numbers of a row of the table."""
        counts = (self.undecided_configs, self.undecided_sizes, self.undecided_merges)
        shares = [f"{count / max(1, self.configs):.1%}" for count in counts]
        shares += [f"{self.claims:,}", f"{self.undecided / max(1, self.claims):.1%}"]
        numbers = (self.configs, self.messages, self.rejected, self.silent, self.false, self.unconfirmed)
        return [self.name, *(f"{number:,}" for number in numbers), *shares]

    def table(self) -> str:
        """Return the numbers for the terminal."""
        pairs = zip(_HEADS, self.row(), strict=True)
        rest = f"not loaded: {self.unloaded}, without a message: {self.untried}, not ended: {len(self.broken)}"
        rest += f", left when the time was up: {max(0, self.wanted - self.configs):,}"
        return ", ".join(f"{head}: {value}" for head, value in pairs) + f"; {rest}"


_HEADS = (
    "schemas",
    "configs",
    "valid messages",
    "rejected",
    "silent and wrong",
    "false",
    "not confirmed",
    "configs not decided",
    "size not decided",
    "`merge` not decided",
    "claims",
    "not decided",
)


class CheckCosts:
    """What checking each schema of a kind alone took."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.known: list[CheckCost] = []
        self.broken: list[tuple[PublicSchema | str, Ended]] = []

    def add(self, schema: PublicSchema | str, cost: CheckCost | Ended) -> None:
        """Add the cost of a schema."""
        if isinstance(cost, Ended):
            self.broken.append((schema, cost))
        else:
            self.known.append(cost)

    @property
    def over(self) -> list[CheckCost]:
        """The schemas up to 256 KiB that took more than the budget."""
        return [
            each for each in self.known if each.bytes <= LARGEST and (each.seconds > MAX_SECONDS or each.peak > MAX_MIB)
        ]

    def row(self) -> list[str]:
        """Return the numbers of a row of the table."""
        seconds, peaks = sorted(each.seconds for each in self.known), sorted(each.peak for each in self.known)
        numbers = [self.name, f"{len(self.known) + len(self.broken):,}"]
        numbers += [f"{_at(seconds, share):.2f} s" for share in (0.5, 0.99, 1)]
        numbers += [f"{_at(peaks, share):.0f} MiB" for share in (0.5, 0.99, 1)]
        return [*numbers, f"{len(self.over) + len(self.broken):,}"]

    def table(self) -> str:
        """Return the numbers for the terminal, with the schemas that take the most."""
        text = ", ".join(f"{head}: {value}" for head, value in zip(_COST_HEADS, self.row(), strict=True))
        slowest = (
            sorted(self.known, key=lambda each: -each.seconds)[:3] + sorted(self.known, key=lambda each: -each.peak)[:3]
        )
        lines = [f"  {each.seconds:6.2f} s {each.peak:5.0f} MiB {each.bytes:8} bytes  {each.name}" for each in slowest]
        lines += [f"  {ended.reason}  {schema}" for schema, ended in self.broken]
        return "\n".join([text, *lines])


_COST_HEADS = ("schemas", "number", "median", "99 %", "most", "memory, median", "99 %", "most", "over 5 s or 300 MiB")


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
