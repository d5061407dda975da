"""A config beside what is said to be seen of it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.live.deployed import DeployedConfig
from router.tools.check.rule import Found
from tests.support.aws import DeployedState
from tests.support.program import load_program

Deploy = Callable[..., DeployedConfig]
LiveRule = Callable[[DeployedConfig], Iterable[Found]]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """Makes a deployment of a config, given from `queues:` on, and what is seen."""

    def make(config: str, function: str = "", **seen: Any) -> DeployedConfig:
        path = tmp_path / "routes.yaml"
        path.write_text(f"version: 1\n{config}", encoding="utf-8")
        program = load_program(path, {})
        return DeployedConfig(program.config, program.engine.queues, DeployedState(**seen), function)

    return make


@pytest.fixture
def output() -> Callable[[LiveRule, DeployedConfig], list[tuple[str, str]]]:
    """The codes and sentences of what a rule finds."""

    def run(rule: LiveRule, deployment: DeployedConfig) -> list[tuple[str, str]]:
        found: list[Found] = list(rule(deployment))
        return [(each.code.id, each.sentence) for each in found]

    return run
