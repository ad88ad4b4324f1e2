"""The report as Markdown, for merge requests and GitHub's step summary, and as annotations.

GitHub's commands: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.gate import Decision
from pytest_anchorgate.pack.atomic import write_file
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
from pytest_anchorgate.verify import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_anchorgate.report.gated import GateReport, Row
    from pytest_anchorgate.report.suites import SuiteReport

SUMMARY_BYTES = 1024 * 1024  # what GitHub takes for one step
ROOM_BYTES = 4096  # of a summary are kept free for what ends it
SHOWN = 10  # so many losses are shown in full
DIFF_LINES = 40
ANNOTATED = 10  # GitHub shows ten errors of a step


def write_markdown(report: GateReport, path: Path) -> None:
    """Write the report to ``path``, whole or not at all.

    :raises PackError: when the file cannot be written.
    """
    write_file(path, _encode(render_markdown(report)))


def append_summary(report: GateReport, path: Path) -> None:
    """Append the report to what other steps have written for ``GITHUB_STEP_SUMMARY``.

    Shortened to a step's limit of 1 MiB; more would make GitHub drop all of it.

    :raises PackError: when the file cannot be written.
    """
    try:
        with path.open("ab") as file:
            room = SUMMARY_BYTES - ROOM_BYTES - file.tell()
            file.write(_fitting(report, room))
    except OSError as error:
        raise PackError(f"{path}: cannot be written: {error.strerror or error}.") from None


def _fitting(report: GateReport, room: int) -> bytes:
    """Return the report with as many losses in full as there is room for."""
    for shown in (SHOWN, 1, 0):
        text = _encode(render_markdown(report, shown=shown))
        if len(text) <= room:
            return text
    return b""


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def render_markdown(report: GateReport, *, shown: int = SHOWN) -> str:
    """Return the report with ``shown`` losses in full."""
    return "\n".join(_lines(report, shown)) + "\n"


def _lines(report: GateReport, shown: int) -> Iterator[str]:
    ruling = report.ruling
    yield f"## anchorgate: {ruling.decision.value}"
    yield ""
    yield from (f"- {_text(reason)}" for reason in ruling.reasons)
    yield ""
    if report.pack:
        yield f"Pack {_code(report.pack.path)}, sha256 {_code(report.pack.sha256)}  "
        yield f"{_text(engine_line(report.pack))}  "
    yield from (f"{_text(' '.join(line.split()))}  " for line in comparison(report.baseline))
    yield ""
    yield from _table(report.suites)
    lost = report.losses()
    for row in lost[:shown]:
        yield from _loss(row)
    if more := lost[shown:]:
        yield f"Lost too: {_text(some([row.key for row in more]))}"
        yield ""
    for name, keys in (
        ("Gained", ruling.gained), ("Failed without a baseline", ruling.failed),
        ("No verdict", ruling.not_run), ("Left out", ruling.deselected),
    ):  # fmt: skip
        if keys:
            yield from (f"{name}: {_text(some(keys))}", "")
    yield from (f"Note: {_text(note)}  " for note in report.notes)
    if report.rerun:
        yield from ("Run again only what was lost:", "", "```sh", report.rerun, "```")


def _table(suites: Sequence[SuiteReport]) -> Iterator[str]:
    if not suites:
        return
    yield "| suite | passed | of | rate | 95 % interval | lost | gained | McNemar p |"
    yield "|---|--:|--:|--:|---|--:|--:|--:|"
    for suite in suites:
        share = suite.all
        interval, p = bounds(share), p_value(suite)
        compared = f"{suite.lost} | {suite.gained} | {p}" if suite.compared else " | | "
        yield (
            f"| {_text(suite.name)} | {share.passed} | {share.total} | {100 * share.rate:.1f} % "
            f"| {interval} | {compared} |"
        )
    yield ""
    for suite in suites:
        yield from (f"- {_text(suite.name)}: {remark}" for remark in remarks(suite))
    yield ""


def _loss(row: Row) -> Iterator[str]:
    reported = "" if row.refuses else " (report-only)"
    yield f"<details open><summary>Lost: {_html(row.key)}{reported}</summary>"
    yield ""
    if row.verdict["origin"]:
        yield f"{_code(row.verdict['origin'])}  "
    yield from (f"{_code(line)}  " for line in failure_lines(row))
    if row.divergence:
        yield _text(parting(row.divergence))
    diff = unified(row.before_program, row.verdict["program"]) if row.before_program else []
    if diff:
        shown = [cut(line) for line in diff[:DIFF_LINES]]
        more = [f"... {len(diff) - DIFF_LINES} lines more"] if len(diff) > DIFF_LINES else []
        fence = _fence([*shown, *more])
        yield from ("", f"{fence}diff", *shown, *more, fence)
    yield from ("", "</details>", "")


def _fence(lines: Sequence[str]) -> str:
    """Return a fence that nothing between it ends."""
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return fence


def _code(text: str) -> str:
    """Return ``text`` as code, whatever backticks it has."""
    text = cut(text)
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def _text(text: str) -> str:
    """Return ``text`` with nothing in it that Markdown or HTML would obey."""
    escaped = "".join(f"\\{c}" if c in "\\`*_{}[]#|~!@" else c for c in cut(text, 2000))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _html(text: str) -> str:
    return cut(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def render_annotations(report: GateReport) -> Iterator[str]:
    """Yield GitHub's commands that mark lost anchors in their files, and the decision."""
    ruling = report.ruling
    if ruling.decision in (Decision.REFUSED, Decision.INVALID):
        reasons = _escaped("; ".join(ruling.reasons))
        yield f"::error title=anchorgate {ruling.decision.value}::{reasons}"
    refusing = [row for row in report.rows if row.refuses]
    for row in refusing[: ANNOTATED - 1]:
        path, _, line = row.verdict["origin"].rpartition(":")
        place = f"file={_property(path)},line={line}," if path and line.isdecimal() else ""
        reason = _escaped(f"{row.key}: {cut(row.verdict['reason'])}")
        yield f"::error {place}title={_property(f'lost {row.id}')}::{reason}"


def _escaped(text: str) -> str:
    """Return a command's message on one line, as GitHub reads it back."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
