"""`anchorgate compare A B`: what a candidate's gate lost and gained beside another's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.compare import compare, comparison_json, read_side
from pytest_anchorgate.report.wording import some
from pytest_anchorgate.verify import cut

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.compare import Comparison, SuiteComparison
    from pytest_anchorgate.report.suites import Share

EXIT_LOST = 1
LISTED = 40  # so many lost and gained tasks are named


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    command = commands.add_parser(
        "compare",
        help="print what one gate lost and gained beside another",
        description="Each file is a certificate or a report of --gate-json. "
        "Exit status: 0 when nothing was lost, 1 when anything was.",
    )
    command.add_argument("a", metavar="A.json", type=Path, help="the baseline")
    command.add_argument("b", metavar="B.json", type=Path, help="the candidate")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    comparison = compare(read_side(options.a), read_side(options.b))
    if options.json:
        lines = [json.dumps(comparison_json(comparison), indent=1)]
    else:
        lines = list(render_comparison(comparison))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return EXIT_LOST if comparison.lost else 0


def render_comparison(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of a text: what was lost, what was gained, the suites, the notes."""
    yield from _listed("lost", comparison.lost, comparison)
    yield from _listed("gained", comparison.gained, comparison)
    yield from _table(comparison.suites)
    for suite in comparison.suites:
        yield from _remarks(suite)
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        yield f"{letter:11}{side.where}: {cut(side.about)}"
    if comparison.differences:
        yield f"{'note':11}made otherwise: {cut('; '.join(comparison.differences), 600)}"


def _listed(name: str, keys: Sequence[str], comparison: Comparison) -> Iterator[str]:
    before, now, shown = comparison.a.tasks, comparison.b.tasks, keys[:LISTED]
    yield f"{name:11}{len(keys) or 'nothing'}"
    width = max((len(cut(key)) for key in shown), default=0)
    for key in shown:
        yield f"    {cut(key):{width}}  {before[key].status}, now {now[key].status}"
    if len(keys) > LISTED:
        yield f"    and {len(keys) - LISTED} more"


def _table(suites: Sequence[SuiteComparison]) -> Iterator[str]:
    width = max(11, *(len(cut(suite.name)) + 1 for suite in suites))
    yield (
        f"{'suite':{width}}{'tasks':>6}{'A':>6}{'rate':>9}{'95 % interval':>18}"
        f"{'B':>6}{'rate':>9}{'95 % interval':>18}{'lost':>6}{'gained':>8}{'McNemar p':>11}"
    )
    for suite in suites:
        p = "" if suite.mcnemar_p is None else f"{suite.mcnemar_p:.3g}"
        yield (
            f"{cut(suite.name):{width}}{suite.a.total:6}{_rate(suite.a)}{_rate(suite.b)}"
            f"{len(suite.lost):6}{len(suite.gained):8}{p:>11}"
        )


def _rate(share: Share) -> str:
    interval = f"{100 * share.interval.low:.1f} to {100 * share.interval.high:.1f} %"
    return f"{share.passed:6}{100 * share.rate:7.1f} %{interval:>18}"


def _remarks(suite: SuiteComparison) -> Iterator[str]:
    """Yield what the table has no column for."""
    if suite.loss_bound is not None:
        n, most = suite.a.passed, 100 * suite.loss_bound
        yield f"{cut(suite.name):11}0 lost of {n}: at most 3/{n}, {most:.1f} % (95 % confidence)"
    for where, keys in (("A", suite.only_a), ("B", suite.only_b)):
        if keys:
            named = cut(some(keys), 2000)
            yield f"{cut(suite.name):11}{len(keys)} on side {where} only: {named}"
    if suite.changed:
        named = cut(", ".join(suite.changed[:LISTED]), 4000)
        more = f" and {len(suite.changed) - LISTED} more" if len(suite.changed) > LISTED else ""
        yield (
            f"{cut(suite.name):11}{len(suite.changed)} with another text or other tests, not "
            f"compared: {named}{more}"
        )
