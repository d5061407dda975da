"""The ledger of `router check`: each claim about a route, and whether it is proved, refuted or not decided."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct, structs

from router.check.analysis.obligations import obligations, refused_key
from router.check.analysis.routes import NO_SCHEMA, AnalyzedRoute
from router.check.analysis.verdicts import Claim, ClaimKind, Obligation, Undecided
from router.check.rule import Found
from router.codes import declare
from router.config.findings import Findings
from router.model import Finding, Place

Verdict = Literal["proved", "refuted", "not decided"]

NOT_DECIDED = declare(
    "RT241",
    "a claim that is neither proved nor refuted",
    "`router check` claims of every message that a schema accepts that the route can write it. Where it cannot decide "
    "about a part of the schema or an expression, such a message may be rejected.",
    "info",
)
NOTHING_KNOWN = declare(
    "RT242",
    "a claim about messages of which nothing is known",
    "Without a schema a route accepts every message, so that nothing can be proved about it.",
    "info",
)
PLUGINS = "the plugins that change the item leave it valid"
_OF_ITEMS: tuple[ClaimKind, ...] = ("key", "version", "ttl", "size")


class LedgerEntry(Struct, frozen=True):
    """A claim about a route with its verdict.

    `subject` is an attribute, or "" for the whole route. `reason` is why it is not decided, "" otherwise; `codes` are
    those of the findings that refute it, and `example` is a message, as JSON, that does. `assumes` is what a proof
    takes for granted. `ignored` is the reason that the config gives for accepting that the claim is not decided.
    `has_schema` is false if it is not decided because the route has no schema.
    """

    route: str
    kind: ClaimKind
    subject: str
    verdict: Verdict
    reason: str
    place: Place
    codes: tuple[str, ...] = ()
    assumes: str = ""
    example: str = ""
    ignored: str = ""
    has_schema: bool = True

    @property
    def finding(self) -> Finding:
        """The finding that the claim is not decided."""
        what = f"'{self.subject}' of route '{self.route}'" if self.subject else f"route '{self.route}'"
        code = NOT_DECIDED if self.has_schema else NOTHING_KNOWN
        return Finding(code, f"the {self.kind} of {what} is not decided: {self.reason}", self.place)

    @property
    def open(self) -> bool:
        """Whether it is not decided, and the config does not accept that."""
        return self.verdict == "not decided" and not self.ignored


class Ledger(Struct, frozen=True):
    """The claims about all routes of a config, in its order."""

    entries: tuple[LedgerEntry, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """Return how many claims have a verdict."""
        return sum(entry.verdict == verdict for entry in self.entries)

    @property
    def undecided(self) -> list[LedgerEntry]:
        """The claims that are not decided, the ignored ones too."""
        return [entry for entry in self.entries if entry.verdict == "not decided"]

    @property
    def complete(self) -> bool:
        """Whether each claim about a route with a schema is decided, or ignored with a reason."""
        return not any(entry.open and entry.has_schema for entry in self.entries)


NO_LEDGER = Ledger()
"""That of a config that does not start."""


def make_ledger(
    routes: Sequence[AnalyzedRoute], results: Iterable[Found | Undecided], findings: Findings
) -> dict[Finding | Claim, LedgerEntry]:
    """Return the entries of all claims; add a finding for each that is not decided, by which its entry is returned.

    `results` are those of the rules. A claim is refuted if a rule found that, else proved if nothing is undecided.
    """
    refuted: dict[Claim, list[str]] = {}
    doubted: dict[Claim, list[str]] = {}
    for each in results:
        if isinstance(each, Undecided):
            doubted.setdefault(each.claim, []).append(each.reason)
        elif each.refutes is not None:
            refuted.setdefault(each.refutes, []).append(each.code.id)
    entries: dict[Finding | Claim, LedgerEntry] = {}
    for obligation, route in _obligations(routes):
        claim, unknown = obligation.claim, route.messages.unknown
        reasons = dict.fromkeys((*obligation.doubts, *doubted.get(claim, ())))
        reason = unknown if unknown and reasons else "; ".join(reasons)
        entry = _entry(route, claim, reason, refuted.get(claim, []), findings.locate(obligation.path))
        if entry.verdict == "not decided":
            findings.add_finding(entry.finding, (obligation.path,))
            entries[entry.finding] = entry
        else:
            entries[claim] = entry
    return entries


def close_ledger(entries: Mapping[Finding | Claim, LedgerEntry], ignored: Mapping[Finding, str]) -> Ledger:
    """Return the ledger, in which the claims that the config ignores have its reasons."""
    return Ledger(
        tuple(
            structs.replace(entry, ignored=ignored[key]) if isinstance(key, Finding) and key in ignored else entry
            for key, entry in entries.items()
        )
    )


def _obligations(routes: Sequence[AnalyzedRoute]) -> Iterator[tuple[Obligation, AnalyzedRoute]]:
    by_queue: dict[str, list[AnalyzedRoute]] = {}
    for route in routes:
        by_queue.setdefault(route.route.queue, []).append(route)
    for route in routes:
        for each in obligations(route, by_queue[route.route.queue]):
            yield each, route


def _entry(route: AnalyzedRoute, claim: Claim, reason: str, codes: Sequence[str], place: Place) -> LedgerEntry:
    verdict: Verdict = "refuted" if codes else "not decided" if reason else "proved"
    undecided = verdict == "not decided"
    return LedgerEntry(
        route=claim.route,
        kind=claim.kind,
        subject=claim.subject,
        verdict=verdict,
        reason=reason if undecided else "",
        place=place,
        codes=tuple(dict.fromkeys(codes)),
        example=refused_key(route, claim.subject) if codes and claim.kind == "key" else "",
        assumes=PLUGINS if verdict == "proved" and claim.kind in _OF_ITEMS and not route.final else "",
        has_schema=not undecided or route.messages.unknown != NO_SCHEMA,
    )
