"""What the command line says where it cannot start."""

import sys

import pytest

from router.tools.cli import main


def test_windows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where it runs, before it imports what Windows does not have."""
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(SystemExit) as caught:
        main()

    sentence = "it runs on Linux and macOS; on Windows, use the Windows Subsystem for Linux"
    assert (caught.value.code, capsys.readouterr().err) == (2, f"router: {sentence}\n")
