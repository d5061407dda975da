"""Compares the routes that write one table, where what they do to one item could lose anything.

Of each pair, the keys are apart (proved), may meet (shown by two messages that are run in both
orders), or that is not decided.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct, structs

from router.model import Severity
from router.prover.text_patterns import likely_common_text
from router.runtime.program.load import Program
from router.runtime.sources import source_of
from router.tools.check.analysis.key_separation import (
    KeyedRoute,
    are_plainly_apart,
    keyed,
    why_apart,
)
from router.tools.check.analysis.key_shapes import Key, KeyShape
from router.tools.check.analysis.pair_losses import Loss, losses
from router.tools.check.analysis.pair_messages import (
    MessageMaker,
    RouteMessages,
    Wanted,
    short,
)
from router.tools.check.analysis.pair_runs import see_losses
from router.tools.check.analysis.pair_writes import (
    OTHERS,
    RouteWrites,
    with_properties,
    writes_of,
)
from router.tools.check.analysis.pair_yaml import GroupEdit, group_edit
from router.tools.check.analysis.routes import NO_SCHEMA, AnalyzedRoute
from router.tools.check.analysis.verdicts import Claim, KeyVerdict, RouteClaim
from router.tools.check.analysis.version_scales import scale_of
from router.tools.memory.pairs import PairMessage

_SEVERITIES: Sequence[Severity] = ("error", "warning", "info")
# The most other routes with which a route is reported: who ends these losses sees the next.
_MOST_FOUND = 2
_MOST_KEYS = 6
_IDS_OF_SQS = ("message_id", "sequence_number")
MEET = "two messages with one key lose data"
PLUGINS = "a plugin changes messages or items of their queues"
NOT_FOUND = "no two messages with one key were found, and it is not proved that there are none"
NOT_SEEN = "the keys meet, and two messages did not show what is lost"
ID_OF_SQS = (
    "the key of one is an id that SQS makes: only a message that repeats it has the same key"
)
TOO_MANY = "more routes of its table have keys like its own than are compared"


class MeetingExample(Struct, frozen=True):
    """Two messages in the order in which they are received, and what is lost of them.

    `first` and `second` are the messages in short.
    """

    messages: tuple[PairMessage, PairMessage]
    first: str
    second: str
    losses: tuple[Loss, ...]
    edit: str = ""
    """The YAML that ends all losses of the two routes, and is part of that for their group."""

    @property
    def severity(self) -> Severity:
        """The severity of the worst loss."""
        found = {loss.severity for loss in self.losses}
        return next(each for each in _SEVERITIES if each in found)

    @property
    def lost(self) -> Sequence[str]:
        """What is lost in order, and what out of order: of each, the first of the worst losses."""
        worst = [loss for loss in self.losses if loss.severity == self.severity]
        by_order = {loss.order: loss for loss in reversed(worst)}
        return [f"{order}, {loss.sentence}" for order, loss in sorted(by_order.items())]


class Meeting(Struct, frozen=True, eq=False):
    """What is known of the keys of two routes, of which `other` is the later one in the config.

    Without `one`, it is about all routes that `other` was not compared with.
    """

    one: AnalyzedRoute | None
    other: AnalyzedRoute
    verdict: KeyVerdict
    reason: str = ""
    example: MeetingExample | None = None

    @property
    def claim(self) -> Claim:
        """The claim that the keys of the two routes are apart."""
        return self.other.claim("pair", "" if self.one is None else self.one.name)

    @property
    def in_ledger(self) -> RouteClaim:
        """The claim with why it is not proved."""
        doubts = () if self.verdict == "apart" else (self.reason,)
        unknown = [route.messages.unknown for route in (self.one, self.other) if route is not None]
        return RouteClaim(self.claim, doubts, NO_SCHEMA if NO_SCHEMA in unknown else "")


class _TableRoute(Struct, frozen=True, eq=False):
    route: AnalyzedRoute
    keyed: KeyedRoute
    writes: RouteWrites
    messages: RouteMessages

    @property
    def is_wide(self) -> bool:
        """Whether it can lose something to any other route of the table."""
        writes = self.writes
        return writes.deletes or writes.inserts or writes.replaces or OTHERS in writes.sets

    @property
    def kind(self) -> Hashable:
        """What is equal for routes that lose the same to any other route."""
        writes = self.writes
        queue = self.route.route.queue if self.route.fifo else ""
        attributes = (writes.sets, writes.adds, writes.appends, writes.keeps)
        return (queue, writes.mode, writes.version, writes.once, *attributes)


class _Group:
    """The routes whose values of a key attribute begin alike, by their kinds."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, list[_TableRoute]] = {}
        self._wide: dict[Hashable, None] = {}
        self._by_attribute: dict[str, dict[Hashable, None]] = {}

    def add(self, route: _TableRoute) -> None:
        kind = route.kind
        self._kinds.setdefault(kind, []).append(route)
        if route.is_wide:
            self._wide[kind] = None
        for name in route.writes.attributes:
            self._by_attribute.setdefault(name, {})[kind] = None

    def losing(self, route: _TableRoute) -> Iterator[_TableRoute]:
        """Yield those that could lose something to a route, or make it lose something."""
        kinds: Collection[Hashable] = self._kinds
        if not route.is_wide:
            kinds = found = dict(self._wide)
            for name in route.writes.attributes:
                found |= self._by_attribute.get(name, {})
        # Routes of one kind may set an attribute to constants that differ.
        bare = structs.replace(route, writes=structs.replace(route.writes, mapped={}))
        for kind in kinds:
            others = self._kinds[kind]
            if _losses(others[0], bare):
                yield from others


