"""`router new` from events of several kinds about one thing: what one route stored no other erases."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.dev import META
from tests.support.memory import PairMessage, run_pair
from tests.support.program import load_program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Samples = Callable[[Sequence[Any]], str]

PLACED = [
    {"type": "placed", "order_id": f"o-{n}", "at": f"2026-01-02T03:04:{n:02}Z", "lines": [{"sku": "s", "count": n}]}
    for n in range(30)
]
PAID = [{"type": "paid", "order_id": f"o-{n}", "at": f"2026-01-02T03:05:{n:02}Z", "amount": n + 0.5} for n in range(30)]


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Write messages as JSON lines."""

    def write(messages: Sequence[Any]) -> str:
        (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
        return "samples.jsonl"

    return write


def stored(folder: Path, first: Any, second: Any) -> list[dict[str, Any]]:
    """The item that two messages make, the first received first, and the first received last."""
    program = load_program(folder / "routes.yaml", {})
    one, other = (PairMessage("orders", json.dumps(each), system=META) for each in (first, second))
    run = run_pair(program, one, other)
    found = []
    for order in (run.first_then_second, run.second_then_first):
        [item] = order.after.values()
        found.append(item)
    return found


def test_events_of_one_order(router: Run, samples: Samples, tmp_path: Path) -> None:
    """An item has what each kind of event says, in whatever order the events are received."""
    done = router("new", samples([*PLACED, *PAID]), "--queue", "orders", "--yes")

    assert done.returncode == 0, done.stderr
    in_order, reversed_ = stored(tmp_path, PLACED[3], PAID[3])
    assert in_order == reversed_
    assert (in_order["lines"]["L"][0]["M"]["count"], in_order["amount"]) == ({"N": "3"}, {"N": "3.5"})
