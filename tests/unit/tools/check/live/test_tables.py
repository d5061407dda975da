"""Tests of router.tools.check.live.tables."""

from decimal import Decimal
from typing import Any

import pytest

from router.tools.check.live.tables import check_indexes, known_types
from tests.support.aws import DeployedIndex, DeployedTable, DeployedTtl
from tests.support.config import Attribute
from tests.support.sources import TtlAfter

ATTRIBUTE: Any = Attribute
"""Its fields come from the modules of the sources."""
CONFIG = """\
tables:
  items: {key: {id: S}}
routes:
  r: {queue: q, table: items, item: {id: id, g: {value: 1}, h: {template: "x{id}"}}}
"""
INDEXES = (
    DeployedIndex("by_g", (("g", "S"), ("id", "N"))),
    DeployedIndex("by_h", (("h", "S"), ("other", "S"))),
)
TABLE = DeployedTable("arn", "ACTIVE", (("id", "S"),), DeployedTtl("DISABLED"), indexes=INDEXES)


def test_types_of_index_keys(deploy: Any, output: Any) -> None:
    """An attribute that is stored otherwise than an index has it; the table's own key is not meant."""
    assert output(check_indexes, deploy(CONFIG, tables={"items": TABLE})) == [
        ("RT707", "'g' is stored as N, but is S in the key of index 'by_g'")
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [(", g: {value: 1}", ""), (CONFIG[CONFIG.index(", item:") : -2], ""), ("}}}", "}}, write: {mode: delete}}")],
    ids=["not mapped", "no item", "delete"],
)
def test_nothing_is_known(deploy: Any, output: Any, old: str, new: str) -> None:
    """Where the config does not say what is stored, nothing is found."""
    assert output(check_indexes, deploy(CONFIG.replace(old, new), tables={"items": TABLE})) == []


@pytest.mark.parametrize(
    ("attribute", "types"),
    [
        (ATTRIBUTE(from_="a"), set()),
        (ATTRIBUTE(from_="a", missing="null"), {"NULL"}),
        (ATTRIBUTE(from_="a", type="N"), {"N"}),
        (ATTRIBUTE(from_="a", type="json", missing="null"), {"S", "NULL"}),
        (ATTRIBUTE(template="{a}"), {"S"}),
        (ATTRIBUTE(hash=("a",)), {"S"}),
        (ATTRIBUTE(ttl="90d"), {"N"}),
        (ATTRIBUTE(ttl=TtlAfter(from_="a", after="90d")), {"N"}),
        (ATTRIBUTE(meta="sent_at"), {"S"}),
        (ATTRIBUTE(meta="attribute.kind"), set()),
        (ATTRIBUTE(template="{a}", transform=({"parse": []},)), set()),
        (ATTRIBUTE(value=None), set()),
        (ATTRIBUTE(value=True), {"BOOL"}),
        (ATTRIBUTE(value="a"), {"S"}),
        (ATTRIBUTE(value=Decimal("1.5")), {"N"}),
        (ATTRIBUTE(value=[1]), {"L"}),
        (ATTRIBUTE(value={}), {"M"}),
    ],
)
def test_known_types(attribute: Attribute, types: set[str]) -> None:
    """What the config alone says of the type of an attribute."""
    assert known_types(attribute) == types
