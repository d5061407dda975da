"""The package of a worker's config: what its image has beside the router."""

import json
import zipfile
from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.build import pack_config

CONFIG = """\
version: 1
include: flows/*.yaml
plugins: [plugins/one.py, packed_two]
tables: {things: {key: {id: S}}}
"""
PLUGIN = """\
from router import hookimpl


@hookimpl
def router_transform_item(item, message, route):
    return None
"""
ROUTE = "routes: {r: {queue: q, table: things, schema: ../schemas/thing.json}}\n"
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 9}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, a schema, a plugin file with another beside it, and a plugin module."""
    for name, text in {
        "routes.yaml": CONFIG,
        "flows/r.yaml": ROUTE,
        "schemas/thing.json": json.dumps(SCHEMA),
        "plugins/one.py": PLUGIN,
        "plugins/beside.json": "{}",
        "packed_two.py": PLUGIN,
        "other.txt": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_is_packed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The compiled config, schemas and plugins, and neither the router nor what the config does not name."""
    targets = [tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")]

    first, again = (pack_config(folder / "routes.yaml", target, {}) for target in targets)

    with zipfile.ZipFile(first.path) as archive:
        names = sorted(archive.namelist())
    assert (names, first.sha256) == (
        ["packed_two.py", "plugins/beside.json", "plugins/one.py", "routes.compiled.json", "schemas/thing.json"],
        again.sha256,
    )


def test_a_secret(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is not uploaded, unless it is allowed by its name."""
    secret = "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"
    (folder / "plugins/beside.json").write_text(secret)
    target = tmp_path_factory.mktemp("target")

    with pytest.raises(UsageError, match=r"plugins/beside\.json:1: RT790 this looks like a secret"):
        pack_config(folder / "routes.yaml", target, {})

    assert pack_config(folder / "routes.yaml", target, {}, ["plugins/beside.json"]).sha256
