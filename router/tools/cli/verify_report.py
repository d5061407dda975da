"""What `router verify` prints: the messages by route and fate, and those that are lost or not decidable."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct
from rich.table import Column

from router.model import JsonObject, Table
from router.runtime.engine.writes import StoredItem
from router.runtime.program.load import Program
from router.tools.cli.dlq_report import count
from router.tools.cli.terminal import literal, print_line, print_table
from router.tools.dev.compare import to_json
from router.tools.dlq.hidden_values import Names, shown, shown_names
from router.tools.dlq.redacted import redacted_tables
from router.tools.memory.decoding import decode_item
from router.tools.verify.kept import Decided, Evidence, Identity, KeptMessage, RouteVerdict
from router.tools.verify.reasons import BY_OTHERS
from router.tools.verify.verdicts import LOST, WORST_FIRST, Fate, Fates, worst

_SHOWN: Fates = (*LOST, "not decidable", "dropped", "rejected")
"""The fates that are shown with their reasons."""
_WITH_EXAMPLES: Fates = (*LOST, "not decidable")
_NO_ROUTE = "-"
"""Instead of a route: no route takes the message, or it cannot be read."""


class MessageExample(Struct, frozen=True):
    """A message that has a finding, with the item and the attributes that it is about."""

    message: KeptMessage
    identity: Identity
    attributes: tuple[str, ...]
    evidence: Evidence | None


FindingKey = tuple[Fate, str, str]
"""A fate, a route, and a reason."""


class FateGroup(Struct):
    """Messages of one route, fate and reason: how many, and the first of them."""

    messages: int
    examples: list[MessageExample]


class FateReport:
    """The messages by their fate, in all and by route, and the findings; with so many examples of each at most."""

    def __init__(self, examples: int) -> None:
        self.fates: Counter[Fate] = Counter()
        self.routes: dict[str, Counter[Fate]] = {}
        self.findings: dict[FindingKey, FateGroup] = {}
        self.by_others = 0
        """The messages of which nothing can be said, as the source may lack others."""
        self._examples = examples

    @property
    def lost(self) -> int:
        """The messages that are missing or different."""
        return sum(self.fates[fate] for fate in LOST)

    @property
    def undecided(self) -> int:
        """The messages of which nothing can be said."""
        return self.fates["not decidable"]

    @property
    def rejected(self) -> int:
        """The messages that the config rejects: they are in no table."""
        return self.fates["rejected"]

    @property
    def is_all_rejected(self) -> bool:
        """Whether no message says anything about a table."""
        return self.rejected == self.fates.total()

    @property
    def rejected_by(self) -> list[str]:
        """The codes of those."""
        return sorted(
            {reason.partition(" ")[0] for fate, _, reason in self.findings if fate == "rejected"}
        )

    def add(self, decided: Decided) -> None:
        """Count a message, for each of its routes by what became of its writes there."""
        self.fates[decided.verdict.fate] += 1
        self.by_others += decided.verdict in BY_OTHERS
        by_route: dict[str, list[RouteVerdict]] = {}
        for each in decided.verdicts:
            by_route.setdefault(each.route or _NO_ROUTE, []).append(each)
        for route, verdicts in by_route.items():
            verdict = worst(each.verdict for each in verdicts)
            self.routes.setdefault(route, Counter())[verdict.fate] += 1
            if verdict.fate in _SHOWN:
                found = next(each for each in verdicts if each.verdict == verdict)
                self._find(decided.message, route, found)

    def _find(self, message: KeptMessage, route: str, found: RouteVerdict) -> None:
        verdict = found.verdict
        place = verdict.fate, route, verdict.reason
        finding = self.findings.setdefault(place, FateGroup(0, []))
        finding.messages += 1
        if verdict.fate in _WITH_EXAMPLES and len(finding.examples) < self._examples:
            evidence = found.evidence if verdict.fate in LOST else None
            example = MessageExample(message, found.identity, verdict.attributes, evidence)
            finding.examples.append(example)

    def sorted_findings(self) -> list[tuple[FindingKey, FateGroup]]:
        """Return the findings, the worst first."""
        return sorted(
            self.findings.items(),
            key=lambda each: (WORST_FIRST.index(each[0][0]), -each[1].messages, each[0]),
        )


def print_report(report: FateReport, program: Program, names: Names, *, complete: bool) -> None:
    """Print a report; of keys and attributes, only these names are shown, all with None, and then values, too."""
    total = report.fates.total()
    right = total - report.lost - report.undecided - report.rejected
    text = f"{count(total)}: {right} where they should be, "
    if report.rejected:
        text += f"{report.rejected} rejected ({', '.join(report.rejected_by)}) and in no table, "
    print_line(f"{text}{report.undecided} not decidable, {report.lost} lost")
    occurring = Counter[Fate]()
    for found in report.routes.values():
        occurring += found
    fates = [fate for fate in WORST_FIRST if occurring[fate]]
    columns: list[str | Column] = ["route"]
    columns += [Column(fate, justify="right") for fate in fates]
    rows = []
    for route, found in sorted(report.routes.items()):
        rows.append([literal(route), *(str(found[fate]) for fate in fates)])
    print_table(columns, rows)
    keys = _Keys(program, names)
    for (fate, route, reason), finding in report.sorted_findings():
        text = f"{finding.messages} {fate} in '{route}': {reason}"
        print_line(text.replace(f" in '{_NO_ROUTE}'", ""), soft_wrap=True)
        for example in finding.examples:
            print_line(f"  {_as_text(example, keys)}", soft_wrap=True)
            for line in keys.lines(example):
                print_line(f"    {line}", soft_wrap=True)
    if report.is_all_rejected:
        print_line(
            "The config rejects every message, so no table was read: this proves nothing. The source must have the "
            "messages as their queue has them, with its envelopes and encoding.",
            soft_wrap=True,
        )
    if report.by_others and not complete:
        print_line(
            f"--complete may decide {report.by_others} of those that are not decidable, "
            "if the source has every message that its tables were ever written by",
            soft_wrap=True,
        )


def report_as_json(report: FateReport, program: Program, names: Names) -> JsonObject:
    """Return a report; of keys and attributes with these names only, with all and with values for None."""
    keys = _Keys(program, names)
    findings = []
    for (fate, route, reason), finding in report.sorted_findings():
        findings.append(
            {
                "fate": fate,
                "route": route,
                "reason": reason,
                "messages": finding.messages,
                "examples": [_as_json(example, keys) for example in finding.examples],
            }
        )
    return {
        "messages": report.fates.total(),
        "lost": report.lost,
        "not_decidable": report.undecided,
        "rejected": report.rejected,
        "complete_may_decide": report.by_others,
        "fates": _counts(report.fates),
        "routes": [
            {"route": route, "fates": _counts(found)}
            for route, found in sorted(report.routes.items())
        ],
        "findings": findings,
    }


def _counts(fates: Mapping[Fate, int]) -> dict[str, int]:
    return {fate: fates[fate] for fate in WORST_FIRST if fates[fate]}


class _Keys:
    """How the keys of items are shown: without what is redacted, and of names and values only these names."""

    def __init__(self, program: Program, names: Names) -> None:
        self.names = names
        self._redacted = redacted_tables(program)
        self._tables: dict[str, Table] = {
            route.write.table.name: route.write.table
            for queue in program.engine.queues.values()
            for route in queue.routes
        }

    def show(self, identity: Identity) -> Any:
        """Return the key of an item."""
        table, *texts = identity
        key = zip(self._tables[table].key, texts, strict=True)
        values = {name: Decimal(text) if kind == "N" else text for (name, kind), text in key}
        redaction = self._redacted.get(table)
        return shown(redaction.redact(values) if redaction else values, self.names)

    def show_values(self, example: MessageExample) -> JsonObject:
        """Return what is stored and expected, and what was to be added; nothing if values are hidden."""
        evidence = example.evidence
        if self.names is not None or evidence is None:
            return {}
        table = example.identity[0]
        found = {"stored": self._item(table, evidence.stored)}
        if evidence.expected != {}:
            found["expected"] = self._item(table, evidence.expected)
        if evidence.adds:
            found["adds"] = self._item(table, evidence.adds)
        if evidence.once:
            place, text = evidence.once
            # It may be made of a value that is redacted.
            found["idempotency_key"] = {
                "table": place,
                "key": shown(text, ()) if table in self._redacted else text,
            }
        return found

    def lines(self, example: MessageExample) -> Iterator[str]:
        """Yield what `show_values` returns as text."""
        for name, value in self.show_values(example).items():
            text = "no item" if value is None else to_json(value)
            yield f"{name.replace('_', ' ')}: {text}"

    def _item(self, table: str, item: StoredItem | None) -> Any:
        if item is None:
            return None
        values = decode_item(item)
        redaction = self._redacted.get(table)
        return redaction.redact(values) if redaction else values

    def show_names(self, attributes: Iterable[str]) -> list[str]:
        """Return the names of attributes."""
        return [*shown_names(attributes, self.names).values()]


def _as_json(example: MessageExample, keys: _Keys) -> JsonObject:
    message = example.message
    found = {
        "place": message.place,
        "queue": message.queue,
        "message_id": message.id,
        "table": None,
        "key": None,
        "attributes": keys.show_names(example.attributes),
    }
    if example.identity:
        found |= {"table": example.identity[0], "key": keys.show(example.identity)}
    return found | keys.show_values(example)


def _as_text(example: MessageExample, keys: _Keys) -> str:
    message = example.message
    text = f"{message.place}  message {message.id}"
    if example.identity:
        text += f"  {example.identity[0]} {to_json(keys.show(example.identity))}"
    names = ", ".join(keys.show_names(example.attributes))
    return f"{text}  {names}" if names else text
