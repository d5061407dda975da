"""The work of `router check` grows with the routes, and `--help` imports little: by counts, equal on every machine."""

import json
import subprocess
import sys
from cProfile import Profile
from pathlib import Path
from pstats import Stats
from typing import Any

import click
import pytest

from tests.support.check import examine
from tests.support.cli import app

REPOSITORY = Path(__file__).parents[2]
HELP_MODULES = 8
"""What `--help` of a command imports more than that of the program: the command, its options, and their completion."""


def calls_for(count: int, match: str, folder: Path) -> int:
    """The function calls of a check of routes that share a queue, each with a schema and a table of its own."""
    routes = {
        f"route-{number}": {
            "queue": "q",
            "table": f"table-{number}",
            "when": f"type == 't{number}'",
            "schema": {
                "type": "object",
                "required": ["id", "type"],
                "properties": {"id": {"type": "string", "minLength": 1}, "type": {"type": "string"}, f"a{number}": {}},
            },
            "item": {"id": "id", "a": f"a{number}"},
        }
        for number in range(count)
    }
    tables = {route["table"]: {"key": {"id": "S"}} for route in routes.values()}
    queues = {"q": {"dead_letter": "d", "match": match}}
    path = folder / "routes.yaml"
    path.write_text(json.dumps({"version": 1, "queues": queues, "tables": tables, "routes": routes}))
    profile = Profile()
    profile.runcall(examine, path, {})
    stats: Any = Stats(profile)
    return int(stats.total_calls)


@pytest.mark.parametrize("match", ["first", "all"])
def test_the_work_grows_with_the_routes_of_one_queue(match: str, tmp_path: Path) -> None:
    """Though each is compared with those before it: 2,000 took a minute where each condition met each message."""
    calls_for(1, match, tmp_path)  # what is imported and kept is not counted again
    few, some, many = (calls_for(count, match, tmp_path) for count in (50, 100, 200))

    assert many - some == pytest.approx(2 * (some - few), rel=0.1)


def proofs_for(count: int, folder: Path) -> int:
    """The proofs of the library for so many schemas of one shape, each with names of its own."""
    routes = {
        f"route-{number}": {
            "queue": "q",
            "table": "table",
            "when": f"type == 't{number}'",
            "schema": {
                "type": "object",
                "required": [f"id{number}", "type"],
                "properties": {
                    f"id{number}": {"type": "string", "minLength": 1, "maxLength": 9},
                    "type": {"const": f"t{number}"},
                    f"n{number}": {"type": "number", "minimum": 0},
                },
            },
            "item": {"id": f"id{number}", "n": {"from": f"n{number}", "type": "N"}},
        }
        for number in range(count)
    }
    path = folder / "routes.yaml"
    config = {"version": 1, "tables": {"table": {"key": {"id": "S"}}}, "routes": routes}
    path.write_text(json.dumps(config))
    profile = Profile()
    profile.runcall(examine, path, {})
    stats: Any = Stats(profile)
    return sum(each[1] for (_, _, name), each in stats.stats.items() if "'covers'" in name)


def test_equal_parts_of_schemas_are_proved_once(tmp_path: Path) -> None:
    """Whatever the properties are called."""
    few, many = proofs_for(10, tmp_path), proofs_for(20, tmp_path)

    assert (few > 0, many) == (True, few)


def modules_after(*words: str) -> list[str]:
    """The modules that a process has imported when a command ends."""
    program = (
        "import atexit, sys; from router.tools.cli.app import app; "
        "atexit.register(lambda: print(*sys.modules)); app(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, *words]

    printed = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True).stdout
    return printed.splitlines()[-1].split()


def every_command(command: click.Command, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of a command, and of those below it."""
    found = [words]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            found += every_command(below, (*words, name))
    return found


@pytest.fixture(scope="module")
def helped() -> set[str]:
    """The modules that the help of the program itself imports."""
    return set(modules_after("--help"))


@pytest.mark.parametrize("words", every_command(app), ids=" ".join)
def test_help_is_shown_without_the_work(helped: set[str], words: tuple[str, ...]) -> None:
    """A command imports its options for it, and nothing of what it does."""
    more = set(modules_after(*words, "--help")) - helped

    assert len(more) <= HELP_MODULES, sorted(more)


def test_a_check_does_without_what_few_configs_need() -> None:
    """Calls of AWS, and what is redacted."""
    modules = modules_after("check", str(REPOSITORY / "routes.yaml"))

    assert {"router.runtime.aws.calls", "router.runtime.program.redaction"}.isdisjoint(modules)
