"""The mode `newest`: stores the whole item if its version is greater than the stored one."""

from router.engine.writes import PUT, VERSION_IS_NEWER, EncodedItem, Mode, StoredItem, Write, WriteConfig, encoded_first
from router.model import Outcome


def _plan_encoded(config: WriteConfig, item: EncodedItem) -> Write:
    identity, encoded, size = item
    version = config.version_in(encoded)
    call = config.call({"Item": encoded}, VERSION_IS_NEWER, {"#v": config.version}, {":v": version})
    return config.write(encoded, size, call, version, identity=identity)


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    return write.compare_versions(stored, same=write.is_stored(stored)) if stored else write.not_newer()


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
    plan=encoded_first(_plan_encoded),
    plan_encoded=_plan_encoded,
    on_condition_failed=_on_condition_failed,
)
