"""`router diff` of many routes: by the calls that it makes, which are the same on every machine, and a bound of CPU."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from cProfile import Profile
from pathlib import Path
from pstats import Stats
from typing import Any

import pytest

from tests.support.change import ConfigVersion, compare_versions, open_version

CALLS = 15_400
"""Function calls about a changed route, as Python 3.11 counts them, loading excluded."""
HEADROOM = 1.1 if sys.version_info[:2] == (3, 11) else 1.5
SECONDS = 10
"""Of CPU, for a thousand routes that all differ; it takes some 5, and 9 beside other processes on the same cores."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["id", "kind"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 40},
        "kind": {"enum": ["a", "b", "c"]},
        "n": {"type": "integer", "minimum": 0},
        "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"},
    },
}
ITEM = {"id": "id", "kind": "kind", "n": "n", "code": "code"}
CHANGES: tuple[Mapping[str, Any], ...] = (
    {"schema": {"required": ["id", "kind", "n"]}},
    {"schema": {"properties": {**SCHEMA["properties"], "kind": {"enum": ["a", "b"]}}}},
    {"schema": {"properties": {**SCHEMA["properties"], "n": {"type": "number"}}}},
    {"schema": {"properties": {**SCHEMA["properties"], "id": {"type": "string", "minLength": 2, "maxLength": 20}}}},
    {"when": "kind == 'a'"},
    {"item": {**ITEM, "more": "n"}},
    {"item": {"id": "id", "kind": "kind", "n": {"from": "n", "missing": "error"}}},
    {"write": {"mode": "insert"}},
)
Open = Callable[[Mapping[str, Any]], ConfigVersion]


def route(index: int, change: Mapping[str, Any]) -> dict[str, Any]:
    schema = {**SCHEMA, "title": f"{index}", **change.get("schema", {})}
    return {"queue": f"queue-{index}", "table": f"things-{index}", "item": ITEM, **change, "schema": schema}


def config(count: int, changed: int) -> dict[str, Any]:
    """A config of different routes, the first of which have one of the changes each; each has a table of its own.

    What routes of one table lose of each other's data is the work of `router check`, which test_speed.py bounds.
    """
    changes = [CHANGES[index % len(CHANGES)] if index < changed else {} for index in range(count)]
    routes = {f"route-{index}": route(index, change) for index, change in enumerate(changes)}
    tables = {f"things-{index}": {"key": {"id": "S"}} for index in range(count)}
    return {"version": 1, "tables": tables, "routes": routes}


@pytest.fixture
def open_config(tmp_path: Path) -> Any:
    """Returns a function that opens a config."""
    with ExitStack() as stack:

        def run(given: Mapping[str, Any]) -> ConfigVersion:
            file = tmp_path / f"{len([*tmp_path.iterdir()])}.yaml"
            file.write_text(json.dumps(given))
            return open_version(str(file), file, {}, stack)

        yield run


def calls_of(old: ConfigVersion, new: ConfigVersion) -> Mapping[str, int]:
    """The number of calls of each function of a comparison, by name; "" for all."""
    profile = Profile()
    profile.runcall(compare_versions, old, new)
    stats: Any = Stats(profile)
    return {"": stats.total_calls, **{name: calls[1] for (_, _, name), calls in stats.stats.items()}}


def test_only_changed_routes_are_reasoned_about(open_config: Open) -> None:
    """Each direction once, of a thousand routes."""
    found = calls_of(open_config(config(1000, 0)), open_config(config(1000, 4)))

    counted = {name: found[name] for name in ("compare_taking", "prover_of", "compare_parts")}
    assert counted["prover_of"] <= 4 * 2 * 2
    assert counted == {"compare_taking": 4 * 2, "prover_of": counted["prover_of"], "compare_parts": 4}


def test_calls_about_a_changed_route(open_config: Open) -> None:
    """The stack included; the first routes only pay for what is imported and kept."""
    few, many = (calls_of(open_config(config(count, 0)), open_config(config(count, count))) for count in (8, 48))

    assert (many[""] - few[""]) / 40 < CALLS * HEADROOM


def test_a_thousand_routes_that_all_differ(tmp_path: Path) -> None:
    """Less than 10 s of CPU for the whole command, on a slow machine too."""
    for name, changed in (("old", 0), ("new", 1000)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(config(1000, changed)))
    words = [sys.executable, "-m", "router", "diff", "old.yaml", "new.yaml", "--format", "json"]
    before = os.times()

    # A process of its own is not measured for coverage, which doubles the time.
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=200)

    after, routes = os.times(), json.loads(done.stdout)["routes"]
    assert sum(after[2:4]) - sum(before[2:4]) < SECONDS
    assert (len(routes), {each["verdict"] for each in routes}) == (1000, {"breaking", "compatible"})
