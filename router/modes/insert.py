"""The mode `insert`: stores the whole item if its key is new, so that the first message wins."""

from router.engine.writes import PUT, EncodedItem, Mode, StoredItem, Write, WriteConfig, encoded_first
from router.model import Outcome


def _plan_encoded(config: WriteConfig, item: EncodedItem) -> Write:
    identity, encoded, size = item
    # DynamoDB evaluates a condition on the item of this whole key: one key attribute is there if the item is.
    names = {"#k": config.table.key[0][0]}
    call = config.call({"Item": encoded}, "attribute_not_exists(#k)", names)
    return config.write(encoded, size, call, identity=identity)


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    return write.duplicate(conflict=not write.is_stored(stored) if stored else False)


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
    plan=encoded_first(_plan_encoded),
    plan_encoded=_plan_encoded,
    on_condition_failed=_on_condition_failed,
)
