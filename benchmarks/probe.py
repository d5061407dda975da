"""Measures growth in its own process: `python benchmarks/probe.py KIND [quick]`; prints JSON, seconds by size.

KIND is the name of a function of this module, without `grow_`. `quick` omits the two largest sizes.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from messages import event, most, record

SECONDS = 0.1
"""The least processor time for each point."""
FIRST = 10_000
"""The first batches of all queues of a configuration."""
_ROUTES = (1, 3, 10, 30, 100, 300, 1000)
OUTPUT = os.fdopen(os.dup(1), "w")
Points = dict[int, float]


def grow_batch() -> Points:
    """Return seconds per record, by the records of a batch."""
    handler = _handler()
    sizes = (10, 30, 100, 300, 1000, 3000, most("small"))
    return {size: _spend(lambda given: handler(given, None), event("small", size)) / size for size in _shorten(sizes)}


def grow_text() -> Points:
    """Return seconds per record, by the bytes of one text in it."""
    return _grow_item(
        (100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000),
        lambda size: {"text": "The parcel was left with the neighbour. " * (size // 40)},
    )


def grow_elements() -> Points:
    """Return seconds per record, by the elements of a list in it."""
    return _grow_item(
        (1, 3, 10, 30, 100, 300, 1000, 3000),
        lambda size: {"readings": [{"sensor": f"s-{place}", "value": place, "ok": True} for place in range(size)]},
    )


def grow_load() -> Points:
    """Return seconds to load a configuration, by its routes."""
    return {size: _spend(_load, path) for size, path in _configs(_ROUTES, own_queues=True)}


def grow_check() -> Points:
    """Return seconds to check a configuration, by its routes."""
    return {size: _spend(_check, path) for size, path in _configs(_ROUTES, own_queues=True)}


def grow_dispatch() -> Points:
    """Return seconds to plan a record of the last queue, by the routes of a configuration, each with its own queue."""
    return {size: _plan(path, f"queue-{size - 1}", size) for size, path in _configs(_ROUTES, own_queues=True)}


def grow_match() -> Points:
    """Return seconds to plan a record that the last route accepts, by the routes of its queue."""
    return {size: _plan(path, "all", size) for size, path in _configs((*_ROUTES, 2000), own_queues=False)}


def grow_first() -> Points:
    """Return seconds to plan a record of the first ones of a configuration, by its routes, each with its own queue."""
    return {size: _plan_first(path, size) for size, path in _configs((*_ROUTES, 2000), own_queues=True, plain=True)}


def _handler() -> Any:
    from router.lambda_handler import handler

    handler(event("small", 10), None)
    return handler


def _grow_item(sizes: Sequence[int], make: Callable[[int], dict[str, Any]]) -> Points:
    handler = _handler()
    points = {}
    for size in _shorten(sizes):
        bodies = [json.dumps({"id": f"id-{number}", **make(size)}) for number in range(10)]
        given = {
            "Records": [
                record("small", number) | {"body": text, "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:whole"}
                for number, text in enumerate(bodies)
            ]
        }
        points[size] = _spend(lambda given: handler(given, None), given) / len(bodies)
    return points


def _plan(path: Path, queue: str, size: int) -> float:
    from router.model import Record
    from router.runtime.engine.engine import plan

    engine = _load(path).engine
    body = {"id": "id-1", "kind": f"kind-{size - 1}", "value": Decimal(1)}
    record = Record("id-1", "handle", json.dumps(body, default=float), {"SentTimestamp": "1767323045678"})
    arn = f"arn:aws:sqs:eu-west-1:123456789012:{queue}"

    def act(times: range) -> None:
        for _ in times:
            found = engine.queue_of(arn)
            if found is None or plan(found, record).outcome is not None:
                raise AssertionError("the record was not taken")

    return _spend(act, range(100)) / 100


def _plan_first(path: Path, size: int) -> float:
    """Return seconds per record of the first `FIRST` batches of all queues together, each of ten records."""
    from router.model import Record
    from router.runtime.deliver.fast_paths import FastPaths
    from router.runtime.engine.engine import plan

    paths, queues = FastPaths(), [*_load(path).engine.queues.values()]
    system = {"SentTimestamp": "1767323045678"}
    records = [Record(f"id-{n}", "handle", json.dumps({"id": f"id-{n}"}), system) for n in range(10)]
    began = time.process_time()
    for turn in range(max(FIRST, size)):
        queue = queues[turn % size]
        fast = paths.of(queue, len(records))
        for each in records:
            if ((fast and fast(each)) or plan(queue, each)).outcome is not None:
                raise AssertionError("the record was not taken")
    return (time.process_time() - began) / max(FIRST, size) / len(records)


def _load(path: Path) -> Any:
    from router.runtime.program.load import load_program

    return load_program(path, {})


def _check(path: Path) -> None:
    from router.tools.check.run import examine

    examine(path, {})


def _shorten(sizes: Sequence[int]) -> Sequence[int]:
    return sizes[:-2] if "quick" in sys.argv else sizes


def _configs(sizes: Sequence[int], *, own_queues: bool, plain: bool = False) -> Iterable[tuple[int, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        for size in _shorten(sizes):
            path = Path(folder) / f"{size}.yaml"
            config = make_config(size, own_queues=own_queues)
            if plain:
                for route in config["routes"].values():
                    del route["when"], route["item"]["kind"], route["item"]["value"]
            path.write_text(json.dumps(config))
            yield size, path


def make_config(size: int, *, own_queues: bool) -> dict[str, Any]:
    """Return a configuration as JSON, which is YAML too."""
    routes = {
        f"route-{number}": {
            "queue": f"queue-{number}" if own_queues else "all",
            "table": f"table-{number}",
            "when": f"kind == 'kind-{number}'",
            "schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "minLength": 1}}},
            "item": {"id": "id", "kind": "kind", "value": "value", "sent_at": {"meta": "sent_at"}},
        }
        for number in range(size)
    }
    queues = {route["queue"]: {"match": "first"} for route in routes.values()}
    tables = {f"table-{number}": {"key": {"id": "S"}} for number in range(size)}
    return {"version": 1, "queues": queues, "tables": tables, "routes": routes}


def _spend(act: Callable[[Any], Any], given: Any) -> float:
    """Return the mean processor seconds of the calls within `SECONDS`, after one that does not count."""
    act(given)
    times, spent = 0, 0.0
    while spent < SECONDS:
        began = time.process_time()
        act(given)
        spent += time.process_time() - began
        times += 1
    return spent / times


def main() -> None:
    """Measure, and print the points."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    print(json.dumps(globals()[f"grow_{sys.argv[1]}"]()), file=OUTPUT, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
