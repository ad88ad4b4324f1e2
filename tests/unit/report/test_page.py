from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pytest_anchorgate.gate import Decision, Outcome
from pytest_anchorgate.report import page
from pytest_anchorgate.report.gated import BaselineReport, Divergence
from pytest_anchorgate.report.html import render_html
from pytest_anchorgate.report.page import Bounds
from tests import reports, rows
from tests.pages import Document, document, section

if TYPE_CHECKING:
    from pytest_anchorgate.report.gated import GateReport


def decided(decision: Decision, **changed: Any) -> GateReport:
    report = reports.accepted()
    return replace(report, ruling=replace(report.ruling, decision=decision, **changed))


def test_lost_anchors_come_first_and_open() -> None:
    text = section(render_html(reports.refused()), "lost")
    names = re.findall(r"<h3><code>(.*?)</code>", text)
    assert names == ["MBPP/19", "HumanEval/23", "HumanEval/34", "HumanEval/7"]
    assert re.findall(r"<details( open)?>", text) == [" open"] * 3 + [""]
    assert "does not refuse alone" in text.rpartition("<article")[2]


def test_a_lost_anchor_shows_its_assertion_its_values_and_where_the_answers_part() -> None:
    found = Document(section(render_html(reports.refused()), "lost").partition("</article>")[0]
                     .partition(">")[2] + "</article>")  # fmt: skip
    text = " ".join(" ".join(text for _, text in found.texts).split())
    assert "Assertion assert square(3) == 9 Left 6 == right 9" in text
    assert "part at token 15: n in the baseline's, found in the candidate's." in text
    assert "The baseline's margin was 1.73." in text
    assert "def square(n" in text
    assert "tests/gate/test_gate.py::test_anchor[MBPP/19]" in text


def test_the_line_that_failed_is_marked() -> None:
    text = section(render_html(reports.refused()), "lost")
    assert re.findall(r"            continue<b class=\"here\">failed here</b>", text)
    assert "is_even (line 4) → &lt;listcomp&gt; (line 11)" in text


def test_a_timeout_tells_of_its_first_run_and_an_answer_of_its_end() -> None:
    text = section(render_html(reports.refused()), "lost")
    assert "used more than 3 s of CPU time; it ran again alone" in text
    assert "<em>its end</em> in the candidate's" in text.replace("&#39;", "'")


def test_how_to_run_the_lost_again_is_told() -> None:
    assert "--pack packs/bd6.4.planck" in section(render_html(reports.refused()), "lost")
    assert "run only these" not in section(render_html(reports.accepted()), "lost")


def test_gains_tell_what_they_were() -> None:
    text = section(render_html(reports.accepted()), "gained")
    assert "was: assert None == 12" in text
    assert "<del>+</del>" in text
    assert "<ins>*</ins>" in text


def test_without_a_baseline_nothing_is_compared() -> None:
    report = reports.without_baseline()
    text = render_html(report)
    found = Document(text)
    assert "none: completions are given, and no baseline" in found.text("header")
    assert "passed 10 of 30 failed 20" in found.text("header")
    assert "McNemar" not in found.text()
    assert section(text, "failed").count("<article") == 20
    assert "Without a baseline nothing can be gained." in text
    assert "No margins are known" in text
    assert "No attempt is in the ledger." in text
    assert "pass@1" in text
    assert "samples.jsonl" in found.text("title")


def test_an_anchor_is_lost_even_without_a_baseline() -> None:
    row = rows.row("anchor:a", Outcome.LOST, compared=False, before_program="")
    found = document(reports.report_of((row,), baseline=BaselineReport(where="none")))
    assert "anchors kept 0 of 1 lost 1" in found.text("header")
    assert "Production solved these" in found.text()


def test_a_run_without_cases_is_shown() -> None:
    report = decided(Decision.INVALID, reasons=("the model's process died",), not_run=("anchor:a",))
    found = document(replace(report, rows=(), suites=(), history=()))
    assert "No case was judged." in found.text()
    assert "0 tasks" in found.text()
    assert "Selected, without a verdict anchor:a" in found.text()


def test_what_gave_no_verdict_is_named_and_bounded() -> None:
    report = decided(Decision.INVALID, not_run=tuple(f"mbpp:{k}" for k in range(page.NAMES + 7)))
    row = rows.row("mbpp:MBPP/1", Outcome.ERROR, reason="sandbox: broke")
    found = document(replace(report, rows=(*report.rows, row)))
    assert "MBPP/1 sandbox: broke" in found.text()
    assert "mbpp:199 and 7 more" in found.text()


