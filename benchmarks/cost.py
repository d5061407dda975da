"""Computes the cost of a million messages: `python benchmarks/cost.py FIGURES`; `run.py --json FIGURES` wrote the file.

Processor time is measured; AWS's charge follows from the memory of the function and the duration of its calls. Prices
are those of us-east-1, without free tiers, as published on the date below; verify them before you rely on them.
https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/sqs/pricing/,
https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/dynamodb/pricing/provisioned/,
https://aws.amazon.com/fargate/pricing/, https://aws.amazon.com/cloudwatch/pricing/
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from environment import HERE
from messages import body, item

from router.model import Summary
from router.runtime.deliver.metrics import AGES, METRICS, QUEUE
from router.runtime.deliver.telemetry import embedded
from router.runtime.engine.attributes import encode_item
from router.tools.deploy.template.document import make_document, read_for_deployment

PRICES_OF = "2026-11-25"
MILLION = 1_000_000
LAMBDA_REQUESTS, LAMBDA_GB_SECONDS = 0.20, 0.0000133334
"""US dollars for a million invocations, and for a GB-second on arm64."""
SQS_REQUESTS, SQS_FIFO_REQUESTS = 0.40, 0.50
"""US dollars for a million requests."""
WRITE_UNITS = 0.625
"""US dollars for a million write request units of an on-demand table; a transaction uses two for each."""
WRITE_UNIT_HOUR = 0.00065
"""US dollars for an hour of a provisioned write capacity unit, which is a write unit each second."""
USES = (0.9, 0.7, 0.5, 0.3)
"""The part of the provisioned units that is used on average; 0.7 is the default target of the scaling."""
METRIC_MONTH, ALARM_MONTH, DASHBOARD_MONTH = 0.30, 0.10, 3.00
"""US dollars a month: the first 10,000 metrics of an account, an alarm of standard resolution, a dashboard."""
LOG_GB, METRIC_REQUESTS = 0.50, 10.00
"""US dollars for a GB of logs that CloudWatch takes in, and for a million requests of PutMetricData."""
FARGATE_CPU_HOUR, FARGATE_GB_HOUR = 0.03238, 0.00356
"""US dollars, Linux on ARM."""
FULL_CORE_MB = 1769
"""Memory of a function with one core: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
WRITE_UNIT_BYTES, REQUEST_BYTES = 1024, 64 * 1024
POLLED = 10
"""Messages of a receive, and of a delete."""
BATCH_ITEMS, CALLS_AT_ONCE = 25, 160
"""Items of a call of BatchWriteItem, and the concurrent calls of a function once it has the connections."""
CORES, MEMORY_GB = 0.5, 1.0
"""The default task of the worker in `router template --worker`."""

Figure = Mapping[str, Any]


@dataclass(frozen=True)
class Assumed:
    """The assumptions: the memory of the function in MB, and the duration of a call to DynamoDB in seconds."""

    memory: int
    latency: float


@dataclass(frozen=True)
class Cost:
    """US dollars for a million messages, and the seconds of an invocation."""

    what: str
    requests: float
    seconds: float
    compute: float
    queue: float
    writes: float

    @property
    def together(self) -> float:
        """The sum."""
        return self.requests + self.compute + self.queue + self.writes


def main() -> int:
    """Read the figures, and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, metavar="FIGURES", help="what run.py --json wrote")
    parser.add_argument("--memory", type=int, default=512, help="of the function, in MB; default: 512")
    parser.add_argument("--latency", type=float, default=10, metavar="MS", help="of a call to DynamoDB; default: 10")
    options = parser.parse_args()
    try:
        results = json.loads(options.figures.read_text(encoding="utf-8"))
        print("\n".join(report(results, Assumed(options.memory, options.latency / 1000))))
    except (OSError, ValueError, KeyError) as error:
        print(f"cost: cannot use {options.figures}: {error!r}", file=sys.stderr)
        return 2
    return 0


def report(results: Mapping[str, Any], assumed: Assumed) -> Iterator[str]:
    """Yield the lines of the page."""
    machine = results["machine"]
    yield f"Prices of {PRICES_OF}, us-east-1; processor time measured {machine['date']} on {machine['processor']}."
    yield (
        f"A function of {assumed.memory} MB on arm64, {assumed.latency * 1000:g} ms for each call to DynamoDB; "
        "dollars for a million messages."
    )
    yield ""
    yield "| batch | handler | an invocation takes | invocations | GB-seconds | SQS | write units | together |"
    yield "|---|---|---|---|---|---|---|---|"
    for size, count, program, cpu in handlers(results):
        cost = of_function(size, count, program, cpu, assumed)
        cells = (cost.requests, cost.compute, cost.queue, cost.writes, cost.together)
        shown = " | ".join(f"{cell:.4f}" if cell < 0.01 else f"{cell:.3f}" for cell in cells)
        yield f"| {count:,} {size} | {cost.what} | {cost.seconds * 1000:,.0f} ms | {shown} |"
    yield from of_worker(results)
    yield from of_capacity()
    yield from of_monitoring()


def handlers(results: Mapping[str, Any]) -> Iterator[tuple[str, int, str, float]]:
    """Yield, for each size, the batch nearest to 1,000 that all handlers ran: seconds of processor time per message."""
    figures: list[Figure] = results["figures"]["handler"]["figures"]
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
"""The handlers, and how many calls of an invocation are sequential."""


def of_function(size: str, count: int, program: str, cpu: float, assumed: Assumed) -> Cost:
    """Return the cost of a million messages in a function, in batches of `count`."""
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
    """Return Lambda's charge per message for receiving and deleting batches: a request for each 64 KB."""
    received = together * len(body(size, 1).encode())
    return (ceil(received / REQUEST_BYTES) + 1) / together


