"""Draws the processor time of a message, by program, as bars on a logarithmic scale."""

import math
from xml.sax.saxutils import escape

from figures import Figures, digits
from floors import DRAIN, LARGE, MEDIUM, NESTED, ROUTER, SMALL, TITLES

CASES = {
    SMALL: "function, small",
    MEDIUM: "function, medium",
    NESTED: "function, nested",
    LARGE: "function, large",
    DRAIN: "worker, small",
}
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 800, 330, 70, 18, 14, 40
LEAST, MOST = 1e-6, 0.1
"""The ends of the scale, in seconds."""
COLOURS = {True: "#0969da", False: "#8c959f"}
"""The colour of the router, and that of the others."""


def draw(figures: Figures) -> str:
    """Return the picture as SVG."""
    parts: list[str] = []
    y = TOP
    for case, title in CASES.items():
        programs = [program for found, program in figures.values if found == case]
        for program in programs:
            parts += _bar(y, f"{title}: {TITLES.get(program, program)}", figures.median(case, program), program)
            y += BAR + 4
        y += GAP
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-size="13"',
            ' font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>',
            '<text x="12" y="22">Processor time of a message, in µs. Each line is ten times the one before it.</text>',
            *(_line(power, y) for power in range(round(math.log10(LEAST)), round(math.log10(MOST)) + 1)),
            *parts,
            "</svg>\n",
        )
    )


def _bar(y: int, title: str, seconds: float, program: str) -> tuple[str, str, str]:
    end, middle = _place(seconds), y + BAR - 5
    return (
        f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(title)}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}" fill="{COLOURS[program == ROUTER]}"/>',
        f'<text x="{end + 6:.1f}" y="{middle}">{digits(seconds * 1e6)}</text>',
    )


def _line(power: int, height: int) -> str:
    x = _place(10.0**power)
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - GAP}" stroke="#d0d7de"/>'


def _place(seconds: float) -> float:
    """Return where a time is on the scale."""
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(seconds / LEAST) / math.log10(MOST / LEAST)
