"""The mode `insert`: stores the whole item if its key is new, so that the first message wins."""

from router.model import Item, Message, Outcome
from router.runtime.engine.attributes import encode_item
from router.runtime.engine.writes import PUT, Mode, StoredItem, Write, WriteConfig


def _plan(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
    encoded, size = encode_item(item, config.declared)
    # DynamoDB evaluates a condition on the item of this whole key: one key attribute is there if the item is.
    names = {"#k": config.table.key[0][0]}
    call = config.call({"Item": encoded}, "attribute_not_exists(#k)", names)
    return config.write(encoded, size, call)


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    if not stored:
        return write.duplicate(conflict=False)
    write.check_key(stored)
    return write.duplicate(conflict=not write.is_stored(stored))


MODE = Mode(
    name="insert",
    summary="stores the item only if its key is new",
    when_duplicate="`duplicate`",
    when_late="`duplicate`, and a conflict if its content differs",
    settings=frozenset(),
    required=frozenset(),
    repeats=frozenset(),
    operation=PUT,
    batched="never",
    stores="item",
    relies_on=frozenset({"existence", "content"}),
    destroys=frozenset(),
    combine="never",
    plan=_plan,
    on_condition_failed=_on_condition_failed,
)
