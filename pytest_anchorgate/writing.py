"""Writes the reports that were asked for; none of them can change a decision."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.report.json import write_json
from pytest_anchorgate.report.markdown import append_summary, render_annotations, write_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_anchorgate.report.gated import GateReport
    from pytest_anchorgate.run import Options


def write_reports(report: GateReport, options: Options) -> list[str]:
    """Write every report that was asked for; return a line for each that could not be."""
    problems = []
    for write, path in _asked(options):
        try:
            write(report, path)
        except AnchorgateError as error:
            problems.append(str(error))
    return problems


def _asked(options: Options) -> Iterator[tuple[Callable[[GateReport, Path], None], Path]]:
    if options.json is not None:
        yield write_json, options.json
    if options.markdown is not None:
        yield write_markdown, options.markdown
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        yield append_summary, Path(summary)
    if options.html is not None:
        from pytest_anchorgate.report.html import write_html  # Jinja2 only for those who ask

        yield write_html, options.html


def workflow_commands(report: GateReport) -> Iterator[str]:
    """Yield the lines that GitHub shows beside the anchors' files, on its runners."""
    if os.environ.get("GITHUB_ACTIONS"):
        yield from render_annotations(report)
