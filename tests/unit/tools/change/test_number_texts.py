"""Texts of numbers that the version of the router that built a stack wrote in another form."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.tools.change.compare import compare_versions
from router.tools.change.versions import open_version
from tests.support.ops import precompile
from tests.unit.tools.change.conftest import config_of

SCHEMA = {
    "type": "object",
    "required": ["id", "n", "text", "list", "words"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 9},
        "n": {"type": "number"},
        "text": {"type": "string"},
        "list": {"type": "array", "items": {"type": "number"}},
        "words": {"type": "array", "items": {"type": "string"}},
    },
}
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", lambda value: value)
"""


def compared(folder: Path, settings: dict[str, Any], *, is_old: bool = True, plugins: Any = ()) -> list[str]:
    """Return the sentences about number texts of a route that did not change, but for the router that built it."""
    route = {"schema": SCHEMA, **settings}
    tables = {"things": {"key": {"id": "S"}}, "seen": {"key": {"id": "S"}}}
    config = config_of({"main": route}, tables=tables, plugins=[*plugins])
    (folder / "own.py").write_text(PLUGIN)
    (folder / "routes.yaml").write_bytes(msgspec.json.encode(config))
    head, _, body = precompile(folder / "routes.yaml", {}).partition(b"\n")
    known = msgspec.json.decode(head)
    if is_old:
        del known["revision"]
    (folder / "old.json").write_bytes(msgspec.json.encode(known) + b"\n" + body)
    with ExitStack() as stack:
        old, new = (open_version(str(folder / name), folder, {}, stack) for name in ("old.json", "routes.yaml"))
        report = compare_versions(old, new)
    return [each.change.sentence for each in report.findings if each.change.code.id == "RT947"]


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({"id": {"from": "n", "transform": "to_text"}}, "key attribute 'id'"),
        ({"x": {"from": "n", "transform": "to_text"}}, "attribute 'x'"),
        ({"x": {"from": "n", "transform": ["to_text", "lower"]}}, "attribute 'x'"),
        ({"x": {"from": "n", "transform": "to_bool"}}, "attribute 'x'"),
        ({"x": {"from": "n", "transform": {"lookup": [{"1": "one"}]}}}, "attribute 'x'"),
        ({"x": {"from": "list", "transform": {"join": "-"}}}, "attribute 'x'"),
        ({"x": "to_string(n)"}, "attribute 'x'"),
        ({"x": "join('-', [text, to_string(list)])"}, "attribute 'x'"),
        ({"x": {"from": "text", "transform": "to_bool"}}, ""),
        ({"x": {"from": "words", "transform": {"join": "-"}}}, ""),
        ({"x": {"from": "n", "type": "S"}}, ""),
        ({"x": {"template": "{n}"}}, ""),
        ({"x": "to_string(text)"}, ""),
        ({"x": {"from": "n", "transform": "shout"}}, ""),
    ],
)
def test_an_attribute(tmp_path: Path, item: dict[str, Any], what: str) -> None:
    """It has another text if a transform or function makes the text, and the value may be a number."""
    found = compared(tmp_path, {"item": {"id": "id", **item}}, plugins=["own.py"])

    old, new = "the deployed version of the router wrote 1.0 as '1.0'", "and this one as '1'"
    assert found == ([f"{what} uses the text of a number: {old}, {new}"] if what else [])


def test_settings_of_a_route(tmp_path: Path) -> None:
    """A condition and an idempotency key can have such a text, too."""
    write = {"mode": "update", "add": ["n"], "once": "seen", "once_key": "to_string(n)"}

    found = compared(tmp_path, {"when": "to_string(n) != '1'", "item": {"id": "id", "n": "n"}, "write": write})

    assert [each.partition(" uses")[0] for each in found] == ["'when'", "'once_key'"]


def test_a_version_of_this_router(tmp_path: Path) -> None:
    """It writes the same texts, and so does a whole message."""
    assert compared(tmp_path, {"item": {"id": "id", "x": "to_string(n)"}}, is_old=False) == []
    assert compared(tmp_path, {"item": None}) == []
