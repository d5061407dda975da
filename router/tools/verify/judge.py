"""The verdict about each write of an item: the table of docs/verify.md.

`different` and `missing` are said only where no order of receipt, no redelivery and no other message explains what is
stored. Where one does, the verdict is `not decidable`, with what may have happened.
"""

from collections.abc import Iterator
from decimal import Decimal

from router.model import AttributeValue, Outcome
from router.runtime.engine.writes import Write, WriteConfig, value_order
from router.tools.verify import reasons
from router.tools.verify.added import Sums, canonical
from router.tools.verify.doubts import is_shared, may_be_refused
from router.tools.verify.history import (
    SETS,
    History,
    Order,
    Place,
    removed_by,
    rule_of,
    same,
    stores_something,
)
from router.tools.verify.kept import KeptWrite
from router.tools.verify.verdicts import (
    DELETED,
    DUPLICATE,
    EXPIRED,
    LOST,
    SHARED,
    STORED,
    SUPERSEDED,
    MessageVerdict,
    different,
    undecided,
    worst,
)

NO_ITEM = MessageVerdict("missing", "there is no item with its key")


def judge(
    history: History, order: int, kept: KeptWrite, config: WriteConfig, outcome: Outcome
) -> MessageVerdict:
    """Return the verdict about a write at a place in the order of its item; `outcome` is that in order."""
    if kept.is_repeated:
        return DUPLICATE
    if kept.is_doubtful:
        return reasons.SAME_KEY
    if outcome.kind == "rejected":
        return reasons.REFUSED
    found = _judge(history, order, kept, config, outcome)
    if found == STORED and not kept.is_sure and is_shared(history, kept):
        return SHARED
    if kept.applied is False and found.fate in ("expired", "deleted"):
        return reasons.WITHOUT_KEY
    if found.fate not in LOST:
        return found
    if kept.unknown:
        return undecided(
            f"the source does not say {kept.unknown} of the message, which the route reads"
        )
    return reasons.MAY_BE_REFUSED if may_be_refused(history, kept.write, config) else found


def _judge(
    history: History, order: int, kept: KeptWrite, config: WriteConfig, outcome: Outcome
) -> MessageVerdict:
    write = kept.write
    if kept.applied is False and not write.version_name:
        return MessageVerdict(
            "missing", "its idempotency key is not stored: the update was never made"
        )
    if write.mode.stores == "nothing":
        return _delete(history, order, write)
    if history.stored is None:
        return _absent(history, order, write, config, outcome)
    if write.mode.stores == "attributes":
        return _update(history, order, kept, config, outcome)
    if "existence" in write.mode.relies_on:
        return _insert(history, order, kept, outcome)
    return _newest(history, order, kept) if write.version_name else _put(history, order, write)


def _delete(history: History, order: int, write: Write) -> MessageVerdict:
    stored = history.stored
    if stored is None:
        return STORED
    if write.version_name:
        mine = write.version_order
        theirs = value_order(stored.get(write.version_name, {}))
        if mine[0] == theirs[0] and theirs[1] >= mine[1]:
            return SUPERSEDED
    elif order < history.last_store:
        return SUPERSEDED
    if not history.stores and not history.writers.partial:
        return different("there is an item, which no message of the source stores")
    return reasons.AGAIN


def _absent(
    history: History, order: int, write: Write, config: WriteConfig, outcome: Outcome
) -> MessageVerdict:
    replaced = DUPLICATE if outcome.kind == "duplicate" else SUPERSEDED
    if _is_older(history, write):
        return replaced
    if outcome.kind in ("duplicate", "stale"):
        if history.first_unsure < order:
            return _gone(history, order, write, reasons.UNSURE)
        return replaced
    if not stores_something(write):
        return STORED
    if not write.mode.relies_on and order < history.last_put:
        return SUPERSEDED
    if write.mode.stores == "attributes" and _is_replaced(history, order, write, config):
        return SUPERSEDED
    return _gone(history, order, write, NO_ITEM)


def _is_older(history: History, write: Write) -> bool:
    """Return whether the source has a message with a greater version, which in order is not deleted before."""
    greatest = history.greatest.get(write.version_name)
    if greatest is None or not write.version or not _is_less(write.version_order, greatest):
        return False
    return not same((history.after or {}).get(write.version_name), write.version)


