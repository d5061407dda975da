"""A project with a plugin passes `mypy --strict`: the one that `router new --plugin` makes, and those on the pages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dev import plan_plugin, write_files

ROOT = Path(__file__).parents[2]
CONFIG = """\
version: 1
tables: {things: {key: {id: S}}}
routes: {things: {queue: things, table: things}}
"""
WHOLE = '''\
"""Each hook, and what decides about a message."""

from collections.abc import Callable, Mapping
from typing import Any

from router import Drop, Item, Message, Reject, Remark, Result, Retry, Route, Router, Summary, hookimpl


def initials(value: str) -> str:
    return "".join(word[0] for word in value.split())


def unwrap(payload: Any, attributes: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    return payload["body"], attributes


def owned(config: Any) -> list[Remark]:
    return [Remark("ACME1", f"{name} has no owner") for name in config.routes]


@hookimpl
def router_register_transforms(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("initials", initials)


@hookimpl
def router_register_envelopes(register: Callable[..., None]) -> None:
    register("acme", unwrap)


@hookimpl
def router_register_checks(register: Callable[[Callable[[Any], list[Remark]]], None]) -> None:
    register(owned)


@hookimpl
def router_transform_message(message: Message, route: Route) -> Message | None:
    if route.name == "tests":
        raise Drop("a test")
    if message.attributes.get("later"):
        raise Retry("not now", 7)
    return message.with_data({**message.data, "queue": message.queue})


@hookimpl
def router_transform_item(item: Item) -> Item:
    if not item.get("id"):
        raise Reject("no id")
    return item


@hookimpl
def router_outcome(outcome: Result) -> None:
    print(outcome.outcome.kind)


@hookimpl
def router_batch_done(summary: Summary) -> None:
    print(summary.queue)


@hookimpl
def router_start(router: Router) -> None:
    print(router)
'''


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_plugin_project(tmp_path: Path) -> None:
    """The package has types for all that a plugin and its test import."""
    pytest.importorskip("mypy", reason="mypy is installed by `make lint`")
    (tmp_path / "routes.yaml").write_text(CONFIG)
    write_files(plan_plugin("labels", tmp_path / "routes.yaml"))
    (tmp_path / "plugins/whole.py").write_text(WHOLE)

    # mypy does not know how an editable installation is found; its cache is that of `make lint`.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", "plugins", "tests"],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, re.sub(r"\d+", "N", done.stdout)) == (0, "Success: no issues found in N source files\n"), (
        done.stdout
    )
