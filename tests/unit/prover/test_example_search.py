"""A search for messages ends when its time is up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.model import Place
from router.prover.budget import BudgetSpent, SearchDeadline
from router.prover.example_search import ExampleSearch, Growth
from router.prover.scalars import generate_text
from router.prover.subschema_walker import SubschemaWalker
from router.prover.value_generation import MISSING
from tests.support.config import Findings
from tests.support.program import Location, SchemaStore


def searching(schema: Any, accepts: Callable[[Any], bool] = lambda message: True) -> ExampleSearch:
    store = SchemaStore(Path("/nowhere"))
    store.compile(schema, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked(schema, ("schema",))
    assert linked
    root = Location(linked.root, (), linked.root.content)
    return ExampleSearch(SubschemaWalker(linked.locations), root, accepts, lambda message: None)


def test_no_time() -> None:
    """No message is made."""
    examples = searching({"type": "object"})
    examples.deadline = SearchDeadline(0)

    with pytest.raises(BudgetSpent):
        examples.accepts(("a",), "x")


def test_the_time_is_up() -> None:
    """The message after the one during which it ended is not tried."""
    examples = searching({"type": "object"})

    def wanted(message: Any) -> bool:
        examples.deadline = SearchDeadline(0)
        return False

    with pytest.raises(BudgetSpent):
        examples.find([("a",)], wanted)


def test_other_processes() -> None:
    """While the machine is busy with them, the time of a search is not up."""
    passed, worked = 0.0, 0.0
    deadline = SearchDeadline(1.0, lambda: passed, lambda: worked)

    passed, worked = 5.0, 0.75
    deadline.check()
    passed, worked = 5.25, 1.0
    with pytest.raises(BudgetSpent):
        deadline.check()


def test_no_value_grows() -> None:
    """Neither a likely one, nor that of a message with an element."""
    items = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    examples = searching({"type": "array", "items": items})
    tried = []

    def grow(value: Any) -> Any:
        tried.append(value)
        return iter(())

    found = examples.find_larger((None, "a"), Growth(lambda data: True, grow, lambda data: True))

    assert (found, "x" in tried) == (MISSING, True)


def test_a_pattern_that_is_not_read() -> None:
    """Neither an example nor a shortest text is known, so that the text need not match."""
    assert generate_text([{"pattern": r"^(?i)a\b.$"}], 0) == r"(?i)a\b."
