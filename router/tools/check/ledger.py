"""The ledger of `router check`: each claim about a route, and whether it is proved, refuted or not
decided.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

from msgspec import Struct, structs

from router.codes import declare
from router.model import Code, Finding, Place
from router.runtime.config.findings import Findings
from router.tools.check.analysis.claims import claims_of
from router.tools.check.analysis.failures import OF_A_PLUGIN
from router.tools.check.analysis.refutations import Refutation, refutation
from router.tools.check.analysis.routes import NO_SCHEMA, AnalyzedRoute
from router.tools.check.analysis.size_counterexamples import unbounded_part
from router.tools.check.analysis.verdicts import Claim, ClaimKind, RouteClaim, Undecided
from router.tools.check.rule import RuleResult, Subject

Verdict = Literal["proved", "refuted", "not decided"]

NOT_DECIDED = declare(
    "RT241",
    "a claim that is not decided",
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
REFUTED = declare(
    "RT244",
    "a valid message that a route may reject",
    "`router check` found a message that satisfies the schema and that the code of the route rejects, or for which its "
    "`when` fails and is false. The sender cannot know why: the schema does not say what the route needs.",
    "info",
)
UNBOUNDED = declare(
    "RT623",
    "an item that a long value makes too large",
    "DynamoDB accepts items up to 400 KB, and a message may have 1 MiB: where the schema does not bound a text or a "
    "list, a message can satisfy it and be rejected. Few schemas bound each text: `--strict` does not fail.",
    "info",
)
_BY_MESSAGE = frozenset((REFUTED.id, UNBOUNDED.id))
PLUGINS = "the plugins that change the item leave it valid"
_OF_ITEMS: tuple[ClaimKind, ...] = (
    "key",
    "index",
    "version",
    "ttl",
    "size",
    "elements",
    "transaction",
)
_MAY_BE_REJECTED = "may be rejected"
# What happens to some messages if a claim does not hold; of other kinds, that they are rejected.
_IN_WORDS: Mapping[ClaimKind, str] = {
    "when": "may fail",
    "version": "may be rejected or misordered",
    "ttl": "may never expire",
    "elements": "may lose data or be rejected",
    "pair": "may lose data",
}
_TO_DECIDE: Mapping[ClaimKind, str] = {
    "when": "declare what it reads in the schema, with 'type' and 'required'",
    "for_each": "declare its list in the schema, with 'type: array', 'required' and 'maxItems'",
    "mapping": "declare what it reads in the schema, with 'type' and 'required', or write a 'default'",
    "type": "declare its value in the schema, with 'type', and for text with 'pattern' or 'format'",
    "merge": "declare its map in the schema, with 'properties' and 'additionalProperties: false'",
    "key": "declare its value in the schema, with 'type', 'required', 'minLength' and 'maxLength'",
    "index": "declare its value in the schema, with 'type', 'minLength' and 'maxLength'",
    "version": "declare its value in the schema, with one 'type' and 'required'",
    "once_key": "declare its value in the schema, with 'type: string', 'required' and 'maxLength'",
    "ttl": "declare its value in the schema, with 'type: integer' and a 'maximum' in seconds",
    "size": "bound what is stored in the schema, with 'maxLength' and 'maxItems'",
    "elements": "add to the key what no two elements have in common",
    "transaction": "bound the lists of 'for_each' in the schema, with 'maxItems', or remove 'atomic'",
    "pair": "make the keys differ, by a literal text in a 'template' or a 'const' in the schemas",
}
_TO_DECIDE_WITHOUT_SCHEMA = "give the route a 'schema'"
_TO_DECIDE_BY_PLUGINS = (
    "do without the plugin, whose code no proof reads; "
    "or test the plugin, and accept this by an 'ignore' of RT241"
)


class LedgerEntry(Struct, frozen=True):
    """A claim about a route with its verdict.

    `subject` is an attribute, or "" for the whole route. `reason` is why it is not decided, or why
    the message that refutes it is rejected, "" otherwise; `locate` looks up its place in the
    config. `codes` are those of the findings that refute it, and `example` is a message, as JSON,
    that does. `assumes` is what a proof takes for granted. `ignored` is the reason that the config
    gives for accepting that the claim is not proved. `has_schema` is false if it is not decided
    because the route has no schema. `to_decide` is what to do so that it is decided.
    """

    route: str
    kind: ClaimKind
    subject: str
    verdict: Verdict
    reason: str
    locate: Callable[[], Place]
    codes: tuple[str, ...] = ()
    assumes: str = ""
    example: str = ""
    ignored: str = ""
    has_schema: bool = True
    to_decide: str = ""

    @property
    def place(self) -> Place:
        """The place of the claim in the config."""
        return self.locate()

    @property
    def finding(self) -> Finding:
        """The finding that the claim is not decided, or that a message refutes it."""
        what = f"route '{self.route}'"
        if self.subject and self.kind == "pair":
            what = f"routes '{self.subject}' and '{self.route}'"
        elif self.subject:
            what = f"'{self.subject}' of {what}"
        code = NOT_DECIDED if self.has_schema else NOTHING_KNOWN
        verdict = "is not decided"
        if self.by_message:
            code = UNBOUNDED if self.kind == "size" else REFUTED
            verdict = "does not hold for each message"
        return Finding(
            code, f"the {self.kind} of {what} {verdict}: {self.reason}", self.place, self.way_out
        )

    @property
    def way_out(self) -> str:
        """What to do so that it is decided, as a part of a sentence; "" if it is."""
        return f"to decide it, {self.to_decide}" if self.to_decide else ""

    @property
    def in_words(self) -> str:
        """The verdict as people read it: what may happen to a message, if the claim does not hold."""
        if self.verdict == "refuted":
            return _IN_WORDS.get(self.kind, _MAY_BE_REJECTED)
        return self.verdict

    @property
    def by_message(self) -> bool:
        """Whether only a message refutes it: no rule found that."""
        return not _BY_MESSAGE.isdisjoint(self.codes)

    @property
    def unreported(self) -> bool:
        """Whether it is not proved, and no finding says so: it is not decided, or a message refutes
        it.
        """
        return self.verdict != "proved" and (self.verdict == "not decided" or self.by_message)

    @property
    def open(self) -> bool:
        """Whether it is not proved, no finding says so, and the config does not accept that."""
        return self.unreported and not self.ignored

    @property
    def fails_strict(self) -> bool:
        """Whether `--strict` fails on it; not on a size that a long value makes too large, as few
        schemas bound it.
        """
        return self.open and self.has_schema and UNBOUNDED.id not in self.codes


class Ledger(Struct, frozen=True):
    """The claims about all routes of a config, in its order."""

    entries: tuple[LedgerEntry, ...] = ()

    @property
    def undecided(self) -> list[LedgerEntry]:
        """The claims that are not decided, the ignored ones too."""
        return [entry for entry in self.entries if entry.verdict == "not decided"]

    @property
    def unreported(self) -> list[LedgerEntry]:
        """The claims that are not proved though no finding says so, the ignored ones too."""
        return [entry for entry in self.entries if entry.unreported]

    @property
    def has_unreported(self) -> bool:
        """Whether a claim is not proved though no finding says so, perhaps an ignored one."""
        return any(entry.unreported for entry in self.entries)

    @property
    def complete(self) -> bool:
        """Whether `--strict` fails on no claim."""
        return not any(entry.fails_strict for entry in self.entries)


NO_LEDGER = Ledger()
"""That of a config that does not start."""


def make_ledger(
    subject: Subject, results: Iterable[RuleResult], findings: Findings
) -> dict[Finding | Claim, LedgerEntry]:
    """Return the entries of all claims.

    Add a finding for each that has none, by which its entry is returned.

    `results` are those of the rules. A claim is refuted if a rule found that, else proved if
    nothing is undecided, else refuted if a message is found.
    """
    refuted: dict[Claim, list[Code]] = {}
    doubted: dict[Claim, list[str]] = {}
    for each in results:
        if isinstance(each, Undecided):
            doubted.setdefault(each.claim, []).append(each.reason)
        else:
            for claim in each.refuted_claims:
                refuted.setdefault(claim, []).append(each.code)
    entries: dict[Finding | Claim, LedgerEntry] = {}
    for found, route, neighbours in _claims_of_routes(subject):
        claim = found.claim
        locate = partial(_locate, findings, route, claim)
        codes = refuted.get(claim, ())
        doubts = (*found.doubts, *doubted.get(claim, ()))
        if not codes and (not doubts or _is_vacuous(route, claim)):  # as most claims are
            entries[claim] = _proved(route, claim, locate)
            continue
        entry = _judged(route, found, neighbours, codes, doubts, locate)
        if entry.unreported:
            finding = entry.finding
            beside = [("routes", claim.subject)] if claim.kind == "pair" and claim.subject else []
            findings.add_finding(finding, (route.path_of(claim), *beside))
            entries[finding] = entry
        else:
            entries[claim] = entry
    return entries


def _locate(findings: Findings, route: AnalyzedRoute, claim: Claim) -> Place:
    """Return the place of a claim, which most entries are never asked for."""
    return findings.locate(route.path_of(claim))


def _proved(route: AnalyzedRoute, claim: Claim, locate: Callable[[], Place]) -> LedgerEntry:
    assumes = PLUGINS if claim.kind in _OF_ITEMS and not route.final else ""
    return LedgerEntry(
        claim.route, claim.kind, claim.subject, "proved", "", locate, assumes=assumes
    )


def _judged(
    route: AnalyzedRoute,
    found: RouteClaim,
    neighbours: Sequence[AnalyzedRoute],
    codes: Sequence[Code],
    doubts: Iterable[str],
    locate: Callable[[], Place],
) -> LedgerEntry:
    """Return the entry of a claim that is not proved: a rule refutes it with codes, or there are
    doubts.
    """
    claim = found.claim
    reason = ""
    example = ""
    if not codes:
        if claim.kind != "pair":
            reason = found.unknown
        reason = reason or "; ".join(dict.fromkeys(doubts))
    # That the length of a key is not bounded needs no example, and is found of most.
    unbounded = claim.kind in ("key", "index") and any(code.severity == "info" for code in codes)
    refuted = None if unbounded else _refutation(route, claim, neighbours)
    if refuted:
        example = refuted.message
        if not codes:
            codes = [UNBOUNDED if claim.kind == "size" else REFUTED]
            reason = refuted.reason
    undecided = not codes
    return LedgerEntry(
        route=claim.route,
        kind=claim.kind,
        subject=claim.subject,
        verdict="not decided" if undecided else "refuted",
        reason=reason,
        locate=locate,
        codes=tuple(dict.fromkeys(code.id for code in codes)),
        example=example,
        has_schema=not undecided or found.unknown != NO_SCHEMA,
        to_decide=_to_decide(found, reason) if undecided else "",
    )


def _to_decide(found: RouteClaim, reason: str) -> str:
    if found.unknown == NO_SCHEMA:
        return _TO_DECIDE_WITHOUT_SCHEMA
    by_plugins = found.unknown or reason.endswith(OF_A_PLUGIN)
    return _TO_DECIDE_BY_PLUGINS if by_plugins else _TO_DECIDE[found.claim.kind]


def _refutation(
    route: AnalyzedRoute, claim: Claim, neighbours: Sequence[AnalyzedRoute]
) -> Refutation | None:
    """Return a message that refutes a claim; one that is too large is not shown."""
    if claim.kind in ("pair", "elements"):
        return None
    if claim.kind == "transaction":
        # Few queues are atomic.
        from router.tools.check.analysis.transactions import transaction_refutation

        return transaction_refutation(route, neighbours)
    if claim.kind != "size":
        return refutation(route, claim, neighbours)
    sentence = unbounded_part(route)
    return Refutation("", sentence) if sentence else None


def _is_vacuous(route: AnalyzedRoute, claim: Claim) -> bool:
    """Whether a claim is proved because there is no message that it is about; rules report that."""
    if claim.kind == "when":
        return route.messages.impossible_schema
    return route.messages.unreachable or (route.messages.no_elements and not claim.of_message)


def close_ledger(
    entries: Mapping[Finding | Claim, LedgerEntry], ignored: Mapping[Finding, str]
) -> Ledger:
    """Return the ledger, in which the claims that the config ignores have its reasons."""
    closed = dict(entries)
    for finding, reason in ignored.items():
        if finding in closed:
            closed[finding] = structs.replace(closed[finding], ignored=reason)
            continue
        for claim, entry in entries.items():
            if entry.codes == (finding.code.id,) and entry.place == finding.place:
                closed[claim] = structs.replace(entry, ignored=reason)
    return Ledger(tuple(closed.values()))


def _claims_of_routes(
    subject: Subject,
) -> Iterator[tuple[RouteClaim, AnalyzedRoute, Sequence[AnalyzedRoute]]]:
    by_queue = subject.by_queue
    for route in subject.routes:
        neighbours = by_queue[route.route.queue]
        for each in claims_of(route, neighbours):
            yield each, route, neighbours
    for meeting in subject.meetings:
        yield meeting.in_ledger, meeting.other, ()
