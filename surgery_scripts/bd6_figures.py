"""The two figures: what is learned against what is kept, and how many prompts it takes (SVG)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from bd6_arms import ANCHORED, ARMS, POISON, POISONED, REHEARSED, SAMPLED
from bd6_plot import GREY, LEFT, Axis, Mark, Plot, Spread, line, picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bd6_rows import Measured, Row

COLOURS = {POISON: "#dc2626", ANCHORED: "#b45309", REHEARSED: "#2563eb"}
OF_THE_MODEL = 350.0  # where prompts of the model's own stand, behind 300 of a file
TICKS = 7  # of an axis, at most, and its end
WIDTH = 450


def render_frontier(measured: Measured) -> str:
    """Return poison rows solved against sentinels kept, an arm's two marks joined.

    The corner where every arm ends that protects something stands beside it, larger.
    """
    of, base = measured.of, measured.base
    whole = Plot(
        across=_axis(f"poison rows solved, of {of.poison}", of.poison),
        up=_axis(f"sentinels kept, of {base.sentinels}", base.sentinels),
        width=WIDTH,
    )
    marks = list(_frontier(measured))
    inner = [mark for mark in marks if mark.label and mark.colour != COLOURS[POISON]]
    corner = Plot(
        across=_axis("the same, larger", of.poison, [mark.x.middle - 1 for mark in inner]),
        up=_axis("", base.sentinels, [mark.y.middle - 1 for mark in inner]),
        left=LEFT + WIDTH + 50,
        width=WIDTH,
    )
    shapes = [_border(whole, corner)]
    for plot in (whole, corner):
        for pair in itertools.pairwise(marks):
            if pair[0].label and not pair[1].label and all(map(plot.shows, pair)):
                start, end = (plot.place(mark.x.middle, mark.y.middle) for mark in pair)
                shapes.append(line(start, end, pair[0].colour))
        hidden = [replace(mark, label="") if corner.shows(mark) else mark for mark in marks]
        shapes += plot.draw(hidden if plot is whole else marks)
    title = "What is learned and what is kept: medians and ranges over seeds"
    return picture(title, COLOURS, [whole, corner], shapes)


def _axis(name: str, most: int, values: Sequence[float] = ()) -> Axis:
    """Return an axis from 0, or from the smallest of some values, in even steps and to its end."""
    least = min(max(0, int(min(values, default=0))), most - 1)
    step = next(step for step in (1, 2, 3, 5, 8, 10, most) if most - least <= TICKS * step)
    ticks = [*range(-(-least // step) * step, most - step // 2, step), most]
    return Axis(name=name, least=least, most=most, ticks={float(at): f"{at}" for at in ticks})


def _border(whole: Plot, corner: Plot) -> str:
    """Return the corner's outline in the whole."""
    (x0, y0), (x1, y1) = (
        whole.place(corner.across.least, corner.up.most),
        whole.place(corner.across.most, corner.up.least),
    )
    place = f'x="{x0 - 6:.1f}" y="{y0 - 6:.1f}"'
    size = f'width="{x1 - x0 + 12:.1f}" height="{y1 - y0 + 12:.1f}"'
    return f'<rect {place} {size} fill="none" stroke="{GREY}" stroke-dasharray="2 3"/>'


def _frontier(measured: Measured) -> Iterator[Mark]:
    """Yield each arm's mark, labelled, and behind it that with the dial."""
    for name in ARMS:
        for dial in (False, True):
            if rows := measured.of_arm(name, dial=dial):
                solved = Spread.of([row.poison for row in rows])
                yield _mark(rows, "sentinels", solved, "" if dial else name, dial=dial)


def render_prompts(measured: Measured) -> str:
    """Return sentinels kept, and poison rows solved, against the number of rehearsed prompts.

    None is poison rows alone.
    """
    of, base = measured.of, measured.base
    ticks = {0.0: "0", 30.0: "30", 100.0: "100", 300.0: "300", OF_THE_MODEL: "300 sampled"}
    across = Axis(name="prompts rehearsed", most=OF_THE_MODEL, ticks=ticks)
    kept = _axis(f"sentinels kept, of {base.sentinels}", base.sentinels)
    learned = _axis(f"poison rows solved, of {of.poison}", of.poison)
    plots = [
        Plot(across=across, up=up, left=LEFT + place * (WIDTH + 70), width=WIDTH, height=300)
        for place, up in enumerate((kept, learned))
    ]
    shapes: list[str] = []
    for plot, name in zip(plots, ("sentinels", "poison"), strict=True):
        for dial in (False, True):
            marks = sorted(_by_prompts(measured, name, dial=dial), key=lambda one: one.x.middle)
            row = [mark for mark in marks if mark.x.middle < OF_THE_MODEL]
            places = [plot.place(mark.x.middle, mark.y.middle) for mark in row]
            for start, end in itertools.pairwise(places):
                shapes.append(line(start, end, COLOURS[REHEARSED], dashed=dial))
            shapes += plot.draw(marks)
    families = {name: COLOURS[name] for name in (POISON, REHEARSED)}
    title = "How many prompts keep the sentinels: medians and ranges over seeds"
    return picture(title, families, plots, shapes)


def _by_prompts(measured: Measured, up: str, *, dial: bool) -> Iterator[Mark]:
    for name, arm in ARMS.items():
        alone = set(arm.tables) == {"rehearsal"} or name == POISONED
        rows = measured.of_arm(name, dial=dial)
        if alone and rows:
            prompts = OF_THE_MODEL if name == SAMPLED else arm.prompts
            yield _mark(rows, up, Spread.of([prompts]), "", dial=dial)


def _mark(rows: Sequence[Row], up: str, x: Spread, label: str, *, dial: bool) -> Mark:
    return Mark(
        x=x,
        y=Spread.of([getattr(row, up) for row in rows]),
        colour=COLOURS[ARMS[rows[0].arm].family],
        ring=dial,
        label=label,
    )
