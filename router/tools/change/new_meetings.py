"""Pairs of routes that a change makes lose data of one item."""

from collections.abc import Iterator
from itertools import chain

from router.tools.change.change_codes import NEWLY_LOSING
from router.tools.change.report import ConfigChange
from router.tools.change.routes import RoutePairs
from router.tools.change.versions import ConfigVersion
from router.tools.check.analysis.table_sharing import sharing_routes
from router.tools.check.rule import Subject


def new_meetings(
    old: ConfigVersion, new: ConfigVersion, pairs: RoutePairs
) -> Iterator[ConfigChange]:
    """Yield the pairs of routes that lose data of one item in the new version, and not in the old."""
    same = {after.name for before, after in pairs.both if before.parts == after.parts}
    routes = [*[after for _, after in pairs.both], *pairs.added]
    shared = chain.from_iterable(sharing_routes(new.config).values())
    if same.issuperset(shared):
        return
    names = {before.name: after.name for before, after in pairs.both}
    known = {frozenset((names.get(one, ""), names.get(other, ""))) for one, other in _losing(old)}
    by_name = {route.name: route for route in routes}
    for pair, sentence in _losing(new).items():
        if frozenset(pair) in known or same.issuperset(pair):
            continue
        one, other = (by_name[name] for name in pair)
        changed = one if other.name in same else other
        was = next((before for before, after in pairs.both if after is changed), changed)
        yield ConfigChange(
            NEWLY_LOSING,
            sentence,
            (*changed.path, "write"),
            (*was.path, "write"),
            "" if changed in pairs.added else changed.name,
            "see RT626 of 'router check' for the edit",
        )


def _losing(version: ConfigVersion) -> dict[tuple[str, str], str]:
    """Return the pairs of routes of a version that lose something, each with a sentence."""
    program = version.program
    subject = Subject(version.config, program.plugins, version.schemas, program=program)
    found = {}
    for meeting in subject.meetings:
        example = meeting.example
        if (
            meeting.one is None
            or example is None
            or all(loss.severity == "info" for loss in example.losses)
        ):
            continue
        pair = meeting.one.name, meeting.other.name
        loss = next(each for each in example.losses if each.severity != "info")
        what = f"routes '{pair[0]}' and '{pair[1]}' now lose data of one item: {loss.order}"
        found[pair] = f"{what}, {loss.sentence}; as for {example.first} and then {example.second}"
    return found
