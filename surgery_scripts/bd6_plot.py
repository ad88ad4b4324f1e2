"""Marks with ranges and labels between two linear axes (SVG). Knows not what they mean."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))  # scripts, no package
from rendering import svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LEFT, TOP, BELOW, RIGHT = 64, 64, 56, 20
INK, GREY, GRID = "#374151", "#9ca3af", "#eef0f3"
LETTER, LINE = 6.7, 15  # pixels of a letter and a line, at most
HALO = 'stroke="white" stroke-width="3" paint-order="stroke"'
DOT, RING = 4.5, 8.0
AROUND = (  # where a label may stand beside its mark, nearest first: across, down, which end
    *((12, 4, "start"), (-12, 4, "end"), (0, -13, "middle"), (0, 22, "middle")),
    *((16, -14, "start"), (-16, -14, "end"), (16, 22, "start"), (-16, 22, "end")),
    *((x, y, "start") for x in (30, 60) for y in (-60, -44, -28, 34, 52, 70, 88, 106)),
    *((-x, y, "end") for x in (30, 60, 90) for y in (-60, -44, -28, 34, 52, 70, 88, 106)),
)

Place = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Spread:
    """A median between the least and the most of some values."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of values, one at least."""
        return cls(min(values), median(values), max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One measurement: a dot, or a ring around what is in it."""

    x: Spread
    y: Spread
    colour: str
    ring: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What is written along an axis, from the least to the most that it shows."""

    name: str
    least: float = 0.0
    most: float
    ticks: Mapping[float, str]
    margin: float = 0.07

    def at(self, value: float) -> float:
        """Return where a value lies, as a share of the axis."""
        inner = (value - self.least) / (self.most - self.least)
        return (inner + self.margin) / (1 + 2 * self.margin)

    def shows(self, value: float) -> bool:
        """Tell whether a value lies between the ends."""
        return self.least <= value <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Two axes, and where they stand in the picture."""

    across: Axis
    up: Axis
    left: float = LEFT
    width: int = 640
    height: int = 420

    @property
    def right(self) -> float:
        """Where the picture ends behind it."""
        return self.left + self.width + RIGHT

    def place(self, x: float, y: float) -> Place:
        """Return where values lie in the picture."""
        return (
            self.left + self.width * self.across.at(x),
            TOP + self.height * (1 - self.up.at(y)),
        )

    def shows(self, mark: Mark) -> bool:
        """Tell whether a mark's middle lies between the axes' ends."""
        return self.across.shows(mark.x.middle) and self.up.shows(mark.y.middle)

    def axes(self) -> Iterator[str]:
        """Yield the grid, its numbers and names."""
        bottom, middle = TOP + self.height, TOP + self.height / 2
        for value, name in self.across.ticks.items():
            x = self.left + self.width * self.across.at(value)
            yield f'<path d="M{x:.1f} {TOP}v{self.height}" stroke="{GRID}"/>'
            yield text(x, bottom + 18, name, anchor="middle")
        for value, name in self.up.ticks.items():
            y = TOP + self.height * (1 - self.up.at(value))
            yield f'<path d="M{self.left} {y:.1f}h{self.width}" stroke="{GRID}"/>'
            yield text(self.left - 8, y + 4, name, anchor="end")
        frame = f'width="{self.width}" height="{self.height}" fill="none" stroke="{GREY}"'
        yield f'<rect x="{self.left}" y="{TOP}" {frame}/>'
        yield text(self.left + self.width / 2, bottom + 42, self.across.name, anchor="middle")
        turned = f'transform="rotate(-90 {self.left - 44} {middle:.0f})"'
        yield text(self.left - 44, middle, self.up.name, anchor="middle", more=turned)

    def draw(self, marks: Sequence[Mark]) -> Iterator[str]:
        """Yield the ranges, then the marks, then labels that hide neither marks nor each other."""
        shown = [mark for mark in marks if self.shows(mark)]
        for mark in shown:
            yield from self._range(mark)
        for mark in shown:
            x, y = self.place(mark.x.middle, mark.y.middle)
            filled = f'fill="none" stroke="{mark.colour}" stroke-width="1.5"'
            if not mark.ring:
                filled = f'fill="{mark.colour}"'
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RING if mark.ring else DOT}" {filled}/>'
        yield from self._labels(shown)

    def _range(self, mark: Mark) -> Iterator[str]:
        """Yield a line from the least to the most in each direction in which they differ."""
        (x, y), (across, up) = (mark.x, mark.y), (self.across, self.up)
        for start, end in (
            ((max(x.least, across.least), y.middle), (x.most, y.middle)),
            ((x.middle, max(y.least, up.least)), (x.middle, y.most)),
        ):
            if start != end:
                yield line(self.place(*start), self.place(*end), mark.colour, dashed=mark.ring)

    def _labels(self, marks: Sequence[Mark]) -> Iterator[str]:
        taken = [_box(*self.place(mark.x.middle, mark.y.middle)) for mark in marks]
        for mark in (mark for mark in marks if mark.label):
            at = self.place(mark.x.middle, mark.y.middle)
            x, y, anchor, box = self._free(at, mark.label, taken)
            taken.append(box)
            if abs(x - at[0]) > 20 or abs(y - at[1]) > 24:
                yield line(at, (x, y - 4), GREY)
            yield text(x, y, mark.label, anchor=anchor, colour=mark.colour, more=HALO)

    def _free(self, at: Place, label: str, taken: Sequence[Box]) -> tuple[float, float, str, Box]:
        """Return the first place beside a mark that hides nothing, or that hides least."""

        def hidden(place: tuple[float, float, str, Box]) -> float:
            left, top, right, bottom = box = place[-1]
            outside = left < self.left or right > self.left + self.width
            outside |= top < TOP or bottom > TOP + self.height
            return sum(_common(box, other) for other in taken) + 1e6 * outside

        places = [
            (at[0] + x, at[1] + y, anchor, _label_box(at[0] + x, at[1] + y, label, anchor))
            for x, y, anchor in AROUND
        ]
        return min(places, key=hidden)


def picture(
    title: str, legend: Mapping[str, str], plots: Sequence[Plot], shapes: Sequence[str]
) -> str:
    """Return shapes between the axes of some plots, under a title and a legend of colours."""
    x, found = float(LEFT), []
    dots = {**legend, "as trained": INK}
    for name, colour in dots.items():
        found.append(f'<circle cx="{x + 5:.1f}" cy="42" r="{DOT}" fill="{colour}"/>')
        found.append(text(x + 14, 46, name))
        x += 30 + LETTER * len(name)
    found.append(f'<circle cx="{x + 5:.1f}" cy="42" r="{RING}" fill="none" stroke="{INK}"/>')
    found.append(text(x + 18, 46, "with the dial"))
    head = text(LEFT, 22, title, more='font-weight="bold" font-size="14"')
    frames = [shape for plot in plots for shape in plot.axes()]
    size = round(max(plot.right for plot in plots)), TOP + plots[0].height + BELOW
    return svg(*size, [head, *found, *frames, *shapes])


def _box(x: float, y: float) -> Box:
    return x - RING, y - RING, x + RING, y + RING


def _label_box(x: float, y: float, label: str, anchor: str) -> Box:
    width = LETTER * len(label)
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return left, y - LINE + 3, left + width, y + 3


def _common(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


def text(
    x: float, y: float, words: str, *, anchor: str = "start", colour: str = INK, more: str = ""
) -> str:
    """Return words at a place."""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {where}{more and ' '}{more}>{escape(words)}</text>"


def line(start: Place, end: Place, colour: str, *, dashed: bool = False) -> str:
    """Return a thin line."""
    (x0, y0), (x1, y1) = start, end
    dashes = ' stroke-dasharray="3 2"' if dashed else ""
    where = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
    return f'<path d="{where}" stroke="{colour}" stroke-opacity="0.55"{dashes}/>'
