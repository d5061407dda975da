"""The embedded AWS creates alarms by metric math, of which it would refuse the stack."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from router.tools.dev.alarm_math import accept_metric_math, after_import

STAT: dict[str, Any] = {
    "Metric": {"Namespace": "AWS/SQS", "MetricName": "m", "Dimensions": []},
    "Period": 300,
    "Stat": "Sum",
}


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ({"MetricName": "n"}, {"MetricName": "n"}),
        (
            {"Threshold": 1, "Metrics": [{"Id": "result", "Expression": "a"}, {"Id": "a", "MetricStat": STAT}]},
            {**STAT["Metric"], "Threshold": 1, "Period": 300, "Metrics": None},
        ),
        (
            {"Metrics": [{"Id": "a", "Expression": "SELECT 1"}]},
            {"Namespace": "MessageRouter", "MetricName": "query", "Metrics": None},
        ),
    ],
)
def test_what_is_recorded(given: Any, recorded: Any) -> None:
    """The first of several metrics; an alarm of one is left alone."""
    provisioners = SimpleNamespace(_cw_metric_alarm_record=lambda name, properties: (name, properties))

    accept_metric_math(provisioners)

    assert provisioners._cw_metric_alarm_record("alarm", given) == ("alarm", recorded)


def test_another_version() -> None:
    """One without that function is left alone."""
    provisioners = SimpleNamespace()

    accept_metric_math(provisioners)

    assert vars(provisioners) == {}


@pytest.mark.parametrize("name", ["changed_later", "absent_later"])
def test_a_module_that_is_imported_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is changed when it is imported, and no other is; one that is not there is not found."""
    (tmp_path / "changed_later.py").write_text("VALUE = 1\n")
    (tmp_path / "another_later.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    changed: list[Any] = []
    finders = len(sys.meta_path)

    after_import(name, changed.append)
    for each in ("another_later", name):
        monkeypatch.delitem(sys.modules, each, raising=False)
        try:
            __import__(each)
        except ModuleNotFoundError:
            assert each == "absent_later"

    assert [module.VALUE for module in changed] == ([1] if name == "changed_later" else [])
    assert len(sys.meta_path) == finders
