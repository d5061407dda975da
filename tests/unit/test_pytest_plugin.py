"""The plugin for pytest, in separate runs of pytest."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = """\
version: 1
queues: {q: {dead_letter: d}}
tables: {things: {key: {id: S}}}
routes:
  r:
    queue: q
    table: things
    tests:
      - {name: good, message: {id: "${NAME:-a}"}, item: {id: a}}
      - {name: bad, message: {id: a, n: 1}, item: {id: b, n: 1}}
"""
LOADED = """
import sys

def test_what_is_imported(request):
    used = any(".yaml" in argument for argument in request.config.args)
    never = ("boto3", "click") if used else ("boto3", "click", "msgspec", "router")
    assert [name for name in never if name in sys.modules] == []
"""


@pytest.fixture
def run(tmp_path: Path) -> Any:
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "test_own.py").write_text(LOADED)

    def pytest_(*words: str, ini: str = "") -> Any:
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}")
        plain = {
            name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST", "COVERAGE"))
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *words]
        done = subprocess.run(command, cwd=tmp_path, env=plain, capture_output=True, text=True, timeout=200)
        ended = [line for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED", "ERROR"))]
        return done.returncode, [line.partition(" - ")[0] for line in ended], done.stdout + done.stderr

    return pytest_


OWN = "PASSED test_own.py::test_what_is_imported"
GOOD, BAD = "PASSED routes.yaml::r: good", "FAILED routes.yaml::r: bad"


def test_without_a_config(run: Any) -> None:
    """A config that is not named is not read, and nothing of the router is imported."""
    assert run()[:2] == (0, [OWN])


@pytest.mark.parametrize(
    ("words", "ini", "ended"),
    [
        (("routes.yaml",), "", [GOOD, BAD]),
        (("routes.yaml::r: good",), "", [GOOD]),
        (("--router-config", "routes.yaml"), "", [OWN, GOOD, BAD]),
        ((), "router_config = routes.yaml", [OWN, GOOD, BAD]),
        (("test_own.py",), "router_config = routes.yaml", [OWN]),
        (("-k", "good"), "router_config = routes.yaml", [GOOD]),
        (("-p", "no:router"), "", [OWN]),
    ],
)
def test_what_is_collected(run: Any, words: Any, ini: Any, ended: Any) -> None:
    """Tests of named configs run: as an argument, by the option, in the ini file."""
    assert sorted(run(*words, ini=ini)[1]) == sorted(ended)


def test_stored_items_and_several_messages(run: Any, tmp_path: Path) -> None:
    """A test that starts from stored items shows what differs in the outcomes and in the table."""
    test = (
        "      - name: state\n        given: {things: [{id: a, n: 1}]}\n        messages:\n"
        "          - {message: {id: a, n: 2}}\n          - {message: {id: b}, outcome: stale}\n"
        "        table: [{id: a, n: 1}, {id: b}]\n"
    )
    (tmp_path / "routes.yaml").write_text(CONFIG + test)

    _, ended, printed = run("routes.yaml", "-k", "state")

    assert ended == ["FAILED routes.yaml::r: state"]
    assert 'messages[1].outcome  "stale"   "written"\ntable[a].n           1         2\n' in printed


def test_a_failure(run: Any) -> None:
    """A failure shows the differences and the place in the file, without a traceback."""
    _, _, printed = run("routes.yaml")

    assert 'r: bad\n    expected  found\nid  "b"       "a"\n' in printed
    assert "Traceback" not in printed


def test_a_name_with_a_secret(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report names tests, and has references in place of secrets."""
    monkeypatch.setenv("API_TOKEN", "correct horse")
    text = CONFIG.replace("name: bad", 'name: "bad ${API_TOKEN}"')
    (tmp_path / "routes.yaml").write_text(text)

    _, ended, printed = run("routes.yaml")

    assert ended == [GOOD, BAD + " ${API_TOKEN}"]
    assert "correct" not in printed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("version: 1\n", "RT102"), (None, "router_config: there is no file")],
)
def test_a_faulty_config(run: Any, tmp_path: Path, text: Any, sentence: Any) -> None:
    """Findings are an error of collection; a missing file is an error of usage."""
    if text:
        (tmp_path / "other.yaml").write_text(text)

    code, _, printed = run("--router-config", "other.yaml")

    assert (code in (2, 4), sentence in printed, "Traceback" in printed) == (True, True, False)


PLUGIN = """\
from router import hookimpl


@hookimpl
def router_transform_item(item):
    return {**item, "n": item["nmae"]}
"""


def test_what_a_plugin_raises(run: Any, tmp_path: Path) -> None:
    """Its traceback begins in the plugin, and ends at its line."""
    (tmp_path / "own.py").write_text(PLUGIN)
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("queues:", "plugins: [own.py]\nqueues:", 1))

    _, _, shown = run("routes.yaml::r: good")

    start = shown.index("Traceback (most recent call last)")
    assert f'\n  File "{tmp_path}/own.py", line 6, in router_transform_item\n' in shown[start:]
    assert ("KeyError: 'nmae'" in shown[start:], "router/runtime" in shown) == (True, False)


def test_a_project_with_a_module_of_that_name(run: Any, tmp_path: Path) -> None:
    """Its tests import its own `router`; a config of this router is refused, and the sentence says what to do."""
    (tmp_path / "router.py").write_text("NAME = 'own'\n")
    (tmp_path / "test_own.py").write_text("import router\n\ndef test_own():\n    assert router.NAME == 'own'\n")

    alone, with_config = run(), run("--router-config", "routes.yaml")

    sentence = f"routes.yaml needs the message router, and 'router' is {tmp_path}/router.py: rename that module"
    assert alone[:2] == (0, ["PASSED test_own.py::test_own"])
    assert (with_config[0], sentence in with_config[2], "_caller.py" in with_config[2]) == (2, True, False)
