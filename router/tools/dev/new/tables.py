"""Plans a table for the shapes of sample messages: its key, and how each shape is written.

Shapes with one key are written by `update`, each to attributes of its own (`sharing`), or have keys
of their own; other shapes are whole items.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.config import spec
from router.tools.dev.new.fields import (
    KeyCandidate,
    Messages,
    Names,
    choose_key,
    find_reading_time,
    is_id_of_message,
    paths_of,
    rank_keys,
    snake_case,
)
from router.tools.dev.new.mapping import MESSAGE_ID, Mapped, TableKey, map_whole, name_key
from router.tools.dev.new.members import erased_members
from router.tools.dev.new.s3_notifications import (
    S3_NOTE,
    S3_NOTIFICATIONS,
    S3_WITHOUT_ORDER,
    are_s3_events,
    are_s3_notifications,
    map_s3_events,
)
from router.tools.dev.new.shapes import COMMON, Shape
from router.tools.dev.new.sharing import Group, Shared, prefixes_of, project, share
from router.tools.dev.new.versions import SENT_AT, VersionField, choose_version, find_version

ITEM_NOTE = "only what 'item' names is stored: if later messages have other members, add them there"
Settings = Mapping[str, Any]
Choose = Callable[[Sequence[KeyCandidate], str], KeyCandidate]
"""Chooses a key of the candidates for a table; the best is the first."""


class Wanted(Struct, frozen=True):
    """What the user asked for."""

    name: str
    """What the names of routes begin with."""
    queue: str
    table: str
    key: str = ""
    """The value of `--key`, or ""."""
    mode: str = ""
    """The value of `--mode`, or ""."""
    version: str = ""
    """The value of `--version`, or ""."""
    queue_settings: Settings = {}
    """Settings of the queue, if it is added."""


class NewTable(Struct, frozen=True):
    """A table to add."""

    name: str
    key: Mapping[str, str]
    """The type of each key attribute."""
    candidates: Sequence[KeyCandidate]
    """The fields from which the key was chosen; () if it was given."""
    notes: tuple[str, ...]
    """Why it has this key, and how its items are written."""


class TablePlan(Struct, frozen=True):
    """A table, and how messages are written to it."""

    table: NewTable
    types: Sequence[Mapped]
    """Of each shape, in their order."""
    common: Mapped | None = None
    """Of a route for the members that several shapes have, if there is one."""
    common_messages: Messages = ()
    """What the messages have for that route; of no use if there is none."""


def plan_table(
    shapes: Sequence[Shape],
    discriminator: Names,
    name: str,
    wanted: Wanted,
    config: spec.Config,
    choose: Choose,
) -> TablePlan:
    """Return the table for shapes, and how they are written; raises UsageError."""
    messages = [message for shape in shapes for message in shape.messages]
    known = config.tables.get(name)
    if are_s3_notifications(messages):
        plan = _plan_s3(name, wanted, S3_NOTIFICATIONS)
    elif are_s3_events(messages) and not (known or wanted.key or wanted.mode or wanted.version):
        plan = _plan_s3(name, wanted, map_s3_events(messages))
    else:
        plan = _Planner(shapes, discriminator, name, wanted, config).plan(choose)
    key = dict(plan.table.key)
    if known and key != dict(known.key):
        raise UsageError(
            f"table '{name}' has the key {dict(known.key)}, and the samples have {key}: give --key, "
            "or another --table"
        )
    if any(mapped.item for mapped in plan.types):
        notes = (*plan.table.notes, ITEM_NOTE)
        return structs.replace(plan, table=structs.replace(plan.table, notes=notes))
    return plan


def _plan_s3(name: str, wanted: Wanted, mapped: Mapped) -> TablePlan:
    if wanted.mode not in ("", mapped.mode) or wanted.version:
        raise UsageError(
            "notifications of Amazon S3 are ordered by their sequencer: leave out --mode and --version"
        )
    note = S3_NOTE if mapped.version else S3_WITHOUT_ORDER
    return TablePlan(NewTable(name, mapped.key.types, (), (note,)), (mapped,))


class _Planner:
    """Plans one table."""

    def __init__(
        self,
        shapes: Sequence[Shape],
        discriminator: Names,
        name: str,
        wanted: Wanted,
        config: spec.Config,
    ) -> None:
        self._shapes = shapes
        self._type = discriminator
        """It is the same in all messages of a type, and thus no key."""
        self._discriminator = discriminator if len(shapes) > 1 else ()
        self._are_several = len(shapes) > 1
        self._name = name
        self._wanted = wanted
        self._known = config.tables.get(name)
        self._taken = _updated_attributes(config, name)
        queue = config.queues.get(wanted.queue, spec.Queue())
        self._is_fanned_out = queue.match == "all"
        self._messages = [message for shape in shapes for message in shape.messages]
        self._notes: list[str] = []

    def plan(self, choose: Choose) -> TablePlan:
        """Return the table, and how each shape is written."""
        candidates, fields = self._find_key(choose)
        paths = [field.path for field in fields]
        key = MESSAGE_ID
        if fields:
            key = name_key(self._messages, fields, list(self._known.key) if self._known else None)
            for attribute, field in zip(key.paths, fields, strict=True):
                self._notes.append(f"key {attribute}: {'; '.join(field.reasons)}")
        may_meet = bool(fields) and self._are_several and self._discriminator not in paths
        mode = self._wanted.mode or ("update" if may_meet or self._taken else "")
        if mode in ("put", "insert") and self._wanted.version:
            raise UsageError(f"--mode {mode} has no version: leave out --version")
        versions = [self._version_of(shape, key, mode) for shape in self._shapes]
        if mode == "update" and (may_meet or self._taken):
            shared, group = self._share(key, versions)
            table = self._table(candidates, key)
            messages = [project(each, group, shared.members) for each in self._messages]
            return TablePlan(table, shared.types, shared.common, messages)
        types = []
        for shape, version in zip(self._shapes, versions, strict=True):
            chosen = mode or ("newest" if version else "put")
            types.append(map_whole(shape.messages, key, version, chosen))
        self._note_order(fields, versions, types)
        self._note_erased(key, mode)
        return TablePlan(self._table(candidates, key), types)

    def _table(self, candidates: Sequence[KeyCandidate], key: TableKey) -> NewTable:
        return NewTable(self._name, key.types, candidates, tuple(self._notes))

    # The key

    def _find_key(self, choose: Choose) -> tuple[list[KeyCandidate], list[KeyCandidate]]:
        """Return the candidates from which the key was chosen, if it was, and the fields that are
        the key; none if it is the message id.
        """
        if self._wanted.key:
            return [], choose_key(self._messages, self._wanted.key)
        if self._known:
            fields = [field_of(self._messages, each, self._name) for each in self._known.key]
            return [], choose_key(self._messages, ",".join(fields))
        ranked = rank_keys(self._messages, self._name)
        candidates = [each for each in ranked if each.path != self._type]
        if not candidates:
            self._notes.append(
                "key message_id: no field that all samples have is named like an id or differs in all, so "
                "that each message is an item of its own, by its id in SQS; name a field with --key"
            )
            return [], []
        chosen = choose(candidates, self._name)
        if self._are_events(chosen):
            [kind] = choose_key(self._messages, ".".join(self._discriminator))
            reason = (
                f"each message has a {chosen.name} of its own, and the {kind.name} tells apart what "
                f"two types might call the same (one item for each {chosen.name} instead: --key "
                f"{chosen.name})"
            )
            apart = KeyCandidate(kind.path, kind.type, 0, unique=False, reasons=(reason,))
            return candidates, [chosen, apart]
        if self._wanted.mode != "newest" and not self._wanted.version:
            taken_at = find_reading_time(self._messages, chosen)
            return candidates, [chosen, taken_at] if taken_at else [chosen]
        return candidates, [chosen]

    def _are_events(self, key: KeyCandidate) -> bool:
        """Return whether the key is the id of a message, so that no other is about the same."""
        is_known = len(self._messages) > 1 and key.unique
        return bool(self._discriminator) and is_known and is_id_of_message(key.path)

    # The order

    def _version_of(self, shape: Shape, key: TableKey, mode: str) -> VersionField | None:
        """Return the field that orders the messages of a shape; raises UsageError."""
        if mode in ("put", "insert"):
            return None
        version = self._order(shape.messages, key)
        if mode == "newest" and version is None:
            which = f" of {'.'.join(self._discriminator)} {shape.value}" if shape.value else ""
            raise UsageError(
                f"--mode newest: no field orders the samples{which}: name one with --version"
            )
        return version

    def _order(self, messages: Messages, key: TableKey) -> VersionField | None:
        """Return the field that orders messages: that of `--version`, or one by its name."""
        if not self._wanted.version:
            # Of messages with one id, all are the same.
            if key == MESSAGE_ID:
                return None
            return find_version(messages, [*key.paths.values()], self._messages)
        errors = []
        for part in self._wanted.version.split(","):
            try:
                version = choose_version(messages, part.strip())
            except UsageError as error:
                errors.append(error)
                continue
            if version.path and version.path in key.paths.values():
                raise UsageError(
                    f"--version {part}: it is the key, and messages of one key have the same"
                )
            return version
        raise errors[-1]

    def _share(
        self, key: TableKey, versions: Sequence[VersionField | None]
    ) -> tuple[Shared, Group]:
        """Return how shapes write one item, with notes."""
        common = None
        if self._is_fanned_out and not self._taken:
            # Each type may have another field for it.
            with suppress(UsageError):
                common = self._order(self._messages, key)
        names = [self._wanted.name]
        if self._are_several:
            names = [shape.value for shape in self._shapes]
        group = Group(
            self._shapes,
            prefixes_of(names),
            self._discriminator,
            key,
            [own or common for own in versions],
            common,
            self._taken,
        )
        shared = share(group)
        self._note_sharing(group, shared)
        return shared, group

    # Notes

    def _note_order(
        self,
        fields: Sequence[KeyCandidate],
        versions: Sequence[VersionField | None],
        types: Sequence[Mapped],
    ) -> None:
        repeats = len(self._messages) > 1 and fields and not any(each.unique for each in fields)
        notes: dict[str, list[str]] = {}
        for shape, version, mapped in zip(self._shapes, versions, types, strict=True):
            note = f"mode {mapped.mode}"
            if version:
                note += f" by {version.name}: {version.reason}"
            elif repeats:
                note += f": {_WITHOUT_ORDER[mapped.mode]}"
            notes.setdefault(note, []).append(shape.value)
        for note, values in notes.items():
            self._notes.append(note if len(notes) == 1 else f"{', '.join(values)}: {note}")
        if repeats and any(versions) and all(each.tier == _REPEATED for each in fields):
            self._notes.append(
                "all samples are about one thing: each message replaces its item, but for those that "
                "are older"
            )

    def _note_erased(self, key: TableKey, mode: str) -> None:
        """Say which members a later message of one key erases, since it does not have them."""
        if mode in ("insert", "update") or key == MESSAGE_ID:
            return
        lost = erased_members(self._messages, [*key.paths.values()])
        if lost:
            self._notes.append(
                f"messages of one key have other members: a later one erases {', '.join(sorted(lost))}; if "
                "these are types of messages, give those of each a --queue and a --name of its own, with "
                f"--table {self._name} and --mode update"
            )

    def _note_sharing(self, group: Group, shared: Shared) -> None:
        field = ".".join(group.discriminator)
        if field:
            [path, *_] = group.key.paths.values()
            self._notes.append(
                f"mode update: each {field} sets attributes of its own, so that none erases what "
                f"another stored, in any order (an item for each {field} instead: --key "
                f"{'.'.join(path)},{field})"
            )
        elif self._are_several:
            members = [shape.having for shape in group.shapes if shape.having]
            self._notes.append(
                f"mode update: no message has two of {', '.join(members)}: those with each set attributes "
                "of their own, so that none erases what another stored, in any order (one whole message "
                "instead: --mode newest or put)"
            )
        else:
            self._notes.append(
                "mode update: it sets attributes of its own, so that it erases nothing that another "
                "route stored, in any order"
            )
        self._note_versions(group, shared)
        if shared.common and group.common_version:
            path = group.common_version.path
            members = [name for name in shared.members if (name,) != path]
            self._notes.append(
                f"route {self._wanted.name}-{COMMON} stores what all have, of the latest message by "
                f"{group.common_version.name}: {', '.join(members)}"
            )
        if shared.repeated:
            self._notes.append(
                f"several routes have these, each under a name of its own: {', '.join(shared.repeated)}"
            )

    def _note_versions(self, group: Group, shared: Shared) -> None:
        by = ".".join(group.discriminator) or "kind"
        ordered: dict[str, list[str]] = {}
        unordered = []
        for shape, version, mapped in zip(group.shapes, group.versions, shared.types, strict=True):
            if version:
                ordered.setdefault(version.name, []).append(mapped.version)
            else:
                unordered.append(shape.value)
        for field, attributes in ordered.items():
            note = f"version {attributes[0]}, by {field}"
            if len(attributes) > 1:
                note = f"versions, of each {by} its own, by {field}: {', '.join(attributes)}"
            self._notes.append(note)
        if unordered:
            which = f" of {', '.join(unordered)}" if any(unordered) else ""
            self._notes.append(
                f"no field orders messages{which}: of several for one key the last received counts; "
                f"{_NAME_VERSION}"
            )


_REPEATED = 2
"""The tier of a field that is the same in all samples."""
_NAME_VERSION = f"name one with --version; --version {SENT_AT} is the time at which each was sent"
_WITHOUT_ORDER = {
    "put": "the last message of a key replaces the item, as no field orders them; " + _NAME_VERSION,
    "insert": "the first message of a key stays",
    "update": "the last message of a key sets its attributes, as no field orders them; "
    + _NAME_VERSION,
}


def _updated_attributes(config: spec.Config, table: str) -> frozenset[str]:
    """Return the attributes that routes of a config set by `update` in a table."""
    found = frozenset[str]()
    for route in config.routes.values():
        if route.table == table and route.write.mode == "update":
            found = found.union(route.item or ())
    return found


def field_of(messages: Messages, attribute: str, table: str) -> str:
    """Return the field for a key attribute of a table that exists: by its name, or by the names of
    its path.
    """
    for path in sorted(paths_of(messages), key=len):
        dotted = ".".join(path)
        if attribute in (dotted, snake_case("_".join(path))):
            return dotted
    raise UsageError(
        f"table '{table}' has the key attribute '{attribute}', and no sample has it: give --key"
    )
