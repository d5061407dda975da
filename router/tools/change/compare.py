"""Compares two versions of a config: a verdict for each route that changed, and all changes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import UNSET, structs

from router import codes
from router.model import Code, Finding, Record
from router.runtime.config.findings import Findings
from router.runtime.config.secret_values import SecretValues
from router.runtime.program.load import without_garbage_collector
from router.tools.change.acceptance import Taking, compare_taking, search_in
from router.tools.change.change_codes import (
    DISPOSITION,
    MESSAGES_LOST,
    NEWLY_TAKEN,
    NO_LONGER_TAKEN,
    NOT_DECIDED,
    OTHER_RESULT,
    OTHER_WRITE,
    RENAMED,
    ROUTE_ADDED,
    ROUTE_REMOVED,
    SIDE_BY_SIDE,
)
from router.tools.change.consequences import compare_deployments
from router.tools.change.counterexamples import MAPPED, Counterexample, samples, stage_of
from router.tools.change.index_refusals import index_refusals
from router.tools.change.items import compare_parts, conflicts
from router.tools.change.new_meetings import new_meetings
from router.tools.change.number_texts import other_number_texts
from router.tools.change.recording import NO_RECORDINGS, Recordings
from router.tools.change.report import (
    ChangeFinding,
    Changes,
    ConfigChange,
    DiffReport,
    RouteReport,
    RouteVerdict,
)
from router.tools.change.routes import (
    ACCEPTING,
    MAPPING,
    RoutePairs,
    RouteVersion,
    change_of,
    pair,
    replacements,
    routes_of,
)
from router.tools.change.running import ItemDifference, differences, record_of, tests_of
from router.tools.change.stored_versions import unstored_versions
from router.tools.change.versions import ConfigVersion
from router.tools.check.run import ignore_changes

_WHERE = {
    "decode": "queue",
    "earlier": "when",
    "settings": "queue",
    "names": "item",
    "table": "table",
}
"""The key of the route that a stage is set by, where that has another name."""
_KEYS_OF_MAPPING = {
    codes.UNMAPPABLE.id: "item",
    codes.BAD_KEY.id: "item",
    codes.BAD_VERSION.id: "write",
}
"""The key of the route by which its mapping refuses a message, by the code of its outcome."""


@without_garbage_collector()
def compare_versions(
    old: ConfigVersion,
    new: ConfigVersion,
    as_worker: bool = False,
    recordings: Recordings = NO_RECORDINGS,
) -> DiffReport:
    """Return the comparison of two versions; only routes that differ are reasoned about.

    The stacks that are compared are those of the worker with `as_worker`, else those of the Lambda function. Recorded
    messages run through both versions, after those that are made.
    """
    was, now = routes_of(old), routes_of(new)
    pairs = pair(was, now)
    reports = []
    changes: list[ConfigChange] = []
    for before, after in pairs.changed:
        report, own = _compare_route(before, after, recordings)
        reports.append(report)
        changes += own
    removed = "was removed: messages of queue '{}' are no longer written"
    changes += [
        *_of_one_version(ROUTE_REMOVED, removed, pairs.removed),
        *_of_one_version(ROUTE_ADDED, "is new: it writes messages of queue '{}'", pairs.added),
        *_renamed(pairs.both),
        *_side_by_side(pairs),
        *index_refusals(was, now),
        *unstored_versions(was, now, pairs),
        *other_number_texts(old, new, pairs),
        *new_meetings(old, new, pairs),
        *compare_deployments(old, new, as_worker),
    ]
    hidden = _hidden_values(old, new)
    if hidden:
        changes = [each.without(hidden) for each in changes]
    findings = _located(old, new, changes)
    shown = []
    for report in reports:
        of_route = tuple(each for each in findings if each.change.route == report.route)
        shown.append(structs.replace(report.without(hidden), findings=of_route))
    return DiffReport(
        old.label,
        new.label,
        tuple(shown),
        tuple(each for each in findings if not each.ignored),
        tuple(each for each in findings if each.ignored),
        len(pairs.both) - len(reports),
        _conflicts(changes),
    )


def _hidden_values(*versions: ConfigVersion) -> SecretValues:
    hidden = SecretValues()
    for version in versions:
        for name in version.hidden:
            hidden.add(version.env.get(name, ""), f"${{{name}}}")
    return hidden


def side_by_side(old: ConfigVersion, new: ConfigVersion) -> tuple[str, ...]:
    """Return why two versions must not write at the same time, as they do while a deployment shifts messages."""
    was, now = routes_of(old), routes_of(new)
    changes = (*_side_by_side(pair(was, now)), *index_refusals(was, now))
    hidden = _hidden_values(old, new)
    return _conflicts(change.without(hidden) for change in changes)


def refusal(versions: tuple[ConfigVersion, ConfigVersion] | None, advice: str) -> str:
    """Return why two versions, if they are known, must not write at the same time, with an advice, or ""."""
    reasons = side_by_side(*versions) if versions else ()
    return f"refused: {'; '.join(reasons)}; {advice}" if reasons else ""


def _conflicts(changes: Iterable[ConfigChange]) -> tuple[str, ...]:
    found = [each for each in changes if each.code is SIDE_BY_SIDE]
    return tuple("; ".join(filter(None, (each.with_route, each.suggestion))) for each in found)


def _compare_route(
    old: RouteVersion, new: RouteVersion, recordings: Recordings
) -> tuple[RouteReport, list[ConfigChange]]:
    records = [*tests_of(new), *tests_of(old)]
    messages = [message for message, _ in records]
    recorded = recordings.of((old.settings.queue, new.settings.queue))
    lost = _taken(old, new, messages, recorded, recordings.values, all_reasons=True)
    gained = _taken(new, old, messages, recorded, recordings.values)
    verdict: RouteVerdict = "compatible" if lost.proved else "unknown"
    if lost.example:
        verdict = "breaking"
    found = _differences(old, new, records, recorded, recordings.values)
    changes = [*_taking(old, new, lost, gained), *_items(old, new, found)]
    report = RouteReport(
        new.name,
        verdict,
        old.name if old.name != new.name else "",
        tuple(why for _, why in lost.undecided),
        lost.example.message if lost.example else UNSET,
    )
    return report, changes


def _taken(
    first: RouteVersion,
    second: RouteVersion,
    messages: list[Any],
    recorded: Sequence[Any],
    values: bool,
    all_reasons: bool = False,
) -> Taking:
    """Compare what two versions take; without `values` the example is not shown if it was recorded."""
    made = compare_taking(first, second, messages, all_reasons=all_reasons)
    found = search_in(made, first, second, recorded)
    if values or found is made:
        return found
    hidden = [structs.replace(each, message=UNSET) for each in found.examples]
    return structs.replace(found, examples=tuple(hidden))


def _differences(
    old: RouteVersion, new: RouteVersion, records: list[Any], recorded: Sequence[Any], values: bool
) -> list[ItemDifference]:
    """Return the first difference of each kind; without `values`, recorded messages and values are not shown."""
    made: list[Any] = []
    # Where all is mapped alike, verdicts say all about messages that are made of what both take.
    if _differ_in(MAPPING, old, new):
        made += samples(old)
        if _differ_in(ACCEPTING, old, new):
            made += samples(new)
    found = differences(old, new, [*records, *_recorded(old, made)])
    known = {each.in_words for each in found}
    for each in differences(old, new, _recorded(old, recorded)):
        if each.in_words in known:
            continue
        found.append(each if values else structs.replace(each, message=UNSET, before="", after=""))
    return found


def _differ_in(parts: Iterable[str], old: RouteVersion, new: RouteVersion) -> bool:
    return any(old.parts[part] != new.parts[part] for part in parts)


def _recorded(old: RouteVersion, messages: Iterable[Any]) -> Iterator[tuple[Any, Record]]:
    for message in messages:
        record = record_of(old, message)
        if record:
            yield message, record


def _taking(old: RouteVersion, new: RouteVersion, lost: Taking, gained: Taking) -> Changes:
    """Yield what a route no longer takes, newly takes, or what is not known of that."""
    for example in lost.examples:
        sentence = f"it no longer takes some messages: {example.second.refusal}"
        yield _shown(old, new, NO_LONGER_TAKEN, sentence, lost, example)
    if lost.undecided:
        part, _ = lost.undecided[0]
        reasons = "; ".join(dict.fromkeys(why for _, why in lost.undecided))
        sentence = f"it is not known whether it takes all messages that it took: {reasons}"
        yield change_of(old, new, NOT_DECIDED, sentence, _WHERE.get(part, part))
    if gained.example:
        example = gained.example
        why = f"the old config ended such a message with: {example.second.refusal}"
        sentence = f"it takes messages that it did not take: {why}"
        yield _shown(old, new, NEWLY_TAKEN, sentence, gained, example)


def _shown(
    old: RouteVersion,
    new: RouteVersion,
    code: Code,
    sentence: str,
    taking: Taking,
    example: Counterexample,
) -> ConfigChange:
    """Return a change of what is taken, with a message that only one version takes."""
    stage = stage_of(example)
    if stage == MAPPED:
        part, _ = taking.unproved[0]
        stage = _KEYS_OF_MAPPING.get(example.second.outcome.code, part)
    before, after = example.first.describe(), example.second.describe()
    if code is NEWLY_TAKEN:
        before, after = after, before
    return change_of(
        old,
        new,
        code,
        sentence,
        _WHERE.get(stage, stage),
        suggestion=_shown_by(example.message),
        example=example.message,
        before=before,
        after=after,
    )


def _shown_by(message: Any) -> str:
    return "a recorded message shows it: --values prints that" if message is UNSET else ""


def _items(old: RouteVersion, new: RouteVersion, found: list[ItemDifference]) -> Changes:
    """Yield the changes of items, each with a message that shows it, and the differences that none of them explains."""
    left = found
    for change in compare_parts(old, new):
        left = [each for each in left if not _explains(change, each)]
        shown: dict[str, Any] = {}
        for each in found:
            if _explains(change, each):
                shown = {"example": each.message, "before": each.before, "after": each.after}
                break
        yield structs.replace(change, **shown)
    for each in left:
        yield change_of(
            old,
            new,
            OTHER_RESULT,
            f"a message has another result: {each.in_words}",
            "item",
            *filter(None, [each.attribute]),
            suggestion=_shown_by(each.message),
            example=each.message,
            before=each.before,
            after=each.after,
        )


def _explains(change: ConfigChange, difference: ItemDifference) -> bool:
    """Return whether a change of the config is the reason of a difference."""
    if difference.attribute:
        return ("item", difference.attribute) in (change.path[2:], change.old_path[2:])
    if difference.what == "request":
        return change.code is OTHER_WRITE or change.path[2:3] == ("table",)
    if difference.what == "number of items":
        return change.path[2:3] == ("for_each",)
    return change.code in (DISPOSITION, MESSAGES_LOST)


def _side_by_side(pairs: RoutePairs) -> Changes:
    for old, new in (*pairs.changed, *replacements(pairs)):
        for why in conflicts(old, new):
            sentence = f"two versions must not write side by side: {why}"
            yield change_of(old, new, SIDE_BY_SIDE, sentence)


def _of_one_version(code: Code, what: str, routes: Iterable[RouteVersion]) -> Changes:
    for route in routes:
        of_queue = what.format(route.queue.reference)
        sentence = f"route '{route.name}' {of_queue} to table '{route.table.name}'"
        yield ConfigChange(code, sentence, route.path, route.path)


def _renamed(pairs: Sequence[tuple[RouteVersion, RouteVersion]]) -> Changes:
    """Yield new names: of routes with the same settings, of queues and tables with the same name in AWS."""
    seen = set()
    for old, new in pairs:
        names = [("route", "routes", old.name, new.name)]
        if old.parts["queue"] == new.parts["queue"]:
            names.append(("queue", "queues", old.settings.queue, new.settings.queue))
        if old.table.name == new.table.name:
            names.append(("table", "tables", old.settings.table, new.settings.table))
        for kind, section, before, after in names:
            if before != after and (kind, before, after) not in seen:
                seen.add((kind, before, after))
                path, was = (section, after), (section, before)
                yield ConfigChange(RENAMED, f"{kind} '{before}' is named '{after}'", path, was)


def _located(
    old: ConfigVersion, new: ConfigVersion, changes: Iterable[ConfigChange]
) -> list[ChangeFinding]:
    """Return the changes with their places, the worst first, and the reasons of those that the new config ignores."""
    findings = Findings(new.place)
    by_finding: dict[Finding, ConfigChange] = {}
    seen = set()
    for change in changes:
        place = new.place(change.path, len(change.path) == 2)
        finding = Finding(change.code, change.with_route, place, change.suggestion)
        findings.add_finding(finding, (change.path,))
        # Routes share queues and tables.
        content = change.code, change.sentence, change.path
        if content not in seen:
            by_finding.setdefault(finding, change)
        seen.add(content)
    ignored = ignore_changes(new.config.ignore, findings)
    located = []
    for finding, change in by_finding.items():
        old_place = old.place(change.old_path, len(change.old_path) == 2)
        located.append(ChangeFinding(change, finding.place, old_place, ignored.get(finding, "")))
    order = ("error", "warning", "info")
    return sorted(located, key=lambda each: order.index(each.change.code.severity))
