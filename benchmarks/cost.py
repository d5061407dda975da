"""What a million messages cost: `python benchmarks/cost.py FIGURES`, with the file that `run.py --json FIGURES` wrote.

Processor time is as measured; what AWS charges for it follows from the memory of the function, and from how long its
calls take. Prices are those of us-east-1, without free tiers, as published on the date below; look before you rely on
them. https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/sqs/pricing/,
https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/fargate/pricing/
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from messages import body, item

from router.engine.attributes import encode_item

PRICES_OF = "2026-11-25"
MILLION = 1_000_000
LAMBDA_REQUESTS, LAMBDA_GB_SECONDS = 0.20, 0.0000133334
"""Dollars: for a million invocations, and for a GB and second on arm64."""
SQS_REQUESTS, SQS_FIFO_REQUESTS = 0.40, 0.50
"""Dollars for a million requests."""
WRITE_UNITS = 0.625
"""Dollars for a million write request units of a table that is billed by request; a transaction takes two for each."""
FARGATE_CPU_HOUR, FARGATE_GB_HOUR = 0.03238, 0.00356
"""Dollars, Linux on ARM."""
FULL_CORE_MB = 1769
"""Memory of a function with one core: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
WRITE_UNIT_BYTES, REQUEST_BYTES = 1024, 64 * 1024
POLLED = 10
"""Messages of a receive, and of a delete."""
BATCH_ITEMS, CALLS_AT_ONCE = 25, 8
"""Items of a call of BatchWriteItem, and calls of the router that are under way at a time."""
CORES, MEMORY_GB = 0.5, 1.0
"""Of a task of the worker, as `router template --worker` has it unless the config says otherwise."""

Figure = Mapping[str, Any]


@dataclass(frozen=True)
class Assumed:
    """What is not measured: the memory of the function in MB, and how long a call to DynamoDB takes, in seconds."""

    memory: int
    latency: float


@dataclass(frozen=True)
class Cost:
    """Dollars for a million messages, and the seconds of one invocation."""

    what: str
    requests: float
    seconds: float
    compute: float
    queue: float
    writes: float

    @property
    def together(self) -> float:
        """All of it."""
        return self.requests + self.compute + self.queue + self.writes


