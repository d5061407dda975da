"""`router new --plugin` as a user starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIG = """\
# what is stored
version: 1
queues: {things: {dead_letter: things-dlq}}
tables: {things: {key: {id: S}}}
routes:
  things:
    queue: things
    table: things
    options: {labels: {label: old}}
    tests: [{message: {id: a}, item: {id: a, label: old}}]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "routes.yaml").write_text(CONFIG)
    return tmp_path / "routes.yaml"


def test_a_plugin(router: Run, config: Path) -> None:
    """It runs for the routes whose options say so, and its own test passes."""
    done = router("new", "--plugin", "labels", "--yes")

    assert (done.returncode, done.stdout.splitlines()[:3], done.stderr) == (
        0,
        ["edit  routes.yaml", "new   plugins/labels.py", "new   tests/test_labels.py"],
        "",
    )
    assert config.read_text() == CONFIG + "plugins: [plugins/labels.py]\n"
    assert router("test").stdout == "pass  things: test 1\n1 passed, 0 failed\n"
    assert router("check").returncode == 0
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=config.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))},
        capture_output=True,
        text=True,
    )
    assert (tested.returncode, "2 passed" in tested.stdout) == (0, True), tested.stdout


def test_a_second_plugin(router: Run, config: Path) -> None:
    """It is the last one of the list; as JSON, the files are listed."""
    config.write_text(CONFIG.replace("    options: {labels: {label: old}}\n", ""))
    router("new", "--plugin", "first", "--yes")

    done = router("new", "--plugin", "labels", "--yes", "--json")

    made = ["routes.yaml", "plugins/labels.py", "tests/test_labels.py"]
    listed = [{"path": path, "new": path != "routes.yaml"} for path in made]
    assert json.loads(done.stdout) == {"plugin": "labels", "files": listed}
    assert config.read_text().endswith("plugins: [plugins/first.py, plugins/labels.py]\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--plugin", "My-Plugin"], "'My-Plugin' is no name of a plugin: lower-case letters, digits and '_'"),
        (["--plugin", "there"], "plugins/there.py exists already; give another name"),
        (["--plugin", "labels", "-c", "none.yaml"], "there is no none.yaml; make one first: router new SAMPLE"),
        (["--plugin", "labels"], "standard input is not a terminal"),
        (["--plugin", "labels", "--json"], "--json does not ask: give --yes, too"),
        (["--plugin", "labels", "sample.json"], "give a SAMPLE, or --plugin NAME"),
        ([], "give a SAMPLE, or --plugin NAME"),
        (["--plugin", "labels", "-c", "anchors.yaml", "--yes"], "cannot add to anchors.yaml"),
        (["--plugin", "labels", "-c", "bad.yaml", "--yes"], "nothing was written, since the config has errors"),
    ],
)
def test_what_cannot_be(router: Run, config: Path, words: list[str], sentence: str) -> None:
    """Nothing is written."""
    folder = config.parent
    (folder / "plugins").mkdir()
    (folder / "plugins/there.py").write_text("")
    (folder / "anchors.yaml").write_text(CONFIG + "x-plugins: &p [plugins/there.py]\nplugins: *p\n")
    (folder / "bad.yaml").write_text(CONFIG.replace("table: things", "table: none"))
    before = {path: path.read_text() for path in folder.rglob("*.*")}

    done = router("new", *words)

    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert {path: path.read_text() for path in folder.rglob("*.*")} == before
    assert not (folder / "tests").exists()
