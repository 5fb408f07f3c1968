"""Groups of horizontal bars as an SVG that is readable on a light page and on a dark one."""

from collections.abc import Mapping, Sequence
from html import escape

from bench.chart import COLOURS, STYLE

WIDTH = 860
LEFT, RIGHT = 210, 90  # pixels for names, and for figures
_TOP, _GAP, _BAR, _PITCH = 50, 40, 18, 26


def bar_chart(title: str, groups: Mapping[str, Sequence[tuple[str, float]]]) -> str:
    """Return the SVG: each group has a heading and a linear scale of its own, from zero.

    A bar is a name and a value. The name's first word selects the colour.
    """
    systems = list(dict.fromkeys(name.split()[0] for bars in groups.values() for name, _ in bars))
    colours = {name.strip(","): COLOURS[n % len(COLOURS)] for n, name in enumerate(systems)}
    parts = [f'<text class="title" x="14" y="28">{escape(title)}</text>']
    y = _TOP
    for heading, bars in groups.items():
        y += _GAP - _PITCH // 2
        parts.append(f'<text style="font-weight: 600" x="14" y="{y}">{escape(heading)}</text>')
        y += 10
        most = max((value for _, value in bars), default=0) or 1
        for name, value in bars:
            width = value / most * (WIDTH - LEFT - RIGHT)
            colour = colours[name.split()[0].strip(",")]
            middle = y + _BAR / 2 + 5
            parts.append(
                f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>'
                f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
                f'<text x="{LEFT + width + 6:.1f}" y="{middle:.0f}">{value:,.0f}</text>'
            )
            y += _PITCH
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" role="img">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )
