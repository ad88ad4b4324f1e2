"""The terminal section: decision first, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate.gate import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_anchorgate.report.gated import GateReport

NAMED = 8  # so many case keys are named in one line
COLOURS = {
    Decision.ACCEPTED: "green",
    Decision.REFUSED: "red",
    Decision.INVALID: "red",
    Decision.PARTIAL: "yellow",
}


def render_lines(report: GateReport) -> Iterator[tuple[str, str]]:
    """Yield the section's lines, each with its colour ("" for none)."""
    ruling = report.ruling
    yield f"{ruling.decision.value.upper()}: {'; '.join(ruling.reasons)}", COLOURS[ruling.decision]
    if report.pack:
        engine = report.pack.engine
        versions = " ".join(f"{name} {version}" for name, version in engine["versions"].items())
        yield f"pack       {report.pack.path}, sha256 {report.pack.sha256}", ""
        yield (
            f"engine     {engine['engine']} on {engine['device']} in {engine['dtype']} {versions}",
            "",
        )
    for name, keys in (
        ("lost", ruling.lost), ("no verdict", ruling.not_run), ("left out", ruling.deselected)
    ):  # fmt: skip
        if keys:
            yield f"{name:11}{_some(keys)}", ""
    yield from ((line, "") for line in _suite_table(report))
    yield from ((line, "") for line in _work(report))


def _suite_table(report: GateReport) -> Iterator[str]:
    suites = report.suites()
    if not suites:
        return
    width = max(11, *(len(name) + 1 for name in suites))
    yield f"{'suite':{width}}{'passed':>8}{'failed':>8}{'timeout':>9}{'error':>7}"
    for name, counts in suites.items():
        yield (
            f"{name:{width}}{counts['passed']:8}{counts['failed']:8}"
            f"{counts['timeout']:9}{counts['error']:7}"
        )


def _work(report: GateReport) -> Iterator[str]:
    traffic = report.traffic
    if report.pack:
        how = "" if report.load_s else "; the model was not loaded"
        yield (
            f"answers    {traffic.generated} generated ({traffic.generated_tokens} tokens), "
            f"{traffic.reused} reused ({traffic.reused_tokens} tokens){how}"
        )
    if report.without_answer:
        yield f"samples    {report.without_answer} tasks have no completion and were not run"
    if report.unknown_answers:
        unknown = report.unknown_answers
        yield f"samples    {len(unknown)} completions belong to no selected task: {_some(unknown)}"
    yield from _sandbox(report)
    yield (
        f"seconds    load {report.load_s:.2f}, generate {report.generate_s:.2f}, "
        f"verify {report.verify_s:.2f} (all workers), total {report.total_s:.2f}"
    )
    if report.log and report.load_s:
        yield f"log        {report.log}"


def _sandbox(report: GateReport) -> Iterator[str]:
    if report.verdicts:
        walls = "; nothing is walled off" if report.sandbox == "rlimits" else ""
        yield f"sandbox    {report.sandbox}{walls}"
    if together := report.together():
        yield f"together   {_some(together)}: tests that ran beside their program"
    if rerun := report.rerun():
        yield f"run again  {_some(rerun)}: alone, after running out of time"


def _some(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
