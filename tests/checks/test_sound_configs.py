"""No false alarms: all rules together on sound configs, of which many have schemas that others have published."""

from pathlib import Path

import pytest

from tests.support.check import check

HERE = Path(__file__).parent
CONFIGS = sorted(str(file.relative_to(HERE)) for file in [*HERE.glob("corpus/*.yaml"), *HERE.glob("RT*/good.yaml")])


@pytest.mark.parametrize("name", CONFIGS)
def test_a_sound_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no findings, except of the severity info."""
    file = HERE / name
    monkeypatch.chdir(file.parent)

    found = check(Path(file.name), {"ROUTER_REDACT_KEY": "k" * 32})

    assert [str(finding) for finding in found if finding.code.severity != "info"] == []


def test_there_are_enough() -> None:
    """The corpus has at least 30 configs with published schemas."""
    assert len(list(HERE.glob("corpus/*.yaml"))) >= 30
