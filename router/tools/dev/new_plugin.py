"""Makes a plugin to start from: a hook with an option, a test of it, and its entry in the config."""

import re
from collections.abc import Mapping
from pathlib import Path

from router.errors import ConfigError, UsageError
from router.runtime.program.load import load
from router.tools.dev.new.files import NewFile, undo, write_files
from router.tools.dev.yaml_edit import CannotUpdate, YamlFile

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLUGIN = '''\
"""Adds `label` to the items of each route whose options say which: `options: {NAME: {label: new}}`."""

from router import Item, Route, hookimpl


@hookimpl
def router_transform_item(item: Item, route: Route) -> Item | None:
    """Add the label; None leaves an item as it is."""
    label = route.options.get("NAME", {}).get("label")
    return None if label is None else {**item, "label": label}
'''
_TEST = '''\
"""The plugin NAME, with the router around it."""

from pathlib import Path

from router.testing import deliver, load_program, record

PLUGIN = Path(__file__).parents[1] / "plugins" / "NAME.py"
CONFIG = """
version: 1
plugins: [NAME.py]
queues: {things: {dead_letter: things-dlq}}
tables: {things: {key: {id: S}}}
routes:
  things:
    queue: things
    table: things
    options: {NAME: OPTIONS}
"""


def written(folder: Path, options: str) -> object:
    """Return the item that the plugin makes of one message, with its options as YAML."""
    (folder / "NAME.py").write_bytes(PLUGIN.read_bytes())
    (folder / "routes.yaml").write_text(CONFIG.replace("OPTIONS", options))
    program = load_program(folder / "routes.yaml", {})

    run = deliver(program, "things", [record({"id": "1"})])

    assert [outcome.kind for outcome in run.outcomes] == ["written"]
    return run.tables.items("things")[0]


def test_a_label(tmp_path: Path) -> None:
    """The option is added to the item."""
    assert written(tmp_path, "{label: new}") == {"id": "1", "label": "new"}


def test_no_label(tmp_path: Path) -> None:
    """Without the option the item stays as it is."""
    assert written(tmp_path, "{}") == {"id": "1"}
'''


def plan_plugin(name: str, config: Path) -> list[NewFile]:
    """Return the files of a new plugin: itself, its test and the config with it; raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is no name of a plugin: lower-case letters, digits and '_', with a letter first"
        )
    if not config.exists():
        raise UsageError(f"there is no {config}; make one first: router new SAMPLE")
    folder = config.parent
    entry = f"plugins/{name}.py"
    made = {folder / entry: _PLUGIN, folder / f"tests/test_{name}.py": _TEST}
    for path in made:
        if path.exists():
            raise UsageError(f"{path} exists already; give another name")
    return [
        _registered(config, entry),
        *(NewFile(path, text.replace("NAME", name).encode()) for path, text in made.items()),
    ]


def _registered(config: Path, entry: str) -> NewFile:
    """Return the config with an entry of `plugins`, the last one."""
    file = YamlFile(config)
    before = file.content
    data = file.data(())
    known = data.get("plugins", [])
    try:
        if known:
            file.change(("plugins",), [*known, entry])
        else:
            file.change((), {**data, "plugins": [entry]})
    except CannotUpdate as error:
        raise UsageError(f"cannot add to {config}: {error}") from None
    return NewFile(config, file.content, before)


def write_plugin(files: list[NewFile], config: Path, env: Mapping[str, str]) -> None:
    """Write the files of a plugin; raises UsageError if the config does not load with it, and leaves all as it was."""
    made = write_files(files)
    try:
        load(config, env, "warning").require()
    except ConfigError as error:
        undo(files, made)
        raise UsageError(f"nothing was written, since the config has errors:\n{error}") from None