class _Groups:
    """Groups of the routes of a table, by what the values of one key attribute begin with."""

    def __init__(self, heads: Iterable[str]) -> None:
        self._sorted = sorted(heads)
        self._groups = defaultdict[str, _Group](_Group)

    def add(self, head: str, route: _TableRoute) -> None:
        """Add a route to the group of a head, which is one of the heads."""
        self._groups[head].add(route)

    def near(self, heads: Iterable[str]) -> Iterator[_Group]:
        """Yield the groups, as far as there are some, whose values may begin with one of some heads."""
        for head in heads:
            for end in range(len(head)):
                if head[:end] in self._groups:
                    yield self._groups[head[:end]]
            at = bisect_left(self._sorted, head)
            while at < len(self._sorted) and self._sorted[at].startswith(head):
                if self._sorted[at] in self._groups:
                    yield self._groups[self._sorted[at]]
                at += 1


def meetings_of(tables: Iterable[Sequence[AnalyzedRoute]], program: Program) -> Iterator[Meeting]:
    """Yield what is known of the pairs of routes of each table that could lose something.

    Pairs whose keys begin with other texts are apart, and are left out.
    """
    for routes in tables:
        key = tuple(program.config.tables[routes[0].route.table].key.items())
        yield from _of_table(routes, key, program)


