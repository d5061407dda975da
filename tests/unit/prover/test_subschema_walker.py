"""What is known of the values at a path, level by level."""

from pathlib import Path

from router.model import Place
from router.prover.subschema_walker import Every, Own, SubschemaWalker
from tests.support.config import Findings
from tests.support.program import Location, SchemaStore, Validation

MANY = 1500
"""More levels than are kept."""


def linked_schema() -> Validation:
    """A schema of several parts."""
    store = SchemaStore(Path("/nowhere"))
    schema = {"allOf": [{"patternProperties": {f"{digit}$": {"maxLength": digit}}} for digit in range(10)]}
    store.compile(schema, Findings(lambda path, key: Place("x")), ("schema",))
    linked = store.linked(schema, ("schema",))
    assert linked
    return linked


def test_many_levels() -> None:
    """A level is what it is, whether it was kept, was dropped since, or is new."""
    linked = linked_schema()
    root = Location(linked.root, (), linked.root.content)
    kept = SubschemaWalker(linked.locations)

    found = [kept.parts(kept.below(root, f"name {number}")) for number in [*range(MANY), *range(MANY)]]

    new = [SubschemaWalker(linked.locations) for _ in range(MANY)]
    assert found == [each.parts(each.below(root, f"name {number}")) for number, each in enumerate(new)] * 2


def test_many_levels_together() -> None:
    """The same parts are the same level together, also after it was dropped."""
    linked = linked_schema()
    levels = SubschemaWalker(linked.locations)
    parts = [(Own(Location(linked.root, (), linked.root.content)),) for _ in range(MANY)]

    found = [levels.together(each) for each in parts + parts]

    assert found == [Every(each) for each in parts + parts]
    assert levels.together(parts[-1]) is found[-1]
