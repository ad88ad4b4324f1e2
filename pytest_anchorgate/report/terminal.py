"""The terminal section: decision first, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate.gate import Decision
from pytest_anchorgate.report.diff import unified
from pytest_anchorgate.report.wording import (
    bounds,
    comparison,
    engine_line,
    failure_lines,
    p_value,
    parting,
    remarks,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_anchorgate.report.gated import GateReport, Row
    from pytest_anchorgate.report.suites import SuiteReport

    Line = tuple[str, str]  # a text and its colour, "" for none

SHOWN = 3  # so many losses are shown in full
DIFF_LINES = 12
COLOURS = {
    Decision.ACCEPTED: "green",
    Decision.REFUSED: "red",
    Decision.INVALID: "red",
    Decision.PARTIAL: "yellow",
}
DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def render_lines(report: GateReport) -> Iterator[Line]:
    """Yield the section's lines, each with its colour."""
    ruling = report.ruling
    first, *more = ruling.reasons
    yield f"{ruling.decision.value.upper()}: {first}", COLOURS[ruling.decision]
    yield from ((f"           {reason}", COLOURS[ruling.decision]) for reason in more[:SHOWN])
    if left := more[SHOWN:]:
        yield f"           and {len(left)} reasons more", COLOURS[ruling.decision]
    if report.pack:
        yield f"pack       {report.pack.path}, sha256 {report.pack.sha256}", ""
    yield from ((line, "") for line in comparison(report.baseline))
    yield from _losses(report)
    for name, keys in (
        ("failed", ruling.failed), ("no verdict", ruling.not_run),
        ("left out", ruling.deselected), ("gained", ruling.gained),
    ):  # fmt: skip
        if keys:
            yield f"{name:11}{some(keys)}", "green" if name == "gained" else ""
    yield from ((line, "") for line in _suite_table(report.suites))
    yield from ((line, "") for line in _work(report))


def _losses(report: GateReport) -> Iterator[Line]:
    """Yield the first losses in full, those that refuse before those only reported."""
    lost = report.losses()
    for row in lost[:SHOWN]:
        yield from _loss(row)
    if more := lost[SHOWN:]:
        yield f"lost too   {some([row.key for row in more])}", "red"


def _loss(row: Row) -> Iterator[Line]:
    origin = f"  ({row.verdict['origin']})" if row.verdict["origin"] else ""
    reported = "" if row.refuses else " (report-only)"
    yield f"lost       {row.key}{reported}{origin}", "red"
    yield from ((f"    {line}", "") for line in failure_lines(row))
    if row.divergence:
        yield f"    {parting(row.divergence)}", ""
    diff = unified(row.before_program, row.verdict["program"]) if row.before_program else []
    for line in diff[:DIFF_LINES]:
        yield f"    {line}", DIFF_COLOURS.get(line[:1], "")
    if len(diff) > DIFF_LINES:
        yield f"    ... {len(diff) - DIFF_LINES} lines more", ""


def _suite_table(suites: tuple[SuiteReport, ...]) -> Iterator[str]:
    if not suites:
        return
    width = max(11, *(len(suite.name) + 1 for suite in suites))
    yield (
        f"{'suite':{width}}{'passed':>8}{'failed':>8}{'timeout':>9}{'error':>7}"
        f"{'rate':>9}{'95 % interval':>18}{'lost':>6}{'gained':>8}{'McNemar p':>11}"
    )
    for suite in suites:
        counts, share = suite.statuses, suite.all
        interval, p = bounds(share), p_value(suite)
        compared = f"{suite.lost:6}{suite.gained:8}{p:>11}" if suite.compared else ""
        yield (
            f"{suite.name:{width}}{counts.get('passed', 0):8}{counts.get('failed', 0):8}"
            f"{counts.get('timeout', 0):9}{counts.get('error', 0):7}"
            f"{100 * share.rate:7.1f} %{interval:>18}{compared}"
        )
    for suite in suites:
        yield from (f"{suite.name:{width}}{remark}" for remark in remarks(suite))


def _work(report: GateReport) -> Iterator[str]:
    traffic = report.traffic
    if report.pack:
        yield f"engine     {engine_line(report.pack)}"
        how = "" if report.seconds.load else "; the model was not loaded"
        yield (
            f"answers    {traffic.generated} generated ({traffic.generated_tokens} tokens), "
            f"{traffic.reused} reused ({traffic.reused_tokens} tokens){how}"
        )
    if report.without_answer:
        yield f"samples    {report.without_answer} tasks have no completion and were not run"
    if unknown := report.unknown_answers:
        yield f"samples    {len(unknown)} completions belong to no selected task: {some(unknown)}"
    yield from _sandbox(report)
    seconds = report.seconds
    yield (
        f"seconds    load {seconds.load:.2f}, generate {seconds.generate:.2f}, "
        f"verify {seconds.verify:.2f} (all workers), total {seconds.total:.2f}"
    )
    if report.log and seconds.load:
        yield f"log        {report.log}"
    yield from (f"note       {note}" for note in report.notes)
    if report.rerun:
        yield f"run lost   {report.rerun}"


def _sandbox(report: GateReport) -> Iterator[str]:
    if report.rows:
        walls = "; nothing is walled off" if report.sandbox == "rlimits" else ""
        yield f"sandbox    {report.sandbox}{walls}"
    if together := report.together():
        yield f"together   {some(together)}: tests that ran beside their program"
    if again := report.run_again():
        yield f"run again  {some(again)}: alone, after running out of time"
