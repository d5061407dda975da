"""The registry of write modes, and what must be true of each of them."""

from pathlib import Path
from typing import Any

import pytest

import router
from router.model import Message, Table
from router.runtime.modes import DEFAULT, MODES, names_taking
from tests.support.config import spec
from tests.support.engine import Mode, Setting, Write, WriteConfig

THINGS = Table("things", (("id", "S"),))
ITEM = {"id": "a", "v": 1, "x": "y"}
DOCS = Path(router.__file__).parents[1] / "docs" / "writes.md"
CASES = [
    (mode, versioned)
    for mode in MODES.values()
    for versioned in (False, True)
    if ("version" in mode.settings or not versioned) and (versioned or "version" not in mode.required)
]


def write_of(mode: Mode, versioned: bool) -> Write:
    """The write of an item, with a version or without."""
    config = WriteConfig("r", THINGS, mode, "v" if versioned else "")
    return mode.plan(config, dict(ITEM), Message({}, "m"), 0)


def test_each_module_is_a_mode() -> None:
    """A mode has the name of its module; the default is the first."""
    modules = {path.stem for path in (Path(router.__file__).parent / "runtime" / "modes").glob("*.py")} - {"__init__"}

    assert (set(MODES), next(iter(MODES)), {name: mode.name for name, mode in MODES.items()}) == (
        modules,
        DEFAULT,
        {name: name for name in modules},
    )


@pytest.mark.parametrize("mode", MODES.values(), ids=str)
def test_settings(mode: Mode) -> None:
    """A mode requires and repeats only settings that it takes, and takes only those of the config."""
    fields: set[Any] = set(spec.WriteSettings.__struct_fields__) - {"mode"}

    assert (mode.required | mode.repeats) <= mode.settings <= fields


@pytest.mark.parametrize(("mode", "versioned"), CASES, ids=str)
def test_a_plain_write_is_batched(mode: Mode, versioned: bool) -> None:
    """A mode announces exactly the writes that it plans without condition and update expression."""
    write = write_of(mode, versioned)

    assert (write.call is None, write.version is not None, write.mode) == (mode.is_batched(versioned), versioned, mode)


@pytest.mark.parametrize(("mode", "versioned"), CASES, ids=str)
def test_a_request_has_the_payload_of_its_operation(mode: Mode, versioned: bool) -> None:
    """In a call by itself and, where the mode allows it, in a batch."""
    write = write_of(mode, versioned)

    name, parameters = write.action()

    payload = mode.operation.payload
    key = {"id": {"S": "a"}}
    expected = {**key, "v": {"N": "1"}, "x": {"S": "y"}} if mode.stores == "item" else key
    assert (name, parameters["TableName"], parameters[payload]) == (mode.operation.name, "things", expected)
    if mode.is_batched(versioned):
        assert write.batch_request() == {f"{name}Request": {payload: expected}}


@pytest.mark.parametrize(("mode", "versioned"), CASES, ids=str)
def test_permissions(mode: Mode, versioned: bool) -> None:
    """The IAM action is that of the call that carries the write; a transaction needs those of its parts."""
    write = write_of(mode, versioned)
    own = f"dynamodb:{write.action()[0]}Item"

    actions = [mode.permission(versioned=versioned, atomic=atomic) for atomic in (False, True)]

    assert actions == ["dynamodb:BatchWriteItem" if write.call is None else own, own]


@pytest.mark.parametrize("mode", MODES.values(), ids=str)
def test_docs(mode: Mode) -> None:
    """The page about writes describes the mode wherever it describes each of them."""
    text = DOCS.read_text(encoding="utf-8")
    sections = {title: rest for title, _, rest in (part.partition("\n") for part in text.split("\n## "))}
    name = f"`{mode.name}`, the default" if mode.name == DEFAULT else f"`{mode.name}`"

    parts = [
        f"\n## {mode.name}\n",
        f"\n| {name} | {mode.summary} |",
        f"\n| `{mode.name}` | {mode.when_duplicate} | {mode.when_late} |\n",
    ]
    assert [part for part in parts if part not in text] == []
    needs = {mode.permission(versioned=versioned, atomic=False) for each, versioned in CASES if each is mode}
    assert [name for name in (f"`{mode.name}`", *needs) if name not in sections["Permissions"]] == []
    assert mode.name in sections["Several messages for one item in a batch"]


@pytest.mark.parametrize("setting", ["add", "append", "keep_first", "once"])
def test_a_setting_names_its_modes(setting: Setting) -> None:
    """In the description that the published schema has."""
    assert names_taking(setting) == "`update`"
