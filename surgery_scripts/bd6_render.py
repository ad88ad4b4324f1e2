"""All rows as a page: the tables, what must hold, and how to run it. Knows not how they were made.

A cell is the median over seeds, with the range behind it where seeds differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bd6_arms import ARMS, POISON, RECOMMENDED, SAMPLED, recommended_dial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bd6_rows import Measured, Row

HEAD = """# The seed's experiment, on the demo pack

The report that this project comes from trained adapters on failing tasks alone, twice with
care, and lost the anchors. Here the same is done to [the demo pack](demo-world.md), as it was
done there and with each protection of [a surgery](surgery.md): {trainings} trainings, {packs}
packs judged. `surgery_scripts/reproduce_bd6.py` made every row of [bd6.json](bd6.json) and
wrote this page from it.

Anchors, sentinels and fresh tasks are those that the base solves ({base}); it solves {poison}
of the {of_poison} poison rows. Training sees the poison rows and, where something is protected,
the anchors; the dial sees both. Sentinels and fresh tasks are seen by neither. Every arm trains
to its end, and the checkpoint with most anchors kept is taken (of these, with most poison rows
solved, then nearest to the base); poison rows alone know no anchors, so their last step is. A
cell is the median over the seeds {seeds}, with the range where they differ.
"""
FIGURES = """
![Poison rows solved against sentinels kept, two marks per arm](bd6-frontier.svg)

![Sentinels kept against the number of rehearsed prompts](bd6-prompts.svg)
"""
AS_TRAINED = """
## As trained

*Gate of {anchors}* and *gate of {all}*: with how many seeds a gate of the anchors, and one of
anchors and sentinels, accepts the pack. *Loss* is on poison rows, {loss} before. Seconds and
memory are those of the training's process, on one thread beside another arm.
"""
DIALLED = """
## With the dial

*Strength* is the share of the trained change that the dial chose, of 0.25, 0.5, 0.75 and 1;
*survived* is what rounding to BF16 left of the change.
"""
MUST = """
## What must hold

The recommended recipe, `demo.toml`, is arm {arm}, {how}. Where numbers stand alone they are the
medians of anchors, sentinels, fresh tasks and poison rows.
"""
RUN = """
## Run it

```
python surgery_scripts/reproduce_bd6.py            # {minutes}goes on where it was ended
python surgery_scripts/reproduce_bd6.py --render   # this page and its figures, from docs/bd6.json
python surgery_scripts/reproduce_bd6.py --quick    # two arms cut short; 1 if they end otherwise
```

Two arms run at a time, each on one thread. {versions}
"""
KEPT, LEARNED, LEARNED_SAMPLED, SHIPPED_SEED, FEW_ANCHORS = 0.97, 0.8, 0.6, 0, 2
MEGABYTE = 1e6


def render_page(measured: Measured) -> str:
    """Return the page, whatever rows there are."""
    of, base = measured.of, measured.base
    seeds = sorted({row.seed for row in measured.rows})
    losses = sorted(row.loss_before for row in measured.rows)
    minutes = f"took {measured.wall_s / 60:.0f} minutes; " if measured.wall_s else ""
    versions = ", ".join(f"{name} {number}" for name, number in measured.versions.items())
    notes = "".join(f"\n{note}\n" for note in measured.notes)
    return "".join(
        [
            HEAD.format(
                trainings=len(measured.rows) // 2,
                packs=len(measured.rows),
                base=f"{base.anchors}, {base.sentinels} and {base.fresh} of {of.fresh}",
                poison=base.poison,
                of_poison=of.poison,
                seeds=", ".join(map(str, seeds)) or "(none yet)",
            ),
            FIGURES,
            AS_TRAINED.format(
                anchors=base.anchors,
                all=base.anchors + base.sentinels,
                loss=f"{losses[0]:.2f}" if losses else "-",
            ),
            _as_trained(measured),
            DIALLED,
            _dialled(measured),
            MUST.format(arm=RECOMMENDED, how="dialled" if recommended_dial() else "as trained"),
            _claims(measured),
            f"\n## Notes\n{notes}" if notes else "",
            RUN.format(minutes=minutes, versions=f"Made with {versions}." if versions else ""),
        ]
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """Return a table in Markdown, its first columns to the left and numbers to the right."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    lines = (f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))
    return "\n" + "".join(lines)


def spread(rows: Sequence[Row], number: Callable[[Row], float], form: str = "{:g}") -> str:
    """Return the median over rows, and the range where it is more than one number."""
    if not rows:
        return "-"
    values = [number(row) for row in rows]
    least, middle, most = (form.format(one) for one in (min(values), median(values), max(values)))
    return middle if least == most else f"{middle} ({least}-{most})"


def _counts(rows: Sequence[Row], measured: Measured) -> list[str]:
    """Return the cells that both tables have: what is kept and learned, and who accepts it."""
    return [
        spread(rows, lambda row: row.anchors),
        spread(rows, lambda row: row.sentinels),
        spread(rows, lambda row: row.poison),
        spread(rows, lambda row: row.fresh),
        _share([passes(row, measured) for row in rows]),
        _share([passes(row, measured) and _unseen(row, measured) for row in rows]),
    ]


def _share(found: Sequence[bool]) -> str:
    return f"{sum(found)}/{len(found)}" if found else "-"


