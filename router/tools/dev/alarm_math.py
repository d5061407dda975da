"""Alarms by metric math on the embedded AWS, which evaluates no alarm, and refuses to create these.

ministack imports what creates the resources of a stack with the first stack, which takes a second:
the change waits for that.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

Change = Callable[[ModuleType], None]
"""Changes a module, or executes it."""
PROVISIONERS = "ministack.services.cloudformation.provisioners"
_RECORD = "_cw_metric_alarm_record"
_QUERY = {"Namespace": "MessageRouter", "MetricName": "query"}
"""What stands for an alarm that has only queries."""


def accept_metric_math(provisioners: Any) -> None:
    """Make ministack create an alarm of several metrics as one of the first of them.

    A version of ministack that creates alarms in another way is left alone.
    """
    record: Callable[[str, Mapping[str, Any]], Any] | None = getattr(provisioners, _RECORD, None)
    if record is None:
        return

    def record_of_first(name: str, properties: Mapping[str, Any]) -> Any:
        metrics = properties.get("Metrics") or ()
        stats = [each["MetricStat"] for each in metrics if "MetricStat" in each]
        if metrics:
            first = {**stats[0]["Metric"], "Period": stats[0]["Period"]} if stats else _QUERY
            properties = {**properties, **first, "Metrics": None}
        return record(name, properties)

    setattr(provisioners, _RECORD, record_of_first)


def after_import(name: str, change: Change) -> None:
    """Change a module once it is imported."""
    sys.meta_path.insert(0, _LaterFinder(name, change))


class _LaterFinder(MetaPathFinder):
    def __init__(self, name: str, change: Change) -> None:
        self._name = name
        self._change = change

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            vars(spec.loader)["exec_module"] = self._changing(spec.loader.exec_module)
        return spec

    def _changing(self, execute: Change) -> Change:
        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            self._change(module)

        return execute_and_change
