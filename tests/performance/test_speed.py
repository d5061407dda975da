"""`router check` does no more work than it did: by counts, which are the same on every machine.

After a change that is worth its cost, or that saves some, `python benchmarks/counting_check.py` prints what to put
here.
"""

import json
import subprocess
import sys
from cProfile import Profile
from pathlib import Path
from pstats import Stats
from typing import Any

import pytest

from tests.support.check import examine

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "benchmarks" / "counting_check.py"
# What Python 3.11 counts.
ROUTE = {"instructions": 54_000, "calls": 4_050}
"""One more of many routes, each with a queue, a schema and nine attributes of its own."""
SAMPLE = {"instructions": 3_257_500, "modules": 153}
"""A run on the config of this repository, with its imports."""
HEADROOM = 1.05 if sys.version_info[:2] == (3, 11) else 1.5
"""Other versions of Python have other instructions, of which they need more or fewer."""


@pytest.fixture(scope="module")
def counted() -> Any:
    """What the script counts."""
    command = [sys.executable, str(SCRIPT)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout)


def test_a_route_is_checked_with_no_more_work(counted: Any) -> None:
    """Of a thousand, each costs so many instructions and calls."""
    assert {name: most for name, most in ROUTE.items() if counted["route"][name] > most * HEADROOM} == {}, counted


def test_the_sample_is_checked_with_no_more_work(counted: Any) -> None:
    """With all that is imported for it."""
    assert {name: most for name, most in SAMPLE.items() if counted["sample"][name] > most * HEADROOM} == {}, counted


@pytest.mark.parametrize("what", ["load", "check"])
def test_the_work_grows_with_the_routes(counted: Any, what: str) -> None:
    """Twice as many more routes cost twice as many more calls."""
    few, some, many = counted[what]

    assert many - some == pytest.approx(2 * (some - few), rel=0.03)


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


def modules_after(*words: str) -> list[str]:
    """The modules that a process has imported when a command ends."""
    program = (
        "import atexit, sys; from router.tools.cli.app import app; "
        "atexit.register(lambda: print(*sys.modules)); app(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, *words]

    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=True).stdout.split()


def test_the_help_is_shown_without_the_rules() -> None:
    """Nor does completion import them."""
    modules = modules_after("check", "--help")

    assert ("router.tools.cli.check" in modules, "router.tools.check" in modules) == (True, False)


def test_nothing_is_made_by_chance_for_a_config_that_is_proved() -> None:
    """Importing the module `random` takes more than a millisecond."""
    modules = modules_after("check", str(REPOSITORY / "routes.yaml"))

    assert ("router.prover.value_generation" in modules, "random" in modules) == (True, False)
