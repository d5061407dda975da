"""Reports routes of one table that lose what each other stores, or elements of a message each other;
and what a version makes of sums, and other items of idempotency keys.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import yaml

from router.codes import declare
from router.model import Code, Severity
from router.runtime.modes import MODES
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.rule import Found, Subject, place_claim, rule

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
        if route.route.for_each is None or route.table is None:
            continue
        # Most configs have no `for_each`, and do without the module.
        from router.tools.check.analysis.pair_writes import element_keys

        keys = element_keys(route)
        placed = place_claim(route, "elements")
        names = " and ".join(f"'{name}'" for name in route.table.key)
        if keys == "are equal":
            yield placed.refuted(
                ONE_KEY,
                f"the key {names} is the same for all elements of a message: they write one item",
                "map a key attribute from 'element', or the list to an attribute without 'for_each'",
            )
        elif keys == "may be equal":
            yield placed.refuted(
                MAY_HAVE_ONE_KEY,
                f"two elements of a message may have the same key {names}: {_lost(route)}",
                "add to the key what no two elements have in common",
            )


def _lost(route: AnalyzedRoute) -> str:
    """Return what becomes of the later one of two elements with one key."""
    if route.queue.atomic:
        return "the message is rejected"
    write = route.route.write
    return _LOST["newest" if write.version else write.mode]


OWN_MARKERS = declare(
    "RT642",
    "`once` that names the table of its own route",
    "The idempotency keys would be items among those of the route. A message whose item has the key of an idempotency "
    "key is rejected: no transaction writes one item twice. Whoever reads the table finds items that no message made.",
)
WRITTEN_MARKERS = declare(
    "RT643",
    "a table of idempotency keys that another route writes",
    "An idempotency key that the other route replaces or deletes protects no more: the update is applied again at a "
    "redelivery. An item that has the key of one makes an update a `duplicate`, so that it is never applied. Whoever "
    "reads the table finds both.",
    "warning",
)


@rule(OWN_MARKERS, WRITTEN_MARKERS)
def check_idempotency_tables(subject: Subject) -> Iterator[Found]:
    """Report tables of idempotency keys that have the items of routes, too."""
    tables = subject.config.tables
    writers: dict[str, list[str]] = {}
    for name, route in subject.config.routes.items():
        if route.table in tables:
            writers.setdefault(tables[route.table].name or route.table, []).append(name)
    for name, route in subject.config.routes.items():
        once = route.write.once
        if once is None or once not in tables:
            continue
        others = writers.get(tables[once].name or once, [])
        placed = ("routes", name, "write", "once")
        advice = "name a table that no route writes, with 'key: {id: S}'"
        if name in others:
            sentence = f"the idempotency keys would be items of '{once}', which the route writes"
            yield Found(OWN_MARKERS, sentence, placed, advice)
        elif others:
            sentence = f"route '{others[0]}' writes '{once}' too, and can replace idempotency keys"
            yield Found(WRITTEN_MARKERS, sentence, placed, advice, beside=("routes", others[0]))
