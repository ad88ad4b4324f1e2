"""Measurements as a table for people and as a bar chart (SVG). Knows not how they were made."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = "anchorgate"
COLOURS = ("#2563eb", "#9ca3af", "#d97706")
BAR, GAP, LEFT, WIDTH = 16, 18, 210, 460

Speed = dict[str, dict[str, dict[str, Any]]]  # set, checker -> what was measured


def render(measured: Mapping[str, Any]) -> str:
    """Return all measurements as text."""
    where = measured["machine"]
    parts = [
        f"{where['cpus']} CPUs, Python {where['python']}, isolation: {measured['isolation']}, "
        f"{measured['workers']} workers, medians of {measured['rounds']} rounds",
        _verdicts(measured["speed"]),
        _speed(measured["speed"], measured["checkers"]),
        _growth(measured["growth"]),
        _overhead(measured["overhead"]),
        *measured["notes"],
    ]
    return "\n\n".join(parts)


def _verdicts(speed: Speed) -> str:
    rows = [
        [
            name,
            *(f"{run['passed']}/{run['programs']}" for run in runs.values()),
            {True: "as required", False: "WRONG", None: ""}[runs[OURS]["as_required"]],
        ]
        for name, runs in speed.items()
    ]
    longest = max(speed.values(), key=len)
    rows = [[*row[:-1], *[""] * (len(longest) + 2 - len(row)), row[-1]] for row in rows]
    return table(["passed", *longest, ""], rows)


def _speed(speed: Speed, checkers: Sequence[str]) -> str:
    others = [name for name in checkers if name != OURS]
    rows = []
    for name, runs in speed.items():
        ours = runs[OURS]["per_second"]
        rates = [f"{runs[other]['per_second']:.1f}" if other in runs else "-" for other in checkers]
        ratios = [
            f"{ours / runs[other]['per_second']:.2f}x" if other in runs else "-" for other in others
        ]
        rows.append([name, *rates, *ratios])
    return table(["programs per second", *checkers, *(f"over {name}" for name in others)], rows)


def _growth(growth: Mapping[str, float]) -> str:
    one = growth["1"]
    rows = [[count, f"{rate:.1f}", f"{rate / one:.2f}x"] for count, rate in growth.items()]
    return table(["workers", "programs per second", "over one"], rows)


def _overhead(overhead: Mapping[str, float]) -> str:
    ours = overhead["check_ms"]
    rows = [
        ["one check, fully isolated", f"{ours:.2f}", ""],
        *(
            [f"fork and wait, {name}", f"{overhead[f'{key}_ms']:.2f}", f"{overhead[ratio]:.1f}x"]
            for name, key, ratio in (
                ("bare interpreter", "bare_fork", "over_bare_fork"),
                ("the zygote's imports", "loaded_fork", "over_loaded_fork"),
            )
        ),
    ]
    return table([f"median of {overhead['times']}", "ms", "a check is"], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under a heading, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        parts = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return "  ".join(parts).rstrip()

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])


def render_svg(speed: Speed, checkers: Sequence[str]) -> str:
    """Return programs per second as horizontal bars, grouped by set."""
    most = max(run["per_second"] for runs in speed.values() for run in runs.values())
    colours = dict(zip(checkers, COLOURS, strict=False))
    shapes, y = [], 40
    for column, name in enumerate(checkers):
        x = LEFT + 130 * column
        shapes.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{colours[name]}"/>')
        shapes.append(f'<text x="{x + 18}" y="22">{escape(name)}</text>')
    for name, runs in speed.items():
        middle = y + BAR * len(runs) / 2 + 4
        shapes.append(f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        for checker, run in runs.items():
            rate = run["per_second"]
            width = WIDTH * rate / most
            size = f'width="{width:.1f}" height="{BAR - 2}"'
            shapes.append(f'<rect x="{LEFT}" y="{y}" {size} fill="{colours[checker]}"/>')
            shapes.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 11}">{rate:.1f}</text>')
            y += BAR
        y += GAP
    title = "Programs judged per second, two workers (more is better)"
    shapes.append(f'<text x="{LEFT}" y="{y + 4}">{title}</text>')
    return svg(LEFT + WIDTH + 60, y + 16, shapes)


def svg(width: int, height: int, shapes: Sequence[str]) -> str:
    """Return shapes on a white picture."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *shapes,
            "</svg>\n",
        ]
    )
