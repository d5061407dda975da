"""Renders docs/performance.md from a template, and writes the plots beside it."""

import shutil
from pathlib import Path
from string import Template

import cold
import drain
import plots
import tables
from environment import HERE
from results import Results
from whereabouts import FLAME, RECORDS

PAGE, FOLDER = "performance.md", "performance"


def write(results: Results, docs: Path, made: Path) -> None:
    """Write the page of a run into a folder, and its plots into `performance/` there; `made` has the flame graph."""
    folder = docs / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    plots.draw(results, folder)
    if not results.flames:
        shutil.copyfile(made / FLAME, folder / FLAME)
    (docs / PAGE).write_text(render(results))


def render(results: Results) -> str:
    """Render the page."""
    template = Template((HERE / "performance.template.md").read_text())
    made = {rows.title: _table(rows) for rows in tables.suites(results)}
    return template.substitute(
        machine=_machine(results),
        rounds=results.machine["rounds"],
        budgets=_table(tables.budgets(results)),
        handlers=made[tables.HANDLERS],
        functions=_measured(made, tables.FUNCTIONS, "Wall-clock time of a function", "function"),
        starts=_measured(made, tables.STARTS),
        missing="".join(f"\nNot measured: {name}; {why}.\n" for name, why in results.missing.items()),
        workers=made[tables.WORKERS],
        latencies=_measured(made, tables.LATENCY, "Time from sent to stored", "latency"),
        **_limits(results),
        cold=made[tables.COLD],
        cold_count=cold.COUNTS[cold.CASE],
        checks=_measured(made, tables.CHECKS),
        ways=_measured(made, tables.WAYS),
        stages=made[tables.STAGES],
        stage_counts=", ".join(f"{count:,} {size}" for size, count in RECORDS.items()),
        flames=_flames(results),
        growth=made[tables.GROWTH],
    )


def _measured(made: dict[str, str], title: str, caption: str = "", plot: str = "") -> str:
    """Return a table and its plot, or that the suite did not run."""
    if title not in made:
        return "Not measured in this run."
    return f"{made[title]}\n\n![{caption}]({FOLDER}/{plot}.svg)" if plot else made[title]


def _machine(results: Results) -> str:
    date, processor, cores, system, python, peers = (
        results.machine[name] for name in ("date", "processor", "cores", "system", "Python", "peers")
    )
    return f"Measured on {date}: {processor}, {cores} cores, {system}, {python}.\nCompared with {peers}."


def _table(rows: tables.Rows) -> str:
    lines = [rows.heads, tuple("---" for _ in rows.heads), *rows.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _flames(results: Results) -> str:
    if results.flames:
        return f"There is no flame graph of this run: {results.flames}."
    shown = "is of a handler with batches of 1,000 small messages; click a part to zoom in"
    return f"The [flame graph]({FOLDER}/{FLAME}) {shown}."


def _limits(results: Results) -> dict[str, str]:
    """Return the limits of two processes, from the cost of a message for worker and server, and the number of cores."""
    cores = int(results.machine["cores"])
    values = {"cores": str(cores), "latency": str(drain.LATENCY_MS)}
    for prefix, latency in (("", 0), ("late_", drain.LATENCY_MS)):
        case = drain.DrainCase("router", 2, latency, 0).name
        worker = results.figures[drain.CPU].median(case, "router")
        server = results.figures[drain.SERVER].median(case, "router")
        most = cores * 1e6 / (worker + server)
        one = results.figures[drain.SPEED].median(drain.DrainCase("router", 1, latency, 0).name, "router")
        values[f"{prefix}share"] = f"{server / (worker + server):.0%}"
        values[f"{prefix}speed"] = f"{most:,.0f}"
        values[f"{prefix}scaling"] = f"{most / one:.2f}"
    return values
