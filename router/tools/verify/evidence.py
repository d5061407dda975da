"""What a lost write is about: the attributes of its item, as they are stored and as they should be."""

from collections.abc import Iterable

from router.runtime.engine.writes import StoredItem, WriteConfig
from router.tools.verify.history import History, same
from router.tools.verify.kept import Evidence, KeptWrite


def evidence_of(history: History, kept: KeptWrite, config: WriteConfig) -> Evidence:
    """Return the attributes in which an item differs from what the source makes of it in order.

    If other messages may have written it, these are only those that the write sets: what sums, lists and first values
    should be is not known then.
    """
    stored = history.stored
    after = history.after
    there = history.there
    wanted = after or {}
    item = kept.write.item
    names = [name for name in {**wanted, **there} if not same(there.get(name), wanted.get(name))]
    adds = {name: item[name] for name in sorted((config.add | config.append) & item.keys())}
    names_stored = names
    if history.writers.partial:
        unknown = config.keep_first | adds.keys()
        names = [name for name in names if name in item and name not in unknown]
        names_stored = [*names, *adds]
    return Evidence(
        None if stored is None else _some(stored, names_stored),
        None if after is None else _some(after, names),
        adds,
        kept.once if kept.applied is False else (),
    )


def _some(item: StoredItem, names: Iterable[str]) -> StoredItem:
    return {name: item[name] for name in names if name in item}
