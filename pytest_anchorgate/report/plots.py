"""Where the marks of the HTML report's plots stand, in SVG units. Pure: numbers in, numbers out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.ledger import Attempt
    from pytest_anchorgate.report.gated import Row
    from pytest_anchorgate.report.suites import Share

BAR = 220.0
NAMED_MARGINS = 12
NAME_CHARACTERS = 34
DOT_WIDTH = 560.0
ROW_HEIGHT = 24.0
SMALLEST_DECADE = -6  # logits closer than this differ by rounding alone
SCATTER_WIDTH, SCATTER_HEIGHT = 620.0, 280.0
SCATTERED = 40  # attempts; older ones are left out
LABEL_CHARACTERS = 24
LABEL_HEIGHT, CHARACTER_WIDTH, GAP = 15.0, 7.25, 12.0
UP_AND_DOWN = (0, *(way * k for k in range(1, 20) for way in (1, -1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rate with its interval, and the baseline's rate when it is known."""

    rate: float
    low: float
    high: float
    before: float | None


def bar(share: Share, before: float | None = None) -> Bar:
    """Return where the parts of a suite's bar stand, of a width of `BAR`."""
    return Bar(
        rate=_round(share.rate * BAR),
        low=_round(share.interval.low * BAR),
        high=_round(share.interval.high * BAR),
        before=None if before is None else _round(before * BAR),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One anchor's margin, and the baseline's where it was measured."""

    name: str
    label: str
    margin: float
    x: float
    y: float
    before: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginPlot:
    """Kept anchors on a logarithmic axis, the most fragile first; all but these share a row."""

    named: tuple[Dot, ...]
    others: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    left: float  # where the axis begins, beside the names
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _LogAxis:
    """Powers of ten from ``low`` to ``high``, the first at ``left``."""

    left: float
    low: int
    high: int

    def at(self, margin: float) -> float:
        power = math.log10(margin) if margin > 0 else self.low
        share = (min(max(power, self.low), self.high) - self.low) / (self.high - self.low)
        return _round(self.left + share * DOT_WIDTH)


def margin_plot(rows: Sequence[Row]) -> MarginPlot | None:
    """Return the plot of these rows' margins, or None when none is known."""
    known = [(row.margin, row) for row in rows if row.margin is not None]
    if not known:
        return None
    known.sort(key=lambda pair: pair[0])
    before = [row.before.margin for _, row in known if row.before and row.before.margin]
    low, high = _decades([margin for margin, _ in known] + before)
    longest = max(len(_label(row.id)) for _, row in known[:NAMED_MARGINS])
    axis = _LogAxis(left=_round(max(12, longest) * CHARACTER_WIDTH + 2 * GAP), low=low, high=high)
    dots = tuple(_dot(row, margin, axis, k) for k, (margin, row) in enumerate(known))
    powers = [10.0**decade for decade in range(low, high + 1)]
    return MarginPlot(
        named=dots[:NAMED_MARGINS],
        others=dots[NAMED_MARGINS:],
        ticks=tuple(Tick(at=axis.at(power), label=f"{power:g}") for power in powers),
        left=axis.left,
        height=ROW_HEIGHT * min(len(dots), NAMED_MARGINS + 1),
    )


def _label(name: str) -> str:
    """Return a name whose end tells it from others."""
    return name if len(name) <= NAME_CHARACTERS else f"…{name[1 - NAME_CHARACTERS :]}"


def _dot(row: Row, margin: float, axis: _LogAxis, place: int) -> Dot:
    before = row.before.margin if row.before else None
    return Dot(
        name=row.id,
        label=_label(row.id),
        margin=margin,
        x=axis.at(margin),
        y=ROW_HEIGHT * (min(place, NAMED_MARGINS) + 0.5),
        before=None if before is None else axis.at(before),
    )


def _decades(margins: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten between which the margins lie; those too small lie at the end."""
    powers = [math.log10(margin) for margin in margins if margin > 0 and math.isfinite(margin)]
    low = max(SMALLEST_DECADE, math.floor(min(powers, default=0.0)))
    return low, max(low + 1, math.ceil(max(powers, default=1.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One attempt: anchors kept to the right, gains upwards, its name beside it."""

    x: float
    y: float
    shape: str  # "accepted", "refused", or "" where nothing was decided
    label: str
    label_at: tuple[float, float] | None
    current: bool
    words: str  # what the point says, for those who do not see it


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Attempts by what they kept and gained."""

    points: tuple[Point, ...]
    left_out: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def scatter(history: Sequence[Attempt], current: Attempt | None) -> Scatter | None:
    """Return the plot of the latest attempts that were held against anchors, or None."""
    measured = [attempt for attempt in history if attempt.anchors]
    if not measured:
        return None
    shown = measured[-SCATTERED:]
    step = _step(max(attempt.gained for attempt in shown))
    top = step * max(1, math.ceil(max(attempt.gained for attempt in shown) / step))
    places = [_place(attempt, top) for attempt in shown]
    labels = _labels(places, [_name(attempt) for attempt in shown])
    return Scatter(
        points=tuple(
            _point(attempt, place, label, current)
            for attempt, place, label in zip(shown, places, labels, strict=True)
        ),
        left_out=len(measured) - len(shown),
        x_ticks=tuple(
            Tick(at=_round(share * SCATTER_WIDTH / 100), label=f"{share} %")
            for share in range(0, 101, 25)
        ),
        y_ticks=tuple(
            Tick(at=_round(SCATTER_HEIGHT * (1 - gains / top)), label=str(gains))
            for gains in range(0, top + 1, step)
        ),
    )


def _step(most: int) -> int:
    """Return the distance of at most six ticks: 1, 2 or 5 times a power of ten."""
    powers = (int(f"1{'0' * digits}") for digits in range(len(str(most)) + 1))
    return next(k * power for power in powers for k in (1, 2, 5) if most <= 5 * k * power)


def _place(attempt: Attempt, top: int) -> tuple[float, float]:
    x = attempt.anchors_kept / attempt.anchors * SCATTER_WIDTH
    return _round(x), _round(SCATTER_HEIGHT * (1 - attempt.gained / top))


def _name(attempt: Attempt) -> str:
    name = attempt.pack.removesuffix(".planck")
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}…"


def _point(
    attempt: Attempt,
    place: tuple[float, float],
    label: tuple[float, float] | None,
    current: Attempt | None,
) -> Point:
    return Point(
        x=place[0],
        y=place[1],
        shape=attempt.decision,
        label=_name(attempt),
        label_at=label,
        current=attempt is current,
        words=(
            f"{attempt.pack}, {attempt.decision or 'not decided'}: {attempt.anchors_kept} of "
            f"{attempt.anchors} anchors kept, {attempt.gained} gained"
        ),
    )


def _labels(
    places: Sequence[tuple[float, float]], names: Sequence[str]
) -> list[tuple[float, float] | None]:
    """Return where each name begins: beside its point, moved up or down off those before it.

    Where there is no room left, a name has no place.
    """
    found: list[tuple[float, float] | None] = []
    taken: list[tuple[float, float, float]] = []  # left, right, base line
    for (x, y), name in zip(places, names, strict=True):
        width = CHARACTER_WIDTH * len(name)
        left = x + GAP if x + GAP + width <= SCATTER_WIDTH else x - GAP - width
        base = min(y + LABEL_HEIGHT / 3, SCATTER_HEIGHT - LABEL_HEIGHT / 3)
        moves = (base - LABEL_HEIGHT * k for k in UP_AND_DOWN)
        inside = (move for move in moves if LABEL_HEIGHT / 2 < move < SCATTER_HEIGHT)
        free = next((move for move in inside if not _hits(taken, left, left + width, move)), None)
        found.append(None if free is None else (_round(left), _round(free)))
        if free is not None:
            taken.append((left, left + width, free))
    return found


def _hits(
    taken: Sequence[tuple[float, float, float]], left: float, right: float, base: float
) -> bool:
    return any(
        left < other_right and other_left < right and abs(base - other) < LABEL_HEIGHT
        for other_left, other_right, other in taken
    )


def _round(number: float) -> float:
    return round(number, 1)
