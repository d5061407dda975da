"""The tables of a run as rows of text, for the terminal and for the page."""

import math
from typing import NamedTuple

import checking
import cold
import drain
import function
import handlers
import latency
import ways
from figures import Figures, Judged
from results import Results
from rich.console import Console
from rich.table import Table
from way import PUT


class Rows(NamedTuple):
    """A table: its title, the headings of its columns, its rows."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


HANDLERS = "Processor time of a Lambda handler"
FUNCTIONS = "Wall-clock time of a Lambda function"
STARTS = "First answer of a Lambda function"
WORKERS = "Workers that empty a queue"
LATENCY = "From sent to stored"
COLD = "Cold start and first invocation"
CHECKS = "Checking a configuration"
WAYS = "Other ways than a plain put"
GROWTH = "Growth"
STAGES = "Where the time of a record goes"
_WORDS = {
    **handlers.TITLES,
    cold.COMPILED: "router",
    cold.TABLE: "boto3 and one Table",
    drain.NODE: "sqs-consumer on Node",
    latency.BEFORE: "one receiver that waits",
    function.NOTHING: "a function that does nothing",
    function.RUST: function.RUST_TITLE,
    function.BOUND: f"its processor time and {function.CALLS} calls",
}
_FIGURES = {
    handlers.FIGURE: "processor time",
    function.WALL: "function, wall-clock time",
    function.FRESH: "function, first batch of a container",
    function.START: "function, first answer",
    drain.CPU: "worker, processor time",
    drain.SCALING: "worker, messages a second",
    latency.MEDIAN: "worker, from sent to stored",
    latency.CALLS: "worker, calls",
    cold.CPU: "cold start, processor time",
    cold.CLOCK: "cold start, wall-clock time",
    cold.MEMORY: "cold start, peak memory",
    checking.CPU: "`router check`, processor time",
    ways.CPU: "handler, processor time",
    ways.BOUNDING: "handler, processor time",
}


def word(program: str) -> str:
    """Return the name of a program in tables."""
    return _WORDS.get(program, program)


def show(results: Results, console: Console) -> None:
    """Print all tables."""
    for rows in (budgets(results), *suites(results)):
        if not rows.rows:
            continue
        table = Table(title=rows.title, title_justify="left")
        for place, head in enumerate(rows.heads):
            table.add_column(head, justify="left" if place < 2 else "right")
        for row in rows.rows:
            table.add_row(*row)
        console.print(table)
    for name, why in results.missing.items():
        console.print(f"not measured: {name}; {why}")


def budgets(results: Results) -> Rows:
    """Return the table of budgets and their results."""
    rows: list[tuple[str, ...]] = [
        (
            f"{_FIGURES[each.budget.figure]}: {each.budget.case}",
            f"{word(each.budget.program)} to {word(each.budget.peer)}",
            each.budget.words(each.budget.limit),
            str(each.ratio),
            "yes" if each.met else "NO",
            *_aim(each),
        )
        for each in results.judged
    ]
    heads = ("figure", "ratio of", "budget", "measured (least to most)", "met", "aim", "reached")
    return Rows("Budgets", heads, rows)


def _aim(judged: Judged) -> tuple[str, str]:
    """Return the cells of the aim: its words, and whether it is reached."""
    if judged.budget.aim is None:
        return "", ""
    return judged.budget.words(judged.budget.aim), "yes" if judged.reached else "not yet"


def suites(results: Results) -> list[Rows]:
    """Return a table for each suite that ran."""
    found = []
    figures = results.figures
    if handlers.FIGURE in figures:
        found.append(_compare(HANDLERS, "batch", figures[handlers.FIGURE], "router"))
    if function.WALL in figures and figures[function.WALL].values:
        found += functions(results), _compare(STARTS, "event", figures[function.START], "router")
    if drain.CPU in figures:
        found.append(workers(results))
    if latency.MEDIAN in figures:
        found.append(latencies(results))
    if cold.CPU in figures:
        found.append(cold_starts(results))
    if ways.CPU in figures:
        found.append(ways_of(results))
    if checking.CPU in figures:
        found.append(_compare(CHECKS, "configuration", figures[checking.CPU], "router"))
    if results.growth:
        found.append(growth(results))
    if results.stages:
        found.append(stages(results))
    return found


def _compare(title: str, first: str, figures: Figures, ours: str) -> Rows:
    rows: list[tuple[str, ...]] = []
    for case in figures.cases:
        for program in figures.programs(case):
            values = figures.of(case, program)
            ratio = "" if program == ours else str(figures.ratio(case, ours, program) or "")
            spread = f"{_number(min(values))} to {_number(max(values))}"
            rows.append((case, word(program), _number(figures.median(case, program)), spread, ratio))
    return Rows(title, (first, "program", f"median, {figures.unit}", "range", "ratio of the router"), rows)


def functions(results: Results) -> Rows:
    """Return the table of the wall-clock time of batches."""
    wall, fresh, memory = (results.figures[name] for name in (function.WALL, function.FRESH, function.MEMORY))
    ours, peers = function.ROUTER, (function.BATCH_WRITER, function.RUST)
    rows: list[tuple[str, ...]] = []
    for case in wall.cases:
        programs = wall.programs(case)
        times = [(wall, ours), (wall, function.BOUND), (fresh, ours), (fresh, function.BOUND)]
        rows.append(
            (
                case,
                *(_number(figures.median(case, program)) for figures, program in times),
                *(
                    cell
                    for peer in peers
                    for cell in (
                        _number(wall.median(case, peer)) if peer in programs else "",
                        str(wall.ratio(case, ours, peer) or ""),
                    )
                ),
                " / ".join(f"{memory.median(case, each):.0f}" for each in (ours, *peers) if each in programs),
            )
        )
    bound = f"processor and {function.CALLS} calls"
    compared = (head for peer in peers for head in (f"{word(peer)}, ms", "ratio of the router"))
    heads = ("batch", "router, ms", bound, "first batch, ms", bound, *compared, "peak memory, MB")
    return Rows(FUNCTIONS, heads, rows)


def workers(results: Results) -> Rows:
    """Return the table of workers: their cost, speed and limits."""
    cpu, speed, server = (results.figures[name] for name in (drain.CPU, drain.SPEED, drain.SERVER))
    calls, memory, few = (results.figures[name] for name in (drain.CALLS, drain.MEMORY, drain.MEMORY_FEW))
    rows: list[tuple[str, ...]] = []
    for case in cpu.cases:
        for program in cpu.programs(case):
            values = cpu.of(case, program)
            rows.append(
                (
                    case,
                    word(program),
                    f"{_number(cpu.median(case, program))} ({_number(min(values))} to {_number(max(values))})",
                    "" if program == "router" else str(cpu.ratio(case, "router", program) or ""),
                    f"{speed.median(case, program):,.0f}",
                    _number(server.median(case, program)),
                    f"{calls.median(case, program):.1f}",
                    f"{_number(memory.median(case, program))} ({_number(few.median(case, program))})",
                )
            )
    heads = ("worker", "program", "µs of processor a message", "ratio of the router", "messages a second")
    return Rows(WORKERS, (*heads, "server, µs a message", "calls for ten", "memory, MB"), rows)


def latencies(results: Results) -> Rows:
    """Return the table of the times from sent to stored."""
    median, high, sent = (results.figures[name] for name in (latency.MEDIAN, latency.HIGH, latency.SENT))
    rows: list[tuple[str, ...]] = []
    for case, program in high.values:
        values = [_number(each.median(case, program)) for each in (sent, median, high)]
        ratio = "" if program == "router" else str(median.ratio(case, "router", program) or "")
        rows.append((case, word(program), *values, ratio))
    heads = ("load", "worker", "messages a second", "median, ms", "99th percentile, ms", "ratio of the router (median)")
    return Rows(LATENCY, heads, rows)


def cold_starts(results: Results) -> Rows:
    """Return the table of cold starts."""
    cpu, clock, memory = (results.figures[name] for name in (cold.CPU, cold.CLOCK, cold.MEMORY))
    rows: list[tuple[str, ...]] = []
    for case, program in cpu.values:
        cells = []
        for figures in (cpu, clock, memory):
            values = figures.of(case, program)
            median = _number(figures.median(case, program))
            cells.append(f"{median} ({_number(min(values))} to {_number(max(values))})")
        ratio = str(cpu.ratio(case, cold.COMPILED, program) or "") if program != cold.COMPILED else ""
        rows.append((case, word(program), *cells, ratio))
    heads = (
        "until",
        "program",
        "processor, ms",
        "wall-clock, ms",
        "peak memory, MB",
        "ratio of the router (processor)",
    )
    return Rows(COLD, heads, rows)


def ways_of(results: Results) -> Rows:
    """Return the table of the ways of a message."""
    figures = results.figures[ways.CPU]
    rows: list[tuple[str, ...]] = []
    for case, way in figures.values:
        values = figures.of(case, way)
        spread = f"{_number(min(values))} to {_number(max(values))}"
        rows.append((way, _number(figures.median(case, way)), spread, str(figures.ratio(case, way, PUT) or "")))
    return Rows(WAYS, ("way", f"median, {figures.unit}", "range", "ratio to a plain put"), rows)


def growth(results: Results) -> Rows:
    """Return the table of growing costs."""
    assert results.growth
    rows: list[tuple[str, ...]] = []
    for kind in results.growth.kinds:
        points = sorted(results.growth.medians(kind).items())
        (least, low), (most, high) = points[0], points[-1]
        slope = results.growth.slope(kind)
        rows.append(
            (
                f"{kind.cost}, by {kind.grows}",
                f"{least:,}: {_number(low)}",
                f"{most:,}: {_number(high)}",
                f"{slope:.2f}",
                f"{kind.most:.2f}" + (f", {kind.ceiling:,.0f} in all" if math.isfinite(kind.ceiling) else ""),
                "yes" if results.growth.is_met(kind) else "NO",
            )
        )
    return Rows(GROWTH, ("cost", "least", "most", "slope", "maximum", "met"), rows)


def stages(results: Results) -> Rows:
    """Return the table of stages."""
    assert results.stages
    sizes = list(results.stages)
    names = list(results.stages[sizes[0]])
    rows = []
    for name in names:
        times = [_number(results.stages[size][name] * 1e6) for size in sizes]
        rows.append((name, *times))
    return Rows(STAGES, ("stage", *(f"{size}, µs" for size in sizes)), rows)


def _number(value: float) -> str:
    """Format with three digits, or with all digits before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
