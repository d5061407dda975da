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
from router.tools.change.counterexamples import Counterexample, samples
from router.tools.change.index_refusals import index_refusals
from router.tools.change.items import compare_parts, conflicts
from router.tools.change.new_meetings import new_meetings
from router.tools.change.number_texts import other_number_texts
from router.tools.change.recording import NO_RECORDINGS, Recordings
from router.tools.change.report import (
    ChangeFinding,
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
_STAGES = {
    codes.INVALID.id: "schema",
    codes.NO_ROUTE.id: "when",
    codes.NOT_JSON.id: "queue",
    codes.BAD_ENVELOPE.id: "queue",
    codes.UNMAPPABLE.id: "item",
    codes.BAD_KEY.id: "item",
    codes.BAD_VERSION.id: "write",
}
"""The key of the route that decides about a message, by the code of its outcome."""


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
    with without_garbage_collector():
        return _compare(old, new, as_worker, recordings)


def _compare(
    old: ConfigVersion, new: ConfigVersion, as_worker: bool, recordings: Recordings
) -> DiffReport:
    was, now = routes_of(old), routes_of(new)
    pairs = pair(was, now)
    changed = [(before, after) for before, after in pairs.both if before.parts != after.parts]
    compared = [_compare_route(before, after, recordings) for before, after in changed]
    changes = [
        *(change for _, own in compared for change in own),
        *_of_one_version(
            ROUTE_REMOVED,
            "was removed: messages of queue '{}' are no longer written",
            pairs.removed,
        ),
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
    reports = []
    for report, _ in compared:
        own = tuple(each for each in findings if each.change.route == report.route)
        reports.append(structs.replace(report.without(hidden), findings=own))
    return DiffReport(
        old.label,
        new.label,
        tuple(reports),
        tuple(each for each in findings if not each.ignored),
        tuple(each for each in findings if each.ignored),
        len(pairs.both) - len(changed),
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
    return tuple(
        f"{each.with_route}; {each.suggestion}" if each.suggestion else each.with_route
        for each in changes
        if each.code is SIDE_BY_SIDE
    )


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
    parts = [*compare_parts(old, new)]
    found = _differences(old, new, records, recorded, recordings.values)
    changes = [*_taking(old, new, lost, gained), *_items(old, new, parts, found)]
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
    if values or found.examples == made.examples:
        return found
    return structs.replace(
        found, examples=tuple(structs.replace(each, message=UNSET) for each in found.examples)
    )


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
    known = {(each.attribute, each.what) for each in found}
    for each in differences(old, new, _recorded(old, recorded)):
        if (each.attribute, each.what) in known:
            continue
        found.append(each if values else structs.replace(each, message=UNSET, before="", after=""))
    return found


def _differ_in(parts: Iterable[str], old: RouteVersion, new: RouteVersion) -> bool:
    return any(old.parts[part] != new.parts[part] for part in parts)


def _recorded(old: RouteVersion, messages: Iterable[Any]) -> list[tuple[Any, Record]]:
    pairs = ((message, record_of(old, message)) for message in messages)
    return [(message, record) for message, record in pairs if record]


def _taking(
    old: RouteVersion, new: RouteVersion, lost: Taking, gained: Taking
) -> Iterator[ConfigChange]:
    """Yield what a route no longer takes, newly takes, or what is not known of that."""
    for example in lost.examples:
        yield _shown(old, new, NO_LONGER_TAKEN, lost, example, example.second.refusal)
    if lost.undecided:
        key = _key(lost.undecided[0][0])
        reasons = "; ".join(dict.fromkeys(why for _, why in lost.undecided))
        sentence = f"it is not known whether it takes all messages that it took: {reasons}"
        yield ConfigChange(NOT_DECIDED, sentence, (*new.path, key), (*old.path, key), new.name)
    if gained.example:
        sentence = f"the old config ended such a message with: {gained.example.second.refusal}"
        yield _shown(old, new, NEWLY_TAKEN, gained, gained.example, sentence)


def _shown(
    old: RouteVersion,
    new: RouteVersion,
    code: Code,
    taking: Taking,
    example: Counterexample,
    why: str,
) -> ConfigChange:
    refused = example.second.outcome
    stage = _STAGES.get(
        refused.code, "when" if refused.kind == "written" else _key(taking.unproved[0][0])
    )
    lost = code is NO_LONGER_TAKEN
    results = (example.first, example.second) if lost else (example.second, example.first)
    return ConfigChange(
        code,
        f"it no longer takes some messages: {why}"
        if lost
        else f"it takes messages that it did not take: {why}",
        (*new.path, stage),
        (*old.path, stage),
        new.name,
        _shown_by(example.message),
        example=example.message,
        before=results[0].describe(),
        after=results[1].describe(),
    )


def _shown_by(message: Any) -> str:
    return "a recorded message shows it: --values prints that" if message is UNSET else ""


def _key(stage: str) -> str:
    return _WHERE.get(stage, stage)


def _items(
    old: RouteVersion, new: RouteVersion, changes: list[ConfigChange], found: list[ItemDifference]
) -> Iterator[ConfigChange]:
    """Yield the changes of items, each with a message that shows it, and the differences that none of them explains."""
    left = list(found)
    for change in changes:
        shown = next((each for each in found if _explains(change, each)), None)
        left = [each for each in left if not _explains(change, each)]
        yield (
            change
            if shown is None
            else structs.replace(
                change, example=shown.message, before=shown.before, after=shown.after
            )
        )
    for each in left:
        sentence = f"attribute '{each.attribute}': {each.what}" if each.attribute else each.what
        yield ConfigChange(
            OTHER_RESULT,
            f"a message has another result: {sentence}",
            (*new.path, "item", *([each.attribute] if each.attribute else [])),
            (*old.path, "item", *([each.attribute] if each.attribute else [])),
            new.name,
            _shown_by(each.message),
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


def _side_by_side(pairs: RoutePairs) -> Iterator[ConfigChange]:
    changed = [(old, new) for old, new in pairs.both if old.parts != new.parts]
    for old, new in (*changed, *replacements(pairs)):
        for why in conflicts(old, new):
            yield ConfigChange(
                SIDE_BY_SIDE,
                f"two versions must not write side by side: {why}",
                new.path,
                old.path,
                new.name,
            )


def _of_one_version(
    code: Code, what: str, routes: Iterable[RouteVersion]
) -> Iterator[ConfigChange]:
    for route in routes:
        sentence = f"route '{route.name}' {what.format(route.queue.reference)} to table"
        yield ConfigChange(
            code, f"{sentence} '{route.compiled.write.table.name}'", route.path, route.path
        )


def _renamed(pairs: Sequence[tuple[RouteVersion, RouteVersion]]) -> Iterator[ConfigChange]:
    """Yield new names: of routes with the same settings, of queues and tables with the same name in AWS."""
    seen = set()
    for old, new in pairs:
        names = [("route", "routes", old.name, new.name)]
        if old.parts["queue"] == new.parts["queue"]:
            names.append(("queue", "queues", old.settings.queue, new.settings.queue))
        if old.compiled.write.table.name == new.compiled.write.table.name:
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
        key = len(change.path) == 2
        finding = Finding(
            change.code, change.with_route, new.place(change.path, key), change.suggestion
        )
        findings.add_finding(finding, (change.path,))
        if (
            change.code,
            change.sentence,
            change.path,
        ) not in seen:  # routes share queues and tables
            by_finding.setdefault(finding, change)
        seen.add((change.code, change.sentence, change.path))
    ignored = ignore_changes(new.config.ignore, findings)
    located = []
    for finding, change in by_finding.items():
        old_place = old.place(change.old_path, len(change.old_path) == 2)
        located.append(ChangeFinding(change, finding.place, old_place, ignored.get(finding, "")))
    order = ("error", "warning", "info")
    return sorted(located, key=lambda each: order.index(each.change.code.severity))
