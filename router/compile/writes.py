"""From `write` of a route, and its table's key, to the kind of write."""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from router.config import spec
from router.config.findings import Findings
from router.model import Code, Path, Table, WriteKind

MODE = Code(
    "RT601",
    "a write mode that is not available yet",
    "`insert`, `newest` and `update` come with a later release; until then a config that asks for one is refused "
    "rather than misread.",
)
UNMAPPED_KEY = Code(
    "RT602",
    "a key attribute is not mapped",
    "DynamoDB takes no item without its whole key, so that each message would be rejected.",
)
IDLE_SETTING = Code(
    "RT604",
    "a setting that the write mode does not have",
    "It would be ignored, and whoever wrote it expects an effect.",
)
KEY_TYPE = Code(
    "RT605",
    "a key attribute of another type than the table's key",
    "DynamoDB refuses a key of the wrong type, so that each message would be rejected.",
)

_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "put": (),
    "insert": (),
    "newest": ("version",),
    "update": ("version", "add", "append", "keep_first", "once", "once_key"),
    "delete": ("version",),
}
_WRITES: Mapping[str, WriteKind] = {"put": "put", "delete": "delete"}


def compile_write(route: spec.Route, table: Table, findings: Findings, path: Path) -> WriteKind | None:
    """The kind of write, or None if it has a fault."""
    _check_key(route, table, findings, path)
    write = route.write
    allowed = _SETTINGS[write.mode]
    for name in _SETTINGS["update"]:
        if name not in allowed and getattr(write, name) not in (UNSET, ()):
            findings.add(
                IDLE_SETTING,
                f"'{name}' has no meaning for 'mode: {write.mode}'",
                (*path, "write", name),
                key=True,
                suggestion="remove it, or choose another mode",
            )
    kind = _WRITES.get(write.mode)
    if kind is None or (write.version is not UNSET and "version" in allowed):
        what = f"'mode: {write.mode}'" if kind is None else "'version'"
        findings.add(
            MODE,
            f"{what} is not available yet",
            (*path, "write", "mode" if kind is None else "version"),
            suggestion="use 'put' or 'delete' without 'version'",
        )
    return kind


def _check_key(route: spec.Route, table: Table, findings: Findings, path: Path) -> None:
    if isinstance(route.item, UnsetType):
        return
    for name, kind in table.key:
        attribute = route.item.get(name)
        if attribute is None:
            findings.add(
                UNMAPPED_KEY,
                f"'item' does not map the key attribute '{name}' of table '{route.table}'",
                (*path, "item"),
                key=True,
                suggestion=f"add '{name}:'",
            )
        elif isinstance(attribute, spec.Attribute) and attribute.type not in (UNSET, kind):
            if attribute.type == "json" and kind == "S":
                continue
            findings.add(
                KEY_TYPE,
                f"key attribute '{name}' has type {attribute.type}, the key of table '{route.table}' is {kind}",
                (*path, "item", name, "type"),
                suggestion=f"write 'type: {kind}'",
            )
