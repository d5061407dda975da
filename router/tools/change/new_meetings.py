"""Pairs of routes that a change makes lose data of one item."""

from itertools import chain

from msgspec import structs

from router.tools.change.change_codes import NEWLY_LOSING
from router.tools.change.report import Changes
from router.tools.change.routes import RoutePairs, change_of
from router.tools.change.versions import ConfigVersion
from router.tools.check.analysis.table_sharing import sharing_routes
from router.tools.check.rule import Subject

_ADVICE = "see RT626 of 'router check' for the edit"


def new_meetings(old: ConfigVersion, new: ConfigVersion, pairs: RoutePairs) -> Changes:
    """Yield the pairs of routes that lose data of one item in the new version, and not in the old."""
    same = {after.name for before, after in pairs.both if before.parts == after.parts}
    shared = chain.from_iterable(sharing_routes(new.config).values())
    if same.issuperset(shared):
        return
    names = {before.name: after.name for before, after in pairs.both}
    known = {frozenset((names.get(one, ""), names.get(other, ""))) for one, other in _losing(old)}
    versions = {route.name: (route, route) for route in pairs.added}
    versions |= {after.name: (before, after) for before, after in pairs.both}
    for pair, sentence in _losing(new).items():
        if frozenset(pair) in known or same.issuperset(pair):
            continue
        one, other = pair
        was, changed = versions[one if other in same else other]
        change = change_of(was, changed, NEWLY_LOSING, sentence, "write", suggestion=_ADVICE)
        yield structs.replace(change, route="") if changed in pairs.added else change


def _losing(version: ConfigVersion) -> dict[tuple[str, str], str]:
    """Return the pairs of routes of a version that lose something, each with a sentence."""
    program = version.program
    subject = Subject(version.config, program.plugins, version.schemas, program=program)
    found = {}
    for meeting in subject.meetings:
        example = meeting.example
        if meeting.one is None or example is None:
            continue
        losses = [loss for loss in example.losses if loss.severity != "info"]
        if losses:
            one, other, loss = meeting.one.name, meeting.other.name, losses[0]
            found[one, other] = (
                f"routes '{one}' and '{other}' now lose data of one item: {loss.order}, "
                f"{loss.sentence}; as for {example.first} and then {example.second}"
            )
    return found
