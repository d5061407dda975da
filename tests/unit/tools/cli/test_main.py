"""What the command line says where it cannot start."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.tools.cli import main


def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is one line, outside of a command, too."""

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("router.tools.cli.app.app", interrupt)
    monkeypatch.setattr("gc.disable", lambda: None)

    with pytest.raises(SystemExit) as caught:
        main()

    assert (caught.value.code, capsys.readouterr().err) == (1, "\nAborted!\n")


def test_windows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it runs, before it imports what Windows does not have."""
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(SystemExit) as caught:
        main()

    sentence = "it runs on Linux and macOS; on Windows, use the Windows Subsystem for Linux"
    assert (caught.value.code, capsys.readouterr().err) == (2, f"router: {sentence}\n")


REPOSITORY = Path(__file__).parents[4]
ENDING = """import atexit, os, sys, threading, time
from router.tools.cli import main
atexit.register(os.write, 2, b"at exit")
how = sys.argv.pop()
if how == "traced":
    sys.setprofile(lambda frame, event, given: None)
if how == "threads":
    threading.Thread(target=time.sleep, args=(3,)).start()
try:
    main()
finally:
    os.write(2, b"raised, ")
"""


@pytest.mark.parametrize(("how", "printed"), [("alone", ""), ("traced", "raised, "), ("threads", "raised, ")])
def test_a_check_ends_at_once(tmp_path: Path, how: str, printed: str) -> None:
    """All is printed, the exit code is that of the check, and what is registered for the end runs.

    A profiler has something left to do, and Python waits for threads.
    """
    end = f"\n{printed}at exit"
    file = tmp_path / "routes.yaml"
    file.write_text("version: 1\nroutes: {r: {queue: q, table: t, item: {id: id}}}\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-c", ENDING, "check", str(file), how], capture_output=True, text=True, check=False
    )

    assert (done.returncode, "RT" in done.stdout, done.stderr[-len(end) :]) == (1, True, end)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_what_cannot_be_written_at_the_end_is_an_error() -> None:
    """Python itself says so, by its exit code, too."""
    code = "import atexit; from router.tools.cli import main; atexit.register(print, 'x'); main()"
    command = [sys.executable, "-c", code, "check", str(REPOSITORY / "routes.yaml")]
    env = os.environ | {"PYTHONUNBUFFERED": ""}

    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, "No space left on device" in done.stderr) == (120, True)
