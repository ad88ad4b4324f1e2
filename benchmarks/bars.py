"""Seconds of many contestants as a table and as bars (SVG). Knows not how they were measured."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from rendering import BAR, GAP, svg, table

if TYPE_CHECKING:
    from collections.abc import Mapping

LEFT, WIDTH, RIGHT = 250, 460, 120
OURS, OTHERS = "#2563eb", "#9ca3af"

Measured = dict[str, dict[str, dict[str, Any]]]  # work, contestant -> what was measured


def render(measured: Mapping[str, Any]) -> str:
    """Return all measurements as text."""
    where = measured["machine"]
    parts = [
        f"{where['cores']} cores, {where['threads']} threads, load average before: "
        f"{where['load']:.1f}, Python {where['python']}, medians of {measured['rounds']} rounds",
        *(_table(name, runs, cold=True) for name, runs in measured["demo"].items()),
        *(_table(name, runs, cold=False) for name, runs in measured["alone"].items()),
        *measured["skipped"],
        *measured["notes"],
    ]
    return "\n\n".join(parts)


def _table(name: str, runs: dict[str, dict[str, Any]], *, cold: bool) -> str:
    rows = []
    for contestant, run in runs.items():
        if run["dropped"]:
            continue
        passed = "-" if run["passed"] is None else f"{run['passed']:g}"
        whole = [f"{run['seconds']:.2f}", f"{run['ratio']:.2f}x"] if cold else []
        alone = [f"{run['generate_s']:.2f}", f"{run['generate_ratio']:.2f}x"]
        rows.append(
            [contestant, *whole, *alone, *([passed] if cold else []), f"{run['same']}/{run['of']}"]
        )
    head = ["cold, s", "over ours"] if cold else []
    head += ["generation, s", "over ours", *(["passed"] if cold else []), "answers as ours"]
    return table([name, *head], rows)


def render_svg(measured: Mapping[str, Any]) -> str:
    """Return seconds as horizontal bars, each group on a scale of its own."""
    shapes: list[str] = []
    y = 10
    for part, key, what in (
        ("demo", "seconds", "cold process to last verdict or answer"),
        ("demo", "generate_s", "generation alone"),
        ("alone", "generate_s", "generation alone"),
    ):
        for name, runs in measured[part].items():
            more, y = _group(f"{name}: {what}, seconds (less is better)", runs, key, y)
            shapes += more
    return svg(LEFT + WIDTH + RIGHT, y, shapes)


def _group(title: str, runs: dict[str, dict[str, Any]], key: str, y: int) -> tuple[list[str], int]:
    """Return one group's shapes and where the next begins."""
    kept = {name: run[key] for name, run in runs.items() if not run["dropped"]}
    most = max(kept.values())
    shapes = [f'<text x="{LEFT}" y="{y + 12}" font-weight="bold">{escape(title)}</text>']
    y += BAR + 4
    for name, seconds in kept.items():
        width = WIDTH * seconds / most
        colour = OURS if name.startswith("anchorgate") else OTHERS
        size = f'width="{width:.1f}" height="{BAR - 2}"'
        shapes += [
            f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" {size} fill="{colour}"/>',
            f'<text x="{LEFT + width + 6:.1f}" y="{y + 11}">{seconds:.2f}</text>',
        ]
        y += BAR
    return shapes, y + GAP
