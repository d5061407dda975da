"""Makes the tables of docs/observability.md: the metrics, and what they cost.

`python -m docs.generate.observability` prints what they cost; `-c FILE` adds the costs of a config.
"""

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import structs

from docs.generate.nights import nights_table
from docs.generate.outages import outages_table
from router.model import OutcomeKind, Summary
from router.runtime.config.spec import Config
from router.runtime.deliver.metrics import AGES, CAUSES, METRICS, Metric
from router.runtime.deliver.telemetry import embedded
from router.runtime.program.load import load_program

PAGE = Path(__file__).parents[1] / "observability.md"
LAMBDA_PAGE = PAGE.with_name("lambda.md")
METRIC_MONTH = 0.30
"""Dollars for a metric a month, of the first 10,000: https://aws.amazon.com/cloudwatch/pricing/"""
SETTINGS = ("queue", "route")
FAULTS = ("RT806", "RT814")
"""The codes that each queue has in a month with some faults."""
WHERE = {
    "both": "both",
    "function": "function",
    "worker": "worker",
    "route": "both, with `metrics: route`",
    "traces": "both, with [traces](#traces)",
}


def metrics_table() -> str:
    """Return the table of the metrics, and the list of causes."""
    lines = ["| metric | labels | kind, unit | in | what it counts |", "|---|---|---|---|---|"]
    lines += [_row(name, metric) for name, metric in METRICS.items()]
    causes = "; ".join(f"`{cause}`: {why}" for cause, why in CAUSES.items())
    return "\n".join([*lines, "", f"Causes: {causes}."])


def _row(name: str, metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    unit = metric.unit.lower()
    return f"| `{name}` | {labels} | {metric.kind}, {unit} | {WHERE[metric.source]} | {metric.what} |"


def count_metrics(queues: int, routes: int, tables: int, setting: str, *, faults: bool) -> int:
    """Return how many metrics of CloudWatch a function has in a month, with some faults or none."""
    written = Summary("q", {"written": 1}, 0.1, ages=(1, *(0,) * len(AGES)), write_calls=1)
    of_route: dict[OutcomeKind, int] = {"written": 1}
    if faults:
        written = structs.replace(
            written,
            counts={"written": 1, "rejected": 1, "retry": 1},
            codes=dict.fromkeys(FAULTS, 1),
            dead_letters=dict.fromkeys(FAULTS[:1], 1),
            retries=dict.fromkeys(list(CAUSES)[:2], 1),
        )
        of_route = {"written": 1, "rejected": 1, "retry": 1}
    total = queues * _sent(written)
    if setting == "route":
        with_route = structs.replace(written, routes={("r", "t"): of_route}, write_units={"t": 1.0})
        one_table = 1
        total += routes * (_sent(with_route) - _sent(written) - one_table) + tables
    return total


def _sent(summary: Summary) -> int:
    """Return how many metrics of CloudWatch a batch has."""
    lines = [json.loads(line) for line in embedded(summary).splitlines()]
    return sum(len(each["Metrics"]) for line in lines for each in line["_aws"]["CloudWatchMetrics"])


def costs_table(configs: dict[str, tuple[int, int, int]]) -> str:
    """Return what the metrics of configs cost a month; each has so many queues, routes and tables."""
    lines = [
        f"CloudWatch charges ${METRIC_MONTH:.2f} a month for each metric that is sent in it, of the first 10,000.",
        "A month with faults has retries of two causes and rejections of one code on each queue.",
        "Prometheus charges nothing. `python -m docs.generate.observability -c routes.yaml` computes it.",
        "",
        "| config | `metrics` | metrics | a month | with faults | a month |",
        "|---|---|---|---|---|---|",
    ]
    for name, sizes in configs.items():
        for setting in SETTINGS:
            well, ill = (count_metrics(*sizes, setting, faults=faults) for faults in (False, True))
            costs = f"| {well:,} | ${well * METRIC_MONTH:,.2f} | {ill:,} | ${ill * METRIC_MONTH:,.2f} |"
            lines.append(f"| {name} | `{setting}` {costs}")
    return "\n".join(lines)


EXAMPLES = {
    "1 queue, 1 route": (1, 1, 1),
    "10 queues, 30 routes, 10 tables": (10, 30, 10),
    "100 queues, 1,000 routes, 50 tables": (100, 1000, 50),
}


def sizes_of(config: Config) -> tuple[int, int, int]:
    """Return how many queues that are read, routes and tables a config has."""
    queues = {route.queue for route in config.routes.values()}
    return len(queues), len(config.routes), len(config.tables)


def with_parts(text: str, parts: Iterable[tuple[str, str]]) -> str:
    """Return a page in which what is made has the place of its name."""
    for name, made in parts:
        before, _, rest = text.partition(f"<!-- {name}: made by `make format` -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->\n")
        text = f"{before}<!-- {name}: made by `make format` -->\n\n{made}\n\n{end}{after}"
    return text


def parts() -> Iterator[tuple[str, str]]:
    """Yield what is made of the page, by the name of its place."""
    yield "metrics", metrics_table()
    yield "costs", costs_table(EXAMPLES)
    yield "nights", nights_table()


def observability_page() -> str:
    """Return the page with its made parts."""
    return with_parts(PAGE.read_text(encoding="utf-8"), parts())


def lambda_page() -> str:
    """Return the page on Lambda with its made part."""
    return with_parts(LAMBDA_PAGE.read_text(encoding="utf-8"), [("outages", outages_table())])


def main() -> None:
    """Print what the metrics of the examples, and of a config, cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--config", type=Path)
    path = parser.parse_args().config
    configs = dict(EXAMPLES)
    if path:
        configs[str(path)] = sizes_of(load_program(path, os.environ).config)
    print(costs_table(configs))  # noqa: T201 — the command's output


if __name__ == "__main__":
    main()
