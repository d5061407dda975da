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
