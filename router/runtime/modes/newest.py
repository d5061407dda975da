"""The mode `newest`: stores the whole item if its version is greater than the stored one."""

from router.model import Item, Message, Outcome
from router.runtime.engine.attributes import encode_item
from router.runtime.engine.writes import PUT, VERSION_IS_NEWER, Mode, StoredItem, Write, WriteConfig


def _plan(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
    encoded, size = encode_item(item, config.declared)
    version = config.version_in(encoded)
    call = config.call({"Item": encoded}, VERSION_IS_NEWER, {"#v": config.version}, {":v": version})
    return config.write(encoded, size, call, version)


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    return (
        write.compare_versions(stored, same=write.is_stored(stored))
        if stored
        else write.not_newer()
    )


MODE = Mode(
    name="newest",
    summary="stores the item if nothing is there, or no `version`, or a lesser one",
    when_duplicate="`duplicate`",
    when_late="`stale`",
    settings=frozenset({"version"}),
    required=frozenset({"version"}),
    repeats=frozenset(),
    operation=PUT,
    batched="never",
    stores="item",
    relies_on=frozenset({"content", "version"}),
    destroys=frozenset(),
    combine="greatest version",
    plan=_plan,
    on_condition_failed=_on_condition_failed,
)
