"""The mode `delete`: deletes the item of a key; with a version, only if what is stored is older."""

from router.model import Item, Message, Outcome
from router.runtime.engine.attributes import encode_item
from router.runtime.engine.writes import (
    DELETE,
    VERSION_IS_NEWER,
    Mode,
    StoredItem,
    Write,
    WriteConfig,
)


def _plan(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
    key, size = encode_item(
        {name: item[name] for name, _ in config.table.key if name in item}, config.declared
    )
    name = config.version
    if not name:
        return config.write(key, size, None)
    encoded, _ = encode_item({name: item[name]} if name in item else {}, config.declared)
    version = config.version_in(encoded)
    call = config.call({"Key": key}, VERSION_IS_NEWER, {"#v": name}, {":v": version})
    return config.write(key, size, call, version)


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    # What is stored was never written by a delete, so that it is no duplicate.
    return write.compare_versions(stored, same=False) if stored else write.not_newer()


MODE = Mode(
    name="delete",
    summary="deletes the key",
    when_duplicate="deletes again, also what was stored since",
    when_late="deletes the newer item; with `version`: `stale`",
    settings=frozenset({"version"}),
    required=frozenset(),
    repeats=frozenset(),
    operation=DELETE,
    batched="without version",
    stores="nothing",
    relies_on=frozenset(),
    destroys=frozenset({"version"}),
    combine="last",
    plan=_plan,
    on_condition_failed=_on_condition_failed,
)