def test_suites_show_rates_intervals_and_tests() -> None:
    text = section(render_html(reports.refused()), "suites")
    rows = [" ".join(Markup(row).striptags().split()) for row in text.split("<tr")[2:]]
    assert rows[0].endswith(
        "anchor 18 / 21 85.7 % 65.4 to 95.0 21 / 21 3 0 0.250 2 failed1 timeout"
    )
    assert "0 lost of 15: at most 20.0 %, with 95 % confidence" in rows[1]
    assert "trained on 5 / 20 25.0 %" in rows[2]
    assert "unseen 15 / 20 75.0 %" in rows[3]


def test_the_table_has_every_case_with_program_answer_and_diff() -> None:
    report = reports.refused()
    text = section(render_html(report), "tasks")
    assert text.count("<tbody") == len(report.rows)
    found = text.partition('<tbody id="task-22">')[2].partition("</tbody>")[0]
    row = report.rows[22]
    assert row.outcome is Outcome.KNOWN
    assert f'<th scope="row">{row.id}</th>' in found
    assert '<span class="d">-def last_two(s):\n</span>' in found
    assert "End of the answer" in found
    assert "#case-22" not in found
    assert "#case-1" in text.partition('<tbody id="task-1">')[2].partition("</tbody>")[0]


def test_outcomes_and_suites_can_be_filtered() -> None:
    text = section(render_html(reports.refused()), "tasks")
    options = re.findall(r"<option[^>]*>(.*?)</option>", text)
    assert options == ["any", "kept", "lost", "known failure", "gained", "any", "anchor", "mbpp",
                       "humaneval"]  # fmt: skip


def test_the_history_has_a_column_for_each_attempt_the_latest_last() -> None:
    text = section(render_html(reports.refused()), "history")
    names = [*map(str, re.findall(r'<span class="code">(.*?)</span>', text))]
    assert names == ["bd6-pass1.planck", "bd6.2.planck", "bd6.3.planck", "bd6.4.planck"]
    rows = {
        row[0]: row[1:]
        for row in (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in text.split("<tr>"))
        if row
    }
    assert rows["lr"] == ["2e-4", "2e-4", "<strong>1e-4</strong>", "1e-4"]
    assert rows["anchors"] == ["19 / 19", "6 / 19", "0 / 19", "16 / 19"]
    assert rows["decision"] == ["accepted", "refused", "refused", "refused"]
    assert rows["status"] == ["PRODUCTION", "archived", "archived", "archived"]
    assert "destroys every win" in rows["note"][2]
    assert "this run" in text.rpartition("</th>")[0]


def test_a_long_history_shows_the_latest_and_counts_the_rest() -> None:
    history = tuple(rows.attempt(f"v{k}.planck", gained=k) for k in range(60))
    text = section(render_html(reports.report_of((), history=history)), "history")
    assert "52 older ones are not shown" in text
    assert "v52.planck" in text.partition("</thead>")[0]
    assert "v51.planck" not in text.partition("</thead>")[0]
    assert "20 older attempts are not shown" in text


def test_the_environment_is_told() -> None:
    report = replace(reports.refused(), sandbox="rlimits", log="logs/serve.log")
    text = Document(f"<main>{section(render_html(report), 'environment').partition('>')[2]}</main>")
    words = " ".join(" ".join(text for _, text in text.texts).split())
    for fact in (
        "engine transformers torch 2.13.0+cpu transformers 5.23.0 device cpu dtype float32",
        "method greedy max new tokens 256 prompt docstring",
        "sandbox rlimits; nothing is walled off verifier verify.",
        "generated 92 (8,120 tokens) reused 12 (1,044 tokens)",
        "load 1.82 generate 21.40 verify, all workers 9.31 total 27.55",
        "HumanEval's losses are only reported",
        "serve.log",
    ):
        assert fact in words


def test_a_divergence_shows_what_cannot_be_seen() -> None:
    row = rows.lost_row(
        "anchor:a", "square", divergence=Divergence(position=0, before="\n\t", now=" ")
    )
    text = section(render_html(reports.report_of((row,))), "lost")
    assert r'<code class="token"><i>\n</i>    </code>' in text


def test_many_lost_cases_are_counted_beyond_a_hundred() -> None:
    lost = tuple(rows.lost_row(f"mbpp:{k}", "square") for k in range(page.CARDS + 5))
    text = section(render_html(reports.report_of(lost)), "lost")
    assert text.count("<article") == page.CARDS
    assert "and 5 more, which the" in text


def test_more_cases_carry_less_each() -> None:
    sizes = [Bounds.of(tasks).program for tasks in (10, 1000, 5000, 10**6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0
