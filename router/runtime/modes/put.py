"""The mode `put`: stores the whole item, whatever is stored."""

from router.model import Item, Message, Outcome
from router.runtime.engine.attributes import encode_item
from router.runtime.engine.writes import PUT, Mode, StoredItem, Write, WriteConfig


def _plan(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
    return config.write(*encode_item(item, config.declared), None)


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
    plan=_plan,
    on_condition_failed=_on_condition_failed,
)
