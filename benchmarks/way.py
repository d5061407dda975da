"""Measures a way in its own process: `python benchmarks/way.py WAY SECONDS`; prints JSON, processor seconds a message.

A way is what a message may meet other than a plain put: a hook, a condition, a dead letter, many routes. The handler is
invoked with batches of `BATCH` messages until SECONDS of processor time have passed. They count from the third on, once
all is compiled; with several routes from the first on. `--count` prints instructions, calls and garbage instead.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from hashlib import md5
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from counters import count_calls, count_garbage, count_instructions
from environment import HERE, prepare, quiet
from messages import event, reject
from serving import serve

PUT, LETTER, FOUR = "put", "dead letter", "four items"
HOOKS = {"hook of messages": "unchanged_messages", "hook of items": "unchanged_items"}
ROUTES = {"2 routes": 2, "2,000 routes": 2000}
MODES: dict[str, dict[str, str]] = {
    "insert": {"mode": "insert"},
    "newest": {"mode": "newest", "version": "sent_at"},
    "update": {"mode": "update"},
    "delete": {"mode": "delete"},
}
WAYS = (PUT, *HOOKS, *MODES, LETTER, FOUR, *ROUTES)
BATCH = 1000
FEW, MANY = 100, 300
"""The messages of the batches whose difference is counted."""
_LINES = [{"line": f"line-{number}"} for number in range(4)]
_SETTLED = 2
"""The batches that do not count."""


def main() -> None:
    """Measure, and print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("seconds", type=float, nargs="?", default=0.0)
    parser.add_argument("--count", action="store_true", help="with a server of its own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, quiet():
        os.environ["ROUTER_CONFIG"] = str(write_config(options.way, Path(folder)))
        figure = _count(options.way) if options.count else _measure(options.way, options.seconds)
    print(json.dumps(figure))


def _measure(way: str, seconds: float) -> dict[str, float]:
    """Return the processor seconds of a message, and how many messages there were with those that do not count."""
    from router.lambda_handler import handler

    # Of 2,000 routes, a batch has messages for half of them.
    given = [make_event(way, BATCH), make_event(way, BATCH, BATCH)]
    settled = 0 if way in ROUTES else _SETTLED
    for number in range(settled):
        handler(given[number % 2], None)
    batches, spent = 0, 0.0
    while spent < seconds or not batches:
        began = time.process_time()
        handler(given[batches % 2], None)
        spent += time.process_time() - began
        batches += 1
    return {"cpu": spent / batches / BATCH, "messages": (settled + batches) * BATCH}


def _count(way: str) -> dict[str, float]:
    """Return the instructions, calls and garbage of a message, without the fixed cost of a batch."""
    # With each second some texts are made anew.
    with serve() as server, patch("time.time", repeat(time.time()).__next__):
        os.environ.update(prepare(server.endpoint, Path(os.environ["ROUTER_CONFIG"])))
        from router.lambda_handler import handler

        few, many = make_event(way, FEW), make_event(way, MANY)
        for _ in range(_SETTLED):
            handler(many, None)
        return {
            counter.__name__: (counter(lambda: handler(many, None)) - counter(lambda: handler(few, None)))
            / (MANY - FEW)
            for counter in (count_instructions, count_calls, count_garbage)
        }


def write_config(way: str, folder: Path) -> Path:
    """Write the config of a way, that of small messages but for the way; return its path."""
    config = yaml.safe_load((HERE / "routes.yaml").read_text())
    route = config["routes"]["small"]
    shutil.copytree(HERE / "schemas", folder / "schemas")
    if way in HOOKS:
        plugin = f"{HOOKS[way]}.py"
        shutil.copyfile(HERE / "plugins" / plugin, folder / plugin)
        config["plugins"] = [plugin]
    if way in MODES:
        route["write"] = MODES[way]
    if way == FOUR:
        fields = route["item"].items()
        named = {name: f"message.{path}" if isinstance(path, str) else path for name, path in fields}
        config["tables"]["small"] = {"key": {"user_id": "S", "line": "S"}}
        config["routes"]["small"] = {**route, "for_each": "lines", "item": {**named, "line": "element.line"}}
    if way in ROUTES:
        config["queues"]["small"]["match"] = "first"
        config["routes"] = {
            f"route-{number}": {**route, "when": f"device == 'device-{number}'"} for number in range(ROUTES[way])
        }
    path = folder / "routes.yaml"
    path.write_text(json.dumps(config))
    return path


def make_event(way: str, count: int, first: int = 0) -> dict[str, Any]:
    """Return a batch of small messages for a way, of which the first is for a route."""
    given = event("small", count)
    if way == LETTER:
        return reject(given, 1)
    for number, record in enumerate(given["Records"], first):
        more: dict[str, Any] = {}
        if way == FOUR:
            more["lines"] = _LINES
        if way in ROUTES:
            # 7919 is a prime number: neighbours are of routes far apart.
            more["device"] = f"device-{number * 7919 % ROUTES[way]}"
        if more:
            record["body"] = json.dumps(json.loads(record["body"]) | more)
            record["md5OfBody"] = md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    return given


if __name__ == "__main__":
    main()
