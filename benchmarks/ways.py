"""The suite of ways: what a small message costs if it meets a hook, a condition, a dead letter, or many routes."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from environment import HERE, BenchmarkError, prepare
from figures import Figures
from floors import INSERT, ITEM_HOOK, LETTER, MANY, MESSAGE_HOOK, NEWEST, PUT, ROUTER, TWO, UPDATE, WAYS
from handlers import MODULES, invoke
from messages import change, event
from serving import Server

HOOKS = {MESSAGE_HOOK: "unchanged_messages.py", ITEM_HOOK: "unchanged_items.py"}
ROUTES = {TWO: 2, MANY: 2000}
MODES = {
    INSERT: {"mode": "insert"},
    NEWEST: {"mode": "newest", "version": "sent_at"},
    UPDATE: {"mode": "update"},
}
EVERY = (PUT, *HOOKS, *MODES, LETTER, *ROUTES)
BATCH = 1000
SECONDS = 0.4
"""The least processor time behind each figure."""


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure all ways in rounds; raises BenchmarkError if one did other work."""
    for _ in rounds:
        for way in EVERY:
            figures.add(WAYS, way, measure_one(server, way, SECONDS))


def measure_one(server: Server, way: str, seconds: float) -> float:
    """Return the processor seconds of a message; raises BenchmarkError if not all were written as they are to be."""
    server.reset()
    # Of 2,000 routes, a batch has messages for half of them. Those of several routes count from the first batch on.
    events = [make_event(way, BATCH), make_event(way, BATCH, BATCH)]
    first = [] if way in ROUTES else events
    with TemporaryDirectory() as folder:
        env = prepare(server.endpoint, write_config(way, Path(folder)))
        figure = invoke(MODULES[ROUTER], first, events, seconds, env)
    report = server.report()
    done = {LETTER: report["letters"], UPDATE: report["calls"].get("updateitem")}.get(way, report["items"])
    wanted = (len(first) + figure["invocations"]) * BATCH
    if done != wanted:
        raise BenchmarkError(f"the way '{way}' has done {done}, not {wanted}")
    return float(figure["cpu"]) / BATCH


def write_config(way: str, folder: Path) -> Path:
    """Write the config of a way, that of small messages but for the way; return its path."""
    config = yaml.safe_load((HERE / "routes.yaml").read_text())
    route = config["routes"]["small"]
    shutil.copytree(HERE / "schemas", folder / "schemas")
    if way in HOOKS:
        shutil.copy(HERE / "plugins" / HOOKS[way], folder)
        config["plugins"] = [HOOKS[way]]
    if way in MODES:
        route["write"] = MODES[way]
    if way in ROUTES:
        config["queues"]["small"]["match"] = "first"
        config["routes"] = {
            f"route-{number}": {**route, "when": f"device == 'device-{number}'"} for number in range(ROUTES[way])
        }
    path = folder / "routes.yaml"
    path.write_text(json.dumps(config))
    return path


def make_event(way: str, count: int, first: int = 0) -> dict[str, Any]:
    """Return a batch of small messages for a way; with routes, the first message is for that of its number."""
    given = event("small", count)
    for number, record in enumerate(given["Records"], first):
        if way == LETTER:
            change(record, {"position": -1})
        if way in ROUTES:
            # 7919 is a prime number: neighbours are of routes far apart.
            change(record, {"device": f"device-{number * 7919 % ROUTES[way]}"})
    return given
