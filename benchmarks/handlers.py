"""The suite of Lambda handlers: processor time of a message, in batches; the writes are verified."""

import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from environment import BenchmarkError, ask, prepare
from figures import Figures
from floors import BATCH_WRITER, LARGE, MEDIUM, NESTED, POWERTOOLS, PUT_ITEM, ROUTER, SMALL
from messages import event
from serving import Server
from verifying import expected_digest

MODULES = {ROUTER: "router.lambda_handler"} | {name: f"peers.{name}" for name in (BATCH_WRITER, PUT_ITEM, POWERTOOLS)}
CASES = {
    SMALL: ("small", 1000, (ROUTER, BATCH_WRITER, PUT_ITEM, POWERTOOLS)),
    MEDIUM: ("medium", 1000, (ROUTER, BATCH_WRITER)),
    LARGE: ("large", 40, (ROUTER, BATCH_WRITER)),
    NESTED: ("nested", 1000, (ROUTER, BATCH_WRITER)),
}
"""The size of the messages, how many of them are a batch, and the programs."""
SECONDS = 0.4
"""The least processor time behind each figure."""
BATCH_ITEMS = 25
FIRST = 50
"""The messages of the batch that does not count."""


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure all cases in rounds; raises BenchmarkError if a program did not write the expected items."""
    if importlib.util.find_spec("fastjsonschema") is None:
        figures.missing[POWERTOOLS] = "it needs fastjsonschema"
    digests = {size: expected_digest(size, count) for size, count, _ in CASES.values()}
    for _ in rounds:
        for case, (size, count, programs) in CASES.items():
            for program in programs:
                if program not in figures.missing:
                    figures.add(case, program, measure_one(server, program, size, count, digests[size]))


def measure_one(server: Server, program: str, size: str, count: int, expected: str, seconds: float = SECONDS) -> float:
    """Return the processor seconds of a message; raises BenchmarkError if the program did other work."""
    server.reset()
    given, first = event(size, count), min(FIRST, count)
    env = prepare(server.endpoint) | {"BENCH_SIZE": size}
    figure = invoke(MODULES[program], [{"Records": given["Records"][:first]}], [given], seconds, env)
    report = server.report()
    who = f"{program} with {count:,} {size} messages"
    written = figure["invocations"] * count + first
    if report["items"] != written or report["digest"] != expected:
        raise BenchmarkError(f"{who} wrote {report['items']} items, not the {written} that were expected")
    calls = figure["invocations"] * -(-count // BATCH_ITEMS) + -(-first // BATCH_ITEMS)
    if program == ROUTER and report["calls"] != {"batchwriteitem": calls}:
        raise BenchmarkError(f"{who} made calls {report['calls']}, not {calls} of BatchWriteItem and nothing else")
    return float(figure["cpu"]) / count


def invoke(
    module: str, first: Sequence[Any], events: Sequence[Any], seconds: float, env: Mapping[str, str]
) -> dict[str, Any]:
    """Return what `measure.py` prints: `invocations` with `events`, and the processor seconds of one, `cpu`."""
    with TemporaryDirectory() as folder:
        files = Path(folder, "first.json"), Path(folder, "events.json")
        for file, content in zip(files, (first, events), strict=True):
            file.write_text(json.dumps(content))
        printed = ask(module, ["measure.py", module, str(seconds), *map(str, files)], env)
    figure: dict[str, Any] = json.loads(printed)
    return figure
