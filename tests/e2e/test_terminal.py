"""Messages, names and files cannot control the terminal of who runs the commands, nor forge lines."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

# A colour, a window title, a C1 control, a bidirectional override, and a forged line.
HOSTILE = "\x1b[41m\x1b]0;x\x07\x9b2J\u202e\n::error::forged\r"
CONFIG = {
    "version": 1,
    "queues": {"q": {"dead_letter": "letters"}},
    "tables": {"items": {"key": {"id": "S"}}},
    "routes": {
        "r": {
            "queue": "q",
            "table": "items",
            "when": f"id != 'x{HOSTILE}'",
            "tests": [
                {
                    "name": f"n{HOSTILE}",
                    "message": {"id": f"i{HOSTILE}", f"a{HOSTILE}": [HOSTILE]},
                    "item_contains": {"id": "other"},
                }
            ],
        }
    },
}
# Of the program itself: colours, which nothing else may print.
OWN = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config whose names and test values are hostile; JSON is YAML."""
    file = tmp_path / "routes.yaml"
    file.write_text(json.dumps(CONFIG))
    return file


def unsafe(shown: str) -> set[str]:
    return {char for char in shown if not char.isprintable() and char != "\n"}


@pytest.mark.parametrize(
    "words",
    [
        ("test",),
        ("test", "--json"),
        ("test", "--update"),
        ("demo",),
        ("explain", "--queue", "q", "-"),
        ("explain", "--queue", "q", "--json", "-"),
    ],
    ids=" ".join,
)
def test_values_and_names(router: Run, config: Path, words: tuple[str, ...]) -> None:
    """The commands that show messages, items and names of a config show them as text."""
    message = json.dumps({"id": HOSTILE, HOSTILE: HOSTILE})

    done = router(*words, input=message)

    lines = (done.stdout + done.stderr).splitlines()
    assert (unsafe(done.stdout + done.stderr), [line for line in lines if line.lstrip().startswith("::")]) == (
        set(),
        [],
    )
    assert re.search(r"\\(x9b|u009b)2J\\u202e\\n::error::forged\\r", done.stdout + done.stderr)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_findings(router: Run, config: Path, form: str) -> None:
    """A finding shows names of the config as text in each format, and is one line or one JSON string."""
    item = {f"a{HOSTILE}": {"from": "b", "transform": f"none{HOSTILE}"}, f"id{HOSTILE}": {"meta": f"x{HOSTILE}"}}
    route = {"queue": "q", "table": f"none{HOSTILE}", f"key{HOSTILE}": 1}
    routes = {"r": {"queue": "q", "table": "items", "item": item}, f"r{HOSTILE}": route}
    config.write_text(json.dumps({**CONFIG, "routes": routes}))

    done = router("check", "--format", form)

    assert (done.returncode, unsafe(done.stdout + done.stderr)) == (1, set())
    if form in ("text", "github"):
        start = "::error " if form == "github" else "routes.yaml:"
        assert [line for line in done.stdout.splitlines() if not line.startswith((start, "::warning "))] == []
    else:
        assert "forged" in json.dumps(json.loads(done.stdout))


@pytest.mark.parametrize("words", [("check",), ("test",)], ids=" ".join)
def test_on_a_terminal(config: Path, words: tuple[str, ...]) -> None:
    """On a terminal only the program sets colours."""
    if words == ("check",):
        config.write_text(json.dumps({**CONFIG, "plugins": [f"{HOSTILE}.py"]}))
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm"}
    command = [sys.executable, "-m", "router", *words]
    with subprocess.Popen(command, cwd=config.parent, stdout=theirs, stderr=theirs, env=env):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the other side is closed
            pass
    os.close(ours)

    text = shown.decode().replace("\r\n", "\n")

    assert (unsafe(OWN.sub("", text)), "\x1b[41m" in text, "forged" in text) == (set(), False, True)
