"""No false alarms: sound configs over schemas that others have published."""

from pathlib import Path

import pytest

from router.check.run import check

HERE = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", sorted(file.stem for file in HERE.glob("*.yaml")))
def test_a_sound_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing worse than a remark is found in it."""
    monkeypatch.chdir(HERE)

    found = check(Path(f"{name}.yaml"), {})

    assert [str(finding) for finding in found if finding.code.severity != "info"] == []


def test_there_are_enough() -> None:
    """A corpus of a few would show little."""
    assert len(list(HERE.glob("*.yaml"))) >= 30
