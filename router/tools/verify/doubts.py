"""Whether a write may not have been made, though what is stored does not show it."""

from router.runtime.engine.writes import Write, WriteConfig
from router.tools.verify.history import History, rule_of
from router.tools.verify.kept import KeptWrite


def is_shared(history: History, kept: KeptWrite) -> bool:
    """Return whether what a write with a condition stores is there though its transaction may have been refused."""
    write = kept.write
    if kept.applied:
        return False
    if write.mode.stores == "nothing":
        return bool(write.version_name)
    if write.version_name:
        rival = history.writers.rival(write.route, write.version_name)
        return history.writers.partial or bool(rival) or history.equal[write.version_name] > 1
    rule = rule_of(write)
    return "existence" in write.mode.relies_on and (
        history.writers.partial or history.first_match[rule][0] != history.last_match[rule]
    )


def may_be_refused(history: History, write: Write, config: WriteConfig) -> bool:
    """Return whether an attribute that an update adds or appends to may have had a value of another type."""
    writers = history.writers
    if history.stored is None and not writers.deletes and not writers.ttl:
        # It would have been for an item, which is gone.
        return False
    for name in (config.add | config.append) & write.item.keys():
        kind = "L" if name in config.append else next(iter(write.item[name]))
        there = history.there.get(name, {kind: None})
        if kind not in there or writers.is_written_otherwise(write.route, name):
            return True
    return False