def passes(row: Row, measured: Measured) -> bool:
    """Tell whether a gate of the anchors accepts: one lost refuses."""
    return row.anchors == measured.base.anchors


def _unseen(row: Row, measured: Measured) -> bool:
    return row.sentinels == measured.base.sentinels


def _heads(measured: Measured) -> list[str]:
    base = measured.base
    return [
        f"anchors /{base.anchors}",
        f"sentinels /{base.sentinels}",
        f"poison /{measured.of.poison}",
        f"fresh /{base.fresh}",
        f"gate of {base.anchors}",
        f"gate of {base.anchors + base.sentinels}",
    ]


def _as_trained(measured: Measured) -> str:
    head = ["arm", "", *_heads(measured), "loss", "s", "MB"]
    lines = []
    for name, arm in ARMS.items():
        rows = measured.of_arm(name, dial=False)
        took = [
            spread(rows, lambda row: row.loss_after, "{:.3f}"),
            spread(rows, lambda row: row.seconds, "{:.0f}"),
            spread(rows, lambda row: row.peak_bytes / MEGABYTE, "{:.0f}"),
        ]
        lines.append([name, arm.what, *_counts(rows, measured), *took])
    return table(head, lines, words=2)


def _dialled(measured: Measured) -> str:
    lines = []
    for name in ARMS:
        rows = measured.of_arm(name, dial=True)
        strength = spread(rows, lambda row: row.strength)
        survived = spread(rows, lambda row: 100 * row.survived, "{:.1f}")
        lines.append([name, strength, *_counts(rows, measured), survived])
    return table(["arm", "strength", *_heads(measured), "survived, %"], lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that must hold, with what was found as trained and dialled, if it was looked at."""

    text: str
    found: tuple[str, str]


def _claims(measured: Measured) -> str:
    rows = [[claim.text, *claim.found] for claim in claims(measured)]
    return table(["", "as trained", "with the dial"], rows, words=3)


def claims(measured: Measured) -> Iterator[Claim]:
    """Yield what the experiment must show, and whether it does."""
    of, base = measured.of, measured.base
    yield Claim(
        text=f"Poison rows alone, at some strength that solves half of them, keep at most "
        f"{FEW_ANCHORS} of {base.anchors} anchors, and the gate refuses",
        found=(_collapse(measured), ""),
    )
    yield Claim(
        text=f"A alone passes a gate of {base.anchors} anchors and is caught by the sentinels",
        found=(_caught(measured), ""),
    )
    yield Claim(
        text=f"The recommended recipe keeps all {base.anchors} anchors and {KEPT:.0%} of sentinels "
        f"and fresh tasks, and solves {LEARNED:.0%} of the poison rows",
        found=_both(lambda dial: _holds(measured, RECOMMENDED, LEARNED, dial=dial)),
    )
    yield Claim(
        text=f"At the shipped seed, {SHIPPED_SEED}, it keeps every sentinel",
        found=_both(lambda dial: _whole(measured, dial=dial)),
    )
    yield Claim(
        text=f"With prompts sampled from the model alone it keeps as much and solves "
        f"{LEARNED_SAMPLED:.0%} of {of.poison} poison rows",
        found=_both(lambda dial: _holds(measured, SAMPLED, LEARNED_SAMPLED, dial=dial)),
    )


def _both(look: Callable[[bool], str]) -> tuple[str, str]:
    return look(False), look(True)


def _said(met: bool, found: str) -> str:
    return f"{'met' if met else '**not met**'}: {found}"


def _collapse(measured: Measured) -> str:
    found = []
    for name, arm in ARMS.items():
        rows = measured.of_arm(name, dial=False)
        if arm.family == POISON and rows:
            kept, learned = median(r.anchors for r in rows), median(r.poison for r in rows)
            refused = not any(passes(row, measured) for row in rows)
            met = 2 * learned >= measured.of.poison and kept <= FEW_ANCHORS and refused
            found.append((met, f"{name} solves {learned:g} and keeps {kept:g}"))
    if not found:
        return "not run"
    met, said = max(found, key=lambda one: one[0])
    return _said(met, said)


def _caught(measured: Measured) -> str:
    rows = measured.of_arm("A", dial=False)
    if not rows:
        return "not run"
    caught = sum(passes(row, measured) and not _unseen(row, measured) for row in rows)
    return _said(2 * caught > len(rows), f"in {caught} of {len(rows)} seeds")


def _holds(measured: Measured, arm: str, learned: float, *, dial: bool) -> str:
    rows, base = measured.of_arm(arm, dial=dial), measured.base
    if not rows:
        return "not run"
    anchors, sentinels, fresh, poison = (
        median(getattr(row, name) for row in rows)
        for name in ("anchors", "sentinels", "fresh", "poison")
    )
    met = (
        anchors == base.anchors
        and sentinels >= KEPT * base.sentinels
        and fresh >= KEPT * base.fresh
        and poison >= learned * measured.of.poison
    )
    return _said(met, f"{anchors:g}, {sentinels:g}, {fresh:g}, {poison:g}")


def _whole(measured: Measured, *, dial: bool) -> str:
    rows = [row for row in measured.of_arm(RECOMMENDED, dial=dial) if row.seed == SHIPPED_SEED]
    if not rows:
        return "not run"
    (row,) = rows
    return _said(_unseen(row, measured), f"{row.sentinels} of {measured.base.sentinels}")
