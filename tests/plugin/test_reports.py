"""Reports beside the terminal: Markdown, GitHub's summary and annotations, JUnit, the ledger."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.test_decisions import WAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import GateProject


def lose(project: GateProject, name: str = "seven") -> None:
    project.answer(name, "    return '<script>`|x|`'\n", pack="next")


@WAYS
def test_markdown_says_what_was_lost_and_how(certified: GateProject, way: tuple[str, ...]) -> None:
    lose(certified)
    certified.gate("--gate-markdown=out.md", *way, pack="next")
    text = (certified.path / "out.md").read_text()
    assert text.startswith("## anchorgate: refused\n\n- 1 anchor lost\n")
    assert "| anchor | 3 | 4 | 75.0 % | 30.1 to 95.4 % | 1 | 0 | 1 |" in text
    assert "<details open><summary>Lost: anchor:own/seven</summary>" in text
    assert "```diff\n--- baseline\n+++ candidate\n" in text.replace("````diff", "```diff")
    assert "-    return n + 5" in text
    assert "'tests/gate/test_gate.py::test_anchor[own/seven]'" in text


def test_nothing_that_a_model_says_is_obeyed_by_markdown(certified: GateProject) -> None:
    lose(certified)
    certified.gate("--gate-markdown=out.md", pack="next")
    text = (certified.path / "out.md").read_text()
    plain = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)  # all but code
    assert "<script>" in text
    assert "<script>" not in plain


def test_the_step_summary_is_appended_to_what_is_there(
    certified: GateProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = certified.path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    certified.gate(pack="next")
    text = summary.read_text()
    assert text.startswith("before\n## anchorgate: accepted\n")
    summary.write_text("x" * 1024 * 1024)
    result, _ = certified.gate(pack="next")
    assert (result.ret, summary.stat().st_size) == (0, 1024 * 1024)


@WAYS
def test_annotations_mark_the_lost_anchors_row(
    certified: GateProject, way: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    lose(certified)
    result, _ = certified.gate(*way, pack="next")
    result.stdout.fnmatch_lines(
        [
            "::error title=anchorgate refused::1 anchor lost",
            "::error file=anchors.jsonl,line=3,title=lost own/seven::anchor:own/seven: *",
        ]
    )


def test_without_github_there_are_no_annotations(certified: GateProject) -> None:
    lose(certified)
    result, _ = certified.gate(pack="next")
    assert "::error" not in result.stdout.str()


@WAYS
def test_junit_has_the_decision_and_each_verdict(
    certified: GateProject, way: tuple[str, ...]
) -> None:
    lose(certified)
    certified.gate("--junitxml=out.xml", *way, pack="next")
    suite = ET.parse(certified.path / "out.xml").getroot().find("testsuite")
    assert suite is not None
    found = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
    assert found["anchorgate_decision"] == "refused"
    assert found["anchorgate_reasons"] == "1 anchor lost"
    assert len(str(found["anchorgate_pack_sha256"])) == 64
    records = suite.findall("testcase/properties/property[@name='anchorgate']")
    statuses = [json.loads(str(record.get("value")))["status"] for record in records]
    assert sorted(statuses) == ["failed", "passed", "passed", "passed"]


@pytest.mark.parametrize("option", ["json", "html", "markdown"])
@pytest.mark.parametrize("place", ["no/such/place/out", "/dev/full"])
def test_a_report_that_cannot_be_written_is_one_line_and_changes_no_decision(
    certified: GateProject, option: str, place: str
) -> None:
    result = certified.run("--pack", "next", "-m", "anchor", f"--gate-{option}={place}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["ACCEPTED: *"])
    (line,) = (line for line in result.stdout.lines if line.startswith("anchorgate: /"))
    assert "cannot be written: " in line


def test_a_summary_that_cannot_be_written_changes_no_decision(
    certified: GateProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", os.devnull.replace("null", "full"))
    result, _ = certified.gate(pack="next")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["anchorgate: /dev/full: cannot be written: No space left*"])


def ledger(project: GateProject) -> list[dict[str, object]]:
    path = project.path / "packs" / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_candidates_gate_is_an_attempt_once_and_productions_is_none(
    certified: GateProject,
) -> None:
    certified.gate()
    assert ledger(certified) == []
    lose(certified)
    for _ in range(2):
        certified.gate(pack="next")
    certified.gate("-k", "two", pack="next")
    (attempt,) = ledger(certified)
    assert (attempt["event"], attempt["pack"], attempt["decision"]) == (
        "gate", "next.planck", "refused"
    )  # fmt: skip
    assert (attempt["anchors_kept"], attempt["anchors"]) == (3, 4)


def test_a_broken_ledger_is_one_line_and_changes_no_decision(certified: GateProject) -> None:
    path: Path = certified.path / "packs" / "ledger.jsonl"
    path.write_text('{"event": "gate"')
    result, report = certified.gate(pack="next")
    assert (result.ret, report["decision"]) == (0, "accepted")
    result.stdout.fnmatch_lines(["anchorgate: *packs/ledger.jsonl:1: *"])
    assert path.read_text() == '{"event": "gate"'
