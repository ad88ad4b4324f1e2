"""Curves over logarithmic axes, panel beside panel (SVG). Knows not what they mean."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from rendering import svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, TOP, GAP = 320, 220, 56, 34, 70
COLOURS = ("#2563eb", "#d97706", "#9ca3af")

Curve = list[tuple[float, float]]


def render_svg(panels: Mapping[str, Mapping[str, Curve]]) -> str:
    """Return each panel with its curves; all values must be over zero."""
    shapes: list[str] = []
    for number, (title, curves) in enumerate(panels.items()):
        shapes += _panel(title, curves, LEFT + number * (WIDTH + GAP))
    return svg(LEFT + len(panels) * (WIDTH + GAP), TOP + HEIGHT + 40, shapes)


def _panel(title: str, curves: Mapping[str, Curve], left: float) -> list[str]:
    points = [point for curve in curves.values() for point in curve]
    across, up = _Axis([x for x, _ in points], WIDTH), _Axis([y for _, y in points], HEIGHT)
    bottom = TOP + HEIGHT
    shapes = [f'<text x="{left}" y="{TOP - 14}" font-weight="bold">{escape(title)}</text>']
    for power in up.powers:
        y = bottom - up.at(10**power)
        shapes.append(f'<path d="M{left} {y:.1f}h{WIDTH}" stroke="#e5e7eb"/>')
        shapes.append(
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10**power:g}</text>'
        )
    for power in across.powers:
        x = left + across.at(10**power)
        shapes.append(f'<path d="M{x:.1f} {TOP}v{HEIGHT}" stroke="#e5e7eb"/>')
        shapes.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{10**power:g}</text>'
        )
    for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
        places = [(left + across.at(x), bottom - up.at(y)) for x, y in curve]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        shapes.append(
            f'<text x="{x - 4:.1f}" y="{y - 8:.1f}" text-anchor="end" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return shapes


class _Axis:
    """From values to a length, by their logarithms."""

    def __init__(self, values: Sequence[float], length: float) -> None:
        first, last = floor(log10(min(values))), ceil(log10(max(values)))
        self.powers = range(first, max(last, first + 1) + 1)
        self._scale = length / (len(self.powers) - 1)

    def at(self, value: float) -> float:
        """Return where a value lies."""
        return (log10(value) - self.powers[0]) * self._scale
