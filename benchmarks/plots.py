"""The plots of a run, as SVG: titles state the result, and colours suit colour-blind readers."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cold
import drain
import function
import handlers
import latency
import matplotlib as mpl
from figures import Figures
from matplotlib import pyplot as plt
from results import Results
from tables import word

mpl.use("svg")
# The palette of Okabe and Ito: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, PINK, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#666666"
COLOURS = {
    "router": BLUE,
    cold.FROM_YAML: SKY,
    "batch_writer": ORANGE,
    "boto3 loop": ORANGE,
    drain.NODE: GREEN,
    function.NOTHING: GREY,
    function.RUST: PINK,
    function.BOUND: GREY,
    "put_item": GREEN,
    "powertools": PINK,
    "on_fastsqs": GREY,
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "message-router",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw(results: Results, folder: Path, suffix: str = "svg") -> list[str]:
    """Write the plots of the measured suites; return their names."""
    plots: dict[str, tuple[bool, Callable[[Results], Any]]] = {
        "handlers": (handlers.FIGURE in results.figures, _handlers),
        "function": (bool(function.WALL in results.figures and results.figures[function.WALL].values), _function),
        "workers": (drain.CPU in results.figures, _workers),
        "latency": (latency.MEDIAN in results.figures, _latency),
        "cold": (cold.CPU in results.figures, _cold),
        "stages": (results.stages is not None, _stages),
        "growth": (results.growth is not None, _growth),
    }
    drawn = []
    with mpl.rc_context(_STYLE):
        for name, (there, make) in plots.items():
            if there:
                figure = make(results)
                figure.savefig(folder / f"{name}.{suffix}", metadata={"Date": None} if suffix == "svg" else None)
                plt.close(figure)
                drawn.append(f"{name}.{suffix}")
    return drawn


def _handlers(results: Results) -> Any:
    figures = results.figures[handlers.FIGURE]
    cases = figures.cases
    figure, axes = plt.subplots(figsize=(8.5, 0.55 * len(cases) + 1.9), layout="constrained")
    for place, case in enumerate(cases):
        costs = {program: figures.median(case, program) for program in figures.programs(case)}
        axes.plot([min(costs.values()), max(costs.values())], [place, place], color="#bbbbbb", linewidth=1, zorder=1)
        for program, cost in costs.items():
            known = axes.get_legend_handles_labels()[1]
            label = word(program) if word(program) not in known else None
            axes.scatter(cost, place, color=COLOURS[program], s=46, label=label, zorder=2)
            if program in ("router", "batch_writer"):
                text = f"{cost:,.0f}" if cost >= 10 else f"{cost:.1f}"
                axes.annotate(text, (cost, place), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), [f"{case}" for case in cases])
    axes.set_ylim(len(cases) - 0.5, -0.7)
    axes.set_xlabel("processor time, µs a record (logarithmic)")
    axes.set_ylabel("messages of a batch")
    axes.grid(axis="x")
    figure.suptitle(_title(figures, "1,000 small", "batch_writer", "put_item"), x=0.01, ha="left", fontsize=11)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _title(figures: Figures, case: str, *peers: str) -> str:
    parts = []
    for peer in peers:
        ratio = figures.ratio(case, "router", peer)
        if ratio:
            parts.append(f"1/{1 / ratio.median:.0f} of that of {word(peer)}")
    return f"For {case} messages the processor time of the router is\n{'; '.join(parts)}"


def _function(results: Results) -> Any:
    wall, fresh, starts = (results.figures[name] for name in (function.WALL, function.FRESH, function.START))
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(11.5, 3.9), layout="constrained", width_ratios=(4, 4, 3)
    )
    plain = [case for case in function.THOUSAND if not case.secure]
    secure = [case for case in function.THOUSAND if case.secure]
    _line(left, wall, plain, function.ROUTER, "latency", label="router")
    _line(left, fresh, secure, function.ROUTER, "latency", label="router, first batch, by TLS", color=SKY)
    _line(left, wall, plain, function.BATCH_WRITER, "latency", label=word(function.BATCH_WRITER))
    _line(left, wall, plain, function.BOUND, "latency", label=f"processor time and {function.CALLS} calls", style="--")
    left.set_xlabel("duration of a call, ms")
    left.set_ylabel("wall-clock time of 1,000 messages, ms")
    alike = [case for case in function.CASES if case.latency == function.PLOTTED and not case.secure]
    for program in (function.ROUTER, function.BATCH_WRITER, function.RUST):
        _line(middle, wall, alike, program, "count")
    middle.set_xscale("log")
    middle.set_xlabel("messages of a batch")
    middle.set_ylabel(f"wall-clock time at {function.PLOTTED} ms a call, ms")
    for axes in (left, middle):
        axes.set_yscale("log")
        axes.grid()
    _bars(right, starts, starts.cases)
    right.set_xlabel("first answer, ms after the start")
    ratio = wall.ratio(function.SLOW, function.ROUTER, function.BATCH_WRITER)
    text = f"1/{1 / ratio.median:.0f} of" if ratio else "another part of"
    title = f"Of {function.SLOW}: the router takes {text} the wall-clock time of {word(function.BATCH_WRITER)}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    handles = {
        label: handle for axes in (left, right) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure


def _line(
    axes: Any,
    figures: Figures,
    cases: Sequence[function.FunctionCase],
    program: str,
    along: str,
    *,
    label: str | None = None,
    color: str | None = None,
    style: str = "o-",
) -> None:
    """Draw the medians of the measured cases along one of their fields."""
    points = [
        (getattr(case, along), figures.median(case.name, program))
        for case in cases
        if program in figures.programs(case.name)
    ]
    axes.plot(
        *zip(*(points or [(math.nan, math.nan)]), strict=True),
        style,
        color=color or COLOURS[program],
        label=label,
        markersize=4,
    )


def _workers(results: Results) -> Any:
    cpu, speed = results.figures[drain.CPU], results.figures[drain.SPEED]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained", sharey=True)
    for axes, figures in ((left, cpu), (right, speed)):
        _bars(axes, figures, figures.cases)
        axes.grid(axis="x")
    left.set_xlabel("processor time, µs a message")
    left.set_ylabel("worker, and what each call takes")
    right.set_xlabel("messages a second")
    left.invert_yaxis()
    ratio = cpu.ratio(cpu.cases[0], "router", "boto3 loop")
    speeds = results.figures[drain.SCALING].ratio(f"{drain.LATENCY_MS} ms a call", "2 processes", "1 process")
    text = f"1/{1 / ratio.median:.1f} of the processor time of a loop on boto3" if ratio else ""
    two = f"; two processes do {speeds.median:.2f} times what one does" if speeds else ""
    figure.suptitle(f"A worker: {text}{two}", x=0.01, ha="left", fontsize=11)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _latency(results: Results) -> Any:
    median, high = results.figures[latency.MEDIAN], results.figures[latency.HIGH]
    figure, axes = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    for place, (case, program) in enumerate(high.values):
        ends = median.median(case, program), high.median(case, program)
        known = axes.get_legend_handles_labels()[1]
        label = word(program) if word(program) not in known else None
        axes.plot(ends, [place, place], "o-", color=COLOURS[program], label=label)
        for end in ends:
            axes.annotate(f"{end:,.0f}", (end, place), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.axvline(drain.LATENCY_MS, color=GREY, linestyle="--", linewidth=1, label=word(latency.WRITE))
    axes.set_xscale("log")
    axes.set_yticks(range(len(high.values)), [case for case, _ in high.values])
    axes.set_ylim(len(high.values) - 0.5, -0.8)
    axes.set_xlabel(f"from sent to stored, median and 99th percentile, ms; {drain.LATENCY_MS} ms a call (logarithmic)")
    axes.grid(axis="x")
    low, much = (f"{median.median(case, 'router'):.0f} ms at {case}" for case in (median.cases[0], median.cases[-1]))
    title = f"The router stores a message {low} and {much} after it was sent (median)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _bars(axes: Any, figures: Figures, cases: Sequence[str]) -> None:
    """Draw bars for each case, one for each program, with the value at the end and the range as a line."""
    programs = list(dict.fromkeys(program for case in cases for program in figures.programs(case)))
    height = 0.8 / len(programs)
    for order, program in enumerate(programs):
        found = [(place, case) for place, case in enumerate(cases) if program in figures.programs(case)]
        places = [place + (order - (len(programs) - 1) / 2) * height for place, _ in found]
        medians = [figures.median(case, program) for _, case in found]
        values = [figures.of(case, program) for _, case in found]
        spread = [
            [median - min(each) for median, each in zip(medians, values, strict=True)],
            [max(each) - median for median, each in zip(medians, values, strict=True)],
        ]
        axes.barh(places, medians, height * 0.9, color=COLOURS[program], label=word(program))
        axes.errorbar(medians, places, xerr=spread, fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
        most = [max(each) for each in values]
        for place, median, end in zip(places, medians, most, strict=True):
            text = f"{median:,.0f}" if median >= 10 else f"{median:.1f}"
            axes.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(cases)), cases)
    axes.margins(x=0.15)


def _cold(results: Results) -> Any:
    figures = {name: results.figures[name] for name in (cold.CPU, cold.CLOCK, cold.MEMORY)}
    figure, panels = plt.subplots(1, 3, figsize=(9.5, 2.7), layout="constrained", sharey=True)
    programs = figures[cold.CPU].programs(cold.CASE)
    for axes, each, label in zip(
        panels, figures.values(), ("processor, ms", "wall-clock time, ms", "peak memory, MB"), strict=True
    ):
        medians = [each.median(cold.CASE, program) for program in programs]
        axes.barh(range(len(programs)), medians, 0.7, color=[COLOURS[program] for program in programs])
        for place, median in enumerate(medians):
            axes.annotate(
                f"{median:,.0f}", (median, place), (4, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_xlabel(label)
        axes.set_yticks(range(len(programs)), [word(program) for program in programs])
        axes.margins(x=0.18)
        axes.grid(axis="x")
    panels[0].invert_yaxis()
    ratio = figures[cold.CPU].ratio(cold.CASE, cold.COMPILED, cold.BATCH_WRITER)
    text = f"1/{1 / ratio.median:.1f} of" if ratio else "another part of"
    title = f"A cold start and its first invocation: the router takes {text} the processor time of a handler on boto3"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _stages(results: Results) -> Any:
    assert results.stages
    figure, panels = plt.subplots(1, len(results.stages), figsize=(9.5, 3.6), layout="constrained", sharey=True)
    for axes, (size, found) in zip(panels, results.stages.items(), strict=True):
        parts = {name: seconds * 1e6 for name, seconds in found.items() if name != "whole"}
        names = list(parts)
        axes.barh(range(len(names)), list(parts.values()), 0.75, color=BLUE)
        axes.set_yticks(range(len(names)), names)
        axes.set_title(f"{size}: {found['whole'] * 1e6:,.0f} µs a record")
        axes.set_xlabel("µs a record")
        axes.grid(axis="x")
    panels[0].invert_yaxis()
    small = results.stages["small"]
    longest = max((name for name in small if name not in ("whole", "rest")), key=small.__getitem__)
    title = f"Where the time goes: of a small record most is spent in '{longest}'"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _growth(results: Results) -> Any:
    assert results.growth
    found = results.growth
    figure, panels = plt.subplots(3, 4, figsize=(13, 9), layout="constrained")
    for axes in panels.flat[len(found.kinds) :]:
        axes.set_axis_off()
    for axes, kind in zip(panels.flat, found.kinds, strict=False):
        points = sorted(found.medians(kind).items())
        slope = found.slope(kind)
        axes.plot([x for x, _ in points], [y for _, y in points], "o-", color=BLUE, markersize=4)
        _guide(axes, points, 2.0 if kind.most > 0.5 else 1.0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(kind.grows)
        axes.set_ylabel(kind.cost)
        axes.set_title(f"{kind.title}: slope {slope:.2f}")
        axes.grid()
    steepest = max(found.kinds, key=lambda kind: found.slope(kind) - kind.most)
    fine = found.slope(steepest) <= steepest.most
    text = "Nothing grows faster than it should" if fine else f"Too steep: {steepest.title}"
    figure.suptitle(f"{text}; dashed: what would be one power too many", x=0.01, ha="left", fontsize=11)
    return figure


def _guide(axes: Any, points: list[tuple[int, float]], power: float) -> None:
    """Draw a dashed line of a slope that would be too steep, from the middle point up."""
    start, cost = points[len(points) // 2]
    end = points[-1][0]
    top = cost * (end / start) ** power
    axes.plot([start, end], [cost, top], "--", color=ORANGE, linewidth=1)
    least = min(y for _, y in points)
    axes.set_ylim(least / 2, max(top, *(y for _, y in points)) * math.sqrt(2))
