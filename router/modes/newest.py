"""The mode `newest`: stores the whole item if its version is greater than the stored one."""

from router.engine.attributes import encode_item
from router.engine.writes import (
    PUT,
    VERSION_IS_NEWER,
    Mode,
    StoredItem,
    Write,
    WriteConfig,
    call_parameters,
    compare_versions,
    identity_of,
    same_item,
    stale,
    version_of,
)
from router.model import Item, Message, Outcome


def _plan(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
    encoded, size = encode_item(item, config.declared)
    name, version = config.version, version_of(config, encoded)
    call = call_parameters(config, {"Item": encoded}, VERSION_IS_NEWER, {"#v": name}, {":v": version})
    return Write(
        config.route, config.table, config.mode, identity_of(config, encoded), encoded, size, call, name, version
    )


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    return compare_versions(write, stored, same=same_item(write, stored)) if stored else stale(write)


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
