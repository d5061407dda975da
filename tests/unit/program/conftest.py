"""What the tests of compiling share: a config in a folder of its own, and messages sent through what it compiles to."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from router.engine.attributes import decode_item
from router.engine.engine import plan
from router.model import Record
from router.program.load import Loaded, load

SYSTEM: Mapping[str, str] = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "SenderId": "AIDAEXAMPLE",
}


class Flow:
    """A loaded config with a queue `q`, and what becomes of the messages that are put into it."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    @property
    def found(self) -> list[str]:
        """The findings, as they are printed."""
        return [str(finding) for finding in self.loaded.findings]

    @property
    def sentences(self) -> list[str]:
        """The findings without their places: `RTnnn sentence; suggestion`."""
        return [line.partition(": ")[2] for line in self.found]

    def send(self, data: Any = None, *, body: str = "", system: Mapping[str, str] = SYSTEM, **attributes: Any) -> Any:
        """The items that are written; or kind, code, reason and pointer of how the message ends."""
        program = self.loaded.program
        assert program is not None, self.found
        record = Record("m-1", "receipt", body or json.dumps(data), system, attributes)
        ticket = plan(program.engine.queues["q"], record)
        if ticket.outcome is not None:
            outcome = ticket.outcome
            return outcome.kind, outcome.code, outcome.reason, outcome.pointer
        return [decode_item(write.item) for write in ticket.writes]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Flow]:
    """Load a config from text, with an environment, beside a plugin `own.py` if one is given."""
    monkeypatch.chdir(tmp_path)

    def load_it(text: str, env: Mapping[str, str] | None = None, plugin: str = "") -> Flow:
        Path("routes.yaml").write_text(text, encoding="utf-8")
        Path("own.py").write_text(f"from router import *\n{plugin}", encoding="utf-8")
        return Flow(load(Path("routes.yaml"), env or {}))

    return load_it


@pytest.fixture
def flow(load_text: Callable[..., Flow]) -> Callable[..., Flow]:
    """A config with one route `r` from queue `q` to table `things`, with what a test is about."""

    def make(
        route: Mapping[str, Any] | None = None,
        key: Mapping[str, str] | None = None,
        queue: Mapping[str, Any] | None = None,
        plugin: str = "",
    ) -> Flow:
        config = {
            "version": 1,
            "plugins": ["own.py"] if plugin else [],
            "queues": {"q": {"dead_letter": "q-dlq", **(queue or {})}},
            "tables": {"things": {"key": key or {"id": "S"}}},
            "routes": {"r": {"queue": "q", "table": "things", **(route or {})}},
        }
        # JSON is YAML.
        return load_text(json.dumps(config, indent=1), plugin=plugin)

    return make


@pytest.fixture
def attribute(flow: Callable[..., Flow]) -> Callable[..., Flow]:
    """A config whose item has a key from the message's `id`, and an attribute `a` as a test says."""

    def make(given: Any, **rest: Any) -> Flow:
        return flow({"item": {"id": "id", "a": given}}, **rest)

    return make
