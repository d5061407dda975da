"""The trial of samples on tables in memory."""

from pathlib import Path
from typing import Any

import pytest

from router.tools.dev.new.files import make_files, write_files
from router.tools.dev.new.plan import plan_routes
from router.tools.dev.new.samples import SampleSet
from router.tools.dev.new.tables import Wanted
from router.tools.dev.new.trial import losses_of
from tests.support.memory import write_together
from tests.support.program import load_program


def test_each_sample_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written once, and the number of samples is reported."""
    messages: list[dict[str, Any]] = [{"order_id": f"o-{number}", "total": number} for number in range(3)]
    wanted = Wanted("orders", "orders", "orders")
    plan = plan_routes(SampleSet(tuple(messages)), wanted, None, lambda candidates, table: candidates[0])
    config = tmp_path / "routes.yaml"
    write_files(make_files(plan, config, masked=False))
    program = load_program(config, {})
    reported: list[int] = []
    writes = []

    def count(*given: Any) -> Any:
        writes.append(given)
        return write_together(*given)

    monkeypatch.setattr("router.tools.memory.pairs.write_together", count)

    assert losses_of(program, plan.routes, reported.append) == []

    assert (reported, len(writes)) == ([1, 2, 3], 3)
