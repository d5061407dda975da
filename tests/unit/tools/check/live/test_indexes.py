"""Indexes of tables beside those that the config declares."""

from typing import Any

import pytest

from router.tools.check.live.tables import check_indexes, compare_indexes
from tests.support.aws import DeployedIndex, DeployedTable, DeployedTtl

CONFIG = """\
tables:
  items:
    name: live-items
    key: {id: S}
    indexes:
      by_g: {key: {g: S, h: S, at: N}, partition: 2, projection: [total, id]}
      by_at: {key: {at: N}}
  others: {key: {id: S}}
routes:
  r: {queue: q, table: items, item: {id: id, g: {value: 1}}}
  s: {queue: q, table: others, item: {id: id}}
"""
BY_G = DeployedIndex("by_g", (("g", "S"), ("h", "S"), ("at", "N")), 2, "ACTIVE", "INCLUDE", ("total",))
BY_AT = DeployedIndex("by_at", (("at", "N"),), 1, "ACTIVE", "ALL")


def table(*indexes: DeployedIndex) -> DeployedTable:
    return DeployedTable("arn", "ACTIVE", (("id", "S"),), DeployedTtl("DISABLED"), indexes=indexes)


@pytest.mark.parametrize(
    ("indexes", "found"),
    [
        ((BY_G, BY_AT), []),
        ((BY_G,), [("RT708", "table 'live-items' has no index 'by_at'")]),
        (
            (BY_G, BY_AT, DeployedIndex("by_x", (("x", "S"),))),
            [("RT709", "table 'live-items' has the index 'by_x' (x: S)")],
        ),
        (
            (DeployedIndex("by_g", BY_G.key, 1, "ACTIVE", "KEYS_ONLY"), BY_AT),
            [
                ("RT708", "the key of index 'by_g' is g: S; h: S, at: N, not g: S, h: S; at: N"),
                ("RT708", "the projection of index 'by_g' is KEYS_ONLY, not INCLUDE total"),
            ],
        ),
        (
            (BY_G, DeployedIndex("by_at", (("at", "S"),), 1, "CREATING", "ALL")),
            [
                ("RT708", "the key of index 'by_at' is at: S, not at: N"),
                ("RT710", "index 'by_at' is CREATING, not ACTIVE"),
            ],
        ),
    ],
)
def test_indexes(deploy: Any, output: Any, indexes: tuple[DeployedIndex, ...], found: list[tuple[str, str]]) -> None:
    """Missing and others, with another key or projection, not active."""
    assert output(compare_indexes, deploy(CONFIG, tables={"items": table(*indexes)})) == found


def test_tables_that_declare_none(deploy: Any, output: Any) -> None:
    """Their indexes are not compared."""
    seen = {"others": table(DeployedIndex("by_x", (("x", "S"),)))}

    assert output(compare_indexes, deploy(CONFIG, tables=seen)) == []


def test_claims_are_made_of_declared_indexes(deploy: Any, output: Any) -> None:
    """A wrong type is reported once: of an index that the config does not declare, here."""
    given = (BY_G, DeployedIndex("other_g", (("g", "S"),)))

    assert output(check_indexes, deploy(CONFIG, tables={"items": table(*given)})) == [
        ("RT707", "'g' is stored as N, but is S in the key of index 'other_g'")
    ]