def _is_less(one: Order, other: Order) -> bool:
    return one[0] == other[0] and bool(one[1] < other[1])


def _is_replaced(history: History, order: int, write: Write, config: WriteConfig) -> bool:
    """Return whether later messages of the source set all that an update sets, and the item is stored by one."""
    if order >= history.last_store:
        return False
    changed = {*write.sets, *removed_by(write)}
    key = {name for name, _ in write.table.key}
    if write.version_name or changed != {*write.item, *changed} - key:
        return False
    return all(order < history.last_setter.get(name, -1) for name in changed)


def _gone(history: History, order: int, write: Write, otherwise: MessageVerdict) -> MessageVerdict:
    """Return the verdict where what a write stored is not there; `otherwise` if nothing explains that."""
    if history.stored is not None and history.stores == 1 and not history.writers.partial:
        # Nothing has made the item again after it was deleted.
        return otherwise
    found = _deleted(history, order, write)
    if found is not None:
        return found
    writers = history.writers
    end = write.item.get(writers.ttl, {}).get("N")
    if history.ends_ended or (end is not None and Decimal(end) <= history.now):
        return EXPIRED if history.stored is None else reasons.ENDED
    if history.has_ended:
        return reasons.ENDED
    if writers.partial and writers.deletes:
        return reasons.DELETED_BY_OTHER
    if writers.partial and writers.ttl:
        return reasons.ENDED_BY_OTHER
    return otherwise


def _deleted(history: History, order: int, write: Write) -> MessageVerdict | None:
    """Return the verdict of what a delete of the source explains; None if none does."""
    orders = []
    for name, (greatest, last) in history.deletes.items():
        mine = value_order(write.item.get(name, {}))
        if _is_less(mine, greatest):
            return DELETED
        if not mine[0]:
            orders.append(last)
        elif history.writers.rival(write.route, name):
            orders.append(-1)
    orders += history.plain_deletes
    if not orders:
        return None
    return DELETED if order < max(orders) else reasons.DELETE_ORDER


def _put(history: History, order: int, write: Write) -> MessageVerdict:
    differing = history.differing(write)
    last = history.last_match.get(rule_of(write), -1)
    if not differing:
        return _whole(history, write) if order == last else SUPERSEDED
    if order < max(history.last_put, last):
        return SUPERSEDED
    if rule_of(write) in history.own_match and _own(history, write, differing)[0]:
        return reasons.ORDER
    return _others(history, order, write, reasons.OTHER_MESSAGE)


def _insert(history: History, order: int, kept: KeptWrite, outcome: Outcome) -> MessageVerdict:
    write = kept.write
    first = history.first_match.get(rule_of(write))
    other = history.writers.other(write.route)
    if first is not None:
        if _is_overtaken(order, kept, first):
            return reasons.ONE_MESSAGE
        if kept.is_sure or not other:
            return _whole(history, write) if order == first[0] else DUPLICATE
    if outcome.kind == "duplicate" and order > history.first_of[rule_of(write)]:
        return DUPLICATE
    if other:
        return undecided(f"route '{other}' may have stored the item first")
    return _others(history, order, write, reasons.FIRST)


def _whole(history: History, write: Write) -> MessageVerdict:
    """Return the verdict about an item that is stored, perhaps with attributes of updates of other routes."""
    more = history.there.keys() - write.item.keys() - history.updated
    if more and not history.writers.partial:
        return _written_by(history.writers.rival(write.route, min(more)))
    return STORED


def _others(history: History, order: int, write: Write, other: MessageVerdict) -> MessageVerdict:
    """Return the verdict about an item without version whose content is not stored; `other` is what may explain it."""
    own, rival = _own(history, write, history.differing(write))
    if not own:
        return _written_by(rival)
    if history.writers.partial:
        return other
    found = different("the stored item has other content than any message", *own)
    return _gone(history, order, write, found)


def _own(history: History, write: Write, names: list[str]) -> tuple[tuple[str, ...], str]:
    """Return those of the attributes that only routes with the same rule write, and another route of the others."""
    rivals = {name: history.writers.rival(write.route, name) for name in names}
    return tuple(name for name, rival in rivals.items() if not rival), max(
        rivals.values(), default=""
    )