def _of_table(routes: Sequence[AnalyzedRoute], key: Key, program: Program) -> Iterator[Meeting]:
    shared = [_table_route(route, key) for route in routes]
    heads = [_heads(shared, place) for place in range(len(key))]
    place = max(range(len(key)), key=lambda number: len(heads[number]))
    groups = _Groups(heads[place])
    count = len(shared)
    work = _TableWork(looks=256 * count, proofs=256 + 2 * count, searches=32 + count // 2)
    meetings: list[Meeting] = []
    for route in shared:
        near = groups.near(route.keyed.heads(place))
        found = _distinct(each for group in near for each in group.losing(route))
        meetings += _of_route(route, found, key, program, work)
        for head in route.keyed.heads(place):
            groups.add(head, route)
    return _with_edits(meetings, shared, program)


def _with_edits(
    meetings: Sequence[Meeting], shared: Sequence[_TableRoute], program: Program
) -> Iterator[Meeting]:
    """Yield what is known of the pairs of a table, with one edit for all routes that meet."""
    by_name = {each.route.name: each for each in shared}
    edits: dict[str, GroupEdit] = {}
    deleting: dict[str, Sequence[str]] = {}
    for members in _groups(meetings):
        group = [
            structs.replace(each.writes, scale=scale_of(each.route))
            for name, each in by_name.items()
            if name in members
        ]
        others = [each.writes for name, each in by_name.items() if name not in members]
        edits |= dict.fromkeys(members, group_edit(group, others, program.config))
        # A delete compares with the version that these routes have: it is edited with any of them.
        deletes = [each.name for each in group if each.deletes]
        deleting |= dict.fromkeys(members, deletes)
    for each in meetings:
        if each.one is None or each.example is None:
            yield each
            continue
        names = dict.fromkeys([each.one.name, each.other.name, *deleting[each.other.name]])
        example = structs.replace(each.example, edit=edits[each.other.name].shown(*names))
        yield structs.replace(each, example=example)


def _groups(meetings: Sequence[Meeting]) -> Iterable[Collection[str]]:
    """Return the names of the routes that meet, also by way of others."""
    found: dict[str, dict[str, None]] = {}
    for each in meetings:
        if each.one is not None and each.example is not None:
            names = each.one.name, each.other.name
            small, large = sorted((found.get(name, {name: None}) for name in names), key=len)
            large |= small
            found |= dict.fromkeys(large, large)
    return {id(group): group for group in found.values()}.values()


def _distinct(routes: Iterable[_TableRoute]) -> Iterator[_TableRoute]:
    seen = set()
    for route in routes:
        if route not in seen:
            seen.add(route)
            yield route


def _heads(routes: Sequence[_TableRoute], place: int) -> set[str]:
    """Return what the values of a key attribute of some routes begin with."""
    return {head for each in routes for head in each.keyed.heads(place)}


def _table_route(route: AnalyzedRoute, key: Key) -> _TableRoute:
    known = keyed(route, key)
    writes = with_properties(writes_of(route.name, route.route, dict(key)), route, dict(key))
    return _TableRoute(route, known, writes, RouteMessages(known.route, key))


class _TableWork(Struct):
    """What may still be spent on the routes of a table.

    A look at a pair takes microseconds, a proof a millisecond, and a search for messages a few.
    """

    looks: int
    proofs: int
    searches: int

    @property
    def is_done(self) -> bool:
        """Whether nothing is left of one of them."""
        return not self.looks or not self.proofs or not self.searches


def _of_route(
    route: _TableRoute, others: Iterable[_TableRoute], key: Key, program: Program, work: _TableWork
) -> Iterator[Meeting]:
    """Yield what is known of a route and earlier ones of its table."""
    seen = 0
    for other in others:
        if work.is_done or seen == _MOST_FOUND:
            yield Meeting(None, route.route, "not decided", TOO_MANY)
            return
        work.looks -= 1
        lost = _losses(other, route)
        if not lost or are_plainly_apart(other.keyed, route.keyed):
            continue
        work.proofs -= 1
        apart = why_apart(other.keyed, route.keyed, key)
        if apart:
            yield Meeting(other.route, route.route, "apart", apart)
            continue
        work.searches -= 1
        found = _search(other, route, program, lost)
        seen += found.example is not None
        yield found


def _losses(one: _TableRoute, other: _TableRoute) -> Sequence[Loss]:
    # The messages of one item are of one message group, as far as their sender keeps them in order.
    is_ordered = one.route.fifo and one.route.route.queue == other.route.route.queue
    return losses(one.writes, other.writes, ordered=is_ordered)


def _search(
    one: _TableRoute, other: _TableRoute, program: Program, lost: Sequence[Loss]
) -> Meeting:
    """Seek two messages that show what two routes lose."""
    reason = NOT_FOUND
    if _runs_plugins(one, program) or _runs_plugins(other, program):
        return Meeting(one.route, other.route, "not decided", PLUGINS)
    if _is_id_of_sqs(one, other):
        return Meeting(one.route, other.route, "not decided", ID_OF_SQS)
    versions = dict.fromkeys(filter(None, (one.writes.version, other.writes.version)))
    concerned = dict.fromkeys(name for loss in lost for name in loss.attributes if name != OTHERS)
    first, second = [
        MessageMaker(program, each.messages, place, tuple(versions), tuple(concerned))
        for place, each in enumerate((one, other))
    ]
    for wanted in _wanted(one, other, first, second):
        found = see_losses(program, (first, second), (one.writes, other.writes), wanted, lost)
        if found is None:
            continue
        if found.losses:
            paths = {one.route.name: first.paths, other.route.name: second.paths}
            texts = [short(each, paths[each.message.route]) for each in (found.first, found.second)]
            messages = (found.first.message, found.second.message)
            example = MeetingExample(messages, texts[0], texts[1], found.losses)
            return Meeting(one.route, other.route, "may meet", MEET, example)
        reason = NOT_SEEN
    return Meeting(one.route, other.route, "not decided", reason)


def _is_id_of_sqs(one: _TableRoute, other: _TableRoute) -> bool:
    """Whether a part of the key is an id that SQS makes, in one of two routes only."""
    for name, _ in one.messages.key:
        sources = [source_of(each.keyed.route.attribute_of(name)) for each in (one, other)]
        ids = [source.key == "meta" and given in _IDS_OF_SQS for source, given in sources]
        if any(ids) and sources[0] != sources[1]:
            return True
    return False


def _runs_plugins(route: _TableRoute, program: Program) -> bool:
    """Whether messages of the queue meet the code of a plugin, which does not run here."""
    queue = program.engine.queues[route.route.route.queue]
    return any(each.transform_message or each.transform_item for each in queue.routes)


def _wanted(
    one: _TableRoute, other: _TableRoute, first: MessageMaker, second: MessageMaker
) -> Iterator[Wanted]:
    """Yield keys that both routes may write: of messages of one of them, and texts that both take."""
    common: dict[str, str | Sequence[str]] = {}
    names = [name for name, _ in one.messages.key]
    for name, mine, theirs in zip(names, one.keyed.shapes, other.keyed.shapes, strict=True):
        found = _hashed(one.keyed, other.keyed, name) or _common(mine, theirs)
        if found:
            common[name] = found
    made = chain(first.made(), second.made())
    keys = [dict(zip(names, each.write.identity[1:], strict=True)) for each in made]
    hashed = {name: values for name, values in common.items() if not isinstance(values, str)}
    tried: list[Wanted] = [{**each, **hashed} for each in keys]
    tried.insert(1, {**(keys[0] if keys else {}), **common})
    yield from tried[:_MOST_KEYS]


def _hashed(one: KeyedRoute, other: KeyedRoute, name: str) -> Sequence[str]:
    """Return values of which both routes make a hash."""
    source, mine = source_of(one.route.attribute_of(name))
    other_source, theirs = source_of(other.route.attribute_of(name))
    if not source.key == other_source.key == "hash" or len(mine) != len(theirs):
        return ()
    return [f"value-{number}" for number, _ in enumerate(mine)]


def _common(one: KeyShape, other: KeyShape) -> str:
    """Return a text that both can be, as far as is known; "" if none is found."""
    if one.texts is not None and other.texts is not None:
        return min(one.texts & other.texts)
    return likely_common_text(one.patterns, other.patterns)
