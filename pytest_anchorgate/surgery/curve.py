"""The picture of a training: what its log says, over its steps (SVG). Opens no file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from pytest_anchorgate.report.plots import SMALLEST_DECADE, Tick

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

WIDTH, LEFT, RIGHT = 760, 76, 20
ACROSS = WIDTH - LEFT - RIGHT  # what the steps have of the width
TITLE, GAP, BOTTOM = 44, 54, 48  # room above the first panel, between two, and below the last
TALL, LOW = 220, 150  # heights of the panels
STEP_TICKS = 6
LARGEST_DECADE = 4  # a loss over it is lost anyway
RADIUS = {"evaluated": 3.5, "anchors": 6, "poison": 3.5}  # of the marks on curves that have them
STYLE = """
svg { --page: #ffffff; --ink: #1f2933; --quiet: #52606d; --grid: #e4e7eb }
.loss { --hue: #1d4ed8 } .kl, .evaluated { --hue: #b45309 }
.anchors { --hue: #0f766e } .poison { --hue: #be185d }
@media (prefers-color-scheme: dark) {
  svg { --page: #14181d; --ink: #e4e7eb; --quiet: #9aa5b1; --grid: #323f4b }
  .loss { --hue: #7aa7ff } .kl, .evaluated { --hue: #f0b35a }
  .anchors { --hue: #4fd1c0 } .poison { --hue: #f792c0 }
}
text { fill: var(--ink) } .quiet { fill: var(--quiet) } path { stroke: var(--grid) }
polyline { fill: none; stroke: var(--hue); stroke-width: 2; stroke-linejoin: round }
circle { fill: var(--hue) } .evaluated polyline { stroke-dasharray: 5 4 }
.anchors circle { fill: none; stroke: var(--hue); stroke-width: 2 }
"""

Points = list[tuple[float, float]]  # step and value
Places = list[tuple[float, float]]  # in the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """One curve; ``look`` is its class in `STYLE`."""

    name: str
    look: str
    points: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """Curves on one vertical axis from ``low`` to ``high``, which are powers of ten if ``log``."""

    label: str
    top: float
    height: float
    low: float
    high: float
    log: bool
    ticks: Sequence[tuple[float, str]]  # value and label
    curves: Sequence[_Curve]

    def at(self, value: float) -> float:
        """Return the height of a value; one that is out of the axis stands at its end."""
        if self.log:
            value = math.log10(value) if value > 0 else self.low
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.top + self.height * (1 - share), 1)


def render_curve(entries: Sequence[Mapping[str, float]], *, anchors: int, poison: int) -> str:
    """Return the picture of a training's log: losses and divergences above, what is solved below.

    ``anchors`` and ``poison`` are how many could be kept and solved. Where nothing was evaluated
    the lower panel is left out.
    """
    solved = _solved(entries, anchors=anchors, poison=poison)
    panels = [_nats(entries), *([_shares(solved)] if solved else [])]
    last = max((entry["step"] for entry in entries), default=1)
    bottom = panels[-1].top + panels[-1].height
    height = bottom + BOTTOM
    shapes = [shape for panel in panels for shape in _panel(panel, last)]
    for tick in _step_ticks(last):
        shapes.append(_text(tick.label, tick.at, bottom + 18, "middle"))
    shapes.append(_text("optimizer steps", LEFT + ACROSS / 2, bottom + 38, "middle"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
            'font-family="system-ui, DejaVu Sans, sans-serif" font-size="13">',
            f"<title>Training: {last:g} steps</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height:g}" fill="var(--page)"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def _nats(entries: Sequence[Mapping[str, float]]) -> _Panel:
    """Return the panel of what is counted in nats for each token."""
    found = [
        _Curve(name="loss", look="loss", points=_points(entries, "loss")),
        _Curve(name="KL to the base, in training", look="kl", points=_points(entries, "kl")),
        _Curve(
            name="KL to the base, evaluated", look="evaluated", points=_points(entries, "eval_kl")
        ),
    ]
    curves = [one for one in found if one.points]
    powers = [math.log10(y) for curve in curves for _, y in curve.points if y > 0]
    low = min(max(SMALLEST_DECADE, math.floor(min(powers, default=-1))), LARGEST_DECADE - 1)
    high = max(low + 1, min(math.ceil(max(powers, default=0)), LARGEST_DECADE))
    return _Panel(
        label="nats a token",
        top=TITLE,
        height=TALL,
        low=low,
        high=high,
        log=True,
        ticks=[(10.0**power, f"{10.0**power:g}") for power in range(low, high + 1)],
        curves=curves,
    )


def _solved(entries: Sequence[Mapping[str, float]], *, anchors: int, poison: int) -> list[_Curve]:
    """Return the curves of what was kept and solved, as shares of what could be."""
    curves = []
    asked = (("anchors", "kept", anchors), ("poison", "solved", poison))
    for look, done, most in asked:
        counts = _points(entries, f"eval_{look}_{done}")
        if most and counts:
            newest = f"{look} {done}: {counts[-1][1]:g} of {most} in the end"
            shares = [(step, solved / most) for step, solved in counts]
            curves.append(_Curve(name=newest, look=look, points=shares))
    return curves


def _shares(curves: Sequence[_Curve]) -> _Panel:
    return _Panel(
        label="share",
        top=TITLE + TALL + GAP,
        height=LOW,
        low=0,
        high=1,
        log=False,
        ticks=[(part / 4, f"{25 * part} %") for part in range(5)],
        curves=curves,
    )


def _points(entries: Iterable[Mapping[str, float]], key: str) -> Points:
    """Return what is logged under a key; what is no number has no place."""
    found = ((entry["step"], entry[key]) for entry in entries if key in entry)
    return [(step, value) for step, value in found if math.isfinite(value)]


def _panel(panel: _Panel, last: float) -> Iterator[str]:
    for value, label in panel.ticks:
        y = panel.at(value)
        yield f'<path d="M{LEFT} {y:g}h{ACROSS}"/>'
        yield _text(label, LEFT - 8, y + 4, "end")
    for tick in _step_ticks(last):
        yield f'<path d="M{tick.at:g} {panel.top:g}v{panel.height:g}"/>'
    side = _text(panel.label, 0, 0, "middle")
    yield f'<g transform="translate(16 {panel.top + panel.height / 2:g}) rotate(-90)">{side}</g>'
    for number, curve in enumerate(panel.curves):
        x, y = LEFT + number * ACROSS / len(panel.curves), panel.top - 20
        places = [(_across(step, last), panel.at(value)) for step, value in curve.points]
        yield f'<g class="{curve.look}">'
        yield from _drawn(places, places, curve.look)
        yield from _drawn([(x, y), (x + 22, y)], [(x + 11, y)], curve.look)
        yield f'<text x="{x + 30:g}" y="{y + 4:g}">{curve.name}</text></g>'


def _drawn(line: Places, marks: Places, look: str) -> Iterator[str]:
    points = " ".join(f"{x:g},{y:g}" for x, y in line)
    yield f'<polyline points="{points}"/>'
    if look in RADIUS:
        for x, y in marks:
            yield f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS[look]:g}"/>'


def _step_ticks(last: float) -> list[Tick]:
    """Return ticks at multiples of 1, 2 or 5 times a power of ten."""
    distances = (k * 10**power for power in count() for k in (1, 2, 5))
    distance = next(one for one in distances if last <= STEP_TICKS * one)
    steps = range(0, int(last) + 1, distance)
    return [Tick(at=_across(step, last), label=str(step)) for step in steps]


def _across(step: float, last: float) -> float:
    return round(LEFT + ACROSS * step / last, 1)


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return f'<text class="quiet" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{text}</text>'
