"""A line chart as an SVG that is readable on a light page and on a dark one."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 56, 52
LABEL_HEIGHT = 17  # pixels between two names, one below the other

# A hue for each system, distinguishable on white and on black; a dash pattern for its transport.
COLOURS = ("#7c5cff", "#e8590c", "#0c9b6f", "#d6336c", "#1c87d6", "#a07900", "#7a8490")
DASHES = {"list": "7 4", "stream": "", "channel": "2 4"}

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.grid { stroke: #8884; stroke-width: 1 }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


@dataclass(frozen=True)
class Line:
    """A name and one value for each tick.

    The name's first word selects the colour, its last word the dash pattern.
    """

    name: str
    values: tuple[float, ...]


def line_chart(title: str, ticks: Sequence[str], lines: Sequence[Line]) -> str:
    """Return the SVG: ticks evenly spaced to the right, values upwards on a logarithmic scale.

    A value of 0 is drawn on a line of its own below the scale.
    """
    positive = [value for line in lines for value in line.values if value > 0]
    low, high = floor(log10(min(positive))), ceil(log10(max(positive)))
    zero = HEIGHT - BOTTOM
    foot = zero - 30 if any(0 in line.values for line in lines) else zero

    def x(index: int) -> float:
        return LEFT + index * (WIDTH - LEFT - RIGHT) / max(1, len(ticks) - 1)

    def y(value: float) -> float:
        if value == 0:
            return zero
        return foot - (log10(value) - low) / max(1, high - low) * (foot - TOP)

    steps = [step * 10**power for power in range(low, high) for step in (1, 2, 5)] + [10**high]
    parts = [f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>']
    for step in steps if foot == zero else [0, *steps]:
        parts.append(
            f'<path class="grid" d="M{LEFT} {y(step):.1f}H{WIDTH - RIGHT}"/>'
            f'<text x="{LEFT - 8}" y="{y(step) + 4:.1f}" text-anchor="end">{step:,.0f}</text>'
        )
    for index, tick in enumerate(ticks):
        parts.append(
            f'<text x="{x(index):.1f}" y="{HEIGHT - 26}" text-anchor="middle">{escape(tick)}</text>'
        )
    systems = list(dict.fromkeys(line.name.split()[0] for line in lines))
    labels = _spread([y(line.values[-1]) for line in lines])
    for line, label in zip(lines, labels, strict=True):
        colour = COLOURS[systems.index(line.name.split()[0]) % len(COLOURS)]
        dash = DASHES.get(line.name.split()[-1], "")
        points = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(line.values))
        end = f"{x(len(ticks) - 1) + 4:.1f} {y(line.values[-1]):.1f}"
        parts.append(
            f'<polyline class="line" stroke="{colour}" stroke-dasharray="{dash}"'
            f' points="{points}"/>'
            f'<path d="M{end}L{WIDTH - RIGHT + 22} {label:.1f}" stroke="{colour}" opacity=".5"/>'
            f'<text x="{WIDTH - RIGHT + 26}" y="{label + 4:.1f}" style="fill:{colour}">'
            f"{escape(line.name)}</text>"
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _spread(heights: Sequence[float]) -> list[float]:
    """Return the heights, moved apart so that no two labels overlap."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = dict.fromkeys(order, 0.0)
    previous = float("-inf")
    for index in order:
        previous = placed[index] = max(heights[index], previous + LABEL_HEIGHT)
    # Labels that were moved below the chart move back up, and push the ones above them.
    limit = float(HEIGHT - BOTTOM)
    for index in reversed(order):
        limit = placed[index] = min(placed[index], limit)
        limit -= LABEL_HEIGHT
    return [placed[index] for index in range(len(heights))]
