"""The public API has these names and these types: mypy checks the `assert_type` calls, pytest runs them.

Plugins are written against `router`, tests of plugins against `router.testing`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_type

import pytest

import router
import router.testing
from router import (
    ConfigError,
    Drop,
    Item,
    Message,
    Outcome,
    PluginError,
    Reject,
    Remark,
    Result,
    Retry,
    Route,
    Router,
    RouterError,
    Summary,
    hookimpl,
)
from router.testing import MemoryQueues, MemoryTables, Run, deliver, load_program, record

type_of_kind = Literal["written", "duplicate", "stale", "dropped", "rejected", "retry"]
CONFIG = """
version: 1
plugins: [acme.py]
queues: {orders: {dead_letter: orders-dlq}}
tables: {orders: {key: {id: S}}}
routes:
  orders:
    queue: orders
    table: orders
    item: {id: {from: id, transform: initials}}
"""


class Plugin:
    """Each hook with its arguments and results, as the author of a plugin writes it."""

    @hookimpl
    def router_register_transforms(self, register: Callable[[str, Callable[..., Any]], None]) -> None:
        """Register a transform."""
        register("initials", str.upper)

    @hookimpl
    def router_register_checks(self, register: Callable[[Callable[[Any], list[Remark]]], None]) -> None:
        """Register a check."""
        register(lambda _: [Remark("ACME1", "a sentence", ("routes", "orders"), severity="warning")])

    @hookimpl
    def router_transform_message(self, message: Message, route: Route) -> Message | None:
        """Change a message, or decide about it."""
        assert_type(message.attributes, Mapping[str, Any])
        assert_type(message.system, Mapping[str, str])
        assert_type(message.sent_at, str | None)
        assert_type(message.time("first_received_at"), str | None)
        assert_type(message.epoch_ms("sent_at"), int | None)
        assert_type(message.group_id, str | None)
        assert_type((message.id, message.queue), tuple[str, str])
        assert_type((route.name, route.queue, route.table), tuple[str, str, str])
        assert_type(route.options, Mapping[str, Any])
        if message.data == "drop":
            raise Drop("a reason")
        if message.data == "retry":
            raise Retry("a reason", delay=1.5)
        return assert_type(message.with_data({"id": "1"}), Message)

    @hookimpl
    def router_transform_item(self, item: Item, message: Message, route: Route) -> Item | None:
        """Change an item, or decide about its message."""
        assert_type(item, dict[str, Any])
        if not item:
            raise Reject("a reason")
        return None

    @hookimpl
    def router_outcome(self, outcome: Result) -> None:
        """Observe the outcome of a message."""
        assert_type(outcome.outcome, Outcome)
        assert_type(outcome.outcome.kind, type_of_kind)
        assert_type((outcome.outcome.code, outcome.outcome.reason, outcome.outcome.route), tuple[str, str, str])
        assert_type(outcome.outcome.delay, float | None)
        assert_type((outcome.message_id, outcome.queue, outcome.receive_count), tuple[str, str, int])

    @hookimpl
    def router_batch_done(self, summary: Summary) -> None:
        """Observe the result of a batch."""
        assert_type(summary.counts, Mapping[type_of_kind, int])
        assert_type((summary.queue, summary.seconds, summary.conflicts), tuple[str, float, int])

    @hookimpl
    def router_start(self, router: Router) -> None:
        """Prepare before the first message."""
        assert_type(router.queues, Sequence[str])
        assert_type(router.routes, Sequence[Route])

    @hookimpl
    def router_stop(self, router: Router) -> None:
        """Clean up after the last message."""


def raise_each() -> None:
    """Raise and catch each exception of the API."""
    try:
        raise Reject("a reason")
    except RouterError as error:
        assert_type(error, RouterError)
    error_of_plugin = PluginError("acme", "router_start", ValueError())
    assert_type((error_of_plugin.plugin, error_of_plugin.hook), tuple[str, str])
    assert_type(error_of_plugin.original, BaseException)
    assert_type([str(finding) for finding in ConfigError([]).findings], list[str])


def test_exported_names() -> None:
    """`router` and `router.testing` export these names, and each of them can be imported."""
    names = [
        "ConfigError",
        "Drop",
        "Item",
        "Message",
        "Outcome",
        "PluginError",
        "Reject",
        "Remark",
        "Result",
        "Retry",
        "Route",
        "Router",
        "RouterError",
        "Summary",
        "__version__",
        "hookimpl",
    ]
    testing = ["MemoryQueues", "MemoryTables", "Run", "deliver", "load_program", "record"]
    assert (router.__all__, router.testing.__all__) == (names, testing)
    assert [name for name in names if not getattr(router, name)] == []


def test_other_names_do_not_exist() -> None:
    """An attribute that is not exported raises AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="module 'router' has no attribute 'nothing'"):
        router.nothing  # noqa: B018 - the access is the test


def test_testing(tmp_path: Path) -> None:
    """`router.testing` delivers a batch to tables in memory, with these types."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    (tmp_path / "acme.py").write_text(
        "from router import hookimpl\n\n\n@hookimpl\ndef router_register_transforms(register):\n"
        "    register('initials', str.upper)\n"
    )
    program = load_program(tmp_path / "routes.yaml", {})

    run = deliver(program, "orders", [record({"id": "a"})], tables=MemoryTables.of(program), queues=MemoryQueues())

    assert_type(run, Run)
    assert_type(run.outcomes, tuple[Outcome, ...])
    assert_type(run.acknowledged, tuple[bool, ...])
    assert_type(run.dead_letters, list[dict[str, Any]])
    assert_type(run.tables.items("orders"), list[Item])
    assert (run.acknowledged, run.tables.items("orders")) == ((True,), [{"id": "A"}])


def test_exceptions() -> None:
    """Every exception of the API derives from RouterError."""
    raise_each()
    assert [each for each in (ConfigError, Drop, PluginError, Reject, Retry) if not issubclass(each, RouterError)] == []
