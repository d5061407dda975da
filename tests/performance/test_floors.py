"""The table of floors: what is below, what was not measured, and that the page shows both."""

import page
import pytest
from environment import BenchmarkError
from figures import Figures, Key
from floors import FLOORS, NODE, Floor


def figures_of(suite: str, factor: float, left_out: str = "") -> Figures:
    """Figures of a suite, each so many times its floor."""
    figures = Figures()
    for floor in FLOORS:
        if floor.suite == suite and floor.peer != left_out:
            figures.values[Key(floor.case, floor.peer)] = [1.0]
            figures.values[Key(floor.case, floor.program)] = [floor.limit * factor]
    return figures


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "ok"), (1.1, "BELOW")])
def test_a_ratio_is_judged(factor: float, verdict: str) -> None:
    """What costs more than its floor is below it."""
    rows = figures_of("latency", factor).rows(["latency"])

    assert [(row.below, row.cells[-1]) for row in rows] == [(verdict == "BELOW", verdict)] * 3


def test_what_cannot_be_measured_is_named_and_not_below() -> None:
    """In the table and on the page, with the reason."""
    figures = figures_of("drain", 0.9, left_out=NODE)
    figures.missing[NODE] = "it needs node and npm"
    rows = figures.rows(["drain"])

    assert [row.cells[-1] for row in rows] == ["ok", "not measured"]
    assert not any(row.below for row in rows)
    assert "- Node, sqs-consumer, ajv: it needs node and npm." in page.render(figures, rows)


def test_a_figure_that_is_missing_for_no_reason_is_an_error() -> None:
    """A row is never left out by a mistake in a name."""
    with pytest.raises(BenchmarkError, match="nothing was measured for a queue emptied, 8 ms a call: router to Node"):
        figures_of("drain", 0.9, left_out=NODE).rows(["drain"])


def test_floors_are_ratios_in_words() -> None:
    """With the usual names of the programs."""
    floor = Floor("handlers", "1,000 small", "router", "batch_writer", 1 / 18)

    assert floor.ratio_of == "router to jsonschema, batch_writer"