def main() -> int:
    """Read the figures, and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, metavar="FIGURES", help="what run.py --json wrote")
    parser.add_argument("--memory", type=int, default=512, help="of the function, in MB; default: 512")
    parser.add_argument("--latency", type=float, default=10, metavar="MS", help="of a call to DynamoDB; default: 10")
    options = parser.parse_args()
    try:
        told = json.loads(options.figures.read_text(encoding="utf-8"))
        print("\n".join(report(told, Assumed(options.memory, options.latency / 1000))))
    except (OSError, ValueError, KeyError) as error:
        print(f"cost: cannot use {options.figures}: {error!r}", file=sys.stderr)
        return 2
    return 0


def report(told: Mapping[str, Any], assumed: Assumed) -> Iterator[str]:
    """The lines of the page."""
    machine = told["machine"]
    yield f"Prices of {PRICES_OF}, us-east-1; processor time measured {machine['date']} on {machine['processor']}."
    yield (
        f"A function of {assumed.memory} MB on arm64, {assumed.latency * 1000:g} ms for each call to DynamoDB; "
        "dollars for a million messages."
    )
    yield ""
    yield "| batch | handler | an invocation takes | invocations | GB-seconds | SQS | write units | together |"
    yield "|---|---|---|---|---|---|---|---|"
    for size, count, program, cpu in handlers(told):
        cost = of_function(size, count, program, cpu, assumed)
        cells = (cost.requests, cost.compute, cost.queue, cost.writes, cost.together)
        shown = " | ".join(f"{cell:.4f}" if cell < 0.01 else f"{cell:.3f}" for cell in cells)
        yield f"| {count:,} {size} | {cost.what} | {cost.seconds * 1000:,.0f} ms | {shown} |"
    yield from of_worker(told)


def handlers(told: Mapping[str, Any]) -> Iterator[tuple[str, int, str, float]]:
    """Of each size the batch nearest to 1,000 that all were measured with: seconds of processor time a message."""
    figures: list[Figure] = told["figures"]["handler"]["figures"]
    chosen: dict[str, tuple[int, str]] = {}
    for figure in figures:
        count, size = _case(figure)
        if count <= 1000 and count >= chosen.get(size, (0, ""))[0]:
            chosen[size] = (count, figure["case"])
    for figure in figures:
        count, size = _case(figure)
        if chosen.get(size, (0, ""))[1] == figure["case"] and figure["program"] in _CALLS:
            yield size, count, figure["program"], statistics.median(figure["rounds"])


def _case(figure: Figure) -> tuple[int, str]:
    count, size = figure["case"].split()
    return int(count.replace(",", "")), size


_CALLS: Mapping[str, tuple[str, Callable[[int], int]]] = {
    "router": ("router", lambda count: ceil(ceil(count / BATCH_ITEMS) / CALLS_AT_ONCE)),
    "batch_writer": ("jsonschema, batch_writer", lambda count: ceil(count / BATCH_ITEMS)),
    "put_item": ("jsonschema, put_item", lambda count: count),
}
"""The handlers, and how many calls of an invocation come one after the other."""


def of_function(size: str, count: int, program: str, cpu: float, assumed: Assumed) -> Cost:
    """A million messages through a function, in batches of `count`."""
    what, calls = _CALLS[program]
    seconds = cpu * count * FULL_CORE_MB / assumed.memory + calls(count) * assumed.latency
    invocations = MILLION / count
    return Cost(
        what,
        invocations / MILLION * LAMBDA_REQUESTS,
        seconds,
        invocations * seconds * assumed.memory / 1024 * LAMBDA_GB_SECONDS,
        queue_requests(size, min(POLLED, count)) * SQS_REQUESTS,
        write_units(size) * WRITE_UNITS,
    )


def queue_requests(size: str, together: int) -> float:
    """What Lambda is charged for each message to receive and delete so many at a time: a request for each 64 KB."""
    received = together * len(body(size, 1).encode())
    return (ceil(received / REQUEST_BYTES) + 1) / together


def write_units(size: str) -> int:
    """What the item of a message takes."""
    return ceil(encode_item(item(size, 1))[1] / WRITE_UNIT_BYTES)


def of_worker(told: Mapping[str, Any]) -> Iterator[str]:
    """What a task of the worker costs, and what it can do."""
    hour = CORES * FARGATE_CPU_HOUR + MEMORY_GB * FARGATE_GB_HOUR
    if "drain" not in told["figures"]:
        return
    cpu, calls = (_router_alone(told["figures"][name]["figures"]) for name in ("drain", "drain calls"))
    speed = CORES / cpu
    yield ""
    yield (
        f"A worker: a task of {CORES:g} cores and {MEMORY_GB:g} GB costs ${hour:.4f} an hour, busy or not, which is "
        f"${hour * 730:.2f} a month. Its processor is enough for {speed:,.0f} small messages a second; a million then "
        f"cost ${MILLION / speed / 3600 * hour:.4f} for the task and ${(calls - 1 / BATCH_ITEMS) * SQS_REQUESTS:.2f} "
        f"for SQS, besides ${write_units('small') * WRITE_UNITS:.3f} for write units."
    )


def _router_alone(figures: list[Figure]) -> float:
    """Of one worker process: with a server that takes its time, if that was measured."""
    found: dict[str, float] = {
        figure["case"]: statistics.median(figure["rounds"]) for figure in figures if figure["program"] == "router"
    }
    slow = [value for case, value in found.items() if case.startswith("1 process, ") and "ms" in case]
    return slow[0] if slow else found["1 process, no latency"]


if __name__ == "__main__":
    sys.exit(main())
