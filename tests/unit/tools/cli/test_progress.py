"""Progress where standard error is not a terminal."""

import pytest

from router.tools.cli.terminal import progress_bar


def test_lines_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in a while, in megabytes for bytes; none of what is over before."""
    with progress_bar("reading a", 10) as report:
        report(5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("router.tools.cli.terminal.LINE_SECONDS", 0)
    with progress_bar("reading a", 10) as report:
        report(5)
        report(12)
    with progress_bar("reading [b]", 3_500_000, of_bytes=True) as report:
        report(1_200_000)
    with progress_bar("receiving", None) as report:
        report(7)
    assert capsys.readouterr().err.splitlines() == [
        "reading a: 5 of 10, 0 s",
        "reading a: 12 of 12, 0 s",
        "reading [b]: 1.2 MB of 3.5 MB, 0 s",
        "receiving: 7, 0 s",
    ]