def _written_by(route: str) -> MessageVerdict:
    return undecided(f"route '{route}' writes the same attributes")


def _is_overtaken(order: int, kept: KeptWrite, match: Place) -> bool:
    """Return whether only later writes of the same message, which are made after it, match what is stored."""
    return order < match[0] and kept.position == match[1]


def _newest(history: History, order: int, kept: KeptWrite) -> MessageVerdict:
    write = kept.write
    found = _by_version(history, order, write)
    if found is not None:
        return reasons.REMNANT if found == SUPERSEDED and _is_cut(history, write) else found
    rule = rule_of(write)
    differing = history.differing(write)
    if not differing:
        return _whole(history, write) if order == history.first_match[rule][0] else DUPLICATE
    return _other_content(history, order, kept, differing)


def _is_cut(history: History, write: Write) -> bool:
    """Return whether only updates have the stored version, and what older items left below them is of none."""
    if (
        history.writers.partial
        or write.version_name in history.equal_items
        or rule_of(write) in history.own_match
    ):
        return False
    key = {name for name, _ in write.table.key}
    names = write.item.keys() & history.there.keys() - key
    return any(not history.writers.rival(write.route, name) for name in names)


def _other_content(
    history: History, order: int, kept: KeptWrite, differing: list[str]
) -> MessageVerdict:
    write = kept.write
    own, rival = _own(history, write, differing)
    match = history.equal_match.get(write.version_name)
    if own and match:
        return reasons.ONE_MESSAGE if _is_overtaken(order, kept, match) else SUPERSEDED
    if own:
        return different("the stored item has its version, and other content", *own)
    return _written_by(rival)


def _by_version(history: History, order: int, write: Write) -> MessageVerdict | None:
    """Return the verdict that the stored version decides; None if it is the version of the write."""
    writers = history.writers
    name = write.version_name
    mine = write.version_order
    theirs = value_order(history.there.get(name, {}))
    rival = writers.rival(write.route, name)
    is_newer = _is_less(mine, theirs)
    if mine == theirs:
        return None
    if _is_older(history, write) or (is_newer and (writers.partial or history.equal[name])):
        return SUPERSEDED
    if theirs[0] and theirs[0] != mine[0]:
        return reasons.TYPE
    if rival:
        return _written_by(rival)
    if is_newer:
        return different("the stored version is greater than that of any message", name)
    older = "the stored item is older: its version is less, or it has none"
    missing = MessageVerdict("missing", older, (name,))
    if not theirs[0] and not writers.other(write.route):
        # No message makes such an item.
        return missing
    return _gone(history, order, write, missing)


def _update(
    history: History, order: int, kept: KeptWrite, config: WriteConfig, outcome: Outcome
) -> MessageVerdict:
    write = kept.write
    if not write.version_name:
        found = [*_settings(history, order, write, config), *_special(history, order, kept, config)]
        return worst(found) if found else STORED
    stored = history.there
    differing = [name for name in write.sets if not same(stored.get(name), write.item[name])]
    differing += [name for name in removed_by(write) if name in stored]
    decided = _by_version(history, order, write)
    if decided is None:
        if differing:
            return _other_content(history, order, kept, differing)
        if outcome.kind == "duplicate":
            return DUPLICATE
        return worst([STORED, *_special(history, order, kept, config)])
    if decided != SUPERSEDED:
        return decided
    if outcome.kind == "duplicate" and kept.applied is False:
        return DUPLICATE
    # It may have been written before the newer one, or been stale: what it alone sets tells.
    if _is_older(history, write):
        for name in differing:
            # No update of the source with a greater version sets it.
            if history.greatest_setting[write.version_name, name] == write.version_order:
                return reasons.ORDER
    verdict = worst([SUPERSEDED, *_special(history, order, kept, config)])
    # The stored values may be of another message: they are no trace of this one.
    return SUPERSEDED if verdict == STORED else verdict


def _settings(
    history: History, order: int, write: Write, config: WriteConfig
) -> Iterator[MessageVerdict]:
    """Yield the verdicts about what an update without version sets and removes."""
    values: dict[str, AttributeValue | None] = {name: write.item[name] for name in write.sets}
    values |= dict.fromkeys(removed_by(write))
    for name, value in values.items():
        found = _setting(history, order, write, name, value)
        is_special = name in config.add | config.append | config.keep_first
        if is_special and found.fate in LOST and name in history.updated:
            # A message of the route that has a value may have come after this one, which has none.
            yield reasons.REMOVED
        else:
            yield found


