"""The mode `put`: stores the whole item, whatever is stored."""

from router.engine.attributes import identify
from router.engine.writes import PUT, EncodedItem, Mode, StoredItem, Write, WriteConfig, encoded_first
from router.model import Outcome


def _plan_encoded(config: WriteConfig, item: EncodedItem) -> Write:
    identity, encoded, size = item
    table = config.table
    identity = identity or identify(table.name, table.key, encoded)
    return Write(config.route, table, config.mode, identity, encoded, size)


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    raise AssertionError("a write of mode put has no condition")


MODE = Mode(
    name="put",
    summary="stores the item and replaces an existing one",
    when_duplicate="stores the same again",
    when_late="replaces the newer item",
    settings=frozenset(),
    required=frozenset(),
    repeats=frozenset(),
    operation=PUT,
    batched="always",
    stores="item",
    relies_on=frozenset(),
    destroys=frozenset({"content", "version"}),
    combine="last",
    plan=encoded_first(_plan_encoded),
    plan_encoded=_plan_encoded,
    on_condition_failed=_on_condition_failed,
)