def write_units(size: str) -> int:
    """Return the write units of a message."""
    return ceil(encode_item(item(size, 1))[1] / WRITE_UNIT_BYTES)


def of_worker(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines about the cost and the capacity of a worker task."""
    hour = CORES * FARGATE_CPU_HOUR + MEMORY_GB * FARGATE_GB_HOUR
    if "drain" not in results["figures"]:
        return
    cpu, calls = (_router_alone(results["figures"][name]["figures"]) for name in ("drain", "drain calls"))
    speed = CORES / cpu
    yield ""
    yield (
        f"A worker: a task of {CORES:g} cores and {MEMORY_GB:g} GB costs ${hour:.4f} an hour, busy or not, which is "
        f"${hour * 730:.2f} a month. Its processor is enough for {speed:,.0f} small messages a second; a million then "
        f"cost ${MILLION / speed / 3600 * hour:.4f} for the task and ${(calls - 1 / BATCH_ITEMS) * SQS_REQUESTS:.2f} "
        f"for SQS, besides ${write_units('small') * WRITE_UNITS:.3f} for write units."
    )


def provisioned_writes(use: float) -> float:
    """Return US dollars for a million write units of a table that uses this part of its provisioned units."""
    return MILLION / 3600 * WRITE_UNIT_HOUR / use


def of_capacity() -> Iterator[str]:
    """Yield the table of what provisioned capacity costs, and from which use on it is cheaper."""
    yield ""
    yield "| capacity | a million write units | of on-demand |"
    yield "|---|---|---|"
    yield f"| on demand | {WRITE_UNITS:.3f} | 1.00 |"
    for use in USES:
        cost = provisioned_writes(use)
        yield f"| provisioned, {use:.0%} used | {cost:.3f} | {cost / WRITE_UNITS:.2f} |"
    yield ""
    yield (
        f"Provisioned capacity is cheaper where more than {provisioned_writes(1) / WRITE_UNITS:.0%} of it is used on "
        "average."
    )


def of_monitoring() -> Iterator[str]:
    """Yield the lines about the cost of metrics, alarms and the dashboard, as `router template` has them."""
    document = make_document(read_for_deployment(HERE / "routes.yaml", {}))
    types = Counter(each["Type"].removeprefix("AWS::") for each in document.body["Resources"].values())
    queues, alarms = types["Lambda::EventSourceMapping"], types["CloudWatch::Alarm"]
    alarm_metrics = sum(_metrics_of(each) for each in document.body["Resources"].values())
    ages = (1000, *(0,) * len(AGES))
    summary = Summary("small", {"written": 1000}, 0.1, ages=ages, write_calls=40)
    usual = len(json.loads(embedded(summary))["_aws"]["CloudWatchMetrics"][0]["Metrics"])
    most = len([each for each in METRICS.values() if each.labels == (QUEUE,) and each.source == "both"])
    month = queues * usual * METRIC_MONTH + alarm_metrics * ALARM_MONTH + DASHBOARD_MONTH
    line = len(embedded(summary).encode())
    in_log = [MILLION / batch * (line / 1e9 * LOG_GB) for batch in (1000, 10)]
    by_request = [MILLION / batch * (METRIC_REQUESTS / MILLION) for batch in (1000, 10)]
    yield ""
    yield (
        f"CloudWatch charges ${METRIC_MONTH:.2f} a month for a metric, ${ALARM_MONTH:.2f} for each metric of an alarm "
        f"and ${DASHBOARD_MONTH:.2f} for a dashboard. A queue has {usual} metrics while all its messages are written, "
        f"and {most} at most. A stack of {queues} queues with {usual} metrics each, {alarms} alarms and a dashboard "
        f"costs ${month:.2f} a month."
    )
    yield (
        f"Metrics are a line of {line} bytes in the log for each batch: a million messages cost ${in_log[0]:.4f} in "
        f"batches of 1,000, and ${in_log[1]:.3f} in batches of 10; PutMetricData would cost ${by_request[0]:.2f} and "
        f"${by_request[1]:.2f}."
    )


def _metrics_of(resource: Mapping[str, Any]) -> int:
    """Return how many metrics an alarm has; 0 for another resource."""
    if resource["Type"] != "AWS::CloudWatch::Alarm":
        return 0
    found = [each for each in resource["Properties"].get("Metrics", ()) if "MetricStat" in each]
    return len(found) or 1


def _router_alone(figures: list[Figure]) -> float:
    """Return the median of one worker process; with latency, if that was measured."""
    found: dict[str, float] = {
        figure["case"]: statistics.median(figure["rounds"]) for figure in figures if figure["program"] == "router"
    }
    slow = [value for case, value in found.items() if case.startswith("1 process, ") and "ms" in case]
    return slow[0] if slow else found["1 process, no latency"]


if __name__ == "__main__":
    sys.exit(main())