def _setting(
    history: History, order: int, write: Write, name: str, value: AttributeValue | None
) -> MessageVerdict:
    writers = history.writers
    there = history.there.get(name)
    if same(there, value):
        return STORED
    if order < max(history.last_setter.get(name, -1), history.set_match.get(name, -1)):
        return SUPERSEDED
    if rival := writers.rival(write.route, name):
        return _written_by(rival)
    if name in history.set_match:
        return reasons.ORDER
    if writers.partial and (there is not None or writers.removes(name)):
        return reasons.OTHER_MESSAGE
    if there is None:
        return _gone(history, order, write, different("the item lacks an attribute", name))
    return different("the stored value is that of no message", name)


def _special(
    history: History, order: int, kept: KeptWrite, config: WriteConfig
) -> Iterator[MessageVerdict]:
    """Yield the verdicts about what an update adds and appends, and about first values."""
    write = kept.write
    ways = ((config.add, _added), (config.append, _in_list), (config.keep_first, _first_value))
    for names, judge_one in ways:
        for name in sorted(names & write.item.keys()):
            found = judge_one(history, kept, name)
            if history.equal[write.version_name] > 1:
                # Only one of the writes with the stored version was made.
                yield reasons.VERSIONED_SUM
            elif found.fate != "different":
                yield found
            elif rival := history.writers.rival(write.route, name):
                yield _written_by(rival)
            elif history.may_be_removed(name):
                yield reasons.REMOVED
            elif not kept.applied and _may_be_late(history, write):
                yield reasons.VERSIONED_SUM
            else:
                yield _gone(history, order, write, found)


def _may_be_late(history: History, write: Write) -> bool:
    """Return whether the condition of an update may have failed, as its version or a newer one is stored."""
    theirs = value_order(history.there.get(write.version_name, {}))
    return bool(write.version_name) and not _is_less(theirs, write.version_order)


def _added(history: History, kept: KeptWrite, name: str) -> MessageVerdict:
    write = kept.write
    value = write.item[name]
    there = history.there.get(name)
    kind = next(iter(value))
    if there is None or kind not in there:
        return different("the item lacks what it adds", name)
    if kind in SETS:
        (_, wanted) = canonical(value)
        (_, found) = canonical(there)
        return STORED if wanted <= found else different("the set lacks what it adds", name)
    writers = history.writers
    if writers.partial:
        return reasons.SUM
    if writers.deletes or writers.ttl:
        return reasons.EXPIRING_SUM
    return _sum(
        history.sums, kept, name, is_right=Decimal(there["N"]) == history.sums.total.get(name, 0)
    )


def _sum(sums: Sums, kept: KeptWrite, name: str, *, is_right: bool) -> MessageVerdict:
    """Return the verdict about a sum of the messages of a complete source."""
    if kept.write.version_name and (
        kept.applied is False
        or sums.without_keys.get(name)
        or (name in sums.without_keys and not is_right)
    ):
        return reasons.VERSIONED_SUM
    if is_right:
        return STORED
    if name in sums.repeating:
        return reasons.REPEATED
    if name in sums.refused:
        return reasons.SUM_REFUSED
    return different("the sum is another one than that of its messages", name)


def _in_list(history: History, kept: KeptWrite, name: str) -> MessageVerdict:
    if kept.applied is False:
        # The stored elements are of another message.
        return reasons.VERSIONED_SUM
    if history.lists.take(kept, name):
        return STORED
    return different("the list lacks what it appends", name)


def _first_value(history: History, kept: KeptWrite, name: str) -> MessageVerdict:
    there = history.there.get(name)
    if same(there, kept.write.item[name]):
        return STORED
    if there is None:
        return different("the item lacks an attribute", name)
    if name in history.keep_match:
        least = history.keep_match[name]
        if kept.applied and least and _is_less(kept.write.version_order, least):
            # It was made, and before the message whose value is stored.
            return reasons.LATER_FIRST
        return SUPERSEDED
    if history.writers.partial:
        return reasons.FIRST
    return different("the stored value is that of no message", name)
