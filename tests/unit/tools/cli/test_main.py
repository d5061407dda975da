"""What the command line says where it cannot start."""

import sys
from typing import Any

import pytest

from router.tools.cli import main


@pytest.mark.parametrize("where", ["router.tools.cli.import_libraries", "router.tools.cli.app.app"])
def test_interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str) -> None:
    """Ctrl-C is one line, while it imports and outside of a command, too."""

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
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
