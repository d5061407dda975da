"""What a config names, which is no value of a message."""

import os
from pathlib import Path

from router.tools.check.analysis.config_names import names_of
from tests.support.program import load

CONFIG = """
version: 1
queues: {q: {dead_letter: dlq, redact: [a.b, {meta: attribute.mail}]}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things, item: {id: id, from: {meta: attribute.trace}, at: {meta: sent_at}}}}
"""


def test_message_attributes(tmp_path: Path) -> None:
    """Those that an item has, and those that are redacted; no other metadata."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    loaded = load(tmp_path / "routes.yaml", {**os.environ, "ROUTER_REDACT_KEY": "k" * 16})

    found = names_of(loaded, loaded.require(), ["q"])

    assert found.names == {"a", "b", "mail", "id", "from", "trace", "at"}


WHOLE = """
version: 1
queues: {q: {dead_letter: dlq}}
tables: {things: {key: {id: S}, ttl: until}}
routes:
  r:
    queue: q
    table: things
    schema:
      properties: {kind: {enum: [order, {part: [wheel, 7]}]}, size: {maximum: 90, multipleOf: 5}}
    when: kind == `"order"`
    item: {id: id, at: at, until: {ttl: 90d}, total: total, "tags": "tags"}
    merge: extras
    write: {mode: update, version: at, add: [total], append: [], keep_first: [tags]}
"""


def test_all_that_a_route_names(tmp_path: Path) -> None:
    """Attributes, paths, literals, and what the schema says, also inside of lists and objects."""
    (tmp_path / "routes.yaml").write_text(WHOLE)
    loaded = load(tmp_path / "routes.yaml", {})

    found = names_of(loaded, loaded.require(), ["q"])

    names = {"kind", "size", "part", "id", "at", "until", "total", "tags", "extras"}
    assert (found.names, found.constants, found.numbers, found.factors) == (
        names,
        {"order", "wheel"},
        {7, 90},
        {5},
    )
