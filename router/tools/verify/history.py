"""What the messages of a source do to one item, in order: what a verdict about each of them depends on.

The writes of a key are seen twice. The first time they are run in order on a table in memory, and summed up here; the
second time each is judged. So a key may have any number of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import inf
from typing import Any

from router.model import WRITTEN, AttributeValue, Outcome, Table
from router.runtime.engine.writes import StoredItem, Write, WriteConfig, same_value
from router.runtime.modes import MODES
from router.tools.check.analysis.pair_writes import OTHERS
from router.tools.memory.tables import MemoryTables
from router.tools.verify.added import Lists, Sums
from router.tools.verify.kept import KeptWrite
from router.tools.verify.writers import TableWriters

SETS = ("SS", "NS", "BS")
_REFUSED = Outcome("rejected")
Order = tuple[str, Any]
Rule = tuple[str, str]
"""By what a write replaces an item: its mode, and the name of its version."""
Place = tuple[int, int]
"""The first of some writes: its place in the order, and its message, 0 if others are of another message."""


def same(one: AttributeValue | None, other: AttributeValue | None) -> bool:
    """Return whether two values are equal, None for none."""
    if one is None or other is None:
        return one is other
    return same_value(one, other)


def removed_by(write: Write) -> list[str]:
    """Return the attributes that an update removes."""
    if write.mode.stores != "attributes" or write.call is None:
        return []
    names = write.call["ExpressionAttributeNames"]
    return [name for place, name in names.items() if place.startswith("#r")]


def rule_of(write: Write) -> Rule:
    """Return by what rule a write replaces an item: its mode and the name of its version."""
    return write.mode.name, write.version_name


def stores_something(write: Write) -> bool:
    """Return whether there is an item after a write: a delete leaves none, an update that only removes creates none."""
    if write.mode.stores == "attributes" and write.call is not None:
        return not write.call["UpdateExpression"].startswith("REMOVE ")
    return write.mode.stores == "item"


class History:
    """The writes of one item, in order, beside the `stored` item; `now` is in seconds since 1970.

    `there` are the attributes of the stored item, none without an item.
    """

    def __init__(
        self,
        writers: TableWriters,
        configs: Mapping[str, WriteConfig],
        table: Table,
        key: StoredItem,
        stored: StoredItem | None,
        now: float,
    ) -> None:
        self.writers = writers
        self.stored = stored
        self.there = stored or {}
        self.now = now
        self.stores = 0
        """How many writes store something."""
        self.last_store = -1
        self.first_unsure = inf
        """The last write that stores something in order, and the first one whose transaction may have been refused."""
        self.last_put = -1
        """The last write of a whole item, whatever is stored."""
        self.first_match: dict[Rule, Place] = {}
        self.last_match: dict[Rule, int] = {}
        """The first and the last write of a mode and version whose whole item is stored."""
        self.own_match: set[Rule] = set()
        """Modes and versions of which some write's item is stored, apart from what other routes write, too."""
        self.greatest: dict[str, Order] = {}
        """The greatest version by the name of its attribute."""
        self.greatest_setting: dict[tuple[str, str], Order] = {}
        """The greatest version, by its name, of an update that sets an attribute."""
        self.equal: Counter[str] = Counter()
        """How many writes have the stored version, by its name."""
        self.equal_match: dict[str, Place] = {}
        """Where some write has the stored version and content, by the name of the version."""
        self.equal_items: set[str] = set()
        """The names of versions of which some write of a whole item has the stored version."""
        self.first_of: dict[Rule, int] = {}
        """The first write of a whole item of a mode and version."""
        self.updated: set[str] = set()
        self.removed: set[str] = set()
        """The attributes that updates set, add to, or append to, and those that updates remove."""
        self.last_setter: dict[str, int] = {}
        self.set_match: dict[str, int] = {}
        """The last update without version that sets the stored value of an attribute."""
        self.keep_match: dict[str, Order | None] = {}
        """The first values that are stored: the least version of a message that has it, None if one has no version."""
        self.sums = Sums()
        self.lists = Lists(self.there)
        self.plain_deletes: list[int] = []
        """The first and the last delete without version."""
        self.deletes: dict[str, tuple[Order, int]] = {}
        """The greatest version of a delete, by its name, and the last delete."""
        self.has_ended = False
        """Whether a message sets an end that has passed."""
        self.after: StoredItem | None = None
        """The item that all of them make in order."""
        self._configs = configs
        self._place = table.name, key
        self._tables = MemoryTables({table.name: table.key}, {table.name: writers.indexes})

    @property
    def ends_ended(self) -> bool:
        """Whether the item that all of them make in order has ended."""
        return _has_ended((self.after or {}).get(self.writers.ttl), self.now)

    def see(self, order: int, kept: KeptWrite) -> Outcome:
        """Take in the write at a place in the order, and return its outcome then."""
        write = kept.write
        outcome = self._run(write)
        item = write.item
        version = write.version_order if write.version else None
        # What DynamoDB refuses replaces nothing, nor does what another message with its idempotency key prevented.
        is_made = kept.is_sure and not kept.is_doubtful
        is_sure = is_made and outcome.kind != "rejected"
        if write.mode.stores == "nothing":
            self._see_delete(order, write.version_name, version)
            return outcome
        if stores_something(write):
            self.stores += 1
            if outcome == WRITTEN:
                self.last_store = order
            if not kept.is_sure:
                self.first_unsure = min(self.first_unsure, order)
        if _has_ended(item.get(self.writers.ttl), self.now):
            self.has_ended = True
        if version is not None:
            name = write.version_name
            if is_made:
                self.greatest[name] = _greater(self.greatest.get(name), version)
            if same(write.version, self.there.get(name)):
                self.equal[name] += 1
                if write.mode.stores == "item":
                    self.equal_items.add(name)
        if write.mode.stores == "item":
            self._see_item((order, kept.position), write, is_sure)
        else:
            self._see_update((order, kept.position), kept, version, is_sure)
            config = self._configs[write.route]
            self.sums.see(kept, outcome, config.add)
            self.lists.see(kept, config.append)
        return outcome

    def end(self) -> None:
        """Note what all writes together leave."""
        self.after = self._tables.get(*self._place)

    def differing(self, write: Write) -> list[str]:
        """Return the attributes in which the stored item is not the item of a write.

        An attribute that the item does not have is none if an update of another route sets it.
        """
        stored = self.there
        item = write.item
        found = [name for name, value in item.items() if not same(value, stored.get(name))]
        found += [
            name for name in stored if name not in item and not self._is_of_update(write, name)
        ]
        return found

    def may_be_removed(self, attribute: str) -> bool:
        """Return whether an update of the source, or of another message, may have removed an attribute."""
        writers = self.writers
        return attribute in self.removed or (writers.partial and writers.removes(attribute))

    def _is_of_update(self, write: Write, name: str) -> bool:
        return any(
            MODES[each.mode].stores == "attributes"
            and not each.attributes.isdisjoint((name, OTHERS))
            for each in self.writers.routes.values()
            if each.name != write.route
        )

    def _see_delete(self, order: int, name: str, version: Order | None) -> None:
        if version is None:
            self.plain_deletes = [*self.plain_deletes[:1], order]
            return
        known, _ = self.deletes.get(name, (None, 0))
        self.deletes[name] = _greater(known, version), order

    def _see_item(self, place: Place, write: Write, is_sure: bool) -> None:
        rule = rule_of(write)
        order = place[0]
        self.first_of.setdefault(rule, order)
        if is_sure and not write.mode.relies_on:
            self.last_put = order
        if self.stored is None:
            return
        differing = self.differing(write)
        self._note_equal(place, write, differing)
        if all(self.writers.rival(write.route, each) for each in differing):
            self.own_match.add(rule)
        if not differing:
            self.first_match[rule] = _first(self.first_match.get(rule), place)
            self.last_match[rule] = order

    def _see_update(
        self, place: Place, kept: KeptWrite, version: Order | None, is_sure: bool
    ) -> None:
        write = kept.write
        order = place[0]
        stored = self.there
        item = write.item
        config = self._configs[write.route]
        self.updated |= item.keys()
        removed = removed_by(write)
        self.removed |= set(removed)
        changes = {name: item[name] for name in write.sets} | dict.fromkeys(removed)
        matching = [name for name, value in changes.items() if same(stored.get(name), value)]
        if version is None:
            if is_sure:
                self.last_setter |= dict.fromkeys(changes, order)
            self.set_match |= dict.fromkeys(matching, order)
        else:
            for name in changes:
                setting = write.version_name, name
                known = self.greatest_setting.get(setting)
                self.greatest_setting[setting] = _greater(known, version)
            if kept.applied is not False:
                self._note_equal(place, write, [name for name in changes if name not in matching])
        for name in config.keep_first & item.keys():
            if same(stored.get(name), item[name]):
                least = self.keep_match.get(name, version)
                self.keep_match[name] = (
                    min(version, least) if version and least and version[0] == least[0] else None
                )

    def _note_equal(self, place: Place, write: Write, differing: Iterable[str]) -> None:
        """Note a write that may have made the stored item: only attributes that other routes write differ."""
        name = write.version_name
        is_equal = same(write.version, self.there.get(name))
        if is_equal and all(self.writers.rival(write.route, each) for each in differing):
            self.equal_match[name] = _first(self.equal_match.get(name), place)

    def _run(self, write: Write) -> Outcome:
        answer = self._tables.write(*write.action())
        if answer.fault is None:
            return WRITTEN
        if answer.fault.kind != "condition":
            return _REFUSED
        return write.mode.on_condition_failed(write, answer.stored)


def _greater(known: Order | None, version: Order) -> Order:
    """Return the greater of two versions, the second one if they are of different types."""
    if known and known[0] == version[0] and known[1] >= version[1]:
        return known
    return version


def _first(known: Place | None, place: Place) -> Place:
    if known is None:
        return place
    return known if known[1] == place[1] else (known[0], 0)


def _has_ended(value: AttributeValue | None, now: float) -> bool:
    return value is not None and "N" in value and Decimal(value["N"]) <= now
