"""`router_start` before the first message wherever messages are run, and `router_stop` after the last."""

import gc
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from router.errors import PluginError
from router.testing import MemoryQueues, MemoryTables, deliver, record
from router.tools.dev.explain import explain, read_message
from router.tools.dev.run_tests import Suite
from router.tools.dev.samples import from_lines, from_tests
from router.tools.dev.starting import start_plugins
from tests.support.aws import Aws
from tests.support.change import open_version, outcome_of, record_of, routes_of, run
from tests.support.dlq import DlqMessage, Rehearser, WrittenItems
from tests.support.program import load, load_program

CONFIG = """\
version: 1
plugins: [own.py]
queues: {q: {dead_letter: dead}}
tables: {things: {key: {id: S}}}
routes:
  things:
    queue: q
    table: things
    item: {id: {from: id, transform: look_up}}
    tests: [{message: {id: a}, item: {id: found}}]
"""
PLUGIN = """\
from router import hookimpl

NAMES = {}


@hookimpl
def router_register_transforms(register):
    register("look_up", lambda value: NAMES[value])


@hookimpl
def router_start(router):
    assert not NAMES, "started again"
    assert router.queues == ("q",)
    NAMES["a"] = "found"
    print("started")


@hookimpl
def router_stop(router):
    print("stopped")
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "routes.yaml"


def of_suite(config: Path) -> str:
    (verdict,) = Suite(config, {}).run()
    return "written" if verdict.passed else verdict.subjects


def explained(config: Path) -> str:
    loaded = load(config, {})
    program = loaded.require()
    return explain(loaded, program, "q", read_message(program, "q", b'{"id": "a"}', raw=False)).outcome.kind


def sampled(config: Path) -> str:
    (sample,) = from_tests(load_program(config, {}))
    return sample.fault or sample.outcome


def sent(config: Path) -> str:
    (sample,) = from_lines(load_program(config, {}), "q", ['{"id": "a"}'])
    return sample.outcome


def delivered(config: Path) -> str:
    program = load_program(config, {})
    kinds = [deliver(program, "q", [record({"id": "a"})]).outcomes[0].kind for _ in range(2)]
    assert kinds[0] == kinds[1]
    return kinds[0]


def recorded(config: Path) -> str:
    return outcome_of(load_program(config, {}), "q", {"id": "a"}).outcome


def compared(config: Path) -> str:
    with ExitStack() as stack:
        route = routes_of(open_version(str(config), config, os.environ, stack))["things"]
        message = record_of(route, {"id": "a"})
        assert message is not None
        return run(route, message).outcome.kind


def rehearsed(config: Path) -> str:
    program = load_program(config, {})
    aws = Aws(MemoryTables.of(program), MemoryQueues())

    def read(table: Any, key: Mapping[str, Any]) -> None:
        return None

    with WrittenItems() as written:
        message = DlqMessage.of(record({"id": "a"}))
        (rehearsal,) = Rehearser(program, "dead", aws, read, written).rehearse_all([message])
    assert rehearsal.outcome is not None
    return rehearsal.outcome.kind


@pytest.mark.parametrize("way", [of_suite, explained, sampled, sent, delivered, recorded, compared, rehearsed])
def test_what_a_plugin_prepares_is_there(
    config: Path, way: Callable[[Path], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, before the first message; `router_stop` is called once nothing uses the program."""
    outcome = way(config)

    gc.collect()
    assert (outcome, capsys.readouterr().out.split()) == ("written", ["started", "stopped"])


def test_a_plugin_that_cannot_start(config: Path) -> None:
    """Is an error each time, as nothing is prepared."""
    own = config.with_name("own.py")
    own.write_text(PLUGIN.replace("assert not NAMES", "assert NAMES"), encoding="utf-8")
    program = load_program(config, {})

    for _ in range(2):
        with pytest.raises(PluginError, match=r"^plugin 'own': router_start raised AssertionError \(own\.py:13\)$"):
            start_plugins(program)


def test_a_comparison_with_a_plugin_that_cannot_start(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It goes on, and does not try to start it again for each message."""
    own = config.with_name("own.py")
    failing = 'print("tried")\n    raise OSError'
    own.write_text(PLUGIN.replace('assert not NAMES, "started again"', failing), encoding="utf-8")
    with ExitStack() as stack:
        route = routes_of(open_version(str(config), config, os.environ, stack))["things"]
        message = record_of(route, {"id": "a"})
        assert message is not None

        outcomes = [run(route, message).outcome.kind for _ in range(2)]

    assert (outcomes, capsys.readouterr().out.count("tried")) == (["retry", "retry"], 1)
