"""The HTML report: one file that needs nothing else, made of `templates/`.

What models and programs wrote is hostile: every value is escaped by Jinja2 and shown as printable
text (`inert`), and the page's policy allows our one script, by its digest, and no request at all.
Imported only when a report is asked for: it imports Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.report import plots
from pytest_anchorgate.report.inert import code, cut, line, tail
from pytest_anchorgate.report.page import Page
from pytest_anchorgate.report.wording import chance
from pytest_anchorgate.sandbox.values import escape
from pytest_anchorgate.verify import VERIFIER_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.report.gated import GateReport

TEXT_CHARACTERS = 2000  # of a value in running text


def write_html(report: GateReport, path: Path) -> None:
    """Write the report to ``path``, whole or not at all.

    :raises PackError: when the file cannot be written.
    """
    write_file(path, render_html(report).encode("utf-8", "backslashreplace"))


def render_html(report: GateReport) -> str:
    """Return the report as one HTML document, the same for the same report."""
    script = _template_text("gate.js")
    return (
        _environment()
        .get_template("gate.html")
        .render(
            page=Page(report),
            report=report,
            ruling=report.ruling,
            verifier=VERIFIER_VERSION,
            plots=plots,
            style=Markup(_template_text("gate.css")),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def _template_text(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        code=code,
        cut=cut,
        digits=_digits,
        line=line,
        percent=_percent,
        tail=tail,
        thousands=_thousands,
        chance=chance,
    )
    return environment


def _printable(value: Any) -> Any:
    """Return what an expression prints: text on one line, bounded, without anything hidden."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return escape(cut(value, TEXT_CHARACTERS))


def _thousands(number: int) -> str:
    return f"{number:,}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _digits(value: float) -> str:
    """Return three significant digits, and a power of ten only of very small numbers."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
