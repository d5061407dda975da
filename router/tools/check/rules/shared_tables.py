"""Reports routes of one table that lose what each other stores, or elements of a message each other;
and what a version makes of sums.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING

import yaml

from router.codes import declare
from router.model import Code, Severity
from router.prover.expressions import paths_in
from router.prover.schema_prover import YES
from router.runtime.modes import MODES
from router.tools.check.analysis.pair_writes import writes_of
from router.tools.check.analysis.routes import AnalyzedRoute, at_most
from router.tools.check.rule import Found, Subject, rule

ERASES = declare(
    "RT626",
    "two routes that lose data of one item",
    "Both write one item of a table, and what one stores, the other erases, overtakes or never lets in. `router "
    "check` shows two messages that it has run through both routes. An `update` keeps what other routes store.",
    "warning",
)
BRINGS_BACK = declare(
    "RT627",
    "two routes that lose data of one item in a known case",
    "A delete leaves nothing that a late message could be compared with. That is often accepted: `--strict` does not "
    "fail. A closing `update` with a time to live keeps the version for as long as messages can be late.",
    "info",
)
NEVER_COMPARED = declare(
    "RT628",
    "a delete whose version no item has",
    "The other route does not store the version, so that the condition of the delete always holds: a late delete "
    "removes newer items.",
)
if TYPE_CHECKING:
    from router.tools.check.analysis.key_meetings import Meeting, MeetingExample

_CODES: Mapping[Severity, Code] = {
    "error": NEVER_COMPARED,
    "warning": ERASES,
    "info": BRINGS_BACK,
}


def code_of(example: "MeetingExample") -> Code:
    """Return the code of the finding about two routes of which two messages are known."""
    return _CODES[example.severity]


@rule(ERASES, BRINGS_BACK, NEVER_COMPARED)
def check_shared_tables(subject: Subject) -> Iterator[Found]:
    """Report pairs of routes of which two messages show that they lose something."""
    for meeting in subject.meetings:
        if meeting.one is not None and meeting.example is not None:
            yield _found(meeting, meeting.example)


def _found(meeting: "Meeting", example: "MeetingExample") -> Found:
    assert meeting.one is not None
    route = meeting.other
    return Found(
        code_of(example),
        f"routes '{meeting.one.name}' and '{route.name}' write one item for {example.first} and "
        f"then {example.second}: {'; '.join(example.lost)}",
        (*route.path, "write"),
        _advice(example.edit),
        beside=meeting.one.path,
        refutes=meeting.claim,
    )


def _advice(edit: str) -> str:
    """Return the edit as YAML in one line."""
    comments = [line.strip("# ") for line in edit.splitlines() if line.startswith("#")]
    sections = yaml.safe_load(edit)
    text = yaml.safe_dump(
        sections, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    ).strip()
    return f"{', '.join([*comments, 'write'])} {text if len(sections) > 1 else text[1:-1]}"


ADDS_NOTHING = declare(
    "RT629",
    "`add` or `append` with a version",
    "The version makes the whole update conditional: a message that is received after a greater version, or with an "
    "equal one, adds nothing. With `once` each message is added once, in any order.",
    "warning",
)


@rule(ADDS_NOTHING)
def check_added_by_version(subject: Subject) -> Iterator[Found]:
    """Report sums and lists that leave out messages which are received late."""
    for name, route in subject.config.routes.items():
        write = route.write
        repeated = [each for each in sorted(MODES[write.mode].repeats) if getattr(write, each)]
        if repeated and write.version is not None:
            yield Found(
                ADDS_NOTHING,
                f"with 'version', a message that is received late does not '{repeated[0]}' anything",
                ("routes", name, "write", "version"),
                "remove 'version', and name a table of idempotency keys with 'once:'",
                key=True,
            )


ONE_KEY = declare(
    "RT635",
    "elements of one message with one key",
    "No key attribute is of the element, so that all elements of a message write one item: it has what one of them "
    "has. Which one depends on the mode of the route.",
    "warning",
)
MAY_HAVE_ONE_KEY = declare(
    "RT641",
    "elements of one message that may have the same key",
    "A schema bounds the elements of a list one by one: two of them may have the same values in what the key is of. "
    "They write one item, so that one of the two is lost. That is intended where the sender sends none twice.",
    "info",
)
_LOST = {
    "insert": "the later one is a duplicate, and is not stored",
    "put": "the later one replaces the earlier one",
    "newest": "the later one is stale, and is not stored",
    "update": "the later one sets the attributes of the earlier one again",
}


@rule(ONE_KEY, MAY_HAVE_ONE_KEY)
def check_elements(subject: Subject) -> Iterator[Found]:
    """Report the key of a route with `for_each` that is or may be the same for elements of a message."""
    for route in subject.routes:
        if route.table is None or route.route.for_each is None or route.is_whole:
            continue
        writes = writes_of(route.name, route.route, route.table.key)
        # Sums and lists have what all elements add.
        sets = (writes.sets | writes.keeps) - {writes.version}
        mapped = [route.attributes.get(name) for name in route.table.key]
        if writes.deletes or not sets or None in mapped:
            continue
        if not _may_be_several(route):
            continue
        place = ("routes", route.name, "item")
        names = " and ".join(f"'{name}'" for name in route.table.key)
        if not any(_is_of_element(route, name) for name in route.table.key):
            yield Found(
                ONE_KEY,
                f"the key {names} is the same for all elements of a message: they write one item",
                place,
                "map a key attribute from 'element', or the list to an attribute without 'for_each'",
            )
        elif not _is_of_element(route, writes.version) and not _are_unique(route):
            yield Found(
                MAY_HAVE_ONE_KEY,
                f"two elements of a message may have the same key {names}: {_lost(subject, route, writes.version)}",
                place,
                "add to the key what no two elements have in common",
            )


def _lost(subject: Subject, route: AnalyzedRoute, version: str | None) -> str:
    """Return what becomes of the later one of two elements with one key."""
    queue = subject.config.queues.get(route.route.queue)
    if queue is not None and queue.atomic:
        return "the message is rejected"
    mode = route.route.write.mode
    return _LOST["newest" if version else mode]


def _may_be_several(route: AnalyzedRoute) -> bool:
    """Whether a message may have several elements."""
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return True
    return route.mapped.holds_at(steps[:-1], at_most(1)) is not YES


def _is_of_element(route: AnalyzedRoute, name: str | None) -> bool:
    """Whether an attribute is made of the element."""
    paths = chain.from_iterable(map(paths_in, _texts(route, name)))
    return any(steps[0] == "element" for steps in paths)


def _texts(route: AnalyzedRoute, name: str | None) -> list[str]:
    """Return the expressions of an attribute."""
    mapped = route.attributes.get(name) if name else None
    return [use.text for use in route.uses(mapped)] if mapped is not None else []


def _are_unique(route: AnalyzedRoute) -> bool:
    """Whether the schema proves that no two elements have one key: it is the whole element."""
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return False
    assert route.table is not None
    # A transform may make one text of two elements.
    plain = [name for name in route.table.key if not route.attributes[name].transform]
    texts = [text for name in plain for text in _texts(route, name)]
    return "element" in texts and route.mapped.holds_at(steps[:-1], {"uniqueItems": True}) is YES
